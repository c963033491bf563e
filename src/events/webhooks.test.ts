import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test';
import { Webhook } from 'standardwebhooks';
import { type DatabasePlace, onEachDatabase } from '../database/test-databases.ts';
import { code, ORIGIN, openTestApi, type TestApi } from '../http/api/testing.ts';
import { named, pushImage } from '../registry/testing.ts';
import type { EventsContext } from './context.ts';
import { Courier } from './courier.ts';
import { getDelivery, listDeliveries } from './deliveries.ts';
import { prune } from './pruning.ts';
import { finishAttempt, leaveWebhook, nextDelivery, pauseMs, takeWebhook, waitingWebhooks } from './queue.ts';
import { recordEvent } from './recording.ts';
import { giveOut } from './routing.ts';
import { send } from './sending.ts';

const DAY = 86_400_000;

interface Got {
  headers: Headers;
  body: string;
}

onEachDatabase('events and webhooks', (newPlace: () => Promise<DatabasePlace>) => {
  let api: TestApi;
  let context: EventsContext;
  let ahead = 0;
  let answer: () => Response = () => new Response('thanks');
  let got: Got[] = [];
  const receiver = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: async (request) => {
      got.push({ headers: request.headers, body: await request.text() });
      return answer();
    },
  });
  const url = `http://127.0.0.1:${receiver.port}/hook`;

  beforeAll(async () => {
    api = await openTestApi(await newPlace());
    context = { ...api.events, now: () => Date.now() + ahead };
    await api.addUser('boss', { administrator: true });
    for (const name of ['alice', 'mallory']) await api.addUser(name);
  }, 120_000);
  afterAll(() => {
    void receiver.stop(true);
    api.remove();
  });
  afterEach(async () => {
    got = [];
    ahead = 0;
    answer = () => new Response('thanks');
    await api.context.database.transaction(async (tx) => {
      await tx.deleteFrom('webhooks').execute();
    });
  });

  const make = async (who: string, webhook: Record<string, unknown>) => {
    const made = await api.ask(who, 'POST', '/api/v1/webhooks', { url, ...webhook });
    if (made.status !== 201) throw new Error(JSON.stringify(made.body));
    return { id: (made.body.webhook as { id: string }).id, secret: made.body.secret as string };
  };
  /** Sends what is due, as a process does. Returns how each attempt went. */
  const work = async () => {
    await giveOut(context);
    const outcomes = [];
    for (const { webhook } of await waitingWebhooks(context, 10)) {
      const holder = await takeWebhook(context, webhook);
      if (holder === undefined) continue;
      for (
        let next = await nextDelivery(context, webhook, holder);
        next;
        next = await nextDelivery(context, webhook, holder)
      ) {
        outcomes.push(await finishAttempt(context, next, holder, await send(context, next.message)));
      }
      await leaveWebhook(context, webhook, holder);
    }
    return outcomes;
  };
  const bodies = () => got.map(({ body }) => JSON.parse(body) as { type: string; data: Record<string, unknown> });
  const states = async (id: string) =>
    (await listDeliveries(context, id, { limit: 100 })).deliveries.map(({ state }) => state).reverse();

  test('what happens to a repository is told to its webhook, in order, signed as others check it', async () => {
    await pushImage(api.context, 'alice/app', 'one', 'v1');
    await giveOut(context);
    const { id, secret } = await make('boss', { repository: 'alice/app' });
    await pushImage(api.context, 'alice/app', 'two', 'v1');
    await pushImage(api.context, 'alice/other', 'three', 'v1');
    await api.ask('alice', 'DELETE', '/api/v1/repositories/alice/app/tags/v1');
    expect(await work()).toEqual(['delivered', 'delivered']);
    expect(bodies().map(({ type, data }) => [type, data.subject])).toEqual([
      ['tag.push', 'alice/app:v1'],
      ['tag.delete', 'alice/app:v1'],
    ]);
    for (const { headers, body } of got) {
      const found = new Webhook(secret).verify(body, Object.fromEntries(headers));
      expect(found).toEqual(JSON.parse(body));
      expect(() => new Webhook(secret).verify(`${body} `, Object.fromEntries(headers))).toThrow();
    }
    expect(await states(id)).toEqual(['delivered', 'delivered']);
  });

  test('an event is not there when its transaction is not', async () => {
    const { database } = context;
    const write = (fails: boolean) =>
      database.transaction(async (tx) => {
        await recordEvent(tx, 1, ORIGIN, { action: 'tag.delete', subject: `alice/app:${fails}` });
        if (fails) throw new RangeError('undone');
      });
    await expect(write(true)).rejects.toThrow(RangeError);
    await write(false);
    await giveOut(context);
    const rows = await database.read.selectFrom('events').select('subject').where('at', '=', 1).execute();
    expect(rows).toEqual([{ subject: 'alice/app:false' }]);
  });

  test('processes that give out at once give each event one number, and each delivery once', async () => {
    const { id } = await make('boss', { namespace: 'alice', events: ['tag.delete'] });
    await context.database.transaction(async (tx) => {
      for (let i = 0; i < 450; i++)
        await recordEvent(tx, 2, ORIGIN, { action: 'tag.delete', subject: `alice/app:t${i}` });
    });
    await Promise.all([giveOut(context), giveOut(context), giveOut(context)]);
    await giveOut(context);
    const rows = await context.database.read
      .selectFrom('events')
      .select(['seq', 'subject'])
      .where('at', '=', 2)
      .orderBy('id')
      .execute();
    const first = rows[0]?.seq ?? 0;
    expect(rows.map(({ seq }) => seq)).toEqual(rows.map((_, i) => first + i));
    const { deliveries } = await listDeliveries(context, id, { limit: 1000 });
    expect(deliveries.map(({ subject }) => subject).reverse()).toEqual(rows.map(({ subject }) => subject));
  });

  test('a failure is tried again later and keeps those behind it waiting; the attempts are in the log', async () => {
    const { id } = await make('boss', { namespace: 'alice', events: ['tag.push'], authorization: 'Bearer topsecret' });
    await pushImage(api.context, 'alice/app', 'a', 'v1');
    await pushImage(api.context, 'alice/app', 'b', 'v2');
    answer = () => new Response('broken', { status: 500 });
    expect(await work()).toEqual(['retried']);
    expect(await work()).toEqual([]);
    answer = () => new Response('x'.repeat(10_000));
    ahead = 10_000;
    expect(await work()).toEqual(['delivered', 'delivered']);
    expect(bodies().map(({ data }) => data.subject)).toEqual(['alice/app:v1', 'alice/app:v1', 'alice/app:v2']);
    expect(got[0]?.headers.get('webhook-id')).toBe(got[1]?.headers.get('webhook-id') ?? '');
    expect(got[0]?.headers.get('authorization')).toBe('Bearer topsecret');
    const { deliveries } = await listDeliveries(context, id, { limit: 10 });
    const found = await getDelivery(context, id, deliveries.at(-1)?.id ?? '');
    expect(found.log.map(({ status, error }) => [status, error])).toEqual([
      [200, null],
      [500, 'status 500'],
    ]);
    expect(found.log[0]?.response.length).toBe(4_096);
    expect(found.body).toBe(got[0]?.body ?? '');
    expect(JSON.stringify(found)).not.toContain('topsecret');
  });

  test('Retry-After is honoured, 410 disables, and days of failures do, with a line in the audit log', async () => {
    const { id } = await make('boss', { namespace: 'alice', events: ['tag.push'] });
    await pushImage(api.context, 'alice/app', 'c', 'v1');
    answer = () => new Response('', { status: 503, headers: { 'Retry-After': '600' } });
    expect(await work()).toEqual(['retried']);
    ahead = 599_000;
    expect(await work()).toEqual([]);
    answer = () => new Response('', { status: 302, headers: { Location: url } });
    ahead = 610_000;
    expect(await work()).toEqual(['retried']);
    expect(got.length).toBe(2);
    ahead = 4 * DAY;
    expect(await work()).toEqual(['failed']);
    await pushImage(api.context, 'alice/app', 'd', 'v1');
    ahead = 6 * DAY;
    await work();
    const disabled = await api.ask('boss', 'GET', `/api/v1/webhooks/${id}`);
    expect(disabled.body).toMatchObject({ enabled: false });
    expect(String(disabled.body.disabledReason)).toContain('nothing but failures');
    const { body } = await api.ask('boss', 'GET', '/api/v1/audit?action=webhook.update&actor=automation');
    expect((body.lines as { subject: string }[])[0]?.subject).toBe(`alice#${id}`);

    expect((await api.ask('boss', 'PATCH', `/api/v1/webhooks/${id}`, { enabled: true })).status).toBe(200);
    answer = () => new Response('', { status: 410 });
    expect(await work()).toEqual(['failed']);
    expect((await api.ask('boss', 'GET', `/api/v1/webhooks/${id}`)).body.disabledReason).toContain('410');
  });

  test('two processes at work bring each event once and in order, to several webhooks', async () => {
    const hooks = [];
    for (const kind of ['tag.push', 'tag.*', '*'])
      hooks.push(await make('boss', { namespace: 'alice', events: [kind] }));
    const errors: unknown[] = [];
    const couriers = ['p1', 'p2'].map(
      (process) => new Courier({ ...context, process }, { onError: (error) => errors.push(error) }),
    );
    for (const courier of couriers) courier.start();
    const tags = Array.from({ length: 8 }, (_, i) => `both${i}`);
    for (const tag of tags) await pushImage(api.context, 'alice/both', tag, tag);
    const deadline = Date.now() + 20_000;
    while (got.length < 25 && Date.now() < deadline) await Bun.sleep(20);
    await Promise.all(couriers.map((courier) => courier.stop()));
    expect(errors).toEqual([]);
    // The third is told of the repository, too.
    expect(got.length).toBe(25);
    for (const { id } of hooks) {
      const { deliveries } = await listDeliveries(context, id, { limit: 100 });
      expect(deliveries.every(({ state, attempts }) => state === 'delivered' && attempts === 1)).toBe(true);
      const pushed = deliveries.filter(({ kind }) => kind === 'tag.push').reverse();
      expect(pushed.map(({ subject }) => subject)).toEqual(tags.map((tag) => `alice/both:${tag}`));
      const ids = new Set(deliveries.map((delivery) => delivery.id));
      const sent = got.map(({ headers }) => headers.get('webhook-id') ?? '').filter((one) => ids.has(one));
      expect(sent).toEqual(deliveries.map((delivery) => delivery.id).reverse());
    }
  });

  test('who takes over from a process that fell silent sends again, and the former one writes nothing', async () => {
    const { id } = await make('boss', { namespace: 'alice', events: ['tag.push'] });
    await pushImage(api.context, 'alice/app', 'e', 'v1');
    await giveOut(context);
    const first = await takeWebhook(context, id);
    expect(await takeWebhook(context, id)).toBeUndefined();
    const next = await nextDelivery(context, id, first ?? '');
    if (first === undefined || next === undefined) throw new Error('nothing to send');
    const attempt = await send(context, next.message);
    ahead = context.policy.leaseMs + 1_000;
    expect(await work()).toEqual(['delivered']);
    expect(await finishAttempt(context, next, first, attempt)).toBeUndefined();
    expect(got.map(({ headers }) => headers.get('webhook-id'))).toEqual([next.id, next.id]);
  });

  test('a webhook goes with its repository under another name, and ends with it or in another namespace', async () => {
    for (const name of ['alice/moved', 'alice/left', 'alice/gone']) await pushImage(api.context, name, name, 'v1');
    await giveOut(context);
    const hooks = [];
    for (const repository of ['alice/moved', 'alice/left', 'alice/gone'])
      hooks.push(await make('boss', { repository, events: ['*'] }));
    await giveOut(context);
    await api.ask('boss', 'POST', '/api/v1/repositories/alice/moved/rename', { to: 'alice/here' });
    await api.ask('boss', 'POST', '/api/v1/repositories/alice/left/rename', { to: 'mallory/left' });
    await api.ask('boss', 'DELETE', '/api/v1/repositories/alice/gone', { confirm: 'alice/gone' });
    for (const name of ['alice/here', 'mallory/left', 'alice/gone'])
      await pushImage(api.context, name, `${name}2`, 'v2');
    await work();
    const told = bodies()
      .map(({ type, data }) => `${type} ${data.subject}`)
      .sort();
    expect(told).toEqual([
      'repository.delete alice/gone',
      'repository.rename alice/left',
      'repository.rename alice/moved',
      'tag.push alice/here:v2',
    ]);
    await prune(context);
    const statuses = await Promise.all(hooks.map(({ id }) => api.ask('boss', 'GET', `/api/v1/webhooks/${id}`)));
    expect(statuses.map(({ status }) => status)).toEqual([200, 404, 404]);
  });

  test('a rotated secret signs beside the former one for a while', async () => {
    const { id, secret } = await make('boss', { namespace: 'alice', events: ['tag.push'] });
    const rotated = await api.ask('boss', 'POST', `/api/v1/webhooks/${id}/rotate-secret`);
    await pushImage(api.context, 'alice/app', 'f', 'v1');
    await work();
    const [{ headers, body } = { headers: new Headers(), body: '' }] = got;
    for (const known of [secret, String(rotated.body.secret)]) {
      expect(new Webhook(known).verify(body, Object.fromEntries(headers))).toBeTruthy();
    }
    ahead = 2 * DAY;
    await pushImage(api.context, 'alice/app', 'g', 'v1');
    await work();
    expect(got[1]?.headers.get('webhook-signature')?.split(' ').length).toBe(1);
  });

  test('a redelivery and a test go before what waits, once', async () => {
    const { id } = await make('boss', { namespace: 'alice', events: ['tag.push'] });
    await pushImage(api.context, 'alice/app', 'h', 'v1');
    await work();
    const { deliveries } = await listDeliveries(context, id, { limit: 1 });
    const first = deliveries[0]?.id ?? '';
    await pushImage(api.context, 'alice/app', 'i', 'v2');
    answer = () => new Response('', { status: 500 });
    expect(await work()).toEqual(['retried']);
    const again = `/api/v1/webhooks/${id}/deliveries/${first}/redeliver`;
    expect(await code(api.ask('boss', 'POST', again))).toBe(204);
    expect(await code(api.ask('boss', 'POST', again))).toBe('409 CONFLICT');
    expect(await code(api.ask('boss', 'POST', `/api/v1/webhooks/${id}/test`))).toBe(202);
    expect(await work()).toEqual(['failed', 'failed']);
    expect(got.at(-2)?.headers.get('webhook-id')).toBe(first);
    expect(bodies().at(-1)?.type).toBe('webhook.test');
  });

  test('only who administers a place has its webhooks, and they do not exist for others', async () => {
    await pushImage(api.context, 'alice/mine', 'j', 'v1');
    const { id } = await make('boss', { namespace: 'alice' });
    expect(await code(api.ask('alice', 'GET', `/api/v1/webhooks/${id}`))).toBe(200);
    expect(await code(api.ask('mallory', 'GET', `/api/v1/webhooks/${id}`))).toBe('404 NOT_FOUND');
    expect(await code(api.ask('mallory', 'DELETE', `/api/v1/webhooks/${id}`))).toBe('404 NOT_FOUND');
    for (const scope of [{ repository: 'alice/mine' }, { namespace: 'alice' }, {}]) {
      const answer = api.ask('mallory', 'POST', '/api/v1/webhooks', { url: 'https://8.8.8.8/', ...scope });
      expect(await code(answer)).toBe('403 DENIED');
      expect(
        await code(
          api.ask('mallory', 'GET', `/api/v1/webhooks?${new URLSearchParams(scope as Record<string, string>)}`),
        ),
      ).toBe('403 DENIED');
    }
    expect(await code(api.ask('alice', 'GET', '/api/v1/webhooks?repository=alice/mine'))).toBe(200);
  });

  test('who is no administrator leads no webhook to a private address, not even an administrator’s', async () => {
    const refusal = await api.ask('alice', 'POST', '/api/v1/webhooks', { namespace: 'alice', url });
    expect([refusal.status, String(refusal.body.detail)]).toEqual([
      400,
      expect.stringContaining('not on the public internet'),
    ]);
    const metadata = api.ask('alice', 'POST', '/api/v1/webhooks', {
      namespace: 'alice',
      url: 'http://169.254.169.254/latest',
    });
    expect(await code(metadata)).toBe('400 BODY_INVALID');
    expect(await code(api.ask('boss', 'POST', '/api/v1/webhooks', { url: 'ftp://a/' }))).toBe('400 BODY_INVALID');
    expect(await code(api.ask('boss', 'POST', '/api/v1/webhooks', { url: 'http://a:b@c/' }))).toBe('400 BODY_INVALID');
    const { id } = await make('boss', { namespace: 'alice', authorization: 'Bearer topsecret' });
    await api.ask('boss', 'POST', `/api/v1/webhooks/${id}/test`);
    await work();
    const { deliveries } = await listDeliveries(context, id, { limit: 1 });
    const seen = await api.ask('alice', 'GET', `/api/v1/webhooks/${id}/deliveries/${deliveries[0]?.id}`);
    expect((seen.body.log as { response: string | null }[])[0]?.response).toBeNull();
    const elsewhere = { url: 'https://8.8.8.8/' };
    expect(await code(api.ask('alice', 'PATCH', `/api/v1/webhooks/${id}`, elsewhere))).toBe('400 BODY_INVALID');
    expect(await code(api.ask('alice', 'PATCH', `/api/v1/webhooks/${id}`, { ...elsewhere, authorization: null }))).toBe(
      200,
    );
  });

  test('a name that led elsewhere when it was looked at leads nowhere when it is sent to', async () => {
    const { id } = await make('boss', { namespace: 'alice' });
    await context.database.transaction((tx) =>
      tx
        .updateTable('webhooks')
        .set({ trusted: 0, url: `http://rebound.example:${receiver.port}/` })
        .where('id', '=', id)
        .execute(),
    );
    await api.ask('boss', 'POST', `/api/v1/webhooks/${id}/test`);
    context.addresses = { ...context.addresses, resolve: async () => ['127.0.0.1'] };
    expect(await work()).toEqual(['failed']);
    expect(got).toEqual([]);
  });

  test('readers see the events of what they may read, and of what is gone its namespace’s', async () => {
    await api.ask('alice', 'POST', '/api/v1/repositories', { name: 'alice/open', visibility: 'public' });
    await pushImage(api.context, 'alice/open', 'k', 'v1');
    await pushImage(api.context, 'alice/shut', 'l', 'v1');
    await giveOut(context);
    const seen = async (who: string) => {
      const { body } = await api.ask(who, 'GET', '/api/v1/events?n=1000&kind=tag.push&namespace=alice');
      const names = (body.events as { repository: string }[]).map(({ repository }) => repository);
      return ['alice/open', 'alice/shut'].filter((name) => names.includes(name));
    };
    expect(await seen('alice')).toEqual(['alice/open', 'alice/shut']);
    expect(await seen('boss')).toEqual(['alice/open', 'alice/shut']);
    expect(await seen('mallory')).toEqual(['alice/open']);
    await api.ask('alice', 'DELETE', '/api/v1/repositories/alice/open', { confirm: 'alice/open' });
    expect(await seen('mallory')).toEqual([]);
    expect(await seen('alice')).toEqual(['alice/open', 'alice/shut']);
    expect(await code(api.ask('boss', 'GET', '/api/v1/events?kind=nothing'))).toBe('400 QUERY_INVALID');
  });

  test('old events go, but not what a delivery waits for, nor the newest', async () => {
    await make('boss', { namespace: 'alice', events: ['tag.push'] });
    await pushImage(api.context, named('alice/app'), 'm', 'v1');
    await pushImage(api.context, 'mallory/app', 'n', 'v1');
    await giveOut(context);
    await prune(context, 0);
    const left = await context.database.read.selectFrom('events').select('subject').orderBy('seq').execute();
    expect(left.map(({ subject }) => subject)).toEqual(['alice/app:v1', 'mallory/app:v1']);
  });
});

test('each pause is about twice the one before, up to an hour', () => {
  const policy = { firstRetryMs: 5_000, mostRetryMs: 3_600_000 };
  for (const [failures, ms] of [
    [0, 5_000],
    [1, 10_000],
    [5, 160_000],
    [10, 3_600_000],
    [2_000, 3_600_000],
  ] as const) {
    const pause = pauseMs(policy, failures, undefined);
    expect(pause).toBeGreaterThanOrEqual(ms * 0.8);
    expect(pause).toBeLessThanOrEqual(ms * 1.2);
  }
  expect(pauseMs(policy, 0, 3_000_000)).toBe(3_000_000);
  expect(pauseMs(policy, 0, 1e12)).toBe(86_400_000);
});
