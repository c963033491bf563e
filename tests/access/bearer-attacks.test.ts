// Bearer tokens, and what they are got with, tried for more than they were given for.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { base64url, decodeJwt, decodeProtectedHeader, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose';
import { V2_ROUTES } from '../../src/http/v2/routes.ts';
import { digestOf } from '../support/registry.ts';
import type { Answer } from '../support/wire.ts';
import { testLog } from './caller.ts';
import { PASSWORD, REPOSITORY, Town } from './people.ts';
import { pathOf } from './row.ts';
import { ROWS } from './rows.ts';
import { Snapshot } from './snapshot.ts';

const { app: APP, tool: TOOL, other: OTHER } = REPOSITORY;
const BLOB = 'pushed by nobody who may';
const PUSH = `/v2/${APP}/blobs/uploads/?digest=${digestOf(BLOB)}`;
const PULL = `/v2/${APP}/manifests/v1`;

let town: Town;
let start: Snapshot;
beforeAll(async () => {
  town = await Town.start();
  start = Snapshot.take(town);
}, 60_000);
afterAll(() => town?.stop(), 30_000);
beforeEach(() => start.restore());

const push = (as: string, path = PUSH) => town.caller.send('POST', path, { as, body: BLOB });
const pull = (as: string, path = PULL) => town.caller.send('GET', path, { as });
const challengeOf = (answer: Answer) => answer.headers.get('www-authenticate') ?? '';

/** Runs what must change nothing. */
async function harmless(work: () => Promise<void>): Promise<void> {
  const before = Snapshot.take(town);
  await work();
  expect(Snapshot.take(town).since(before)).toEqual([]);
}

describe('a token that this registry did not make', () => {
  const instanceKey = (name: string) =>
    town.sql((db) => (db.query('select value from instance_keys where name = ?').get(name) as { value: string }).value);
  const bytes = (text: string) => new TextEncoder().encode(text);

  /** A good token of the writer's, before anything is changed in it. */
  async function original(): Promise<{ token: string; claims: JWTPayload; typ: string }> {
    const token = (await town.bearer('writer', APP)).slice('Bearer '.length);
    return { token, claims: decodeJwt(token), typ: decodeProtectedHeader(token).typ ?? '' };
  }

  async function signed(
    change: JWTPayload,
    options: { key?: string; alg?: string; typ?: string } = {},
  ): Promise<string> {
    const { claims, typ } = await original();
    const payload = Object.fromEntries(Object.entries({ ...claims, ...change }).filter(([, value]) => value !== null));
    return new SignJWT(payload)
      .setProtectedHeader({ alg: options.alg ?? 'HS256', typ: options.typ ?? typ })
      .sign(bytes(options.key ?? instanceKey('bearer')));
  }

  async function changed(change: (header: object, claims: JWTPayload) => [object, object], signature?: string) {
    const { token } = await original();
    const [header, claims] = change(decodeProtectedHeader(token), decodeJwt(token));
    const encoded = [header, claims].map((part) => base64url.encode(JSON.stringify(part)));
    return [...encoded, signature ?? token.split('.')[2]].join('.');
  }

  test('is taken when it is signed with the real key, so that the refusals below are for what they say', async () => {
    const as = `Bearer ${await signed({})}`;
    expect((await pull(as)).status).toBe(200);
    expect((await push(as)).status).toBe(201);
  });

  const now = () => Math.floor(Date.now() / 1000);
  const access = [{ type: 'repository', name: TOOL, actions: ['pull', 'push', 'delete', '*'] }];
  const FORGERIES: [string, () => Promise<string>][] = [
    ['for another audience', () => signed({ aud: 'registry.example.com' })],
    ['for several audiences, none of them this one', () => signed({ aud: ['a', 'b'] })],
    ['without an audience', () => signed({ aud: null } as unknown as JWTPayload)],
    ['of another issuer', () => signed({ iss: 'somebody' })],
    ['without an issuer', () => signed({ iss: null } as unknown as JWTPayload)],
    ['that has run out', () => signed({ iat: now() - 301, nbf: now() - 301, exp: now() - 1 })],
    ['that never runs out', () => signed({ exp: null } as unknown as JWTPayload)],
    ['that begins later', () => signed({ nbf: now() + 60 })],
    ['that is of another type', () => signed({}, { typ: 'JWT' })],
    ['signed with another key', () => signed({}, { key: 'x'.repeat(43) })],
    ['signed with the key of the session cookies', () => signed({}, { key: instanceKey('session') })],
    ['signed with the name of the service', () => signed({}, { key: instanceKey('service') })],
    ['signed with another algorithm', () => signed({}, { alg: 'HS512' })],
    ['that is not signed', async () => new UnsecuredJWT((await original()).claims).encode()],
    ['whose header says none', () => changed((header, claims) => [{ ...header, alg: 'none' }, claims], '')],
    ['whose header says None', () => changed((header, claims) => [{ ...header, alg: 'None' }, claims], '')],
    [
      'whose header says none, with the signature left',
      () => changed((header, claims) => [{ ...header, alg: 'none' }, claims]),
    ],
    ['whose header says RS256', () => changed((header, claims) => [{ ...header, alg: 'RS256' }, claims])],
    [
      'whose header wants what nobody knows',
      () => changed((header, claims) => [{ ...header, crit: ['x'], x: 1 }, claims]),
    ],
    ['with more access than was signed', () => changed((header, claims) => [header, { ...claims, access }])],
    [
      'with another name than was signed',
      () => changed((header, claims) => [header, { ...claims, sub: 'chief', name: 'chief' }]),
    ],
    ['with a later end than was signed', () => changed((header, claims) => [header, { ...claims, exp: now() + 9999 }])],
    ['without its signature', async () => `${(await original()).token.split('.').slice(0, 2).join('.')}.`],
    ['in two parts', async () => (await original()).token.split('.').slice(0, 2).join('.')],
    [
      'with a bit of the signature changed',
      async () => (await original()).token.replace(/.$/, (end) => (end === 'A' ? 'Q' : 'A')),
    ],
    ['with something after it', async () => `${(await original()).token}.x`],
    ['that is not JSON', async () => `${base64url.encode('{')}.${base64url.encode('{')}.x`],
    [
      'that is a session cookie',
      async () => decodeURIComponent((town.person('browser').cookie ?? '').split('=')[1] ?? ''),
    ],
    ['that is a password', async () => PASSWORD],
    ['that is an access token of the right form', async () => `berth_pat_${'0'.repeat(32)}`],
    ['that is nothing', async () => ''],
  ];

  test.each(FORGERIES)('%s is refused', async (_, forge) => {
    const as = `Bearer ${await forge()}`;
    await harmless(async () => {
      for (const answer of [await pull(as), await push(as)]) {
        expect(answer.status).toBe(401);
        expect(challengeOf(answer)).toStartWith('Bearer realm=');
      }
      // What everyone may read is not read with it either: a client learns that its token is bad.
      expect((await pull(as, `/v2/${REPOSITORY.open}/manifests/v1`)).status).toBe(401);
      expect((await town.caller.send('GET', '/v2/', { as })).status).toBe(401);
      expect((await town.caller.send('GET', '/api/v1/user', { as })).status).toBe(401);
      expect((await town.caller.send('GET', '/auth/token', { as })).status).toBe(401);
    });
  });
});

describe('a bearer token', () => {
  const NAMED = V2_ROUTES.filter(({ path }) => path.includes(':name'));

  test('for another repository opens none of the routes of this one', async () => {
    for (const asked of [OTHER, REPOSITORY.third, `${APP}x`, 'acme']) {
      const as = await town.bearer('admin', asked);
      await harmless(async () => {
        for (const { method, path } of NAMED) {
          const call = { town, person: 'admin', target: 'app', allowed: false } as const;
          const sent = (await ROWS[`${method} ${path}`]?.send?.(call)) ?? {};
          const answer = await town.caller.send(method, pathOf(path, call, sent), { ...sent, as });
          expect([method, path, answer.status]).toEqual([method, path, 401]);
          expect(challengeOf(answer)).toContain('error="insufficient_scope"');
          expect(challengeOf(answer)).toContain(`scope="repository:${APP}:`);
        }
      });
    }
  });

  test('to pull does not push or delete, though its owner may', async () => {
    const as = await town.fetchBearer(town.person('admin').basic, [`repository:${APP}:pull`]);
    await harmless(async () => {
      for (const { method, path } of NAMED) {
        const row = ROWS[`${method} ${path}`];
        if (row === undefined || row.asks === 'read') continue;
        const call = { town, person: 'admin', target: 'app', allowed: false } as const;
        const sent = (await row.send?.(call)) ?? {};
        const answer = await town.caller.send(method, pathOf(path, call, sent), { ...sent, as });
        expect([method, path, answer.status]).toEqual([method, path, 401]);
        expect(challengeOf(answer)).toContain('error="insufficient_scope"');
      }
    });
    expect((await pull(as)).status).toBe(200);
  });

  test('for the catalog opens no repository, and one for a repository no catalog', async () => {
    const catalog = await town.fetchBearer(town.person('admin').basic, ['registry:catalog:*']);
    expect((await pull(catalog)).status).toBe(401);
    expect((await town.caller.send('GET', '/v2/_catalog', { as: await town.bearer('admin', APP) })).status).toBe(401);
  });

  test('of no one for what everyone may read does not push there', async () => {
    const as = await town.fetchBearer(undefined, [`repository:${REPOSITORY.open}:pull,push,delete`]);
    expect((await pull(as, `/v2/${REPOSITORY.open}/manifests/v1`)).status).toBe(200);
    await harmless(async () => {
      expect((await push(as, PUSH.replace(APP, REPOSITORY.open))).status).toBe(401);
    });
  });

  test.each([
    ['reader', 'pull'],
    ['writer', 'pull,push,delete'],
    ['boss', 'pull,push,delete'],
    ['robot', 'pull,push,delete'],
    ['member', ''],
    ['otherbot', ''],
    ['readonly', ''],
  ] as const)('that %s asks everything of a repository for is for "%s"', async (person, granted) => {
    const everything = 'pull,push,delete,*,admin';
    const as = await town.fetchBearer(town.person(person).basic, [
      `repository:${APP}:${everything}`,
      `repository:${APP}:*`,
    ]);
    const [scope] = decodeJwt(as.slice(7)).access as { actions: string[] }[];
    expect(scope?.actions.join(',')).toBe(granted);
  });

  test('lives for five minutes at most', async () => {
    const { iat = 0, exp = 0 } = decodeJwt((await town.bearer('admin', APP)).slice(7));
    expect(exp - iat).toBeLessThanOrEqual(300);
    expect(Math.abs(iat - Date.now() / 1000)).toBeLessThan(60);
  });

  test('is refused when it has run out, though it was taken a moment before', async () => {
    const key = town.sql((db) => db.query("select value from instance_keys where name = 'bearer'").get()) as {
      value: string;
    };
    const token = (await town.bearer('writer', APP)).slice(7);
    const { typ = '' } = decodeProtectedHeader(token);
    const short = await new SignJWT({ ...decodeJwt(token), exp: Math.floor(Date.now() / 1000) + 2 })
      .setProtectedHeader({ alg: 'HS256', typ })
      .sign(new TextEncoder().encode(key.value));
    expect((await pull(`Bearer ${short}`)).status).toBe(200);
    await Bun.sleep(2_100);
    expect((await pull(`Bearer ${short}`)).status).toBe(401);
    expect((await push(`Bearer ${short}`)).status).toBe(401);
  });

  test('does not manage the account of its owner', async () => {
    const as = await town.bearer('admin', APP);
    await harmless(async () => {
      for (const path of ['user', 'users', 'tokens', 'audit', `repositories/${APP}`]) {
        expect((await town.caller.send('GET', `/api/v1/${path}`, { as })).status).toBe(401);
      }
      const json = { name: 'mine', level: 'admin' };
      expect((await town.caller.send('POST', '/api/v1/tokens', { as, json })).status).toBe(401);
    });
  });

  test('is not given for another service', async () => {
    const as = town.person('admin').basic;
    const query = `service=registry.example.com&scope=repository:${APP}:pull`;
    expect((await town.caller.send('GET', `/auth/token?${query}`, { as })).status).toBe(400);
  });
});

testLog(() => town.caller);
