import { expect } from 'bun:test';
import type { DatabasePlace } from '../../src/database/test-databases.ts';
import { Browser, openTestSessions, PASSWORD, type TestSessions } from '../../src/http/session/testing.ts';
import { CLIENT, logInAtProvider, startProvider, type TestProvider } from './provider.ts';

export const START = '/api/v1/auth/oidc/corp';

/** A Berth and its provider, `corp`, each on a port of its own. */
export class OidcPlace {
  private constructor(
    readonly base: string,
    readonly berth: TestSessions,
    readonly provider: TestProvider,
    readonly close: () => void,
  ) {}

  static async open(database: DatabasePlace): Promise<OidcPlace> {
    let berth: TestSessions | undefined;
    const server = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      fetch: (request) => berth?.respond(request) ?? new Response('too early', { status: 503 }),
    });
    const base = `http://127.0.0.1:${server.port}`;
    const provider = await startProvider(`${base}/api/v1/auth/callback/corp`);
    const common = { issuer: provider.issuer, ...CLIENT, scopes: ['openid', 'profile', 'email'], signUp: true };
    berth = await openTestSessions(database, [
      { ...common, id: 'corp', name: 'Corporation' },
      { ...common, id: 'down', name: 'Nobody there', issuer: 'http://127.0.0.1:1' },
      { ...common, id: 'alias', name: 'Alias', issuer: provider.issuer.replace('127.0.0.1', 'localhost') },
    ]);
    return new OidcPlace(base, berth, provider, () => {
      server.stop(true);
      provider.stop();
    });
  }

  browser(): Browser {
    return new Browser(this.base, (request) => fetch(request));
  }

  async nameOf(browser: Browser): Promise<string | undefined> {
    return (await this.berth.sessions.identify(browser.request()))?.name;
  }

  /** @returns where the provider sends the browser back to */
  async throughProvider(browser: Browser, login: string, start = START): Promise<URL> {
    const begun = await browser.get(start);
    expect(begun.status).toBe(302);
    return logInAtProvider(browser, this.provider, begun.headers.get('location')!, login);
  }

  /** @returns Berth's answer to the callback */
  async logIn(browser: Browser, login: string, start = START): Promise<Response> {
    return browser.get(String(await this.throughProvider(browser, login, start)));
  }

  async passwordLogIn(username: string): Promise<Browser> {
    const browser = this.browser();
    const answer = await browser.post('/api/v1/auth/sign-in', { username, password: PASSWORD });
    expect(answer.status).toBe(200);
    return browser;
  }

  async userCount(): Promise<number> {
    return (await this.berth.accounts.database.read.selectFrom('users').select('id').execute()).length;
  }
}

/** The browser is back at the log-in page, and nobody is logged in. */
export function expectFailure(answer: Response, reason: string): void {
  expect({ status: answer.status, to: answer.headers.get('location') }).toEqual({
    status: 302,
    to: `/login?error=${reason}`,
  });
  expect(answer.headers.getSetCookie()).toEqual([]);
}
