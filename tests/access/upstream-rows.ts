// The rows of other registries: an administrator's alone, since they hold log-ins.
import type { Call, Row, Sent } from './row.ts';

const UPSTREAM = '/api/v1/upstreams/:upstream';

/** Nobody listens there. */
const ADDRESS = 'http://127.0.0.1:9';

let made = 0;

/** An upstream that nothing uses. */
async function upstream({ town, allowed }: Call): Promise<string> {
  const name = `upstream-${++made}`;
  if (!allowed) return name;
  const as = town.person('admin').basic;
  await town.caller.expect(201, 'POST', '/api/v1/upstreams', { as, json: { name, address: ADDRESS } });
  return name;
}

const ofUpstream = (ok: number, sent: Sent = {}): Row => ({
  asks: 'administrator',
  ok,
  send: async (call) => ({ params: { upstream: await upstream(call) }, ...sent }),
});

const idle = () => true;

/** A prefix, and a cache there when it is to be removed. */
async function cache(call: Call, isThere: boolean): Promise<{ prefix: string; of: string }> {
  const of = await upstream(call);
  const prefix = `cached-${of}`;
  if (!isThere || !call.allowed) return { prefix, of };
  const as = call.town.person('admin').basic;
  await call.town.caller.expect(200, 'PUT', `/api/v1/caches/${prefix}`, { as, json: { upstream: of } });
  return { prefix, of };
}

export const UPSTREAM_ROWS: Readonly<Record<string, Row>> = {
  'GET /api/v1/upstreams': { asks: 'administrator', ok: 200 },
  'POST /api/v1/upstreams': {
    asks: 'administrator',
    ok: 201,
    send: () => ({ json: { name: `upstream-${++made}`, address: ADDRESS } }),
  },
  [`GET ${UPSTREAM}`]: ofUpstream(200),
  [`PATCH ${UPSTREAM}`]: ofUpstream(200, { json: { address: `${ADDRESS}9` } }),
  [`DELETE ${UPSTREAM}`]: ofUpstream(204),
  'GET /api/v1/caches': { asks: 'administrator', ok: 200 },
  'PUT /api/v1/caches/:prefix{.+}': {
    asks: 'administrator',
    ok: 200,
    send: async (call) => {
      const { prefix, of } = await cache(call, false);
      return { params: { prefix }, json: { upstream: of } };
    },
  },
  'DELETE /api/v1/caches/:prefix{.+}': {
    asks: 'administrator',
    ok: 204,
    send: async (call) => ({ params: { prefix: (await cache(call, true)).prefix } }),
  },
  [`POST ${UPSTREAM}/check`]: { ...ofUpstream(200, { json: {} }), idle },
};
