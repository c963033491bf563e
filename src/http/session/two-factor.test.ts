import { beforeAll, expect, test } from 'bun:test';
import { setUserDisabled } from '../../accounts/users.ts';
import { onEachDatabase } from '../../database/test-databases.ts';
import { authenticatorCode, Browser, openTestSessions, PASSWORD, type TestSessions } from './testing.ts';

const COOKIE = 'berth.session_token';
const PERIOD = 30_000;

interface Enrolled {
  browser: Browser;
  secret: string;
  backupCodes: string[];
}

onEachDatabase('the second factor', (newPlace) => {
  let berth: TestSessions;
  beforeAll(async () => {
    berth = await openTestSessions(await newPlace());
  });

  const browser = () => new Browser('http://registry.test', (request) => berth.respond(request));
  const signIn = (from: Browser, username: string) =>
    from.post('/api/v1/auth/sign-in', { username, password: PASSWORD });
  const code = (from: Browser, text: string) => from.post('/api/v1/auth/sign-in/code', { code: text });
  const backupCode = (from: Browser, text: string) => from.post('/api/v1/auth/sign-in/backup-code', { code: text });
  const nameOf = async (from: Browser) => (await berth.sessions.identify(from.request()))?.name;

  async function enrolled(username: string): Promise<Enrolled> {
    await berth.addUser(username);
    const user = browser();
    await signIn(user, username);
    const answer = await user.post('/api/v1/auth/two-factor', { password: PASSWORD });
    expect(answer.status).toBe(200);
    const { secret, backupCodes } = (await answer.json()) as { secret: string; backupCodes: string[] };
    const confirmed = await user.post('/api/v1/auth/two-factor/confirm', { code: authenticatorCode(secret) });
    expect(confirmed.status).toBe(204);
    return { browser: user, secret, backupCodes };
  }

  /** A browser whose log-in waits for the second step. */
  async function halfway(username: string): Promise<Browser> {
    const user = browser();
    const answer = await signIn(user, username);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual({ twoFactorRequired: true, user: null });
    return user;
  }

  test('it is on only when a code has been confirmed; that gives a new session', async () => {
    await berth.addUser('starter');
    const user = browser();
    await signIn(user, 'starter');
    const early = await user.post('/api/v1/auth/two-factor/confirm', { code: '123456' });
    expect(early.status).toBe(409);
    expect((await user.post('/api/v1/auth/two-factor', { password: 'wrong password' })).status).toBe(403);
    const answer = await user.post('/api/v1/auth/two-factor', { password: PASSWORD });
    const { uri, secret, backupCodes } = (await answer.json()) as {
      uri: string;
      secret: string;
      backupCodes: string[];
    };
    expect(uri).toBe(
      `otpauth://totp/Berth%20registry.test:starter?secret=${secret}&issuer=Berth%20registry.test&digits=6&period=30`,
    );
    expect(backupCodes).toHaveLength(10);
    expect(await (await signIn(browser(), 'starter')).json()).toMatchObject({ twoFactorRequired: false });
    const wrong = await user.post('/api/v1/auth/two-factor/confirm', { code: wrongCode(secret) });
    expect(wrong.status).toBe(403);
    const before = user.cookie(COOKIE);
    const right = await user.post('/api/v1/auth/two-factor/confirm', { code: authenticatorCode(secret) });
    expect(right.status).toBe(204);
    expect(user.cookie(COOKIE)).not.toBe(before);
    expect(await berth.sessions.identify(user.request())).toMatchObject({ name: 'starter', twoFactor: true });
    expect((await user.post('/api/v1/auth/two-factor', { password: PASSWORD })).status).toBe(409);
    await halfway('starter');
  });

  test('the password alone makes no session', async () => {
    await enrolled('alice');
    const user = await halfway('alice');
    expect(user.cookie(COOKIE)).toBeUndefined();
    expect(await nameOf(user)).toBeUndefined();
    const { n } = await berth.accounts.database.read
      .selectFrom('sessions')
      .innerJoin('users', 'users.id', 'sessions.user_id')
      .select((select) => select.fn.countAll<number | string>().as('n'))
      .where('username', '=', 'alice')
      .executeTakeFirstOrThrow();
    expect(Number(n)).toBe(1);
  });

  test('a right code finishes the log-in, once', async () => {
    const { secret } = await enrolled('bob');
    const right = authenticatorCode(secret);
    const first = await halfway('bob');
    const answer = await code(first, `${right.slice(0, 3)} ${right.slice(3)}`);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ twoFactorRequired: false, user: { username: 'bob', twoFactor: true } });
    expect(await nameOf(first)).toBe('bob');
    // RFC 6238 §5.2
    const second = await halfway('bob');
    expect((await code(second, right)).status).toBe(401);
    expect((await code(second, authenticatorCode(secret, Date.now() + PERIOD))).status).toBe(200);
  });

  test('of two log-ins at once with one code, one gets in', async () => {
    const { secret } = await enrolled('racer');
    const browsers = [await halfway('racer'), await halfway('racer')];
    const right = authenticatorCode(secret);
    const statuses = await Promise.all(browsers.map(async (from) => (await code(from, right)).status));
    expect(statuses.toSorted()).toEqual([200, 401]);
  });

  test('a code without the password before it is refused', async () => {
    const { secret } = await enrolled('shortcut');
    expect((await code(browser(), authenticatorCode(secret))).status).toBe(401);
    const forged = browser();
    forged.setCookie('berth.two_factor', '2fa-guess.c2lnbmF0dXJl');
    expect((await code(forged, authenticatorCode(secret))).status).toBe(401);
  });

  test('the step is taken for who gave the password, not for who is logged in', async () => {
    const { secret } = await enrolled('carol');
    const other = await enrolled('dave');
    const user = other.browser;
    await signIn(user, 'carol');
    expect((await code(user, wrongCode(secret))).status).toBe(401);
    expect(await nameOf(user)).toBe('dave');
    expect((await code(user, authenticatorCode(secret))).status).toBe(200);
    expect(await nameOf(user)).toBe('carol');
  });

  test('five wrong codes end the log-in under way', async () => {
    const { secret } = await enrolled('guessing');
    const user = await halfway('guessing');
    for (let i = 0; i < 5; i++) expect((await code(user, wrongCode(secret, i))).status).toBe(401);
    expect((await code(user, authenticatorCode(secret))).status).toBe(429);
    expect((await code(user, authenticatorCode(secret, Date.now() + PERIOD))).status).toBe(401);
    expect(await nameOf(user)).toBeUndefined();
  });

  test('a backup code lets in once', async () => {
    const { backupCodes } = await enrolled('backup');
    const user = await halfway('backup');
    expect((await backupCode(user, backupCodes[0]!)).status).toBe(200);
    expect(await nameOf(user)).toBe('backup');
    const again = await halfway('backup');
    expect((await backupCode(again, backupCodes[0]!)).status).toBe(401);
    expect((await backupCode(again, backupCodes[1]!)).status).toBe(200);
  });

  test('of two log-ins at once with one backup code, one gets in', async () => {
    const { backupCodes } = await enrolled('double');
    const browsers = [await halfway('double'), await halfway('double')];
    const answers = await Promise.all(browsers.map((from) => backupCode(from, backupCodes[0]!)));
    const statuses = answers.map((answer) => answer.status).toSorted();
    expect(statuses[0]).toBe(200);
    expect([401, 409]).toContain(statuses[1]!);
    expect((await Promise.all(browsers.map(nameOf))).filter((name) => name !== undefined)).toHaveLength(1);
  });

  test('new backup codes replace the old ones', async () => {
    const { browser: user, backupCodes } = await enrolled('renewer');
    expect((await user.post('/api/v1/auth/two-factor/backup-codes', { password: 'wrong password' })).status).toBe(403);
    const answer = await user.post('/api/v1/auth/two-factor/backup-codes', { password: PASSWORD });
    const renewed = ((await answer.json()) as { backupCodes: string[] }).backupCodes;
    expect(renewed).toHaveLength(10);
    const entering = await halfway('renewer');
    expect((await backupCode(entering, backupCodes[0]!)).status).toBe(401);
    expect((await backupCode(entering, renewed[0]!)).status).toBe(200);
  });

  test('turned off with the password, the password is enough again', async () => {
    const { browser: user } = await enrolled('leaver');
    expect((await user.post('/api/v1/auth/two-factor/disable', { password: 'wrong password' })).status).toBe(403);
    expect((await user.post('/api/v1/auth/two-factor/disable', {})).status).toBe(403);
    expect((await user.post('/api/v1/auth/two-factor/disable', { password: PASSWORD })).status).toBe(204);
    expect(await berth.sessions.identify(user.request())).toMatchObject({ name: 'leaver', twoFactor: false });
    expect(await (await signIn(browser(), 'leaver')).json()).toMatchObject({ twoFactorRequired: false });
    expect((await user.post('/api/v1/auth/two-factor/disable', { password: PASSWORD })).status).toBe(409);
    expect((await user.post('/api/v1/auth/two-factor/backup-codes', { password: PASSWORD })).status).toBe(409);
  });

  test('a user who is disabled between the steps is refused', async () => {
    const { secret } = await enrolled('stopped');
    const user = await halfway('stopped');
    await setUserDisabled(berth.accounts, 'stopped', true, { name: 'test', source: '192.0.2.1' });
    expect((await code(user, authenticatorCode(secret))).status).toBe(401);
    expect(await nameOf(user)).toBeUndefined();
  });

  test('neither the secret nor a backup code is kept as it is', async () => {
    const { secret, backupCodes } = await enrolled('kept');
    const rows = await berth.accounts.database.read.selectFrom('two_factors').selectAll().execute();
    const text = JSON.stringify(rows);
    for (const plain of [secret, Buffer.from(secret).toString('base64'), ...backupCodes]) {
      expect(text).not.toContain(plain);
    }
  });
});

/** None of those that an authenticator app would show in these minutes. */
function wrongCode(secret: string, which = 0): string {
  const right = [-2, -1, 0, 1, 2].map((periods) => authenticatorCode(secret, Date.now() + periods * PERIOD));
  for (let i = which; ; i += 7) {
    const code = String(i).padStart(6, '0');
    if (!right.includes(code)) return code;
  }
}
