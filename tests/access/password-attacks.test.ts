// Passwords guessed, accounts made and taken, the set-up link used by those it was not for.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { decodeJwt } from 'jose';
import type { RunningBerth } from '../support/berth.ts';
import type { Answer } from '../support/wire.ts';
import { Caller, testLog } from './caller.ts';
import { basic, PASSWORD, setUp, setupSecret, startTown, Town } from './people.ts';
import { Snapshot } from './snapshot.ts';

const WRONG = 'not the password';

let town: Town;
let start: Snapshot;
beforeAll(async () => {
  town = await Town.start();
  start = Snapshot.take(town);
}, 60_000);
afterAll(() => town?.stop(), 30_000);
beforeEach(() => {
  start.restore();
  town.sql((db) => db.run('delete from login_failures'));
});

/** The test is a trusted proxy, being on loopback: it says where the client is. */
const from = (address: string) => ({ 'X-Forwarded-For': address });

/** `docker login`. */
function login(
  username: string,
  password: string,
  address: string,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const as = basic(username, password);
  return town.caller.send('GET', '/auth/token', { as, headers: { ...from(address), ...headers } });
}

/** Every way to show a password. */
const DOORS: Record<string, (username: string, password: string, address: string) => Promise<Answer>> = {
  'docker login': login,
  'a bearer token': (username, password, address) =>
    town.caller.send('GET', '/auth/token?scope=repository:acme/app:pull', {
      as: basic(username, password),
      headers: from(address),
    }),
  OAuth2: (username, password, address) =>
    town.caller.send('POST', '/auth/token', {
      form: { grant_type: 'password', username, password },
      headers: from(address),
    }),
  '/v2/': (username, password, address) =>
    town.caller.send('GET', '/v2/', { as: basic(username, password), headers: from(address) }),
  'the API': (username, password, address) =>
    town.caller.send('GET', '/api/v1/user', { as: basic(username, password), headers: from(address) }),
  'the page': (username, password, address) =>
    town.caller.send('POST', '/api/v1/auth/sign-in', { json: { username, password }, headers: from(address) }),
};

describe('guessing', () => {
  test.each(Object.keys(DOORS))(
    'ten wrong passwords at %s shut every door from that address, and no other',
    async (door) => {
      const [here, there] = ['198.51.100.1', '198.51.100.2'];
      for (let i = 0; i < 10; i++) expect((await DOORS[door]?.('stella', `${WRONG} ${i}`, here))?.status).toBe(401);
      for (const open of Object.values(DOORS)) {
        const answer = await open('stella', PASSWORD, here);
        expect(answer.status).toBe(429);
        expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(60);
      }
      expect((await login('stella', PASSWORD, there)).status).toBe(200);
      expect((await login('walter', PASSWORD, here)).status).toBe(200);
      // An access token is not guessed.
      const as = town.person('owner').basic;
      expect((await town.caller.send('GET', '/auth/token', { as, headers: from(here) })).status).toBe(200);
    },
  );

  test('forty at once are no more than ten', async () => {
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        alone((caller) =>
          caller.send('GET', '/auth/token', {
            as: basic('stella', `${WRONG} ${i}`),
            headers: from('198.51.100.3'),
          }),
        ),
      ),
    );
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status !== 401 && status !== 429)).toEqual([]);
    expect(statuses.filter((status) => status === 401).length).toBeLessThanOrEqual(10);
  });

  test('a name that nobody has is limited as one that somebody has', async () => {
    for (let i = 0; i < 10; i++) expect((await login('nemo', WRONG, '198.51.100.4')).status).toBe(401);
    expect((await login('nemo', WRONG, '198.51.100.4')).status).toBe(429);
  });

  test('an address that a client makes up counts as the one that it comes from', async () => {
    const statuses = [];
    for (let i = 0; i < 11; i++) statuses.push((await login('stella', WRONG, `203.0.113.${i}, 198.51.100.5`)).status);
    expect(statuses).toEqual([...Array(10).fill(401), 429]);
  });

  test('a name in capitals is the same name', async () => {
    for (let i = 0; i < 10; i++) await login(i % 2 === 0 ? 'STELLA' : 'Stella', WRONG, '198.51.100.6');
    expect((await login('stella', PASSWORD, '198.51.100.6')).status).toBe(429);
  });

  test('a hundred wrong ones from one address shut it for every name', async () => {
    fail('address 198.51.100.7', 99);
    expect((await login('stella', WRONG, '198.51.100.7')).status).toBe(401);
    expect((await login('walter', PASSWORD, '198.51.100.7')).status).toBe(429);
    expect((await login('walter', PASSWORD, '198.51.100.8')).status).toBe(200);
  });

  test('fifty wrong ones for a name, from wherever, shut it for strangers and not for its owner', async () => {
    const [home, away] = ['192.0.2.10', '192.0.2.11'];
    await town.caller.expect(200, 'POST', '/api/v1/auth/sign-in', {
      json: { username: 'stella', password: PASSWORD },
      headers: from(home),
    });
    fail('account stella', 49);
    expect((await login('stella', WRONG, '198.51.100.9')).status).toBe(401);
    expect((await login('stella', PASSWORD, away)).status).toBe(429);
    for (const open of Object.values(DOORS)) expect((await open('stella', PASSWORD, home)).status).toBe(200);
  });

  test('after a quarter of an hour the door is open again', async () => {
    fail('pair stella 198.51.100.12', 10, 15 * 60_000 + 1_000);
    expect((await login('stella', PASSWORD, '198.51.100.12')).status).toBe(200);
  });

  test('the audit log tells of it', async () => {
    await login('stella', WRONG, '198.51.100.13');
    const path = '/api/v1/audit?action=login.failure&subject=stella&n=1';
    const answer = await town.caller.expect(200, 'GET', path, { as: town.person('admin').basic });
    const { lines } = answer.json() as { lines: object[] };
    expect(lines[0]).toMatchObject({ actor: 'stella', source: '198.51.100.13', outcome: 'refused' });
  });

  function fail(key: string, failures: number, ago = 0): void {
    town.sql((db) =>
      db.run('insert into login_failures (key, failures, since) values (?, ?, ?)', [key, failures, Date.now() - ago]),
    );
  }

  /** On a connection of its own. */
  async function alone<T>(work: (caller: Caller) => Promise<T>): Promise<T> {
    const caller = new Caller(town.berth);
    try {
      return await work(caller);
    } finally {
      caller.close();
    }
  }
});

describe('who has an account', () => {
  const TRIES: [string, string, string][] = [
    ['a wrong password', 'stella', WRONG],
    ['a name that nobody has', 'nemo', WRONG],
    ['a disabled user’s own password', 'doris', PASSWORD],
    ['the name of an organization', 'acme', WRONG],
    ['the name of a robot', 'acme+ci', WRONG],
  ];

  test.each(Object.keys(DOORS))('is not told by the answer at %s', async (door) => {
    const answers = new Set<string>();
    for (const [, username, password] of TRIES) {
      const answer = await DOORS[door]?.(username, password, '198.51.100.20');
      answers.add(`${answer?.status} ${answer?.text().replace(/"requestId":"[^"]*"/, '')}`);
    }
    expect([...answers]).toHaveLength(1);
    expect([...answers][0]).toStartWith('401 ');
  });

  test.each(['docker login', 'the page'])('is not told by the time that an answer at %s takes', async (door) => {
    // Each process makes the hash that nobody has on its first need.
    for (let i = 0; i < 4; i++) await DOORS[door]?.('nemo', WRONG, `203.0.113.${i}`);
    let factor = 0;
    // With much room, and three tries on a busy machine.
    for (let tries = 0; tries < 3; tries++) {
      const times: number[][] = [[], [], []];
      for (let i = 0; i < 24; i++) {
        const [, username = '', password = ''] = TRIES[i % 3] ?? [];
        const started = performance.now();
        expect((await DOORS[door]?.(username, password, `203.0.113.${10 + tries * 24 + i}`))?.status).toBe(401);
        times[i % 3]?.push(performance.now() - started);
      }
      const medians = times.map((list) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)] ?? 0);
      factor = Math.max(...medians) / Math.min(...medians);
      if (factor < 1.5) break;
    }
    expect(factor).toBeLessThan(1.5);
  });

  test('with a second factor is not let in by the password alone, except to the second step', async () => {
    town.sql((db) => db.run("update users set two_factor_enabled = 1 where username = 'olivia'"));
    for (const [door, open] of Object.entries(DOORS)) {
      const answer = await open('olivia', PASSWORD, '198.51.100.21');
      if (door === 'the page') expect(answer.json()).toEqual({ twoFactorRequired: true, user: null });
      else expect([door, answer.status]).toEqual([door, 401]);
    }
    const as = town.person('owner').basic;
    expect((await town.caller.send('GET', '/auth/token', { as })).status).toBe(200);
  });
});

describe('a password', () => {
  test('of any length is refused without being hashed for long', async () => {
    for (const password of [
      '',
      ' ',
      'x'.repeat(300),
      'x'.repeat(8_000),
      '\0',
      'correct horse battery\0',
      '🐎'.repeat(64),
    ]) {
      expect((await login('stella', password, '198.51.100.30')).status).toBe(401);
    }
  });

  test('that is the stored hash, or an access token’s, is refused', async () => {
    const [hash, token] = town.sql((db) => [
      (db.query('select password as v from user_logins limit 1').get() as { v: string }).v,
      (db.query('select secret_hash as v from access_tokens limit 1').get() as { v: string }).v,
    ]);
    expect(hash).toStartWith('$argon2id$');
    for (const secret of [hash, token]) expect((await login('stella', secret ?? '', '198.51.100.31')).status).toBe(401);
  });

  test('of a bearer token’s owner is not in the token', async () => {
    const claims = JSON.stringify(decodeJwt((await town.fetchBearer(basic('stella', PASSWORD), [])).slice(7)));
    expect(claims).not.toContain(PASSWORD);
    expect(claims).not.toContain('argon2');
  });
});

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
    const statuses = [];
    for (let i = 0; i < 21; i++)
      statuses.push((await signUp({ username: 'acme', password: PASSWORD }, '198.51.100.42')).status);
    expect(statuses).toEqual([...Array(20).fill(409), 429]);
  }, 60_000);
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
  }, 30_000);

  const user = { username: 'mallory', password: PASSWORD };

  test('lets nobody sign up before its administrator', async () => {
    await caller.expect(403, 'POST', '/api/v1/sign-up', { json: user });
  });

  test('is not set up with another secret than the one that was printed', async () => {
    for (const secret of ['', 'used', 'x', `berth_setup_${'0'.repeat(32)}`, setupSecret(berth).toLowerCase()]) {
      await caller.expect(403, 'POST', '/api/v1/setup', { json: { ...user, secret } });
      await caller.expect(400, 'POST', '/setup', { form: { ...user, secret } });
    }
    await caller.expect(400, 'POST', '/api/v1/setup', { json: user });
    expect((await caller.expect(200, 'GET', '/api/v1/instance')).json()).toMatchObject({ setupNeeded: true });
  });

  test('is not set up by a page of another site, though that has the link', async () => {
    const headers = { Origin: 'http://evil.example', 'Sec-Fetch-Site': 'cross-site' };
    const secret = setupSecret(berth);
    await caller.expect(403, 'POST', '/setup', { form: { ...user, secret }, headers });
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
    await caller.expect(400, 'POST', '/setup', { form: { ...user, secret } });
    await expect(setUp(caller, 'third')).rejects.toThrow('403');
    await caller.expect(404, 'GET', `/setup?secret=${secret}`);
  });

  testLog(() => caller);
});
