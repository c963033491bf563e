// `berth healthcheck`, as a container's engine runs it: with the settings of `berth serve` in variables, and nothing else.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Authority, type Certified } from '../support/authority.ts';
import { berth, type RunningBerth, startBerth } from '../support/berth.ts';
import { freePort } from '../support/ports.ts';
import { type RunningPostgres, requirePostgres, startPostgres } from '../support/postgres.ts';
import { requireTools } from '../support/tools.ts';

setDefaultTimeout(90_000);
const canRun = requireTools('berth healthcheck', ['openssl']);

/** What it says, and how it ends. */
async function check(args: string[] = [], env: Record<string, string> = {}) {
  const { code, stdout, stderr } = await berth(['healthcheck', ...args], { env });
  return { code, said: `${stdout}${stderr}`.trim() };
}
const READY = { code: 0, said: 'ready' };

describe.if(canRun)('berth healthcheck', () => {
  let folder: string;
  let authority: Authority;
  let certified: Certified;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'berth-healthcheck-'));
    authority = await Authority.make();
    // Not for this machine's addresses: the check must not mind.
    certified = await authority.certify('registry', { names: ['registry.example.com', 'localhost'] });
  });
  afterAll(() => {
    authority?.remove();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  const own = () => ({ BERTH_TLS_CERTIFICATE: certified.certificate, BERTH_TLS_KEY: certified.key });

  describe('with a certificate in files, on ports of their own,', () => {
    let server: RunningBerth;
    let httpPort: number;
    beforeAll(async () => {
      httpPort = await freePort();
      server = await startBerth({
        env: { ...own(), BERTH_HTTP_PORT: String(httpPort) },
        args: ['--workers', '1'],
        tls: { rejectUnauthorized: false },
      });
    });
    afterAll(() => server?.stop());

    test('asks by the variables of the server, and by its file', async () => {
      expect(await check([], { ...own(), BERTH_PORT: String(server.port) })).toEqual(READY);
      const config = join(folder, 'berth.yaml');
      const lines = [`port: ${server.port}`, `tlsCertificate: ${certified.certificate}`, `tlsKey: ${certified.key}`];
      writeFileSync(config, lines.join('\n'));
      expect(await check(['--config', config])).toEqual(READY);
      expect(await check(['--host', '::'], { BERTH_CONFIG: config })).toEqual(READY);
    });

    test('believes a name on the network only as other clients do', async () => {
      const url = `https://localhost:${server.port}`;
      const unknown = await check([url]);
      expect(unknown.code).toBe(1);
      expect(unknown.said).toContain(`${url} does not answer (`);
      expect(unknown.said).toEndWith('; trust its authority with --ca FILE or BERTH_CA');
      expect(await check([url, '--ca', authority.certificate])).toEqual(READY);
      expect(await check([url], { BERTH_CA: authority.certificate })).toEqual(READY);
      const otherName = await check([`https://127.0.0.1:${server.port}`, '--ca', authority.certificate]);
      expect({ ...otherName, said: otherName.said.includes('does not answer') }).toEqual({ code: 1, said: true });
    });

    test('says where the port for plain http leads, and does not call it ready', async () => {
      const url = `http://127.0.0.1:${httpPort}`;
      const said = `berth: ${url} redirects to https://127.0.0.1:${server.port}: give that address`;
      expect(await check([url])).toEqual({ code: 1, said });
    });

    test('says what is asked when it is asked for the wrong scheme or port', async () => {
      const plain = await check(['--port', String(server.port)]);
      expect(plain.code).toBe(1);
      expect(plain.said).toStartWith(`berth: http://127.0.0.1:${server.port}`);
      const port = await freePort();
      const nobody = `berth: https://127.0.0.1:${port} does not answer (ECONNREFUSED)`;
      expect(await check(['--port', String(port)], own())).toEqual({ code: 1, said: nobody });
    });
  });

  test('with an authority for clients: looks at the port, and asks when it is given a certificate', async () => {
    const mine = await authority.certify('client');
    const env = { ...own(), BERTH_TLS_CLIENT_CA: authority.certificate };
    const pem = { cert: readFileSync(mine.certificate, 'utf8'), key: readFileSync(mine.key, 'utf8') };
    const server = await startBerth({
      env,
      args: ['--workers', '1'],
      tls: { ...pem, rejectUnauthorized: false },
    });
    const here = { ...env, BERTH_PORT: String(server.port) };
    const shown = ['--client-certificate', mine.certificate, '--client-key', mine.key];
    try {
      const open = await check([], here);
      expect(open.code).toBe(0);
      expect(open.said).toStartWith(`port ${server.port} is open; whether it can serve`);
      expect(await check(shown, here)).toEqual(READY);
      const url = `https://localhost:${server.port}`;
      expect(await check([url, '--ca', authority.certificate, ...shown])).toEqual(READY);
      expect((await check([url, '--ca', authority.certificate])).code).toBe(1);
      expect((await check(shown.slice(0, 2), here)).code).toBe(2);
    } finally {
      await server.stop();
    }
    const closed = await check([], here);
    expect(closed.code).toBe(1);
    expect(closed.said).toStartWith(`berth: nothing answers on port ${server.port} of 127.0.0.1 (`);
  });

  test('with an ACME authority that has given no certificate yet, it is ready with the one that stands in', async () => {
    const env = {
      BERTH_ACME_DOMAINS: 'registry.example.com',
      BERTH_ACME_DIRECTORY: `https://127.0.0.1:${await freePort()}/dir`,
      BERTH_HTTP_PORT: String(await freePort()),
    };
    const server = await startBerth({ env, args: ['--workers', '1'], tls: { rejectUnauthorized: false } });
    try {
      expect(await check([], { ...env, BERTH_PORT: String(server.port) })).toEqual(READY);
    } finally {
      await server.stop();
    }
  });

  describe.if(requirePostgres('berth healthcheck'))('over https, with PostgreSQL,', () => {
    let postgres: RunningPostgres;
    let server: RunningBerth;
    beforeAll(async () => {
      postgres = await startPostgres();
      const env = { ...own(), BERTH_DATABASE: await postgres.newDatabase() };
      server = await startBerth({ env, args: ['--workers', '1'], tls: { rejectUnauthorized: false } });
    });
    afterAll(async () => {
      await server?.stop();
      await postgres?.stop();
    });

    test('fails, naming the database, when that is gone', async () => {
      const here = { ...own(), BERTH_PORT: String(server.port) };
      expect(await check([], here)).toEqual(READY);
      await postgres.stop();
      const gone = await check([], here);
      expect(gone.code).toBe(1);
      expect(gone.said).toStartWith(`berth: https://127.0.0.1:${server.port}/readyz: 503 `);
      expect(gone.said).toMatch(/"checks":\{.*"database":"(?!ok)/);
    });
  });

  test('reads no file of the server: one that runs as another user can ask', async () => {
    const port = await freePort();
    const unread = { BERTH_TLS_CERTIFICATE: join(folder, 'none.pem'), BERTH_TLS_KEY: join(folder, 'none.key') };
    const said = `berth: https://127.0.0.1:${port} does not answer (ECONNREFUSED)`;
    expect(await check(['--port', String(port)], unread)).toEqual({ code: 1, said });
  });
});
