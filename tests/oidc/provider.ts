import { createServer } from 'node:http';
import { decodeJwt, exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import Provider, { type Claims } from 'oidc-provider';
import type { Browser } from '../../src/http/session/testing.ts';

export const CLIENT = { clientId: 'berth', clientSecret: 'the secret of the client +/%' };

/** What the token endpoint is about to answer. */
export interface TokenAnswer {
  id_token?: string;
  access_token?: string;
}

/** A real OpenID Connect provider on loopback, whose tokens a test can spoil on their way out. */
export interface TestProvider {
  issuer: string;
  /** Who may log in there, by the name that they type: what it says of them. */
  people: Map<string, Claims>;
  /** How many times a code was exchanged for tokens. */
  exchanges: number;
  /** Changes what the token endpoint answers; undefined: nothing. */
  spoil: ((answer: TokenAnswer) => Promise<void>) | undefined;
  /** The claims of an ID token that the provider made, changed and signed again with the provider's key. */
  resign(idToken: string | undefined, change: (claims: JWTPayload) => JWTPayload): Promise<string>;
  stop(): void;
}

/** @param redirectUri where it may send browsers back to */
export async function startProvider(redirectUri: string): Promise<TestProvider> {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  const key = { ...(await exportJWK(privateKey)), kid: 'the-key', alg: 'RS256', use: 'sig' };
  let handler: ReturnType<Provider['callback']> = (_, response) => response.end();
  const server = createServer((request, response) => handler(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the provider has no port');
  const test: TestProvider = {
    issuer: `http://127.0.0.1:${address.port}`,
    people: new Map(),
    exchanges: 0,
    spoil: undefined,
    resign: (idToken, change) =>
      new SignJWT(change(decodeJwt(idToken ?? '')))
        .setProtectedHeader({ alg: 'RS256', kid: 'the-key' })
        .sign(privateKey),
    stop: () => server.close(),
  };
  const provider = new Provider(test.issuer, {
    clients: [{ client_id: CLIENT.clientId, client_secret: CLIENT.clientSecret, redirect_uris: [redirectUri] }],
    jwks: { keys: [key] },
    cookies: { keys: ['a key of this test'] },
    claims: { openid: ['sub'], profile: ['name', 'preferred_username'], email: ['email', 'email_verified'] },
    pkce: { required: () => true },
    findAccount: (_, id) => {
      const claims = test.people.get(id);
      return claims === undefined ? undefined : { accountId: id, claims: () => claims };
    },
  });
  provider.use(async (context, next) => {
    await next();
    if (context.oidc?.route !== 'token') return;
    test.exchanges++;
    await test.spoil?.(context.body as TokenAnswer);
  });
  handler = provider.callback();
  return test;
}

/**
 * Goes from page to page at the provider, logs in there as `login` and agrees to everything.
 *
 * @param start where Berth has sent the browser
 * @returns where the provider sends it back to
 */
export async function logInAtProvider(browser: Browser, provider: TestProvider, start: string, login: string) {
  let url = new URL(start);
  for (let step = 0; step < 15; step++) {
    if (url.origin !== provider.issuer) return url;
    let response = await browser.submit(
      new Request(url, { redirect: 'manual', headers: { cookie: browser.header(url) } }),
    );
    if (response.status === 200) {
      const prompt = /name="prompt" value="(\w+)"/.exec(await response.text())?.[1] ?? '';
      response = await browser.form(url, prompt === 'login' ? { prompt, login, password: 'any' } : { prompt });
    }
    const location = response.headers.get('location');
    if (location === null) throw new Error(`the provider answers ${response.status}: ${await response.text()}`);
    url = new URL(location, url);
  }
  throw new Error(`the provider never sends the browser back; the last address was ${url}`);
}
