// How a request came here, over a real socket: what a person learns who looks for a mistake in a proxy.
import { afterAll, beforeAll, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { Caller } from '../access/caller.ts';
import { setUp } from '../access/people.ts';
import { type RunningBerth, startBerth } from '../support/berth.ts';
import { workersOf } from '../support/processes.ts';

const MEGABYTE = 1024 * 1024;
const MOST = 256 * MEGABYTE;
const forwarded = { 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'registry.example' };

let berth: RunningBerth;
let stern: RunningBerth;
let caller: Caller;
let as: string;
beforeAll(async () => {
  [berth, stern] = await Promise.all([
    startBerth({ args: ['--workers', '1'] }),
    startBerth({ args: ['--workers', '1', '--trusted-proxies', '192.0.2.0/24', '--anonymous', 'none'] }),
  ]);
  caller = new Caller(berth);
  as = await setUp(caller);
}, 60_000);
afterAll(async () => {
  caller?.close();
  await Promise.all([berth?.stop(), stern?.stop()]);
}, 60_000);

const check = async (at: RunningBerth, headers: Record<string, string>) => {
  const answer = await fetch(`${at.url}/api/v1/address-check`, { headers });
  expect(answer.status).toBe(200);
  return (await answer.json()) as Record<string, unknown>;
};

/** Sends zeros in pieces, without saying how many will come. */
async function send(bytes: number): Promise<Response> {
  const piece = new Uint8Array(4 * MEGABYTE);
  let left = bytes;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      await Bun.sleep(1);
      controller.enqueue(piece.subarray(0, Math.min(left, piece.length)));
      left -= Math.min(left, piece.length);
      if (left === 0) controller.close();
    },
  });
  return fetch(`${berth.url}/api/v1/address-check/body`, { method: 'POST', headers: { Authorization: as }, body });
}

function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) * 1024;
}

test('a proxy that is trusted is believed, and what it said is shown', async () => {
  expect(await check(berth, { Host: 'internal:5000', ...forwarded })).toEqual({
    base: 'https://registry.example',
    realm: 'https://registry.example/auth/token',
    publicUrl: null,
    forwarded: { proto: 'https', host: 'registry.example', for: null },
    host: 'internal:5000',
    trusted: true,
    peer: null,
    client: '127.0.0.1',
    conditions: [],
  });
});

test('of a proxy that is not trusted the address is told, and only then', async () => {
  expect(await check(stern, { Host: 'registry.example:5000', ...forwarded })).toMatchObject({
    base: 'http://registry.example:5000',
    forwarded: { proto: 'https', host: 'registry.example' },
    trusted: false,
    peer: '127.0.0.1',
  });
  expect(await check(stern, {})).toMatchObject({ host: stern.host, trusted: false, peer: null });
});

test('the realm is the one of the challenge', async () => {
  for (const headers of [{}, { Host: 'registry.example', 'X-Forwarded-Proto': 'https' }]) {
    const { realm } = await check(berth, headers);
    const answer = await fetch(`${berth.url}/v2/`, { headers });
    expect(answer.headers.get('www-authenticate')).toContain(`realm="${realm}"`);
  }
});

test('the bytes of a body are counted to the limit and not kept', async () => {
  const [worker = 0] = workersOf(berth.pid);
  expect(await (await send(MEGABYTE)).json()).toEqual({ bytes: MEGABYTE });
  const before = residentBytes(worker);
  let most = before;
  const watch = setInterval(() => {
    most = Math.max(most, residentBytes(worker));
  }, 10);
  try {
    const answer = await send(MOST);
    expect([answer.status, await answer.json()]).toEqual([200, { bytes: MOST }]);
  } finally {
    clearInterval(watch);
  }
  expect(most - before).toBeLessThan(128 * MEGABYTE);
}, 60_000);

test('a larger body is 413, announced or not, and the next request is answered', async () => {
  const announced = await fetch(`${berth.url}/api/v1/address-check/body`, {
    method: 'POST',
    headers: { Authorization: as },
    body: new Uint8Array(MOST + 1),
  }).catch((error: unknown) => error);
  // Who goes on sending may lose the connection before the answer.
  if (announced instanceof Response) expect(announced.status).toBe(413);
  const streamed = await send(MOST + MEGABYTE).catch((error: unknown) => error);
  if (streamed instanceof Response) {
    expect([streamed.status, await streamed.json()]).toMatchObject([413, { code: 'BODY_TOO_LARGE' }]);
  }
  expect(announced instanceof Response || streamed instanceof Response).toBe(true);
  expect(await (await send(5)).json()).toEqual({ bytes: 5 });
}, 60_000);
