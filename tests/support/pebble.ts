// Let's Encrypt's ACME test server, with the DNS server that it asks, on loopback.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './ports.ts';
import { findTool, requireTools, run } from './tools.ts';

export interface PebbleOptions {
  /** Where the authority looks for challenges: the HTTP port of the server under test. */
  httpPort: number;
  validitySeconds?: number;
  /** Key ids and base64url keys of customers; without an entry none is wanted. */
  externalAccounts?: Record<string, string>;
}

export interface RunningPebble {
  /** The directory's address. */
  directory: string;
  /** PEM file: the root of the authority's own HTTPS. */
  rootFile: string;
  /** PEM: the root of the certificates that it gives. Another one after each start. */
  root: () => Promise<string>;
  /** All that it wrote. */
  log: () => string;
  /** How many certificates it has given. */
  issued: () => number;
  /** The management address of the DNS server. */
  dns: string;
  /** Ends the authority; the DNS server goes on. */
  stopAuthority: () => Promise<void>;
  /** At the same address; it has forgotten everything. */
  startAuthority: () => Promise<void>;
  stop: () => Promise<void>;
}

const READY_WITHIN_MS = 15_000;

export function requirePebble(suite: string): boolean {
  return requireTools(suite, ['pebble', 'pebble-challtestsrv', 'openssl']);
}

/** Every name leads to 127.0.0.1. One nonce in twenty is refused, as pebble does to see that clients try again. */
export async function startPebble(options: PebbleOptions): Promise<RunningPebble> {
  const folder = mkdtempSync(join(tmpdir(), 'berth-pebble-'));
  const [port, management, dnsPort, dnsManagement] = await Promise.all([
    freePort(),
    freePort(),
    freePort(),
    freePort(),
  ]);
  const rootFile = await makeAuthorityFiles(folder);
  const config = {
    listenAddress: `127.0.0.1:${port}`,
    managementListenAddress: `127.0.0.1:${management}`,
    certificate: join(folder, 'server.pem'),
    privateKey: join(folder, 'server.key'),
    httpPort: options.httpPort,
    tlsPort: 1,
    ocspResponderURL: '',
    certificateValidityPeriod: options.validitySeconds ?? 90 * 86_400,
    externalAccountBindingRequired: options.externalAccounts !== undefined,
    externalAccountMACKeys: options.externalAccounts ?? {},
  };
  writeFileSync(join(folder, 'pebble.json'), JSON.stringify({ pebble: config }));
  const off = ['-http01', '', '-https01', '', '-tlsalpn01', '', '-defaultIPv6', ''];
  const dnsAddress = ['-dns01', `127.0.0.1:${dnsPort}`, '-management', `127.0.0.1:${dnsManagement}`];
  const dns = Bun.spawn([tool('pebble-challtestsrv'), ...off, ...dnsAddress], { stdout: 'ignore', stderr: 'ignore' });
  const tls = { ca: readFileSync(rootFile, 'utf8') };
  let output = '';
  let authority: Bun.Subprocess<'ignore', 'pipe', 'pipe'> | undefined;
  const startAuthority = async () => {
    const command = [tool('pebble'), '-config', join(folder, 'pebble.json'), '-dnsserver', `127.0.0.1:${dnsPort}`];
    const child = Bun.spawn(command, {
      env: { ...process.env, PEBBLE_VA_NOSLEEP: '1', PEBBLE_AUTHZREUSE: '0' },
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
    });
    authority = child;
    for (const stream of [child.stdout, child.stderr]) {
      void (async () => {
        for await (const chunk of stream) output += new TextDecoder().decode(chunk);
      })();
    }
    const deadline = Date.now() + READY_WITHIN_MS;
    while (Date.now() < deadline) {
      const ready = await fetch(`https://127.0.0.1:${port}/dir`, { tls }).catch(() => undefined);
      if (ready?.ok) return;
      await Bun.sleep(30);
    }
    throw new Error(`pebble did not get ready:\n${output}`);
  };
  const stopAuthority = async () => {
    authority?.kill('SIGKILL');
    await authority?.exited;
  };
  const stop = async () => {
    await stopAuthority();
    dns.kill('SIGKILL');
    await dns.exited;
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await startAuthority();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    directory: `https://127.0.0.1:${port}/dir`,
    rootFile,
    root: async () => (await fetch(`https://127.0.0.1:${management}/roots/0`, { tls })).text(),
    log: () => output,
    issued: () => output.split('Issued certificate serial').length - 1,
    dns: `http://127.0.0.1:${dnsManagement}`,
    startAuthority,
    stopAuthority,
    stop,
  };
}

function tool(name: string): string {
  return findTool(name) ?? name;
}

/** A root and, signed by it, what pebble serves its directory with. @returns the root's file */
async function makeAuthorityFiles(folder: string): Promise<string> {
  const file = (name: string) => join(folder, name);
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  await run([
    'openssl',
    'req',
    '-x509',
    ...key,
    '-days',
    '2',
    '-subj',
    '/CN=Directory root',
    '-keyout',
    file('root.key'),
    '-out',
    file('root.pem'),
  ]);
  await run([
    'openssl',
    'req',
    ...key,
    '-subj',
    '/CN=127.0.0.1',
    '-keyout',
    file('server.key'),
    '-out',
    file('server.csr'),
  ]);
  writeFileSync(file('extensions'), 'subjectAltName=IP:127.0.0.1\n');
  const by = ['-CA', file('root.pem'), '-CAkey', file('root.key'), '-CAcreateserial', '-days', '2'];
  await run([
    'openssl',
    'x509',
    '-req',
    '-in',
    file('server.csr'),
    ...by,
    '-extfile',
    file('extensions'),
    '-out',
    file('server.pem'),
  ]);
  return file('root.pem');
}
