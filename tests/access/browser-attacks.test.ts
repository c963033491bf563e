// What another site's page can make a visitor's browser do, and sessions that somebody else has had a hand in.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { allRoutes } from '../../scripts/reference.ts';
import { testLog } from './caller.ts';
import { basic, cookieOf, PASSWORD, Town } from './people.ts';
import { pathOf, statusOf } from './row.ts';
import { ROWS } from './rows.ts';
import { Snapshot } from './snapshot.ts';

const OIDC = JSON.stringify([
  { id: 'sso', name: 'SSO', issuer: 'http://127.0.0.1:9', clientId: 'berth', clientSecret: 'a secret of the client' },
]);

let town: Town;
let start: Snapshot;
/** The administrator's. */
let cookie: string;
beforeAll(async () => {
  town = await Town.start(['--oidc', OIDC]);
  cookie = await town.signIn('chief');
  start = Snapshot.take(town);
}, 60_000);
afterAll(() => town?.stop(), 30_000);
beforeEach(() => start.restore());

const me = (value: string) => town.caller.send('GET', '/api/v1/user', { headers: { Cookie: value } });
const nameOf = async (value: string) => ((await me(value)).json() as { username?: string }).username;

describe('a request that a page of another site sends', () => {
  const CHANGES = allRoutes()
    .filter(({ method }) => method !== 'GET' && method !== 'HEAD')
    .map(({ method, path }) => ({ key: `${method} ${path}`, method, path }));
  const FOREIGN: [string, Record<string, string>][] = [
    ['its origin', { Origin: 'http://evil.example' }],
    ['its origin, on another port of this host', { Origin: 'http://127.0.0.1:1' }],
    ['an origin that has none', { Origin: 'null' }],
    ['the mark of another site', { 'Sec-Fetch-Site': 'cross-site' }],
    ['the mark of a neighbour', { 'Sec-Fetch-Site': 'same-site' }],
    ['a good origin and the mark of another site', { Origin: 'OWN', 'Sec-Fetch-Site': 'cross-site' }],
    ['both', { Origin: 'http://evil.example', 'Sec-Fetch-Site': 'cross-site' }],
  ];

  test('is one of those that change something', () => {
    expect(CHANGES.length).toBeGreaterThan(30);
  });

  test.each(CHANGES)('$key is refused and changes nothing', async ({ key, method, path }) => {
    const row = ROWS[key];
    // The matrix says so.
    if (row === undefined) return;
    const target = row.targets?.[0] ?? (/:name\b/.test(path) ? 'app' : /:namespace\b/.test(path) ? 'acme' : undefined);
    const call = { town, person: 'browser', target, allowed: true } as const;
    const sent = (await row.send?.(call)) ?? {};
    // Everything that a browser may attach by itself; on /v2/ it knows Basic alone.
    const headers = path.startsWith('/api') ? { Cookie: cookie } : {};
    const as = path.startsWith('/api') ? undefined : town.person('admin').basic;
    const url = pathOf(path, call, sent);
    const before = Snapshot.take(town);
    for (const [what, foreign] of FOREIGN) {
      const sentHeaders: Record<string, string> = { ...sent.headers, ...headers, ...foreign };
      if (sentHeaders.Origin === 'OWN') sentHeaders.Origin = town.berth.url;
      const answer = await town.caller.send(method, url, { ...sent, as, headers: sentHeaders });
      expect([what, answer.status]).toEqual([what, 403]);
      expect(answer.headers.has('access-control-allow-origin')).toBe(false);
      expect(answer.headers.getSetCookie()).toEqual([]);
    }
    expect(Snapshot.take(town).since(before)).toEqual([]);
  });

  test('is told from one of this registry’s own page', async () => {
    const own = { Cookie: cookie, Origin: town.berth.url, 'Sec-Fetch-Site': 'same-origin' };
    const row = ROWS['PATCH /api/v1/user'];
    const answer = await town.caller.send('PATCH', '/api/v1/user', { headers: own, json: { name: 'Chief' } });
    expect(answer.status).toBe(row === undefined ? 0 : statusOf(row, undefined));
  });

  test('is told from one of this registry’s own page behind a proxy', async () => {
    const proxied = { 'X-Forwarded-Host': 'registry.example.com', 'X-Forwarded-Proto': 'https' };
    const patch = (origin: string) =>
      town.caller.send('PATCH', '/api/v1/user', {
        headers: { ...proxied, Cookie: cookie, Origin: origin },
        json: { name: 'Chief' },
      });
    expect((await patch('https://registry.example.com')).status).toBe(200);
    expect((await patch('https://registry.example.com.evil.example')).status).toBe(403);
    expect((await patch(town.berth.url)).status).toBe(403);
  });

  test('is not allowed by an answer to a preflight', async () => {
    for (const path of [
      '/api/v1/user',
      '/v2/acme/app/manifests/v1',
      '/auth/token',
      '/',
      '/api/v1/setup',
      '/api/v1/auth/sign-in',
    ]) {
      const answer = await town.caller.send('OPTIONS', path, {
        headers: { Origin: 'http://evil.example', 'Access-Control-Request-Method': 'PUT' },
      });
      expect([path, answer.status >= 400]).toEqual([path, true]);
      expect(answer.headers.has('access-control-allow-origin')).toBe(false);
    }
  });
});

describe('a session', () => {
  const signIn = (value: string | undefined, username = 'stella') =>
    town.caller.expect(200, 'POST', '/api/v1/auth/sign-in', {
      json: { username, password: PASSWORD },
      headers: value === undefined ? {} : { Cookie: value },
    });

  test('that somebody else has planted is not the one that a log-in gives', async () => {
    const planted = await town.signIn('walter');
    const own = cookieOf(await signIn(planted));
    expect(own).not.toBe(planted);
    expect(await nameOf(own)).toBe('stella');
    // Whoever planted it has nothing of the log-in; that session has ended.
    expect((await me(planted)).status).toBe(401);
  });

  test('whose name is made up is not taken for one', async () => {
    const signature = decodeURIComponent(cookie).split('.').at(-1);
    for (const value of [
      'x',
      'x.y',
      `x.${signature}`,
      `${'x'.repeat(32)}.${'A'.repeat(43)}=`,
      '',
      '.',
      '%zz',
      '%00.%00',
    ]) {
      const planted = `berth.session_token=${value}`;
      expect([value, (await me(planted)).status]).toEqual([value, 401]);
      const own = cookieOf(await signIn(planted));
      expect(own).not.toContain(`=${value};`);
      expect(await nameOf(own)).toBe('stella');
    }
  });

  test('is another for each log-in', async () => {
    const cookies = new Set<string>();
    for (let i = 0; i < 3; i++) cookies.add(await town.signIn('stella'));
    expect(cookies.size).toBe(3);
  });

  test('that is logged out is over, whoever has kept the cookie', async () => {
    const value = await town.signIn('stella');
    await town.caller.expect(204, 'POST', '/api/v1/auth/sign-out', { headers: { Cookie: value } });
    expect((await me(value)).status).toBe(401);
  });

  test('is over when the password is changed or the user disabled', async () => {
    const as = town.person('admin').basic;
    const first = await town.signIn('stella');
    await town.caller.expect(204, 'PUT', '/api/v1/users/stella/password', { as, json: { password: PASSWORD } });
    expect((await me(first)).status).toBe(401);
    const second = await town.signIn('stella');
    await town.caller.expect(200, 'POST', '/api/v1/users/stella/disable', { as });
    expect((await me(second)).status).toBe(401);
  });

  test('is a cookie that no script reads, that other sites’ requests do not carry, and over https nothing else does', async () => {
    const [plain = ''] = (await signIn(undefined)).headers.getSetCookie();
    expect(plain).toMatch(/; HttpOnly/i);
    expect(plain).toMatch(/; SameSite=Lax/i);
    expect(plain).not.toMatch(/; Domain=/i);
    const secure = await town.caller.expect(200, 'POST', '/api/v1/auth/sign-in', {
      json: { username: 'stella', password: PASSWORD },
      headers: { 'X-Forwarded-Proto': 'https' },
    });
    expect(secure.headers.getSetCookie()[0]).toMatch(/^__Secure-.*; Secure/i);
  });

  test('is nothing to /v2/ and the token endpoint', async () => {
    const headers = { Cookie: cookie };
    await town.caller.expect(401, 'GET', '/v2/', { headers });
    await town.caller.expect(401, 'GET', '/v2/acme/app/manifests/v1', { headers });
    await town.caller.expect(401, 'POST', '/v2/acme/app/blobs/uploads/', { headers });
    await town.caller.expect(401, 'GET', '/auth/token', { headers });
  });

  test('of another user is not ended', async () => {
    const walter = await town.signIn('walter');
    const id = town.sql((db) => (db.query(NEWEST).get() as { id: string }).id);
    await town.caller.expect(404, 'DELETE', `/api/v1/auth/sessions/${id}`, { headers: { Cookie: cookie } });
    await town.caller.expect(200, 'DELETE', '/api/v1/auth/sessions', { headers: { Cookie: cookie } });
    expect(await nameOf(walter)).toBe('walter');
  });

  const NEWEST =
    "select s.id from sessions s join users u on u.id = s.user_id where u.username = 'walter' order by s.created_at desc";
});

describe('a redirect', () => {
  const ELSEWHERE = [
    'http://evil.example',
    'https://evil.example/',
    '//evil.example',
    '///evil.example',
    '/\\evil.example',
    '\\\\evil.example',
    '/\t/evil.example',
    '/\n/evil.example',
    ' //evil.example',
    'javascript:alert(1)',
    'data:text/html,x',
    'evil.example',
    '@evil.example',
    'http:evil.example',
    '/ /evil.example',
    '/%0d%0aSet-Cookie: x=1\r\nSet-Cookie: y=1',
    '',
  ];

  test.each(ELSEWHERE)('to %j is refused before anything begins', async (callbackURL) => {
    const query = new URLSearchParams({ callbackURL });
    const answer = await town.caller.send('GET', `/api/v1/auth/oidc/sso?${query}`, {});
    expect([answer.status, answer.headers.get('location')]).toEqual([400, null]);
    const linked = await town.caller.send('POST', '/api/v1/auth/oidc/sso/link', {
      headers: { Cookie: cookie },
      json: { callbackURL },
    });
    expect(linked.status).toBe(400);
  });

  test('comes from no other route that anybody can ask for', async () => {
    const evil = 'http://evil.example/';
    const query = new URLSearchParams(
      ['callbackURL', 'redirect', 'redirect_uri', 'next', 'url', 'return_to', 'errorCallbackURL'].map((name) => [
        name,
        evil,
      ]),
    );
    for (const { method, path } of allRoutes()) {
      if (method !== 'GET' || path.includes('/auth/oidc/') || path.includes('/auth/callback/')) continue;
      // Its head is sent, and says no redirect; it goes on as long as events may come.
      if (path === '/api/v1/events/stream') continue;
      const call = { town, person: 'admin', target: undefined, allowed: false } as const;
      const url = pathOf(
        path,
        { ...call, target: /:namespace\b/.test(path) ? 'acme' : 'app' },
        { params: { id: 'x', webhook: 'x', delivery: 'x', holder: 'x', upstream: 'x', prefix: 'x', mirror: 'x' } },
      );
      const answer = await town.caller.send(method, `${url}?${query}`, { as: basic('chief', PASSWORD) });
      expect([path, answer.status >= 300 && answer.status < 400]).toEqual([path, false]);
      expect(answer.headers.get('location') ?? '').not.toContain('evil');
    }
  });
});

testLog(() => town.caller);
