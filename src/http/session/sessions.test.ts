import { beforeAll, expect, test } from 'bun:test';
import { setPassword, setUserDisabled } from '../../accounts/users.ts';
import { onEachDatabase } from '../../database/test-databases.ts';
import { SESSION_ROUTES, type SessionRoute } from './endpoints.ts';
import { Browser, openTestSessions, PASSWORD, type TestSessions } from './testing.ts';

const DAY = 86_400_000;
const COOKIE = 'berth.session_token';
const ORIGIN = { name: 'test', source: '192.0.2.1' };

onEachDatabase('sessions', (newPlace) => {
  let berth: TestSessions;
  beforeAll(async () => {
    berth = await openTestSessions(await newPlace());
  });

  const browser = (from?: { source?: string; base?: string }) =>
    new Browser(from?.base ?? 'http://registry.test:5000', (request) => berth.respond(request, from));

  const signIn = (from: Browser, username: string, password = PASSWORD) =>
    from.post('/api/v1/auth/sign-in', { username, password });

  async function signedIn(username: string, from?: { source?: string; base?: string }): Promise<Browser> {
    const user = browser(from);
    expect((await signIn(user, username)).status).toBe(200);
    return user;
  }

  const nameOf = async (from: Browser) => (await berth.sessions.identify(from.request()))?.name;

  test('a right password makes a session that is known by its cookie', async () => {
    const id = await berth.addUser('alice');
    const alice = browser();
    const answer = await signIn(alice, 'Alice');
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual({
      twoFactorRequired: false,
      user: { id, username: 'alice', name: 'alice', administrator: false, twoFactor: false },
    });
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.headers.getSetCookie()).toEqual([
      expect.stringMatching(/^berth\.session_token=[^;]+; Max-Age=2592000; Path=\/; HttpOnly; SameSite=Lax$/),
    ]);
    expect(await berth.sessions.identify(alice.request())).toMatchObject({
      kind: 'user',
      id,
      name: 'alice',
      administrator: false,
      limit: { credential: 'session', level: 'admin', repository: null },
    });
  });

  test('behind https the cookie is Secure', async () => {
    await berth.addUser('secure');
    const user = await signedIn('secure', { base: 'https://registry.test' });
    expect(user.cookie(COOKIE)).toBeUndefined();
    expect(user.cookie(`__Secure-${COOKIE}`)).toBeDefined();
    expect(await nameOf(user)).toBe('secure');
    const out = await user.post('/api/v1/auth/sign-out');
    expect(out.headers.getSetCookie()[0]).toBe(
      `__Secure-${COOKIE}=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax`,
    );
  });

  test('a host name that better-auth does not know the form of is served too', async () => {
    await berth.addUser('odd-host');
    expect(await nameOf(await signedIn('odd-host', { base: 'http://my_registry:5000' }))).toBe('odd-host');
  });

  test('a wrong password and a name that nobody has are refused by the same words, after a hash each', async () => {
    await berth.addUser('bob');
    const answers: unknown[] = [];
    for (const username of ['bob', 'nobody-at-all', 'Not a name!']) {
      const before = berth.passwords.hashes;
      const answer = await signIn(browser(), username, 'wrong password');
      expect(answer.status).toBe(401);
      expect(answer.headers.getSetCookie()).toEqual([]);
      expect(berth.passwords.hashes - before).toBe(1);
      answers.push(await answer.json());
    }
    expect(answers).toEqual(Array(3).fill({ code: 'UNAUTHORIZED', detail: 'the username or the password is wrong' }));
  });

  test('a right password costs one hash, and a request with a session none', async () => {
    await berth.addUser('cheap');
    const before = berth.passwords.hashes;
    const user = await signedIn('cheap');
    expect(berth.passwords.hashes - before).toBe(1);
    await nameOf(user);
    await user.get('/api/v1/auth/session');
    expect(berth.passwords.hashes - before).toBe(1);
  });

  test('after ten wrong passwords from one address the right one is not even read; elsewhere it is', async () => {
    await berth.addUser('guessed');
    const from = { source: '192.0.2.66' };
    for (let i = 0; i < 10; i++) {
      expect((await signIn(browser(from), 'guessed', `wrong password ${i}`)).status).toBe(401);
    }
    expect((await signIn(browser(from), 'guessed')).status).toBe(429);
    expect((await signIn(browser({ source: '192.0.2.67' }), 'guessed')).status).toBe(200);
  });

  test('a cookie that is no session of this instance is nobody', async () => {
    await berth.addUser('forged');
    const user = await signedIn('forged');
    const value = decodeURIComponent(user.cookie(COOKIE)!);
    const [token = '', signature = ''] = value.split('.');
    for (const forged of [
      token,
      `${token}.`,
      `${token}x.${signature}`,
      `${token}.${signature.toLowerCase()}`,
      '%',
      '',
    ]) {
      user.setCookie(COOKIE, encodeURIComponent(forged));
      expect(await nameOf(user)).toBeUndefined();
    }
    user.setCookie(COOKIE, '%zz.%');
    expect(await nameOf(user)).toBeUndefined();
    user.setCookie(COOKIE, encodeURIComponent(value));
    expect(await nameOf(user)).toBe('forged');
  });

  test('a log-in never takes over the session that the browser came with', async () => {
    await berth.addUser('attacker');
    await berth.addUser('victim');
    const attacker = await signedIn('attacker');
    const planted = attacker.cookie(COOKIE)!;
    const victim = browser();
    victim.setCookie(COOKIE, planted);
    expect((await signIn(victim, 'victim')).status).toBe(200);
    expect(victim.cookie(COOKIE)).not.toBe(planted);
    expect(await nameOf(victim)).toBe('victim');
    expect(await nameOf(attacker)).toBeUndefined();
  });

  test('each log-in has a token of its own, and ends the one that the browser had before', async () => {
    await berth.addUser('again');
    const user = await signedIn('again');
    const former = browser();
    former.setCookie(COOKIE, user.cookie(COOKIE)!);
    expect((await signIn(user, 'again')).status).toBe(200);
    expect(user.cookie(COOKIE)).not.toBe(former.cookie(COOKIE));
    expect(await nameOf(user)).toBe('again');
    expect(await nameOf(former)).toBeUndefined();
  });

  test('a disabled user loses the session at once and gets no other', async () => {
    await berth.addUser('gone');
    const user = await signedIn('gone');
    await setUserDisabled(berth.accounts, 'gone', true, ORIGIN);
    expect(await nameOf(user)).toBeUndefined();
    const answer = await signIn(browser(), 'gone');
    expect(answer.status).toBe(401);
    expect(await answer.json()).toEqual({ code: 'UNAUTHORIZED', detail: 'the username or the password is wrong' });
    await setUserDisabled(berth.accounts, 'gone', false, ORIGIN);
    expect(await nameOf(user)).toBeUndefined();
    await signedIn('gone');
  });

  test('a session that outlived the disabling of its user is nobody’s', async () => {
    const id = await berth.addUser('outlived');
    const user = await signedIn('outlived');
    await berth.accounts.database.transaction((tx) =>
      tx.updateTable('users').set({ disabled_at: 1 }).where('id', '=', id).execute(),
    );
    expect(await nameOf(user)).toBeUndefined();
    expect((await user.get('/api/v1/auth/sessions')).status).toBe(401);
  });

  test('sign-out ends the session, whatever became of the cookie', async () => {
    await berth.addUser('leaving');
    const user = await signedIn('leaving');
    const copy = browser();
    copy.setCookie(COOKIE, user.cookie(COOKIE)!);
    expect((await user.post('/api/v1/auth/sign-out')).status).toBe(204);
    expect(user.cookie(COOKIE)).toBeUndefined();
    expect(await nameOf(copy)).toBeUndefined();
    expect((await user.post('/api/v1/auth/sign-out')).status).toBe(204);
  });

  test('sessions are listed and ended, one’s own alone', async () => {
    await berth.addUser('lister');
    await berth.addUser('stranger');
    const here = await signedIn('lister', { source: '2001:db8::7' });
    const there = await signedIn('lister', { source: '198.51.100.4' });
    const stranger = await signedIn('stranger');
    const { sessions } = (await (await here.get('/api/v1/auth/sessions')).json()) as {
      sessions: { id: string; current: boolean; address: string; createdAt: string }[];
    };
    expect(sessions.map(({ current, address }) => ({ current, address }))).toEqual(
      expect.arrayContaining([
        { current: true, address: '2001:db8::7' },
        { current: false, address: '198.51.100.4' },
      ]),
    );
    expect(JSON.stringify(sessions)).not.toContain(decodeURIComponent(there.cookie(COOKIE)!).split('.')[0]!);
    const other = sessions.find((session) => !session.current)!.id;
    expect((await stranger.send('DELETE', `/api/v1/auth/sessions/${other}`)).status).toBe(404);
    expect(await nameOf(there)).toBe('lister');
    expect((await here.send('DELETE', `/api/v1/auth/sessions/${other}`)).status).toBe(204);
    expect(await nameOf(there)).toBeUndefined();
    const third = await signedIn('lister');
    const ended = await here.send('DELETE', '/api/v1/auth/sessions');
    expect(await ended.json()).toEqual({ ended: 1 });
    expect(await nameOf(third)).toBeUndefined();
    expect(await nameOf(here)).toBe('lister');
    expect(await nameOf(stranger)).toBe('stranger');
  });

  test('a new password ends every other session and every log-in of a client, and is the one that counts', async () => {
    const id = await berth.addUser('changer');
    const here = await signedIn('changer');
    const there = await signedIn('changer');
    await addLoginToken(berth, id);
    const before = here.cookie(COOKIE);
    const change = (currentPassword: string, newPassword: string) =>
      here.send('PUT', '/api/v1/auth/password', { currentPassword, newPassword });
    const wrong = await change('wrong password', 'another password');
    expect(wrong.status).toBe(403);
    expect(await nameOf(there)).toBe('changer');
    expect((await change(PASSWORD, 'short')).status).toBe(400);
    const changed = await change(PASSWORD, 'another password');
    expect(changed.status).toBe(204);
    expect(here.cookie(COOKIE)).not.toBe(before);
    expect(await nameOf(here)).toBe('changer');
    expect(await nameOf(there)).toBeUndefined();
    expect(await liveLoginTokens(berth, id)).toBe(0);
    expect((await signIn(browser(), 'changer')).status).toBe(401);
    expect((await signIn(browser(), 'changer', 'another password')).status).toBe(200);
  });

  test('a password that an administrator sets ends every session', async () => {
    await berth.addUser('reset');
    const user = await signedIn('reset');
    await setPassword(berth.accounts, berth.passwords, 'reset', 'set by somebody', ORIGIN);
    expect(await nameOf(user)).toBeUndefined();
  });

  test('a session is prolonged once a day and ends after 30 days without its user', async () => {
    const quiet = await openTestSessions(await newPlace());
    await quiet.addUser('sleeper');
    const user = new Browser('http://registry.test', (request) => quiet.respond(request));
    await user.post('/api/v1/auth/sign-in', { username: 'sleeper', password: PASSWORD });
    const known = async () => (await quiet.sessions.identify(user.request())) !== undefined;
    const same = await user.get('/api/v1/auth/session');
    expect(same.headers.getSetCookie()).toEqual([]);
    quiet.advance(29 * DAY);
    const renewed = await user.get('/api/v1/auth/session');
    expect(renewed.headers.getSetCookie()[0]).toContain('Max-Age=2592000');
    const { expiresAt } = (await renewed.json()) as { expiresAt: string };
    expect(Math.round((Date.parse(expiresAt) - quiet.accounts.now()) / DAY)).toBe(30);
    quiet.advance(29 * DAY);
    expect(await known()).toBe(true);
    quiet.advance(2 * DAY);
    expect(await known()).toBe(false);
    expect(await (await user.get('/api/v1/auth/session')).json()).toEqual({ user: null, expiresAt: null });
  });

  test('every route that needs a session refuses without one', async () => {
    const routes: SessionRoute[] = Object.values(SESSION_ROUTES);
    for (const { method, path } of routes.filter((route) => route.session)) {
      const answer = await browser().send(method, path.replace(/:\w+/, 'x'), method === 'GET' ? undefined : {});
      expect({ path, status: answer.status }).toEqual({ path, status: 401 });
    }
  });

  test('better-auth is not loaded before the first log-in', () => {
    const script = `
      const { createSessions } = await import('./sessions.ts');
      const accounts = { database: { read: undefined }, now: Date.now };
      const sessions = createSessions({ accounts, secret: 'x'.repeat(43), oidc: [] });
      const request = new Request('http://registry.test/', { headers: { cookie: 'berth.session_token=forged.x' } });
      await sessions.identify(request);
      const loaded = () => Object.keys(require.cache).some((path) => path.includes('/better-auth/'));
      const before = loaded();
      await import('./auth.ts');
      console.log(JSON.stringify([before, loaded()]));`;
    const { stdout } = Bun.spawnSync([process.execPath, '-e', script], { cwd: import.meta.dir });
    expect(JSON.parse(stdout.toString())).toEqual([false, true]);
  });

  test('the log has neither passwords nor tokens', async () => {
    await berth.addUser('logged');
    const user = await signedIn('logged');
    await signIn(browser(), 'logged', 'a wrong password in the log');
    const log = berth.lines.join('');
    for (const secret of [
      PASSWORD,
      'a wrong password in the log',
      decodeURIComponent(user.cookie(COOKIE)!).split('.')[0]!,
      berth.secret,
    ]) {
      expect(log).not.toContain(secret);
    }
  });

  test('the audit log tells of log-ins, good and refused', async () => {
    await berth.addUser('audited');
    await signIn(browser(), 'audited', 'wrong password');
    const user = await signedIn('audited');
    await user.post('/api/v1/auth/sign-out');
    const rows = await berth.accounts.database.read
      .selectFrom('audit_log')
      .select(['action', 'actor', 'outcome', 'source'])
      .where('subject', '=', 'audited')
      .where('action', '!=', 'user.create')
      .orderBy('id')
      .execute();
    const common = { actor: 'audited', source: '192.0.2.1' };
    expect(rows).toEqual([
      { ...common, action: 'login.failure', outcome: 'refused' },
      { ...common, action: 'login.success', outcome: 'done' },
      { ...common, action: 'session.end', outcome: 'done' },
    ]);
  });
});

async function addLoginToken(berth: TestSessions, userId: string): Promise<void> {
  await berth.accounts.database.transaction((tx) =>
    tx
      .insertInto('access_tokens')
      .values({
        id: `token-${userId}`,
        kind: 'login',
        user_id: userId,
        robot_id: null,
        parent_id: null,
        name: 'docker login',
        level: 'admin',
        repository: null,
        secret_hash: `hash-${userId}`,
        created_at: 1,
        expires_at: null,
        last_used_at: null,
        last_used_from: null,
        revoked_at: null,
      })
      .execute(),
  );
}

async function liveLoginTokens(berth: TestSessions, userId: string): Promise<number> {
  const rows = await berth.accounts.database.read
    .selectFrom('access_tokens')
    .select('id')
    .where('user_id', '=', userId)
    .where('revoked_at', 'is', null)
    .execute();
  return rows.length;
}
