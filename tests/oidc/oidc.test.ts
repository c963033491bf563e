import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test';
import { claimNamespace } from '../../src/accounts/namespaces.ts';
import { getUser, setUserDisabled } from '../../src/accounts/users.ts';
import { onEachDatabase } from '../../src/database/test-databases.ts';
import { Browser, openTestSessions, type TestSessions } from '../../src/http/session/testing.ts';
import { parseRepositoryName } from '../../src/oci/names.ts';
import { expectFailure, OidcPlace, START } from './place.ts';
import { CLIENT, logInAtProvider, startProvider } from './provider.ts';

const ORIGIN = { name: 'test', source: '192.0.2.1' };

onEachDatabase('log-in at a provider', (newPlace) => {
  let at: OidcPlace;
  beforeAll(async () => {
    at = await OidcPlace.open(await newPlace());
  });
  afterAll(() => at.close());
  beforeEach(() => {
    at.provider.spoil = undefined;
  });

  test('the providers are listed, without their secrets', async () => {
    const answer = await at.browser().get('/api/v1/auth/providers');
    const { providers, password } = (await answer.json()) as { providers: unknown[]; password: boolean };
    expect(providers[0]).toEqual({ id: 'corp', name: 'Corporation', linked: false });
    expect(password).toBe(false);
    expect((await at.browser().get('/api/v1/auth/oidc/unknown')).status).toBe(404);
  });

  test('the browser is sent with state, nonce and a PKCE challenge', async () => {
    const begun = await at.browser().get(START);
    const url = new URL(begun.headers.get('location')!);
    expect(url.origin).toBe(at.provider.issuer);
    expect(Object.fromEntries(url.searchParams)).toEqual({
      response_type: 'code',
      client_id: CLIENT.clientId,
      redirect_uri: `${at.base}/api/v1/auth/callback/corp`,
      scope: 'openid profile email',
      code_challenge_method: 'S256',
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      state: expect.stringMatching(/^[\w-]{32}$/),
      nonce: expect.stringMatching(/^[\w-]{32}$/),
    });
    expect(begun.headers.getSetCookie()[0]).toMatch(/^berth\.state=.+; Path=\/; HttpOnly; SameSite=Lax$/);
  });

  test('behind a proxy the provider sends the browser back to the public address', async () => {
    const from = { base: 'https://registry.example:8443' };
    const begun = await at.berth.respond(new Request(`${at.base}${START}`), from);
    const url = new URL(begun.headers.get('location')!);
    expect(url.searchParams.get('redirect_uri')).toBe(`${from.base}/api/v1/auth/callback/corp`);
    expect(begun.headers.getSetCookie()[0]).toMatch(/^__Secure-berth\.state=.+; HttpOnly; Secure; SameSite=Lax$/);
  });

  test('the first log-in makes a user with a namespace, the second finds it', async () => {
    at.provider.people.set('first', {
      sub: 'first',
      preferred_username: 'Ada.Lovelace',
      name: 'Ada Lovelace',
      email: 'ada@example.com',
      email_verified: true,
    });
    const ada = at.browser();
    const answer = await at.logIn(ada, 'first', `${START}?callbackURL=/settings%3Ftab%3Dtokens`);
    expect(answer.headers.get('location')).toBe('/settings?tab=tokens');
    expect(await at.nameOf(ada)).toBe('ada.lovelace');
    const user = await getUser(at.berth.accounts, 'ada.lovelace');
    expect(user).toMatchObject({ name: 'Ada Lovelace', email: 'ada@example.com', administrator: false });
    const namespace = await at.berth.accounts.database.read
      .selectFrom('namespaces')
      .select(['kind', 'user_id'])
      .where('name', '=', 'ada.lovelace')
      .executeTakeFirst();
    expect(namespace).toEqual({ kind: 'user', user_id: user.id });

    const before = await at.userCount();
    const elsewhere = at.browser();
    expect((await at.logIn(elsewhere, 'first')).headers.get('location')).toBe('/');
    expect(await at.nameOf(elsewhere)).toBe('ada.lovelace');
    expect(await at.nameOf(ada)).toBe('ada.lovelace');
    expect(await at.userCount()).toBe(before);
  });

  test('what the provider calls somebody later changes nothing', async () => {
    at.provider.people.set('renamed', { sub: 'renamed', preferred_username: 'renamed' });
    await at.logIn(at.browser(), 'renamed');
    at.provider.people.set('renamed', { sub: 'renamed', preferred_username: 'ada.lovelace', email: 'ada@example.com' });
    const user = at.browser();
    await at.logIn(user, 'renamed');
    expect(await at.nameOf(user)).toBe('renamed');
  });

  test('claims in the ID token itself will do', async () => {
    at.provider.people.set('inline', { sub: 'inline' });
    at.provider.spoil = async (answer) => {
      answer.id_token = await at.provider.resign(answer.id_token, (claims) => ({
        ...claims,
        email: 'inline@example.com',
        email_verified: true,
        name: 'In Line',
      }));
    };
    const user = at.browser();
    await at.logIn(user, 'inline');
    expect(await at.nameOf(user)).toBe('inline');
    expect((await getUser(at.berth.accounts, 'inline')).email).toBe('inline@example.com');
  });

  test('names are made valid, and never taken from a user, an organization, the program or pushed repositories', async () => {
    await at.berth.addUser('taken');
    await at.berth.accounts.database.transaction(async (tx) => {
      const claim = { field: 'name', kind: 'organization', userId: null, now: 1, adopt: false } as const;
      await claimNamespace(tx, { ...claim, name: 'acme' });
    });
    await pushedRepository(at.berth, 'squatted/app');
    const names: Record<string, string> = {
      taken: 'taken-2',
      ACME: 'acme-2',
      admin: 'admin-2',
      squatted: 'squatted-2',
      'Ünal Şahin': 'unal-sahin',
      '../../etc': 'etc',
      'a..b__-c': 'a.b-c',
      李: 'user',
      'with+plus': 'with-plus',
    };
    let i = 0;
    for (const [wish, name] of Object.entries(names)) {
      at.provider.people.set(`wish${++i}`, { sub: `wish${i}`, preferred_username: wish });
      const user = at.browser();
      await at.logIn(user, `wish${i}`);
      expect({ wish, name: await at.nameOf(user) }).toEqual({ wish, name });
    }
  });

  test('without a username the local part of the address is the name; an address that is not verified is not kept', async () => {
    at.provider.people.set('mail', { sub: 'mail', email: 'grace@example.com', email_verified: false });
    const user = at.browser();
    await at.logIn(user, 'mail');
    expect(await at.nameOf(user)).toBe('grace');
    expect((await getUser(at.berth.accounts, 'grace')).email).toBeNull();
  });

  test('an address is never what links two accounts', async () => {
    const id = await at.berth.addUser('owner');
    await at.berth.accounts.database.transaction((tx) =>
      tx.updateTable('users').set({ email: 'owner@example.com', email_verified: 1 }).where('id', '=', id).execute(),
    );
    const claims = { preferred_username: 'owner', email: 'owner@example.com' };
    at.provider.people.set('same-mail', { sub: 'same-mail', ...claims, email_verified: true });
    const refused = at.browser();
    expectFailure(await at.logIn(refused, 'same-mail'), 'not-linked');
    expect(await at.nameOf(refused)).toBeUndefined();

    at.provider.people.set('claimed-mail', { sub: 'claimed-mail', ...claims, email_verified: false });
    const other = at.browser();
    await at.logIn(other, 'claimed-mail');
    expect(await at.nameOf(other)).toBe('owner-2');

    const reserved = { preferred_username: 'nobody', email: 'owner-2@users.invalid', email_verified: true };
    at.provider.people.set('no-mail', { sub: 'no-mail', ...reserved });
    const third = at.browser();
    await at.logIn(third, 'no-mail');
    expect(await at.nameOf(third)).toBe('nobody');
  });

  test('who is logged in links the account, and then comes in with it', async () => {
    await at.berth.addUser('linker');
    at.provider.people.set('linked', {
      sub: 'linked',
      preferred_username: 'other',
      email: 'x@y.example',
      email_verified: false,
    });
    const user = await at.passwordLogIn('linker');
    const { url } = (await (await user.post(`${START}/link`, { callbackURL: '/settings' })).json()) as { url: string };
    const before = user.cookie('berth.session_token');
    expect(await linkedOf(user)).toEqual({ corp: false, password: true });
    const back = await user.get(String(await logInAtProvider(user, at.provider, url, 'linked')));
    expect(back.headers.get('location')).toBe('/settings');
    expect(user.cookie('berth.session_token')).toBe(before);
    expect(await linkedOf(user)).toEqual({ corp: true, password: true });
    const elsewhere = at.browser();
    await at.logIn(elsewhere, 'linked');
    expect(await at.nameOf(elsewhere)).toBe('linker');
    const audited = await at.berth.accounts.database.read
      .selectFrom('audit_log')
      .select(['actor', 'detail'])
      .where('subject', '=', 'linker')
      .where('action', '=', 'user.update')
      .execute();
    expect(audited).toEqual([{ actor: 'linker', detail: '{"linked":"corp"}' }]);

    await at.berth.addUser('second-linker');
    const second = await at.passwordLogIn('second-linker');
    const again = (await (await second.post(`${START}/link`, {})).json()) as { url: string };
    expectFailure(
      await second.get(String(await logInAtProvider(second, at.provider, again.url, 'linked'))),
      'linked-elsewhere',
    );

    expect((await user.send('DELETE', '/api/v1/auth/oidc/credential/link')).status).toBe(404);
    expect((await user.send('DELETE', `${START}/link`)).status).toBe(204);
    expect((await user.send('DELETE', `${START}/link`)).status).toBe(404);
    const after = at.browser();
    await at.logIn(after, 'linked');
    expect(await at.nameOf(after)).toBe('other');
    expect(await linkedOf(after)).toEqual({ corp: true, password: false });
    expect((await after.send('DELETE', `${START}/link`)).status).toBe(409);
  });

  test('a link that was begun in a session that has ended is not made', async () => {
    await at.berth.addUser('left');
    at.provider.people.set('left-link', { sub: 'left-link', preferred_username: 'left-link' });
    const user = await at.passwordLogIn('left');
    const { url } = (await (await user.post(`${START}/link`, {})).json()) as { url: string };
    const back = await logInAtProvider(user, at.provider, url, 'left-link');
    await user.post('/api/v1/auth/sign-out');
    expectFailure(await user.get(String(back)), 'failed');
  });

  test('where sign-up is closed only who is known comes in', async () => {
    at.provider.people.set('newcomer', { sub: 'newcomer', preferred_username: 'newcomer' });
    const before = await at.userCount();
    const closed = await startProvider(`${at.base}/api/v1/auth/callback/closed`);
    try {
      const place = await newPlace();
      const other = await openTestSessions(place, [
        { id: 'closed', name: 'Closed', signUp: false, issuer: closed.issuer, ...CLIENT, scopes: ['openid'] },
      ]);
      closed.people.set('newcomer', { sub: 'newcomer' });
      const user = new Browser(at.base, (request) =>
        request.url.startsWith(at.base) ? other.respond(request) : fetch(request),
      );
      const begun = await user.get('/api/v1/auth/oidc/closed');
      const back = await logInAtProvider(user, closed, begun.headers.get('location')!, 'newcomer');
      expectFailure(await user.get(String(back)), 'sign-up-closed');
    } finally {
      closed.stop();
    }
    expect(await at.userCount()).toBe(before);
  });

  test('a disabled user is refused', async () => {
    at.provider.people.set('blocked', { sub: 'blocked', preferred_username: 'blocked' });
    await at.logIn(at.browser(), 'blocked');
    await setUserDisabled(at.berth.accounts, 'blocked', true, ORIGIN);
    const user = at.browser();
    expectFailure(await at.logIn(user, 'blocked'), 'disabled');
    expect(await at.nameOf(user)).toBeUndefined();
  });

  test('who says no at the provider comes back to the log-in page', async () => {
    const user = at.browser();
    const begun = await user.get(START);
    const state = new URL(begun.headers.get('location')!).searchParams.get('state');
    const refused = `/api/v1/auth/callback/corp?error=access_denied&error_description=%3Cscript%3E&state=${state}`;
    expectFailure(await user.get(refused), 'cancelled');
  });

  test('a log-in at a provider gives a new session and ends the one that the browser had', async () => {
    at.provider.people.set('fixated', { sub: 'fixated', preferred_username: 'fixated' });
    await at.berth.addUser('fixator');
    const attacker = await at.passwordLogIn('fixator');
    const planted = attacker.cookie('berth.session_token')!;
    const victim = at.browser();
    victim.setCookie('berth.session_token', planted);
    await at.logIn(victim, 'fixated');
    expect(victim.cookie('berth.session_token')).not.toBe(planted);
    expect(await at.nameOf(victim)).toBe('fixated');
    expect(await at.nameOf(attacker)).toBeUndefined();
  });

  test('a provider that does not answer, or is not who it should be, is said to be unavailable', async () => {
    const down = await at.browser().get('/api/v1/auth/oidc/down');
    expect(down.status).toBe(503);
    expect(await down.json()).toEqual({
      code: 'UNAVAILABLE',
      detail: 'the log-in provider Nobody there does not answer',
    });
    const alias = await at.browser().get('/api/v1/auth/oidc/alias');
    expect(alias.status).toBe(503);
    expect(((await alias.json()) as { detail: string }).detail).toBe(
      `the log-in provider Alias calls itself ${at.provider.issuer}, not ${at.provider.issuer.replace('127.0.0.1', 'localhost')}`,
    );
  });

  test('no token of the provider is kept, and none is in the log', async () => {
    at.provider.people.set('kept', { sub: 'kept', preferred_username: 'kept' });
    const tokens: string[] = [CLIENT.clientSecret];
    at.provider.spoil = async (answer) => {
      tokens.push(answer.id_token ?? '', answer.access_token ?? '');
    };
    await at.logIn(at.browser(), 'kept');
    expect(tokens).toHaveLength(3);
    const rows = await at.berth.accounts.database.read.selectFrom('user_logins').selectAll().execute();
    expect(rows.length).toBeGreaterThan(5);
    for (const text of [JSON.stringify(rows), at.berth.lines.join('')]) {
      for (const token of tokens) expect(text).not.toContain(token);
    }
  });
});

async function pushedRepository(berth: TestSessions, name: string): Promise<void> {
  await berth.accounts.database.transaction((tx) =>
    tx
      .insertInto('repositories')
      .values({ name: parseRepositoryName(name), created_at: 1, immutable_tags: null })
      .execute(),
  );
}

/** What the list of log-in providers says to who is logged in. */
async function linkedOf(browser: Browser): Promise<{ corp: boolean | undefined; password: boolean }> {
  const answer = (await (await browser.get('/api/v1/auth/providers')).json()) as {
    providers: { id: string; linked: boolean }[];
    password: boolean;
  };
  return { corp: answer.providers.find(({ id }) => id === 'corp')?.linked, password: answer.password };
}
