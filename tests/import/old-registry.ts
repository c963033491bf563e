// The registry that people come from: Debian's docker-registry, with what teams have in one.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { busyboxImage, SIGNATURE_TYPE, twoPlatformImage } from '../support/images.ts';
import { freePort } from '../support/ports.ts';
import { describeBytes, digestOf, mediaTypes, type PushedImage, Registry } from '../support/registry.ts';
import { findTool, run } from '../support/tools.ts';

export interface OldRegistry {
  url: string;
  host: string;
  port: number;
  stop(): Promise<void>;
}

/** Serves `root`, as several may at once. With `login` it asks for that name and password. */
export async function startOldRegistry(
  work: string,
  root: string,
  login?: { username: string; password: string },
): Promise<OldRegistry> {
  const port = await freePort();
  const config = join(work, `registry-${port}.yml`);
  let auth = '';
  if (login !== undefined) {
    const file = join(work, `htpasswd-${port}`);
    writeFileSync(
      file,
      `${login.username}:${await Bun.password.hash(login.password, { algorithm: 'bcrypt', cost: 4 })}\n`,
    );
    auth = `auth: {htpasswd: {realm: old, path: ${file}}}\n`;
  }
  mkdirSync(root, { recursive: true });
  writeFileSync(
    config,
    `version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: ${root}}, delete: {enabled: true}}
http: {addr: 127.0.0.1:${port}}
${auth}`,
  );
  const child = Bun.spawn([findTool('docker-registry') ?? 'docker-registry', 'serve', config], {
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'ignore',
  });
  const url = `http://127.0.0.1:${port}`;
  for (let tries = 0; ; tries++) {
    const answered = await fetch(`${url}/v2/`).then(
      (response) => response.status,
      () => 0,
    );
    if (answered === 200 || answered === 401) break;
    if (tries === 200 || child.exitCode !== null) throw new Error(`docker-registry does not serve ${config}`);
    await Bun.sleep(50);
  }
  return {
    url,
    host: `127.0.0.1:${port}`,
    port,
    async stop() {
      child.kill();
      await child.exited;
    },
  };
}

export interface Filled {
  /** Every tag, `repository:tag`, and what it names. */
  tags: Record<string, string>;
  /** The image that is signed, in team/app. */
  signed: string;
  /** A signature with a subject and without a tag. */
  referrer: string;
  /** plain:1.0 before it was pushed again. */
  former: PushedImage;
}

/** Images of several platforms, of OCI's and Docker's types, signed in both ways, one of them pushed twice under its tag. */
export async function fill(old: OldRegistry): Promise<Filled> {
  const registry = new Registry(old.port);
  const tags: Record<string, string> = {};
  const copy = (source: string, name: string, ...flags: string[]) =>
    run(['skopeo', 'copy', '--dest-tls-verify=false', ...flags, source, `docker://${old.host}/${name}`]);
  const [busybox, two] = [await busyboxImage(), await twoPlatformImage()];
  await copy(busybox.source, 'team/app:1.0', '--preserve-digests');
  await copy(two.source, 'team/app:2.0', '--all', '--preserve-digests');
  await copy(busybox.source, 'team/app:docker', '--format', 'v2s2');
  const docker = await registry.head('/v2/team/app/manifests/docker', { Accept: mediaTypes.dockerManifest });
  tags['team/app:1.0'] = busybox.manifest.digest;
  tags['team/app:2.0'] = two.manifest.digest;
  tags['team/app:docker'] = docker.headers.get('docker-content-digest') ?? '';

  const stem = busybox.manifest.digest.replace(':', '-');
  const cosign = await registry.pushImage('team/app', `${stem}.sig`);
  tags[`team/app:${stem}.sig`] = cosign.digest;
  await registry.pushBlob('team/app', '{}');
  const subject = {
    mediaType: busybox.manifest.mediaType,
    digest: busybox.manifest.digest,
    size: busybox.manifest.size,
  };
  const artifact = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    artifactType: SIGNATURE_TYPE,
    config: describeBytes('{}', mediaTypes.ociEmpty),
    layers: [describeBytes('{}', mediaTypes.ociEmpty)],
    subject,
  });
  await registry.putManifest('team/app', digestOf(artifact), artifact, { mediaType: mediaTypes.ociManifest });
  const list = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: [describeBytes(artifact, mediaTypes.ociManifest)],
  };
  await registry.putManifest('team/app', stem, list);
  tags[`team/app:${stem}`] = digestOf(JSON.stringify(list));

  const former = await registry.pushImage('plain', '1.0');
  tags['plain:1.0'] = (await registry.pushImage('plain', '1.0')).digest;
  tags['a/b/c:latest'] = (await registry.pushImage('a/b/c', 'latest')).digest;
  registry.close();
  return { tags, signed: busybox.manifest.digest, referrer: digestOf(artifact), former };
}

/** What a registry says that each of these tags names. */
export async function digestsAt(url: string, tags: Record<string, string>): Promise<Record<string, string>> {
  const accept = Object.values(mediaTypes).join(', ');
  const found: Record<string, string> = {};
  for (const name of Object.keys(tags)) {
    const [repository, tag] = name.split(':');
    const response = await fetch(`${url}/v2/${repository}/manifests/${tag}`, { headers: { accept } });
    found[name] =
      response.status === 200 ? digestOf(new Uint8Array(await response.arrayBuffer())) : String(response.status);
  }
  return found;
}
