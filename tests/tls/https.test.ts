// HTTPS of Berth's own, as curl, openssl and the commands see it.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Authority, type Certified } from '../support/authority.ts';
import { berth, type RunningBerth, startBerth } from '../support/berth.ts';
import { freePort } from '../support/ports.ts';
import { requireTools, tryRun } from '../support/tools.ts';

setDefaultTimeout(60_000);
const canRun = requireTools('https', ['openssl', 'curl', 'ps']);

describe.if(canRun)('https', () => {
  let folder: string;
  let authority: Authority;
  let stranger: Authority;
  let certified: Certified;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'berth-https-'));
    [authority, stranger] = await Promise.all([Authority.make(), Authority.make('Stranger')]);
    certified = await authority.certify('registry');
  });
  afterAll(() => {
    authority?.remove();
    stranger?.remove();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  const files = ({ certificate, key }: Certified) => ['--tls-certificate', certificate, '--tls-key', key];
  const ca = () => readFileSync(authority.certificate, 'utf8');
  const pem = ({ certificate, key }: Certified) => ({
    cert: readFileSync(certificate, 'utf8'),
    key: readFileSync(key, 'utf8'),
  });
  /** curl that believes the authority alone; the answer's head and body, or why there was none. */
  async function curl(url: string, ...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await tryRun(['curl', '-sSi', '--cacert', authority.certificate, ...args, url]);
    return code === 0 ? stdout : `curl: exit code ${code}: ${stderr}`;
  }

  describe('with a certificate in files', () => {
    let server: RunningBerth;
    let plain: string;
    beforeAll(async () => {
      const httpPort = await freePort();
      plain = `http://127.0.0.1:${httpPort}`;
      server = await startBerth({
        args: [...files(certified), '--http-port', String(httpPort), '--workers', '2', '--anonymous', 'none'],
        tls: { ca: ca() },
      });
    });
    afterAll(() => server?.stop());

    test('the address is https wherever it is said', async () => {
      const output = server.output();
      expect(output).toContain(`Berth serves https://localhost:${server.port} with 2 worker(s)`);
      expect(output).toContain(`https://localhost:${server.port}/setup?secret=`);
      expect(output).not.toContain('insecure-registries');
      const challenge = await curl(`https://localhost:${server.port}/v2/`);
      expect(challenge).toContain('401 Unauthorized');
      expect(challenge).toContain(`realm="https://localhost:${server.port}/auth/token"`);
    });

    test('a cookie of a log-in is Secure', async () => {
      const secret = /setup\?secret=(\S+)/.exec(server.output())?.[1];
      await curl(
        `${server.url}/api/v1/setup`,
        ...['-H', 'Content-Type: application/json', '-H', `Origin: ${server.url}`],
        ...[
          '-d',
          JSON.stringify({ secret, username: 'anna', email: 'anna@example.com', password: 'a long pass phrase' }),
        ],
      );
      const login = await curl(
        `${server.url}/api/v1/auth/sign-in`,
        ...['-H', 'Content-Type: application/json', '-H', `Origin: ${server.url}`],
        ...['-d', JSON.stringify({ username: 'anna', password: 'a long pass phrase' })],
      );
      expect(login).toMatch(/set-cookie: __Secure-[^\n]*; Secure/i);
    });

    test('only TLS 1.2 and newer is spoken', async () => {
      const spoken = async (version: string): Promise<boolean> => {
        const options = ['-connect', `127.0.0.1:${server.port}`, version, '-cipher', 'ALL:@SECLEVEL=0'];
        const { stdout } = await tryRun(['openssl', 's_client', ...options], { stdin: '' });
        return stdout.includes('-----BEGIN CERTIFICATE-----');
      };
      expect(await Promise.all(['-tls1', '-tls1_1', '-tls1_2', '-tls1_3'].map(spoken))).toEqual([
        false,
        false,
        true,
        true,
      ]);
    });

    test('the metric says when the certificate expires', async () => {
      const end = /^notAfter=(.*)$/m.exec(
        (await tryRun(['openssl', 'x509', '-noout', '-enddate', '-in', certified.certificate])).stdout,
      )?.[1];
      const metrics = await curl(`${server.url}/metrics`);
      expect(metrics).toContain(`berth_certificate_expiry_seconds ${Date.parse(end ?? '') / 1000}\n`);
    });

    test('the port for plain http sends to https, says it lives, and tells clients of registries where to go', async () => {
      expect(await curl(`${plain}/livez`)).toContain('{"status":"ok"}');
      const redirect = await curl(`${plain}/alice/shop?tag=1.0`);
      expect(redirect).toStartWith('HTTP/1.1 308 ');
      expect(redirect).toContain(`Location: https://127.0.0.1:${server.port}/alice/shop?tag=1.0\r\n`);
      const pull = await curl(`${plain}/v2/shop/manifests/1.0`);
      expect(pull).toStartWith('HTTP/1.1 426 ');
      expect(pull).toContain(`the registry is at https://127.0.0.1:${server.port}`);
      expect(await curl(`${plain}/.well-known/acme-challenge/x`)).toStartWith('HTTP/1.1 404 ');
      expect(await curl(`${plain}/`, '-H', 'Host: a@b')).toStartWith('HTTP/1.1 400 ');
    });

    test('a worker that dies is replaced by one with the certificate', async () => {
      const children = async () =>
        (await tryRun(['ps', '-o', 'pid=', '--ppid', String(server.pid)])).stdout.split(/\s+/).filter(Boolean);
      const before = await children();
      for (const pid of before) process.kill(Number(pid), 'SIGKILL');
      const deadline = Date.now() + 30_000;
      let answer = '';
      while (!answer.includes('"status":"ok"')) {
        if (Date.now() > deadline) throw new Error(`no worker answers: ${answer}`);
        answer = await curl(`${server.url}/readyz`, '--max-time', '5');
      }
      expect(await children()).not.toEqual(before);
    });

    test('the commands believe a private authority when they are told of it', async () => {
      const whoami = (...args: string[]) =>
        berth(['whoami', '--server', server.url, ...args], { env: { BERTH_CONFIG_HOME: folder } });
      const refused = await whoami();
      expect(refused.code).not.toBe(0);
      expect(refused.stderr).toContain('trust its authority with --ca FILE or BERTH_CA');
      expect((await whoami('--ca', authority.certificate)).stdout).toContain('anonymous');
      const byVariable = await berth(['whoami', '--server', server.url], {
        env: { BERTH_CONFIG_HOME: folder, BERTH_CA: authority.certificate },
      });
      expect(byVariable.stdout).toContain('anonymous');
      const missing = await whoami('--ca', join(folder, 'none.pem'));
      expect(missing.stderr).toContain(`--ca: cannot read ${join(folder, 'none.pem')}`);
    });
  });

  describe('with an authority for clients', () => {
    let server: RunningBerth;
    let mine: Certified;
    beforeAll(async () => {
      mine = await authority.certify('client');
      server = await startBerth({
        args: [...files(certified), '--tls-client-ca', authority.certificate, '--workers', '1'],
        tls: { ca: ca(), ...pem(mine) },
      });
    });
    afterAll(() => server?.stop());
    const shows = ({ certificate, key }: Certified) => ['--cert', certificate, '--key', key];

    test('a client with a certificate of it is answered', async () => {
      expect(await curl(`${server.url}/livez`, ...shows(mine))).toContain('200 OK');
      const told = ['--ca', authority.certificate, '--client-certificate', mine.certificate, '--client-key', mine.key];
      const answer = await berth(['whoami', '--server', server.url, ...told], { env: { BERTH_CONFIG_HOME: folder } });
      expect(answer.stdout).toContain('anonymous');
    });

    test('no other client is', async () => {
      expect(await curl(`${server.url}/livez`)).toStartWith('curl: exit code');
      const foreign = await stranger.certify('client');
      expect(await curl(`${server.url}/livez`, ...shows(foreign))).toStartWith('curl: exit code');
      const expired = await authority.certify('client', { days: -1 });
      expect(await curl(`${server.url}/livez`, ...shows(expired))).toStartWith('curl: exit code');
    });
  });

  describe('with files that will not do', () => {
    async function refused(args: string[]): Promise<string> {
      const ended = await berth(['serve', '--data', join(folder, 'data'), '--port', '0', ...args]);
      expect(ended.code).toBe(2);
      expect(ended.stderr.trim().split('\n')).toHaveLength(1);
      return ended.stderr;
    }

    test('a start says which flag and file, and what to do', async () => {
      const other = await authority.certify('other');
      const { certificate, key } = certified;
      expect(await refused(['--tls-certificate', certificate])).toContain(
        `--tls-key (BERTH_TLS_KEY) is missing: give the file with the key of ${certificate}`,
      );
      expect(await refused(['--tls-key', key])).toContain('--tls-certificate (BERTH_TLS_CERTIFICATE) is missing');
      expect(await refused(['--http-port', '0'])).toContain('--http-port (BERTH_HTTP_PORT) is for https');
      expect(await refused(['--tls-certificate', '/none', '--tls-key', key])).toContain(
        '--tls-certificate: cannot read /none: ENOENT',
      );
      expect(await refused(files({ certificate, key: other.key }))).toContain(
        `--tls-key: ${other.key} is not the key of the certificate`,
      );
      const future = await authority.certify('future', { notBefore: '20490101000000Z', days: 9_000 });
      expect(await refused(files(future))).toContain(`${future.certificate} is not valid before 2049-01-01`);
      expect(await refused([...files(certified), '--tls-client-ca', key])).toContain(
        `--tls-client-ca: ${key} holds no certificate`,
      );
    });

    test('one that has expired is served, with a warning', async () => {
      const expired = await authority.certify('expired', { days: -1 });
      const server = await startBerth({
        args: [...files(expired), '--workers', '1'],
        tls: { rejectUnauthorized: false },
      });
      await server.stop();
      expect(server.output()).toContain('the certificate has expired: clients refuse it');
    });
  });
});
