// Docker Engine over https of Berth's own, with a private authority and a certificate for the client.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Authority, type Certified } from '../support/authority.ts';
import { type RunningBerth, startBerth } from '../support/berth.ts';
import { type Engine, startEngine } from '../support/engine.ts';
import { busyboxImage } from '../support/images.ts';
import { freePort } from '../support/ports.ts';
import { freeAddresses } from '../support/server-engine.ts';
import { requireTools, run, tryRun } from '../support/tools.ts';

setDefaultTimeout(120_000);
const canRun = requireTools('docker over https', ['root', 'ip', 'openssl', 'dockerd', 'docker', 'skopeo', 'busybox']);

/** Where every Docker Engine of this host looks for the authority of a registry. */
const TRUSTED = '/etc/docker/certs.d';

describe.if(canRun)('Docker over https', () => {
  let authority: Authority;
  let address: string;
  let mine: Certified;
  let server: RunningBerth;
  let engine: Engine;
  let host: string;
  let httpPort: number;
  let trusted: string;
  let made: string | undefined;

  beforeAll(async () => {
    // Docker believes whatever is at 127.0.0.0/8.
    address = (await freeAddresses())[0] ?? '';
    await run(['ip', 'addr', 'add', `${address}/32`, 'dev', 'lo', 'label', `lo:bt${process.pid}`]);
    authority = await Authority.make();
    const certified = await authority.certify('registry', { names: [address, '127.0.0.1', 'localhost'] });
    mine = await authority.certify('docker');
    httpPort = await freePort();
    const tls = ['--tls-certificate', certified.certificate, '--tls-key', certified.key];
    server = await startBerth({
      args: [...tls, '--tls-client-ca', authority.certificate, '--host', '0.0.0.0', '--http-port', String(httpPort)],
      tls: {
        ca: readFileSync(authority.certificate, 'utf8'),
        cert: readFileSync(mine.certificate, 'utf8'),
        key: readFileSync(mine.key, 'utf8'),
      },
    });
    host = `${address}:${server.port}`;
    made = mkdirSync(TRUSTED, { recursive: true });
    trusted = join(TRUSTED, host);
    mkdirSync(trusted);
    engine = await startEngine();
    const image = await busyboxImage();
    await run(['skopeo', 'copy', '--dest-daemon-host', engine.socket, image.source, `docker-daemon:${host}/busybox:1`]);
  });
  afterAll(async () => {
    await Promise.all([engine?.stop(), server?.stop()]);
    if (trusted !== undefined) rmSync(trusted, { recursive: true, force: true });
    try {
      if (made !== undefined && existsSync(TRUSTED)) rmdirSync(TRUSTED);
    } catch {
      // Another run has a registry there.
    }
    if (address) await tryRun(['ip', 'addr', 'del', `${address}/32`, 'dev', 'lo']);
    authority?.remove();
  });

  test('refuses an authority that it does not know, and does not go on in plain http', async () => {
    const { code, stderr } = await engine.tryDocker(['push', `${host}/busybox:1`]);
    expect(code).not.toBe(0);
    expect(stderr).toContain('certificate signed by unknown authority');
  });

  test('is refused without a certificate of its own', async () => {
    copyFileSync(authority.certificate, join(trusted, 'ca.crt'));
    const { code, stderr } = await engine.tryDocker(['push', `${host}/busybox:1`]);
    expect(code).not.toBe(0);
    expect(stderr).toContain('certificate required');
  });

  test('pushes and pulls with the authority and its own certificate in certs.d', async () => {
    copyFileSync(authority.certificate, join(trusted, 'ca.crt'));
    copyFileSync(mine.certificate, join(trusted, 'client.cert'));
    copyFileSync(mine.key, join(trusted, 'client.key'));
    const pushed = await engine.docker(['push', `${host}/busybox:1`]);
    const digest = /digest: (sha256:\w{64})/.exec(pushed)?.[1] ?? 'none';
    await engine.docker(['image', 'rm', `${host}/busybox:1`]);
    expect(await engine.docker(['pull', `${host}/busybox:1`])).toContain(digest);
    const image = await busyboxImage();
    expect(await engine.docker(['run', '--rm', '--network', 'none', `${host}/busybox:1`])).toBe(image.prints);
  });

  test('is told where https is when it asks the port for plain http', async () => {
    const { code, stderr } = await engine.tryDocker(['pull', `localhost:${httpPort}/busybox:1`]);
    expect(code).not.toBe(0);
    expect(stderr).toContain(`the registry is at https://localhost:${server.port}`);
  });
});
