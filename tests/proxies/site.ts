// A registry as an administrator sets it up behind a proxy: Berth on loopback, the proxy with HTTPS on an address that
// Docker takes for another machine's, and an account.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newToken } from '../../src/api/tokens.ts';
import { berth, type RunningBerth, startBerth } from '../support/berth.ts';
import { freeAddresses } from '../support/server-engine.ts';
import { requireTools, run, tryRun } from '../support/tools.ts';
import { type Curl, curl } from './curl.ts';
import { PROXIES, type ProxyName, type RunningProxy, startProxy } from './proxy.ts';

const programs = { nginx: ['nginx'], apache: ['apache2'], caddy: ['caddy'] };

/** The proxies that are here, for `describe.each`; on CI all of them must be. */
export function proxiesHere(suite: string, tools: string[]): ProxyName[] {
  const needed = ['root', 'ip', 'curl', 'openssl', ...tools];
  return PROXIES.filter((name) => requireTools(`${suite} behind ${name}`, [...needed, ...programs[name]]));
}

export interface Account {
  name: string;
  password: string;
  /** A token of level `admin`. */
  secret: string;
}

export interface Site {
  /** Where the proxy listens and clients are: no loopback address, so what is believed of loopback is not believed of them. */
  address: string;
  proxy: RunningProxy;
  berth: () => RunningBerth;
  data: string;
  administrator: Account;
  /** Requests through the proxy, as the administrator. */
  through: (version: Curl['version']) => Curl;
  /** SIGTERM to Berth; its data and its port stay. */
  stopBerth: () => Promise<void>;
  startBerth: () => Promise<void>;
  /**
   * Ends all.
   *
   * @throws when Berth answered any request with a 5xx, logged an error, or `berth verify` finds a blob that is wrong
   */
  stop: () => Promise<void>;
}

export interface SiteOptions {
  /** Flags after `berth serve`. */
  args?: readonly string[];
  /** Replacements in the proxy's file. */
  replace?: readonly (readonly [string, string])[];
}

export async function startSite(name: ProxyName, options: SiteOptions = {}): Promise<Site> {
  const data = mkdtempSync(join(tmpdir(), 'berth-proxied-'));
  const [address] = await freeAddresses();
  await run(['ip', 'addr', 'add', `${address}/32`, 'dev', 'lo', 'label', `lo:bt${process.pid}`]);
  let server: RunningBerth | undefined;
  let proxy: RunningProxy | undefined;
  const outputs: string[] = [];
  const running = () => {
    if (server === undefined) throw new Error('berth serve does not run');
    return server;
  };
  const stopServer = async () => {
    if (server === undefined) return;
    const stopping = server;
    server = undefined;
    const code = await stopping.stop();
    outputs.push(stopping.output());
    if (code !== 0) throw new Error(`berth serve ended with code ${code}:\n${stopping.output().slice(-4000)}`);
  };
  const end = async () => {
    await proxy?.stop();
    try {
      await stopServer();
    } finally {
      await tryRun(['ip', 'addr', 'del', `${address}/32`, 'dev', 'lo']);
    }
  };
  try {
    const administrator = { name: 'alice', password: 'the pässword+of&alice %41"$', secret: '' };
    const setup = ['setup', '--data', data, '--username', administrator.name, '--password-stdin'];
    const made = await berth(setup, { stdin: `${administrator.password}\n` });
    if (made.code !== 0) throw new Error(`berth setup: ${made.stdout}${made.stderr}`);
    const flags = ['--anonymous', 'none', '--workers', '2', '--log-level', 'debug', ...(options.args ?? [])];
    const start = async (port?: number) => {
      server = await startBerth({ data, args: flags, ...(port === undefined ? {} : { port }) });
    };
    await start();
    const { port, host } = running();
    proxy = await startProxy(name, {
      address,
      upstream: host,
      ...(options.replace === undefined ? {} : { replace: options.replace }),
    });
    const { url, authority } = proxy;
    const basic = `Basic ${Buffer.from(`${administrator.name}:${administrator.password}`).toString('base64')}`;
    const answer = await curl({ url, authority, version: '1.1', authorization: basic }, 'POST', '/api/v1/tokens', {
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ name: 'made by a test', level: 'admin' }),
    });
    if (answer.status !== 201) throw new Error(`POST tokens: ${answer.status} ${answer.text()}`);
    administrator.secret = newToken.parse(answer.json()).secret;
    return {
      address,
      proxy,
      berth: running,
      data,
      administrator,
      through: (version) => ({ url, authority, version, authorization: `Bearer ${administrator.secret}` }),
      stopBerth: stopServer,
      startBerth: () => start(port),
      async stop() {
        try {
          const verified = await berth(['verify', '--data', data]);
          await end();
          const failed = outputs
            .flatMap((output) => output.split('\n'))
            .filter((line) => /"status":5\d\d|"level":"(error|fatal)"/.test(line));
          if (failed.length > 0) throw new Error(`the server failed:\n${failed.slice(0, 20).join('\n')}`);
          if (verified.code !== 0) throw new Error(`berth verify: ${verified.stdout}${verified.stderr}`);
        } finally {
          rmSync(data, { recursive: true, force: true });
        }
      },
    };
  } catch (error) {
    await end();
    rmSync(data, { recursive: true, force: true });
    throw error;
  }
}
