// `berth webhook` and `berth events` on a running registry.
import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ManagementClient } from '../../src/client/management.ts';
import { berth } from '../support/berth.ts';
import { eventually } from '../support/processes.ts';
import { Place } from './place.ts';
import { Receiver } from './receiver.ts';

const root = new URL('../..', import.meta.url).pathname;

let place: Place;
let env: Record<string, string>;
beforeAll(async () => {
  place = await Place.start(['--workers', '2']);
  const { secret } = await place.client.tokens.create({ name: 'cli', level: 'admin' });
  env = {
    BERTH_CONFIG_HOME: mkdtempSync(join(tmpdir(), 'berth-home-')),
    BERTH_SERVER: place.server.url,
    BERTH_TOKEN: secret,
  };
}, 60_000);
afterAll(async () => {
  await place?.stop();
  rmSync(env?.BERTH_CONFIG_HOME ?? '', { recursive: true, force: true });
}, 60_000);

async function run(line: string, stdin?: string): Promise<string> {
  const { code, stdout, stderr } = await berth(line.split(' '), stdin === undefined ? { env } : { env, stdin });
  if (code !== 0) throw new Error(`berth ${line}: ${code} ${stderr}`);
  return stdout;
}

/** `berth events -f`, with the lines it has shown. */
function follow(...args: string[]) {
  const child = Bun.spawn([join(root, 'bin/berth'), 'events', '-f', '--output', 'json', ...args], {
    env: { ...process.env, ...env },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  });
  let text = '';
  let errors = '';
  const drain = async (stream: ReadableStream<Uint8Array>, take: (part: string) => void) => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) take(decoder.decode(chunk, { stream: true }));
  };
  void drain(child.stdout, (part) => {
    text += part;
  });
  void drain(child.stderr, (part) => {
    errors += part;
  });
  const shown = () =>
    text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as { id: string; kind: string; subject: string });
  return { child, shown, errors: () => errors };
}

test('berth events -f shows each event once, in order, over restarts of the server', async () => {
  await place.push('alice/before', 'v0');
  const { child, shown, errors } = follow('--kind', 'tag.*', '--since', '1h');
  try {
    await eventually('the event from before', 20_000, () => shown().length === 1);
    for (let i = 0; i < 5; i++) await place.push('alice/app', `a${i}`);
    await place.server.kill();
    await place.restart();
    for (let i = 0; i < 5; i++) await place.push('alice/app', `b${i}`);
    await eventually('ten events', 30_000, () => shown().length >= 11);
    await place.server.stop();
    await place.restart();
    await place.push('alice/app', 'c0');
    await eventually('the last event', 30_000, () => shown().length >= 12);
    const wanted = [
      'alice/before:v0',
      ...[0, 1, 2, 3, 4].map((i) => `alice/app:a${i}`),
      ...[0, 1, 2, 3, 4].map((i) => `alice/app:b${i}`),
      'alice/app:c0',
    ];
    expect(shown().map(({ subject }) => subject)).toEqual(wanted);
    expect(errors()).toContain('connection lost');
  } finally {
    child.kill('SIGINT');
  }
  expect(await child.exited).toBe(0);
}, 120_000);

test('an event comes to a stream within moments, and only what the filter names', async () => {
  const { child, shown } = follow('--repository', 'alice/this');
  try {
    await eventually('a stream that listens', 30_000, async () => {
      await place.push('alice/other', 'v1');
      await place.push('alice/this', 'v1');
      return shown().length > 0;
    });
    expect(new Set(shown().map(({ subject }) => subject.split(':')[0]))).toEqual(new Set(['alice/this']));
  } finally {
    child.kill('SIGINT');
    await child.exited;
  }
}, 60_000);

test('events are listed the newest first too, a page at a time', async () => {
  const { client } = place;
  for (const tag of ['1', '2', '3']) await place.push('alice/listed', tag);
  const filter = { repository: 'alice/listed', kind: 'tag.push' };
  const subjects = async (order: 'oldest' | 'newest') => {
    const found: string[] = [];
    for await (const { subject } of client.events.list(filter, undefined, order)) found.push(subject);
    return found;
  };
  const pushed = ['1', '2', '3'].map((tag) => `alice/listed:${tag}`);
  await eventually('the events', 20_000, async () => (await subjects('oldest')).length === 3);
  expect(await subjects('oldest')).toEqual(pushed);
  expect(await subjects('newest')).toEqual(pushed.toReversed());
  const page = async (last?: string): Promise<{ events: { subject: string }[]; next: string | null }> => {
    const query = new URLSearchParams({ ...filter, order: 'newest', n: '2', ...(last === undefined ? {} : { last }) });
    const headers = { Authorization: place.authorization };
    return (await fetch(`${place.server.url}/api/v1/events?${query}`, { headers })).json();
  };
  const first = await page();
  expect(first.events.map(({ subject }) => subject)).toEqual(pushed.slice(1).toReversed());
  const second = await page(first.next ?? '');
  expect(second).toMatchObject({ events: [{ subject: pushed[0] }], next: null });
}, 60_000);

test('a stream shows nothing more of a repository soon after the right to read it was taken away', async () => {
  const { client } = place;
  await client.users.create({ username: 'bob', password: 'correct horse battery' });
  await client.repositories.create({ name: 'alice/shut', visibility: 'private' });
  await client.repositories.create({ name: 'alice/open', visibility: 'public' });
  await client.grants.set({ repository: 'alice/shut' }, { user: 'bob' }, 'read');
  const bob = new ManagementClient(place.server.url, {
    kind: 'password',
    username: 'bob',
    password: 'correct horse battery',
  });
  const seen: string[] = [];
  const leaving = new AbortController();
  const reading = (async () => {
    for await (const { subject } of bob.events.follow({ kind: 'tag.push' }, { signal: leaving.signal }))
      seen.push(subject);
  })();
  try {
    await eventually('what bob may read', 20_000, async () => {
      await place.push('alice/shut', 'before');
      return seen.includes('alice/shut:before');
    });
    await client.grants.remove({ repository: 'alice/shut' }, { user: 'bob' });
    // As long as a change of rights may take.
    await Bun.sleep(5_500);
    await place.push('alice/shut', 'after');
    await place.push('alice/open', 'after');
    await eventually('what everybody may read', 20_000, () => seen.includes('alice/open:after'));
    expect(seen).not.toContain('alice/shut:after');
  } finally {
    leaving.abort();
    await reading;
  }
}, 90_000);

test('berth webhook makes, tests, lists, changes and deletes one, and shows its deliveries', async () => {
  const receiver = await Receiver.start();
  try {
    const made = await run(
      `webhook create ${receiver.url} --namespace alice --events tag.push --authorization-file -`,
      'Bearer topsecret\n',
    );
    const id = /whk_[\w-]+/.exec(made)?.[0] ?? '';
    expect(made).toMatch(/^secret: whsec_/m);
    expect(await run(`webhook test ${id}`)).toContain('answered 204');
    expect(receiver.received[0]?.headers.authorization).toBe('Bearer topsecret');
    await place.push('alice/cli', 'v1');
    await eventually('the push', 20_000, () => receiver.received.length === 2);
    const listed = await run(`webhook deliveries ${id} --state delivered`);
    expect(listed).toContain('alice/cli:v1');
    const delivery = receiver.received[1]?.id ?? '';
    await run(`webhook redeliver ${id} ${delivery}`);
    await eventually('the redelivery', 20_000, () => receiver.received.length === 3);
    expect(receiver.received[2]?.id).toBe(delivery);
    expect(await run(`webhook deliveries ${id} ${delivery}`)).toContain('webhook-signature');
    expect(await run(`webhook rotate-secret ${id}`)).toMatch(/^secret: whsec_/);
    await run(`webhook update ${id} --disable`);
    expect(await run('webhook list --namespace alice')).toContain('disabled');
    expect(await run(`webhook show ${id}`)).toContain('by hand');
    receiver.usual = 500;
    await run(`webhook update ${id} --enable`);
    const failed = await berth(['webhook', 'test', id], { env });
    expect([failed.code, failed.stderr]).toEqual([1, expect.stringContaining('status 500')]);
    await run(`webhook delete ${id} --yes`);
    expect(await run('events --since 1h --namespace alice --limit all')).toContain('tag.push');
  } finally {
    await receiver.down();
  }
}, 120_000);
