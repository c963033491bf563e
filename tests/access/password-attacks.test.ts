// Passwords guessed, and what an answer to a guess tells.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { decodeJwt } from 'jose';
import type { Answer } from '../support/wire.ts';
import { Caller, testLog } from './caller.ts';
import { basic, PASSWORD, Town } from './people.ts';
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

/** As if so many had failed before. */
function failed(key: string, failures: number, ago = 0): void {
  town.sql((db) =>
    db.run('insert or replace into login_failures (key, failures, since) values (?, ?, ?)', [
      key,
      failures,
      Date.now() - ago,
    ]),
  );
}

describe('guessing', () => {
  test.each(Object.keys(DOORS))(
    'ten wrong passwords at %s shut every door from that address, and no other',
    async (door) => {
      const [here, there] = ['198.51.100.1', '198.51.100.2'];
      // A right password is remembered for some minutes, and then not a try; so each door gets a user of its own.
      const user = `guest-${door.length}`;
      const json = { username: user, password: PASSWORD };
      await town.caller.expect(201, 'POST', '/api/v1/users', { as: town.person('admin').basic, json });
      const before = door === 'docker login' ? 0 : 8;
      failed(`pair ${user} ${here}`, before);
      for (let i = before; i < 10; i++) expect((await DOORS[door]?.(user, WRONG, here))?.status).toBe(401);
      for (const open of Object.values(DOORS)) {
        const answer = await open(user, PASSWORD, here);
        expect(answer.status).toBe(429);
        expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(60);
      }
      expect((await login(user, PASSWORD, there)).status).toBe(200);
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
    expect(statuses.filter((status) => status === 401).length).toBe(10);
  });

  test('a name that nobody has is limited as one that somebody has', async () => {
    failed('pair nemo 198.51.100.4', 8);
    for (let i = 8; i < 10; i++) expect((await login('nemo', WRONG, '198.51.100.4')).status).toBe(401);
    expect((await login('nemo', WRONG, '198.51.100.4')).status).toBe(429);
  });

  test('an address that a client makes up counts as the one that it comes from', async () => {
    const statuses = [];
    failed('pair stella 198.51.100.5', 8);
    for (let i = 0; i < 3; i++) {
      statuses.push((await login('stella', WRONG, `203.0.113.${i}, 198.51.100.5`)).status);
    }
    expect(statuses).toEqual([401, 401, 429]);
  });

  test('a name in capitals is the same name', async () => {
    failed('pair stella 198.51.100.6', 8);
    for (const name of ['STELLA', 'Stella']) await login(name, WRONG, '198.51.100.6');
    expect((await login('stella', PASSWORD, '198.51.100.6')).status).toBe(429);
  });

  test('a hundred wrong ones from one address shut it for every name', async () => {
    failed('address 198.51.100.7', 99);
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
    failed('account stella', 49);
    expect((await login('stella', WRONG, '198.51.100.9')).status).toBe(401);
    expect((await login('stella', PASSWORD, away)).status).toBe(429);
    for (const open of Object.values(DOORS)) expect((await open('stella', PASSWORD, home)).status).toBe(200);
  });

  test('after a quarter of an hour the door is open again', async () => {
    failed('pair stella 198.51.100.12', 10, 15 * 60_000 + 1_000);
    expect((await login('stella', PASSWORD, '198.51.100.12')).status).toBe(200);
  });

  test('the audit log tells of it', async () => {
    await login('stella', WRONG, '198.51.100.13');
    const path = '/api/v1/audit?action=login.failure&subject=stella&n=1';
    const answer = await town.caller.expect(200, 'GET', path, { as: town.person('admin').basic });
    const { lines } = answer.json() as { lines: object[] };
    expect(lines[0]).toMatchObject({ actor: 'stella', source: '198.51.100.13', outcome: 'refused' });
  });

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
      for (let i = 0; i < 21; i++) {
        const [, username = '', password = ''] = TRIES[i % 3] ?? [];
        const started = performance.now();
        expect((await DOORS[door]?.(username, password, `203.0.113.${10 + tries * 21 + i}`))?.status).toBe(401);
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

testLog(() => town.caller);
