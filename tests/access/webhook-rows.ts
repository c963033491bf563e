// The rows of events and webhooks. Whoever has an account may have webhooks of its own namespace; that others' do not exist for it is tested in
// `src/events/webhooks.test.ts`.
import type { Call, Row, Sent } from './row.ts';

const WEBHOOK = '/api/v1/webhooks/:webhook';
const DELIVERY = `${WEBHOOK}/deliveries/:delivery`;

/** Anybody may name it, and nothing is sent there. */
const PUBLIC = 'https://192.0.3.1/hook';
/** An administrator may name it; nobody listens there. */
const LOOPBACK = 'http://127.0.0.1:9/hook';

const idle = () => true;

const own = ({ town, person }: Call): string => town.login(person).username ?? 'stella';

/** A webhook of the caller's namespace, and with `delivery` one of its deliveries. */
async function made(call: Call, { delivery = false } = {}): Promise<Sent> {
  const params = { webhook: 'whk_none', delivery: 'msg_none' };
  if (!call.allowed) return { params };
  const { caller } = call.town;
  const as = call.town.person('admin').basic;
  const json = { namespace: own(call), url: LOOPBACK };
  const answer = await caller.expect(201, 'POST', '/api/v1/webhooks', { as, json });
  const { webhook } = answer.json() as { webhook: { id: string } };
  params.webhook = webhook.id;
  if (delivery) {
    const id = `msg_${webhook.id}`;
    call.town.sql((db) =>
      db.run(
        "insert into webhook_deliveries (id, webhook_id, event_id, state, once, created_at, body) values (?, ?, 0, 'failed', 1, 1, '{}')",
        [id, webhook.id],
      ),
    );
    params.delivery = id;
  }
  return { params };
}

const ofWebhook = (ok: number, sent: Sent = {}): Row => ({
  asks: 'account',
  ok,
  send: async (call) => ({ ...(await made(call)), ...sent }),
});
const ofDelivery = (ok: number): Row => ({ asks: 'account', ok, send: (call) => made(call, { delivery: true }) });

export const WEBHOOK_ROWS: Readonly<Record<string, Row>> = {
  'GET /api/v1/events': { asks: 'read', ok: 200 },
  'GET /api/v1/events/stream': { asks: 'read', ok: 200, endless: true },
  'GET /api/v1/webhooks': { asks: 'account', ok: 200, send: (call) => ({ query: `namespace=${own(call)}` }) },
  'POST /api/v1/webhooks': {
    asks: 'account',
    ok: 201,
    send: (call) => ({ json: { namespace: own(call), url: PUBLIC } }),
  },
  [`GET ${WEBHOOK}`]: ofWebhook(200),
  [`PATCH ${WEBHOOK}`]: ofWebhook(200, { json: { description: 'changed' } }),
  [`DELETE ${WEBHOOK}`]: ofWebhook(204),
  [`POST ${WEBHOOK}/rotate-secret`]: ofWebhook(200),
  // Deliveries come and go by themselves; the matrix does not look at them.
  [`POST ${WEBHOOK}/test`]: { ...ofWebhook(202), idle },
  [`GET ${WEBHOOK}/deliveries`]: ofWebhook(200),
  [`GET ${DELIVERY}`]: ofDelivery(200),
  [`POST ${DELIVERY}/redeliver`]: { ...ofDelivery(204), idle },
};
