// berth serve with certificates from pebble, Let's Encrypt's own test server.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import type { CertificateInfo } from '../../src/api/certificate.ts';
import { ADMINISTRATOR, Person } from '../cli/person.ts';
import { berth, type RunningBerth, startBerth } from '../support/berth.ts';
import { type RunningPebble, requirePebble, startPebble } from '../support/pebble.ts';
import { freePort } from '../support/ports.ts';
import { eventually } from '../support/processes.ts';

setDefaultTimeout(90_000);

const NAME = 'registry.example.com';
const DOMAINS = `${NAME},127.0.0.1`;
const here = requirePebble('berth serve with an ACME authority');

describe.skipIf(!here)('berth serve with an ACME authority', () => {
  let pebble: RunningPebble;
  let running: RunningBerth;
  let httpPort: number;
  let data: string;

  beforeAll(async () => {
    httpPort = await freePort();
    data = mkdtempSync(join(tmpdir(), 'berth-acme-'));
    const setup = ['setup', '--data', data, '--username', ADMINISTRATOR.name, '--password-stdin'];
    const made = await berth(setup, { stdin: ADMINISTRATOR.password });
    expect({ code: made.code, stderr: made.stderr }).toMatchObject({ code: 0 });
    // A third of it is left after 13 s.
    pebble = await startPebble({ httpPort, validitySeconds: 20 });
    running = await startBerth({
      data,
      args: ['--workers', '2', '--acme-domains', DOMAINS, '--http-port', String(httpPort)],
      env: { BERTH_ACME_DIRECTORY: pebble.directory, BERTH_ACME_CA: pebble.rootFile },
      tls: { ca: await pebble.root() },
      readyWithin: 60_000,
    });
  });
  afterAll(async () => {
    await running?.stop();
    await pebble?.stop();
    rmSync(data, { recursive: true, force: true });
  });

  /** By every worker, as so many connections one after the other show. */
  async function isServed(connections: number): Promise<boolean> {
    const root = await pebble.root();
    for (let i = 0; i < connections; i++) {
      const seen = await shown(running.port, root).catch(() => undefined);
      if (seen === undefined) return false;
    }
    return true;
  }

  test('serves https with its chain, ordered once by two workers, and says what it did', async () => {
    await eventually('every worker serves it', 30_000, () => isServed(20));
    const { names, issuers } = await shown(running.port, await pebble.root());
    expect(names.split(', ').sort()).toEqual([`DNS:${NAME}`, 'IP Address:127.0.0.1']);
    expect(issuers[0]).toStartWith('Pebble Intermediate CA');
    const [beforeFirst = ''] = running.output().split('a certificate was issued');
    expect(beforeFirst.split('ordering a certificate')).toHaveLength(2);
    expect(running.output()).toContain('a self-signed certificate stands in until the authority has given one');
    expect(running.output()).toContain('a certificate was issued');
    expect(running.output()).not.toContain('PRIVATE KEY');
    const registry = await fetch(`${running.url}/v2/`, { tls: { ca: await pebble.root() } });
    expect(registry.headers.get('WWW-Authenticate')).toContain(`realm="${running.url}/auth/token"`);
  });

  test('answers no other token, on neither port', async () => {
    const path = '/.well-known/acme-challenge/none';
    expect((await fetch(`http://127.0.0.1:${httpPort}${path}`)).status).toBe(404);
    expect((await fetch(`${running.url}${path}`, { tls: { ca: await pebble.root() } })).status).toBe(404);
  });

  test('tells administrators what it serves and when it is renewed', async () => {
    const roots = join(data, 'roots.pem');
    writeFileSync(roots, await pebble.root());
    const person = new Person(join(data, 'home'), running.url);
    const env = { NODE_EXTRA_CA_CERTS: roots };
    await person.run(`login -u ${ADMINISTRATOR.name} --password-stdin`, { stdin: ADMINISTRATOR.password, env });
    const found = (await person.json('certificate show', { env })) as CertificateInfo;
    expect(found).toMatchObject({
      source: 'authority',
      served: { names: expect.arrayContaining([NAME, '127.0.0.1']), standIn: false },
      authority: { directory: pebble.directory, names: ['127.0.0.1', NAME], failure: null },
    });
    expect(found.served?.issuer).toStartWith('CN=Pebble Intermediate CA');
    expect(await person.run('certificate show', { env })).toMatch(/^next order: +20/m);
    expect(await person.refused(1, 'certificate retry', { env })).toContain('there is nothing to try again');
  });

  test('renews it while it serves, on every worker, and counts the orders', async () => {
    const root = await pebble.root();
    const first = (await shown(running.port, root)).serial;
    await eventually('another certificate', 60_000, async () => (await shown(running.port, root)).serial !== first);
    // Connections are spread over the workers.
    await eventually('the same on every worker', 30_000, async () => {
      const all = await Promise.all(Array.from({ length: 20 }, () => shown(running.port, root)));
      return new Set(all.map(({ serial }) => serial)).size === 1;
    });
    const metrics = await (await fetch(`${running.url}/metrics`, { tls: { ca: root } })).text();
    expect(metrics).toMatch(/^berth_acme_orders_total\{outcome="issued"\} [1-9]/m);
  });
});

describe('berth serve refuses, naming what to change,', () => {
  test.each([
    [['--acme-domains', NAME], `http://${NAME}/ on port 80: give --http-port 80`],
    [['--acme-domains', '*.example.com', '--http-port', '0'], '*.example.com can be proven over DNS only'],
    [['--acme-domains', 'a b'], '--acme-domains: "a b" is not a name such as'],
    [
      ['--acme-domains', NAME, '--http-port', '0', '--tls-certificate', 'a.pem', '--tls-key', 'a.key'],
      '--acme-domains (BERTH_ACME_DOMAINS) and --tls-certificate (BERTH_TLS_CERTIFICATE) both say',
    ],
    [
      ['--acme-domains', NAME, '--http-port', '0', '--acme-eab-kid', 'a'],
      '--acme-eab-key-file (BERTH_ACME_EAB_KEY_FILE) is missing',
    ],
    [['--acme-domains', '10.0.0.1', '--acme-dns-hook', '/bin/true'], 'http://10.0.0.1/ on port 80'],
    [['--acme-email', 'ops@example.com'], '--acme-email (BERTH_ACME_EMAIL) is for certificates of an ACME authority'],
    [['--acme-directory', 'http://ca.example.com/dir'], '--acme-directory: is not an https address'],
  ])('%j', async (args, message) => {
    const { code, stderr } = await berth(['serve', '--data', '/nonexistent/berth', ...args]);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });
});

/** What a client is shown that knows the authority's root, and takes nothing else. */
function shown(port: number, ca: string): Promise<{ names: string; serial: string; issuers: string[] }> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, servername: NAME, ca }, () => {
      const certificate = socket.getPeerCertificate(true);
      socket.end();
      resolve({
        names: certificate.subjectaltname ?? '',
        serial: certificate.serialNumber,
        issuers: [String(certificate.issuer.CN)],
      });
    });
    socket.on('error', reject);
  });
}
