// Webhooks of a running registry with two workers, to receivers that answer, fail, hang, drop the connection and restart.
import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test';
import { Webhook } from 'standardwebhooks';
import { eventually, workersOf } from '../support/processes.ts';
import { Place } from './place.ts';
import { Receiver } from './receiver.ts';

let place: Place;
const receivers: Receiver[] = [];
const secrets: string[] = ['topsecret'];

beforeAll(async () => {
  place = await Place.start(['--workers', '2']);
}, 60_000);
afterAll(() => place?.stop(), 30_000);
afterEach(async () => {
  for (const { id } of await place.client.webhooks.list({ namespace: 'alice' })) await place.client.webhooks.delete(id);
  await Promise.all(receivers.splice(0).map((receiver) => receiver.down()));
}, 60_000);

async function receive(webhook: { events?: string[]; shape?: 'berth' | 'distribution' | 'docker-hub' } = {}) {
  const receiver = await Receiver.start();
  receivers.push(receiver);
  const made = await place.client.webhooks.create({
    namespace: 'alice',
    url: receiver.url,
    events: ['tag.push'],
    authorization: 'Bearer topsecret',
    ...webhook,
  });
  secrets.push(made.secret);
  return { receiver, id: made.webhook.id, secret: made.secret };
}

const tags = (count: number) => Array.from({ length: count }, (_, i) => `v${i}`);
const subjects = (name: string, count: number) => tags(count).map((tag) => `alice/${name}:${tag}`);
const arrived = (receiver: Receiver, count: number) =>
  eventually(`${count} messages`, 40_000, () => receiver.received.length >= count);

test('each push is told once, in the order of the pushes, signed as Standard Webhooks’ own library checks it', async () => {
  const { receiver, secret } = await receive();
  for (const tag of tags(20)) await place.push('alice/one', tag);
  await arrived(receiver, 20);
  expect(receiver.subjects).toEqual(subjects('one', 20));
  expect(new Set(receiver.received.map(({ id }) => id)).size).toBe(20);
  for (const { body, headers } of receiver.received) {
    new Webhook(secret).verify(body, headers as Record<string, string>);
    expect(headers.authorization).toBe('Bearer topsecret');
  }
}, 60_000);

test('the three shapes say of one push what their documents say', async () => {
  const berth = await receive();
  const distribution = await receive({ shape: 'distribution' });
  const hub = await receive({ shape: 'docker-hub' });
  const { digest, size } = await place.push('alice/shapes', '1.0');
  for (const { receiver } of [berth, distribution, hub]) await arrived(receiver, 1);
  const bodyOf = ({ receiver }: { receiver: Receiver }): unknown => JSON.parse(receiver.received[0]?.body ?? '');
  const mediaType = 'application/vnd.oci.image.index.v1+json';
  const { host, url } = place.server;
  expect(bodyOf(berth)).toEqual({
    type: 'tag.push',
    timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    data: {
      event: expect.stringMatching(/^\d+$/),
      actor: 'alice',
      subject: 'alice/shapes:1.0',
      namespace: 'alice',
      repository: 'alice/shapes',
      tag: '1.0',
      digest,
      previous: null,
      mediaType,
      size,
      image: `${host}/alice/shapes:1.0`,
    },
  });
  expect(distribution.receiver.received[0]?.headers['content-type']).toBe(
    'application/vnd.docker.distribution.events.v2+json',
  );
  expect(bodyOf(distribution)).toEqual({
    events: [
      {
        id: distribution.receiver.received[0]?.id,
        timestamp: expect.any(String),
        action: 'push',
        target: {
          mediaType,
          digest,
          size,
          length: size,
          repository: 'alice/shapes',
          url: `${url}/v2/alice/shapes/manifests/${digest}`,
          tag: '1.0',
        },
        request: { id: expect.any(String), addr: '127.0.0.1', host, method: 'PUT', useragent: 'pusher/1.0' },
        actor: { name: 'alice' },
        source: { addr: host, instanceID: expect.any(String) },
      },
    ],
  });
  expect(bodyOf(hub)).toEqual({
    callback_url: `${url}/api/v1/webhooks/${hub.id}/deliveries/${hub.receiver.received[0]?.id}`,
    push_data: { pushed_at: expect.any(Number), pusher: 'alice', tag: '1.0', images: [] },
    repository: {
      comment_count: 0,
      date_created: expect.any(Number),
      description: '',
      dockerfile: '',
      full_description: '',
      is_official: false,
      is_private: true,
      is_trusted: false,
      name: 'shapes',
      namespace: 'alice',
      owner: 'alice',
      repo_name: 'alice/shapes',
      repo_url: `${url}/repositories/alice/shapes`,
      star_count: 0,
      status: 'Active',
    },
  });
}, 60_000);

test('receivers that fail, drop or are away are asked again in order; one that hangs keeps nobody waiting', async () => {
  const hanging = await receive();
  hanging.receiver.usual = 'hang';
  const failing = await receive();
  failing.receiver.next = [500];
  const dropping = await receive();
  dropping.receiver.next = ['drop'];
  const away = await receive();
  await away.receiver.down();
  const well = await receive();
  for (const tag of tags(3)) await place.push('alice/two', tag);
  await arrived(well.receiver, 3);
  expect(well.receiver.subjects).toEqual(subjects('two', 3));
  await arrived(hanging.receiver, 1);
  await away.receiver.up();
  for (const { receiver } of [failing, dropping]) {
    await arrived(receiver, 4);
    expect(receiver.subjects).toEqual(['alice/two:v0', ...subjects('two', 3)]);
    expect(receiver.received[0]?.id).toBe(receiver.received[1]?.id ?? '');
  }
  await arrived(away.receiver, 3);
  expect(away.receiver.subjects).toEqual(subjects('two', 3));
  expect(hanging.receiver.received.length).toBe(1);
  const metrics = await (await fetch(`${place.server.url}/metrics`)).text();
  expect(metrics).toMatch(/berth_webhook_deliveries_total\{outcome="retried"\} [1-9]/);
  expect(metrics).toMatch(/berth_webhook_outbox_pending [1-9]/);
}, 90_000);

test('pulls are told to who asks for them', async () => {
  const { receiver } = await receive({ events: ['manifest.pull'] });
  await place.push('alice/pulled', 'v1');
  await eventually('a pull that is told', 20_000, async () => {
    await fetch(`${place.server.url}/v2/alice/pulled/manifests/v1`, {
      headers: { Authorization: place.authorization },
    });
    return receiver.received.length > 0;
  });
  expect(receiver.subjects[0]).toBe('alice/pulled:v1');
}, 40_000);

test('nothing is lost with a worker that is killed while it sends, nor with the server', async () => {
  const { receiver } = await receive();
  receiver.next = ['hang'];
  for (const tag of tags(3)) await place.push('alice/killed', tag);
  await arrived(receiver, 1);
  for (const pid of workersOf(place.server.pid)) process.kill(pid, 'SIGKILL');
  await arrived(receiver, 4);
  expect(receiver.subjects).toEqual(['alice/killed:v0', ...subjects('killed', 3)]);
  expect(receiver.received[0]?.id).toBe(receiver.received[1]?.id ?? '');

  receiver.next = ['hang'];
  await eventually('a server that answers', 20_000, () =>
    place.push('alice/killed2', 'v0').then(
      () => true,
      () => false,
    ),
  );
  await arrived(receiver, 5);
  await place.push('alice/killed2', 'v1');
  await place.server.kill();
  await place.restart();
  await arrived(receiver, 7);
  expect(receiver.subjects.slice(4)).toEqual(['alice/killed2:v0', 'alice/killed2:v0', 'alice/killed2:v1']);
}, 120_000);

test('a test message says at once how it went, and a redelivery comes under its id', async () => {
  const { receiver, id } = await receive();
  const { webhooks } = place.client;
  await place.push('alice/again', 'v1');
  await arrived(receiver, 1);
  const [first] = await Array.fromAsync(webhooks.deliveries(id));
  await webhooks.redeliver(id, first?.id ?? '');
  await arrived(receiver, 2);
  expect(receiver.received[1]).toMatchObject({ id: first?.id, body: receiver.received[0]?.body });
  const tested = await webhooks.test(id);
  await arrived(receiver, 3);
  expect(receiver.received[2]?.id).toBe(tested);
}, 60_000);

test('no secret is in the log, in an answer or in the audit log', async () => {
  const { receiver, id, secret } = await receive();
  await place.push('alice/secrets', 'v1');
  await arrived(receiver, 1);
  const { webhooks, audit } = place.client;
  await webhooks.change(id, { description: 'changed' });
  const [delivery] = await Array.fromAsync(webhooks.deliveries(id));
  const seen = [
    place.server.output(),
    JSON.stringify(await webhooks.get(id)),
    JSON.stringify(await webhooks.delivery(id, delivery?.id ?? '')),
    JSON.stringify(await Array.fromAsync(audit.list({ action: 'webhook.*' }))),
  ].join('\n');
  for (const hidden of [...secrets, secret, secret.slice('whsec_'.length)]) expect(seen).not.toContain(hidden);
  expect(seen).toContain('webhook.create');
}, 60_000);
