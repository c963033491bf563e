// A person at a browser: Chromium on the real server. Each test file starts one server and one browser.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Result } from 'axe-core';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { ManagementClient } from '../../src/client/management.ts';
import { type BerthOptions, type RunningBerth, startBerth } from '../support/berth.ts';
import { requireTools } from '../support/tools.ts';
import { Pusher } from './pusher.ts';

/** Whether the suite can run here: `describe.skipIf(!canBrowse)`. */
export const canBrowse = requireTools('page', ['chromium-headless-shell']);

export const PASSWORD = 'correct horse battery';

export interface Person {
  username: string;
  password: string;
  /** The API with this person's access token of level admin. */
  api: ManagementClient;
  /** Pushes as this person. */
  pusher: Pusher;
}

export interface VisitOptions {
  /** Logged in already, as by an earlier visit. */
  as?: Person;
  phone?: boolean;
  dark?: boolean;
  language?: 'en' | 'ko';
  /** Takes a certificate that no authority has signed. */
  anyCertificate?: boolean;
  /** Another address of the same server, e.g. of a proxy in front. */
  url?: string;
}

/** One person's browser window, with cookies of its own. */
export class Visit {
  /** What the browser complained of: errors of the page, violations of its policy, requests that failed. */
  readonly complaints: string[] = [];

  constructor(
    readonly url: string,
    readonly context: BrowserContext,
    readonly page: Page,
  ) {
    page.on('pageerror', (error) => this.complaints.push(`error: ${error.message}`));
    page.on('console', (message) => {
      // The browser writes a line for every 4xx; what the page makes of it is for the test to see.
      if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) {
        this.complaints.push(`console: ${message.text()}`);
      }
    });
    page.on('request', (request) => {
      if (!request.url().startsWith(url) && !/^(data|blob|about):/.test(request.url())) {
        this.complaints.push(`elsewhere: ${request.url()}`);
      }
    });
  }

  /** Opens a path and waits for the page's heading. */
  async open(path: string): Promise<void> {
    await this.page.goto(this.url + path);
    await this.page.getByRole('heading', { level: 1 }).waitFor();
  }

  /** What axe finds that is serious or critical (WCAG 2.2 A and AA, and good practice): a line each. */
  async audit(): Promise<string[]> {
    await this.page.evaluate(AXE);
    const violations = await this.page.evaluate(
      async () =>
        (
          await (window as unknown as { axe: { run: (options: object) => Promise<{ violations: Result[] }> } }).axe.run(
            {
              resultTypes: ['violations'],
            },
          )
        ).violations,
    );
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.html.slice(0, 200)).join(' | ')}`);
  }

  /** How far the page can be moved sideways, in pixels: 0 where everything fits. */
  sideways(): Promise<number> {
    return this.page.evaluate(() =>
      Math.max(0, document.documentElement.scrollWidth - document.documentElement.clientWidth),
    );
  }

  /** Whether anything of `window.pwned = …` of hostile content has run. */
  hacked(): Promise<boolean> {
    return this.page.evaluate(() => 'pwned' in window);
  }

  close(): Promise<void> {
    return this.context.close();
  }
}

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const DESKTOP = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };

export class PageRig {
  private constructor(
    readonly berth: RunningBerth,
    readonly browser: Browser,
    /** The administrator; without one the server still waits for its set-up. */
    readonly chief: Person,
  ) {}

  get url(): string {
    return this.berth.url;
  }

  get host(): string {
    return this.berth.host;
  }

  /** @param options.setUp false: nobody has made the first account yet, and `chief` is nobody */
  static async start(options: BerthOptions & { setUp?: boolean } = {}): Promise<PageRig> {
    const { setUp = true, args = [], ...rest } = options;
    const anonymous = args.includes('--anonymous') ? [] : ['--anonymous', 'none'];
    const berth = await startBerth({ ...rest, args: ['--workers', '1', ...anonymous, ...args] });
    const browser = await startBrowser();
    try {
      // The first visit would wait for the page to be built.
      await fetch(berth.url);
      if (!setUp) return new PageRig(berth, browser, await personOf(berth, 'nobody', undefined));
      const api = new ManagementClient(berth.url);
      await api.instance.setUp({ secret: setupSecret(berth), username: 'chief', password: PASSWORD });
      return new PageRig(berth, browser, await personOf(berth, 'chief', PASSWORD));
    } catch (error) {
      await browser.close();
      await berth.stop();
      throw error;
    }
  }

  /** Another account. */
  async join(username: string): Promise<Person> {
    await this.chief.api.users.create({ username, password: PASSWORD });
    return personOf(this.berth, username, PASSWORD);
  }

  visit(options: VisitOptions = {}): Promise<Visit> {
    return openVisit(this.browser, options.url ?? this.url, options);
  }

  async stop(): Promise<void> {
    await this.browser.close();
    await this.berth.stop();
  }
}

export function startBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: join(import.meta.dir, '../support/steady-chromium'),
    // Tests run as root, where Chromium's own sandbox can not.
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--host-resolver-rules=MAP *.test 127.0.0.1'],
  });
}

/** A new person's window. @param url of the server, or of what stands in front of it */
export async function openVisit(
  browser: Browser,
  url: string,
  options: Omit<VisitOptions, 'url' | 'as'> & { as?: Pick<Person, 'username' | 'password'> } = {},
): Promise<Visit> {
  const context = await browser.newContext({
    viewport: options.phone ? PHONE : DESKTOP,
    hasTouch: options.phone ?? false,
    colorScheme: options.dark ? 'dark' : 'light',
    locale: options.language === 'ko' ? 'ko-KR' : 'en-US',
    reducedMotion: 'reduce',
    ignoreHTTPSErrors: options.anyCertificate ?? false,
  });
  context.setDefaultTimeout(30_000);
  if (options.as !== undefined) {
    const { username, password } = options.as;
    const answer = await context.request.post(`${url}/api/v1/auth/sign-in`, { data: { username, password } });
    if (!answer.ok()) throw new Error(`cannot log in: ${answer.status()} ${await answer.text()}`);
  }
  return new Visit(url, context, await context.newPage());
}

/** The secret of the set-up link that the server has printed. */
export function setupSecret(berth: RunningBerth): string {
  const [, secret] = /\/setup\?secret=(\S+)/.exec(berth.output()) ?? [];
  if (secret === undefined) throw new Error(`no set-up link:\n${berth.output().slice(0, 2_000)}`);
  return secret;
}

async function personOf(berth: RunningBerth, username: string, password: string | undefined): Promise<Person> {
  if (password === undefined) {
    return { username, password: '', api: new ManagementClient(berth.url), pusher: new Pusher(berth.url, '') };
  }
  const login = new ManagementClient(berth.url, { kind: 'password', username, password });
  const { secret } = await login.tokens.create({ name: 'test', level: 'admin' });
  return {
    username,
    password,
    api: new ManagementClient(berth.url, { kind: 'token', token: secret }),
    pusher: new Pusher(berth.url, `Basic ${btoa(`${username}:${secret}`)}`),
  };
}
