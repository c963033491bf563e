// The rows of mirrors: an administrator's alone, since they are asked with the log-in of an upstream.
import type { Call, Row, Sent } from './row.ts';

const MIRROR = '/api/v1/mirrors/:mirror{.+}';
const UPSTREAM = 'mirrored';

let made = 0;

/** The body of a mirror that nobody has; nobody listens where it is to come from. */
async function wishes({ town, allowed }: Call): Promise<Record<string, string>> {
  const as = town.person('admin').basic;
  const json = { name: UPSTREAM, address: 'http://127.0.0.1:9' };
  if (allowed) await town.caller.send('POST', '/api/v1/upstreams', { as, json });
  return { repository: `acme/mirror-${++made}`, upstream: UPSTREAM, from: 'team/app' };
}

async function mirror(call: Call): Promise<string> {
  const json = await wishes(call);
  const as = call.town.person('admin').basic;
  if (call.allowed) await call.town.caller.expect(201, 'POST', '/api/v1/mirrors', { as, json });
  return json.repository ?? '';
}

const ofMirror = (ok: number, sent: Sent = {}): Row => ({
  asks: 'administrator',
  ok,
  send: async (call) => ({ params: { mirror: await mirror(call) }, ...sent }),
});

export const MIRROR_ROWS: Readonly<Record<string, Row>> = {
  'GET /api/v1/mirrors': { asks: 'administrator', ok: 200 },
  'POST /api/v1/mirrors': { asks: 'administrator', ok: 201, send: async (call) => ({ json: await wishes(call) }) },
  [`GET ${MIRROR}`]: ofMirror(200),
  [`PATCH ${MIRROR}`]: ofMirror(200, { json: { everySeconds: 3_600 } }),
  [`DELETE ${MIRROR}`]: ofMirror(204),
  'POST /api/v1/mirror-runs': {
    asks: 'administrator',
    ok: 202,
    send: async (call) => ({ json: { repository: await mirror(call) } }),
  },
};
