// Accounts made by those who should not, names taken over, the set-up link used by those it was not for.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import type { RunningBerth } from '../support/berth.ts';
import { Caller, testLog } from './caller.ts';
import { basic, PASSWORD, setUp, setupSecret, startTown, Town } from './people.ts';
import { Snapshot } from './snapshot.ts';

let town: Town;
let start: Snapshot;
beforeAll(async () => {
  town = await Town.start();
  start = Snapshot.take(town);
}, 60_000);
afterAll(() => town?.stop(), 30_000);
beforeEach(() => {
  start.restore();
});

/** The test is a trusted proxy, being on loopback: it says where the client is. */
const from = (address: string) => ({ 'X-Forwarded-For': address });

describe('signing up', () => {
  const signUp = (json: object, address: string) =>
    town.caller.send('POST', '/api/v1/sign-up', { json, headers: from(address) });

  test('makes no administrator, whatever is asked for', async () => {
    const extras = [
      { administrator: true },
      { role: 'admin' },
      { id: 'x' },
      { twoFactor: false },
      { __proto__: null, isAdmin: 1 },
    ];
    const before = Snapshot.take(town);
    for (const extra of extras) {
      const answer = await signUp({ username: 'mallory', password: PASSWORD, ...extra }, '198.51.100.40');
      expect(answer.status).toBe(400);
    }
    expect(Snapshot.take(town).since(before)).toEqual([]);
    const answer = await signUp({ username: 'mallory', password: PASSWORD }, '198.51.100.40');
    expect(answer.json()).toMatchObject({ username: 'mallory', administrator: false });
  });

  test('does not take a name that is taken, reserved, or hides in another form', async () => {
    const names = [
      'stella',
      'STELLA',
      'acme',
      'admin',
      'v2',
      'api',
      'library',
      '..',
      'a/b',
      'stella ',
      'stëlla',
      'acme+ci',
      '%2e',
      'a\0b',
    ];
    const before = Snapshot.take(town);
    for (const [i, username] of names.entries()) {
      const { status } = await signUp({ username, password: PASSWORD }, `198.51.101.${i}`);
      expect([username, [400, 409].includes(status)]).toEqual([username, true]);
    }
    expect(Snapshot.take(town).since(before)).toEqual([]);
  });

  test('gives nobody what was pushed under a name that nobody had', async () => {
    const as = town.person('admin').basic;
    await town.caller.expect(202, 'POST', '/v2/ghost/app/blobs/uploads/', { as });
    expect((await signUp({ username: 'ghost', password: PASSWORD }, '198.51.100.41')).status).toBe(409);
    const json = { name: 'ghost' };
    const organization = await town.caller.send('POST', '/api/v1/organizations', {
      as: town.person('stranger').basic,
      json,
    });
    expect(organization.status).toBe(409);
  });

  test('from one address is limited', async () => {
    // Its row says when the hour ends.
    town.sql((db) =>
      db.run('insert into login_failures (key, failures, since) values (?, 19, ?)', [
        'signup 198.51.100.42',
        Date.now() + 3_600_000,
      ]),
    );
    const again = () => signUp({ username: 'acme', password: PASSWORD }, '198.51.100.42');
    expect((await again()).status).toBe(409);
    expect((await again()).status).toBe(429);
  });
});

describe('who takes the name of a deleted user', () => {
  test('gets nothing of it, and what the former one had is worth nothing', async () => {
    const admin = town.person('admin').basic;
    const boss = town.person('boss').basic;
    const grant = { user: 'stella', role: 'write' };
    await town.caller.expect(200, 'PUT', '/api/v1/repositories/acme/app/grants', { as: boss, json: grant });
    const token = basic('stella', await secretOf(basic('stella', PASSWORD)));
    const cookie = await town.signIn('stella');
    const bearer = await town.fetchBearer(token, ['repository:stella/mine:pull,push']);

    await town.caller.expect(204, 'DELETE', '/api/v1/users/stella', { as: admin, json: { confirm: 'stella' } });
    const json = { username: 'stella', password: 'another password' };
    await town.caller.expect(201, 'POST', '/api/v1/sign-up', { json, headers: from('198.51.100.50') });
    const heir = basic('stella', 'another password');

    await town.caller.expect(404, 'GET', '/v2/acme/app/tags/list', { as: heir });
    for (const as of [token, basic('stella', PASSWORD)]) await town.caller.expect(401, 'GET', '/v2/', { as });
    await town.caller.expect(401, 'GET', '/api/v1/user', { headers: { Cookie: cookie } });
    await town.caller.expect(401, 'POST', '/v2/stella/mine/blobs/uploads/', { as: bearer });
    const tokens = await town.caller.expect(200, 'GET', '/api/v1/tokens', { as: heir });
    expect(tokens.json()).toEqual({ tokens: [] });
  });

  async function secretOf(as: string): Promise<string> {
    const answer = await town.caller.expect(201, 'POST', '/api/v1/tokens', {
      as,
      json: { name: 'old', level: 'admin' },
    });
    return (answer.json() as { secret: string }).secret;
  }
});

testLog(() => town.caller);

describe('a registry that is not set up', () => {
  let berth: RunningBerth;
  let caller: Caller;
  beforeAll(async () => {
    berth = await startTown();
    caller = new Caller(berth);
  }, 60_000);
  afterAll(async () => {
    caller?.close();
    await berth?.stop();
  }, 60_000);

  const user = { username: 'mallory', password: PASSWORD };

  test('lets nobody sign up before its administrator', async () => {
    await caller.expect(403, 'POST', '/api/v1/sign-up', { json: user });
  });

  test('is not set up with another secret than the one that was printed', async () => {
    for (const secret of ['', 'used', 'x', `berth_setup_${'0'.repeat(32)}`, setupSecret(berth).toLowerCase()]) {
      await caller.expect(403, 'POST', '/api/v1/setup', { json: { ...user, secret } });
    }
    await caller.expect(400, 'POST', '/api/v1/setup', { json: user });
    expect((await caller.expect(200, 'GET', '/api/v1/instance')).json()).toMatchObject({ setupNeeded: true });
  });

  test('is not set up by a page of another site, though that has the link', async () => {
    const headers = { Origin: 'http://evil.example', 'Sec-Fetch-Site': 'cross-site' };
    const secret = setupSecret(berth);
    await caller.expect(403, 'POST', '/api/v1/setup', { json: { ...user, secret }, headers });
  });

  test('is set up by one of two who use the link at once, and by nobody after that', async () => {
    const secret = setupSecret(berth);
    const others = [new Caller(berth), new Caller(berth)];
    const answers = await Promise.all(
      others.map((other, i) =>
        other.send('POST', '/api/v1/setup', { json: { secret, username: `chief${i}`, password: PASSWORD } }),
      ),
    );
    for (const other of others) other.close();
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 403]);
    await caller.expect(403, 'POST', '/api/v1/setup', { json: { ...user, secret } });
    await expect(setUp(caller, 'third')).rejects.toThrow('403');
  });

  testLog(() => caller);
});
