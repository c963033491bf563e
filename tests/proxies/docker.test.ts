// A Docker Engine that trusts the certificate's authority, skopeo and Berth's own command, each through each proxy.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { copyFileSync, mkdirSync, mkdtempSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { berth } from '../support/berth.ts';
import { type Engine, newerEngine, startEngine } from '../support/engine.ts';
import { signatureArtifact, twentyLayerImage } from '../support/images.ts';
import { run } from '../support/tools.ts';
import { curl } from './curl.ts';
import { proxiesHere, type Site, startSite } from './site.ts';

setDefaultTimeout(120_000);

const here = proxiesHere('docker', ['dockerd', 'docker', 'skopeo', 'busybox', ...newerEngine]);

/** Where every Docker Engine of this host looks for the authority of a registry. */
const TRUSTED = '/etc/docker/certs.d';

describe.each(here)('behind %s, over HTTPS', (name) => {
  let site: Site;
  let engine: Engine;
  let second: Engine;
  let trusted: string;
  let made: string | undefined;
  let home: string;

  beforeAll(async () => {
    site = await startSite(name);
    made = mkdirSync(TRUSTED, { recursive: true });
    trusted = join(TRUSTED, site.proxy.host);
    mkdirSync(trusted);
    copyFileSync(site.proxy.authority, join(trusted, 'ca.crt'));
    home = mkdtempSync(join(tmpdir(), 'berth-home-'));
    engine = await startEngine();
    // Docker Engine 26.1 fetches tokens without looking there when images are in containerd's store: it takes the
    // authorities of the system.
    const env = { SSL_CERT_FILE: site.proxy.authority };
    second = await startEngine({ release: 'newer', containerdStore: true, env });
  });

  afterAll(async () => {
    await Promise.all([engine?.stop(), second?.stop()]);
    if (trusted !== undefined) rmSync(trusted, { recursive: true, force: true });
    try {
      if (made !== undefined) rmdirSync(TRUSTED);
    } catch {
      // Another run has a registry there.
    }
    if (home !== undefined) rmSync(home, { recursive: true, force: true });
    await site?.stop();
  });

  const login = (on: Engine) => {
    const { name: username, password } = site.administrator;
    return on.docker(['login', '--username', username, '--password-stdin', site.proxy.host], { stdin: password });
  };

  test('an image of twenty layers is pushed after docker login, and pulled by another engine by tag and by digest', async () => {
    const image = await twentyLayerImage();
    const repository = `${site.proxy.host}/alice/twenty`;
    await run(['skopeo', 'copy', '--dest-daemon-host', engine.socket, image.source, `docker-daemon:${repository}:1`]);
    expect(await login(engine)).toContain('Login Succeeded');
    const pushed = await engine.docker(['push', `${repository}:1`]);
    const digest = /digest: (sha256:\w{64})/.exec(pushed)?.[1] ?? '';
    expect(await login(second)).toContain('Login Succeeded');
    expect(await second.docker(['pull', `${repository}:1`])).toContain(digest);
    expect(await second.docker(['run', '--rm', '--network', 'none', `${repository}:1`])).toBe(image.prints);
    await engine.docker(['image', 'rm', '--force', `${repository}:1`]);
    await engine.docker(['pull', `${repository}@${digest}`]);
    expect(await engine.docker(['run', '--rm', '--network', 'none', `${repository}@${digest}`])).toBe(image.prints);
    await second.docker(['tag', `${repository}:1`, `${site.proxy.host}/alice/again:1`]);
    await second.docker(['push', `${site.proxy.host}/alice/again:1`]);
  });

  test('without its authority an engine refuses the certificate: it does not go on in plain HTTP', async () => {
    rmSync(join(trusted, 'ca.crt'));
    const { code, stderr } = await engine.tryDocker(['pull', `${site.proxy.host}/alice/twenty:1`]);
    copyFileSync(site.proxy.authority, join(trusted, 'ca.crt'));
    expect(code).not.toBe(0);
    expect(stderr).toContain('certificate');
  });

  test('skopeo copies an image and a signature of it, and lists the tags', async () => {
    const certificates = ['--dest-cert-dir', trusted, '--preserve-digests'];
    const credentials = `${site.administrator.name}:${site.administrator.secret}`;
    const repository = `${site.proxy.host}/alice/signed`;
    const [image, signature] = [await twentyLayerImage(), await signatureArtifact()];
    for (const [source, tag] of [
      [image.source, 'latest'],
      [signature.source, 'signature'],
    ]) {
      const destination = `docker://${repository}:${tag}`;
      await run(['skopeo', 'copy', ...certificates, '--dest-creds', credentials, `${source}`, destination]);
    }
    const list = ['list-tags', '--cert-dir', trusted, '--creds', credentials, `docker://${repository}`];
    expect(JSON.parse(await run(['skopeo', ...list]))).toMatchObject({ Tags: ['latest', 'signature'] });
    const subject = /"subject":\{[^}]*"digest":"([^"]+)"/.exec(
      (await curl(site.through('2'), 'GET', '/v2/alice/signed/manifests/signature')).text(),
    )?.[1];
    const referrers = await curl(site.through('2'), 'GET', `/v2/alice/signed/referrers/${subject}`);
    expect(referrers.json()).toMatchObject({ manifests: [{ digest: signature.manifest.digest }] });
  });

  test('berth logs in and lists repositories', async () => {
    const env = { BERTH_CONFIG_HOME: home, BERTH_TOKEN: '', NODE_EXTRA_CA_CERTS: site.proxy.authority };
    const { name: username, password } = site.administrator;
    const entered = await berth(['login', site.proxy.url, '-u', username, '--password-stdin'], {
      env,
      stdin: password,
    });
    expect(entered.code, entered.stderr).toBe(0);
    const listed = await berth(['repository', 'list'], { env });
    expect(listed.code, listed.stderr).toBe(0);
    expect(listed.stdout).toContain('alice/twenty');
  });
});
