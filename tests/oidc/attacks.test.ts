import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test';
import { generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { onEachDatabase } from '../../src/database/test-databases.ts';
import type { Browser } from '../../src/http/session/testing.ts';
import { expectFailure, OidcPlace, START } from './place.ts';
import { CLIENT, logInAtProvider } from './provider.ts';

onEachDatabase('attacks on a log-in at a provider', (newPlace) => {
  let at: OidcPlace;
  beforeAll(async () => {
    at = await OidcPlace.open(await newPlace());
  });
  afterAll(() => at.close());
  beforeEach(() => {
    at.provider.spoil = undefined;
  });

  test('a callback without the state that this browser was given is refused', async () => {
    at.provider.people.set('crossed', { sub: 'crossed', preferred_username: 'crossed' });
    const attacker = at.browser();
    const begun = await attacker.get(START);
    const back = await logInAtProvider(attacker, at.provider, begun.headers.get('location')!, 'crossed');
    const exchanges = at.provider.exchanges;
    // Another browser, with a log-in of its own under way: session fixation through the provider.
    const victim = at.browser();
    await victim.get(START);
    expectFailure(await victim.get(String(back)), 'expired');
    expect(await at.nameOf(victim)).toBeUndefined();
    const changed = new URL(back);
    changed.searchParams.set('state', 'x'.repeat(32));
    expectFailure(await attacker.get(String(changed)), 'expired');
    changed.searchParams.delete('state');
    expectFailure(await attacker.get(String(changed)), 'expired');
    expect(at.provider.exchanges).toBe(exchanges);
    expect((await attacker.get(String(back))).headers.get('location')).toBe('/');
    expect(await at.nameOf(attacker)).toBe('crossed');
  });

  test('a callback works once', async () => {
    at.provider.people.set('replayed', { sub: 'replayed', preferred_username: 'replayed' });
    const user = at.browser();
    const begun = await user.get(START);
    const state = user.cookie('berth.state')!;
    const back = await logInAtProvider(user, at.provider, begun.headers.get('location')!, 'replayed');
    await user.get(String(back));
    user.setCookie('berth.state', state);
    expectFailure(await user.get(String(back)), 'expired');
  });

  test('a code of another log-in is refused: PKCE', async () => {
    at.provider.people.set('code', { sub: 'code', preferred_username: 'code' });
    const one = at.browser();
    const two = at.browser();
    const back = async (from: Browser) => {
      const begun = await from.get(START);
      return logInAtProvider(from, at.provider, begun.headers.get('location')!, 'code');
    };
    const stolen = await back(one);
    const own = await back(two);
    own.searchParams.set('code', stolen.searchParams.get('code')!);
    expectFailure(await two.get(String(own)), 'failed');
  });

  test('an answer of another issuer is refused', async () => {
    at.provider.people.set('mixed', { sub: 'mixed', preferred_username: 'mixed' });
    const user = at.browser();
    const begun = await user.get(START);
    const back = await logInAtProvider(user, at.provider, begun.headers.get('location')!, 'mixed');
    back.searchParams.set('iss', 'https://other.example');
    expectFailure(await user.get(String(back)), 'failed');
  });

  const SPOILT: Record<string, (idToken: string | undefined) => Promise<string | undefined>> = {
    'another nonce': (token) => at.provider.resign(token, (claims) => ({ ...claims, nonce: 'of another log-in' })),
    'no nonce': (token) => at.provider.resign(token, ({ nonce: _, ...claims }) => claims),
    'another audience': (token) => at.provider.resign(token, (claims) => ({ ...claims, aud: 'another client' })),
    'another issuer': (token) => at.provider.resign(token, (claims) => ({ ...claims, iss: 'https://other.example' })),
    'an end in the past': (token) => at.provider.resign(token, (claims) => ({ ...claims, exp: 1_700_000_000 })),
    'no end': (token) => at.provider.resign(token, ({ exp: _, ...claims }) => claims),
    'another subject than the user info': (token) =>
      at.provider.resign(token, (claims) => ({ ...claims, sub: 'first' })),
    'a changed payload': async (token) => {
      const [header, payload = '', signature] = String(token).split('.');
      const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as JWTPayload;
      const changed = Buffer.from(JSON.stringify({ ...claims, sub: 'first' })).toString('base64url');
      return [header, changed, signature].join('.');
    },
    'a key of somebody else': async (token) => {
      const { privateKey } = await generateKeyPair('RS256');
      return new SignJWT(payloadOf(token)).setProtectedHeader({ alg: 'RS256', kid: 'the-key' }).sign(privateKey);
    },
    'the client’s secret as its key': async (token) =>
      new SignJWT(payloadOf(token))
        .setProtectedHeader({ alg: 'HS256', kid: 'the-key' })
        .sign(new TextEncoder().encode(CLIENT.clientSecret)),
    'no signature': async (token) =>
      `${Buffer.from('{"alg":"none"}').toString('base64url')}.${String(token).split('.')[1]}.`,
    'no sense': async () => 'opaque',
    'nothing at all': async () => undefined,
  };

  for (const [what, make] of Object.entries(SPOILT)) {
    test(`an ID token with ${what} is refused`, async () => {
      at.provider.people.set('spoilt', { sub: 'spoilt', preferred_username: 'spoilt' });
      const before = await at.userCount();
      at.provider.spoil = async (answer) => {
        const idToken = await make(answer.id_token);
        if (idToken === undefined) delete answer.id_token;
        else answer.id_token = idToken;
      };
      const user = at.browser();
      expectFailure(await at.logIn(user, 'spoilt'), 'failed');
      expect(await at.nameOf(user)).toBeUndefined();
      expect(await at.userCount()).toBe(before);
    });
  }

  test('a destination elsewhere is refused before anything begins', async () => {
    await at.berth.addUser('redirected');
    const user = await at.passwordLogIn('redirected');
    for (const destination of [
      'https://evil.example/',
      '//evil.example/',
      '/\\evil.example/',
      '\\\\evil.example/',
      '/\t/evil.example/',
      ' /x',
      'javascript:alert(1)',
      'x',
      '',
      `${at.base}/x`,
      '/x\r\nSet-Cookie: a=b',
      '/.log-in-failed?error=x',
    ]) {
      const started = await user.get(`${START}?callbackURL=${encodeURIComponent(destination)}`);
      expect({ destination, status: started.status }).toEqual({ destination, status: 400 });
      const linking = await user.post(`${START}/link`, { callbackURL: destination });
      expect({ destination, status: linking.status }).toEqual({ destination, status: 400 });
    }
  });
});

function payloadOf(token: string | undefined): JWTPayload {
  return JSON.parse(Buffer.from(String(token).split('.')[1] ?? '', 'base64url').toString());
}
