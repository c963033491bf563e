// A server with people and images, and others who push, move and delete tags while it is backed up.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { berth, type RunningBerth, startBerth } from '../support/berth.ts';
import { describeBytes, digestOf, mediaTypes } from '../support/registry.ts';

export const ADMINISTRATOR = { name: 'alice', password: 'correct horse battery' };
const BASIC = `Basic ${btoa(`${ADMINISTRATOR.name}:${ADMINISTRATOR.password}`)}`;
const ACCEPT = `${mediaTypes.ociManifest}, ${mediaTypes.ociIndex}`;

/** A temporary folder, and its end. */
export function workFolder(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'berth-backup-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Runs a command that must succeed. Returns what it printed. */
export async function ran(args: string[], env: Record<string, string> = {}): Promise<string> {
  const { code, stdout, stderr } = await berth(args, { env });
  if (code !== 0) throw new Error(`berth ${args.join(' ')}: ${code}\n${stdout}${stderr}`);
  return stdout;
}

/** A server whose garbage collection takes at once what nothing names. */
export async function serveWithAccounts(data: string, flags: string[], database: string[] = []): Promise<RunningBerth> {
  const { name, password } = ADMINISTRATOR;
  const made = await berth(['setup', '--data', data, '--username', name, '--password-stdin', ...database], {
    stdin: password,
  });
  if (made.code !== 0) throw new Error(`berth setup: ${made.stderr}`);
  return startBerth({ data, args: ['--anonymous', 'none', '--workers', '2', ...database, ...flags] });
}

export class Pusher {
  constructor(readonly url: string) {}

  /** @throws when it is not acknowledged */
  async send(method: string, path: string, body?: string, type = 'application/octet-stream'): Promise<string> {
    const response = await fetch(this.url + path, {
      method,
      headers: { Authorization: BASIC, 'Content-Type': type, Accept: ACCEPT },
      ...(body === undefined ? {} : { body }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text;
  }

  async pushBlob(repository: string, content: string): Promise<void> {
    await this.send('POST', `/v2/${repository}/blobs/uploads/?digest=${digestOf(content)}`, content);
  }

  /** Returns the manifest's digest. */
  async push(repository: string, tag: string, word: string): Promise<string> {
    const config = JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      rootfs: { type: 'layers', diff_ids: [] },
      word,
    });
    const layer = `the layer of ${word}\n`.repeat(500);
    await Promise.all([this.pushBlob(repository, config), this.pushBlob(repository, layer)]);
    const manifest = JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: describeBytes(config, mediaTypes.ociConfig),
      layers: [describeBytes(layer, mediaTypes.ociLayer)],
    });
    await this.send('PUT', `/v2/${repository}/manifests/${tag}`, manifest, mediaTypes.ociManifest);
    return digestOf(manifest);
  }

  deleteTag(repository: string, tag: string): Promise<string> {
    return this.send('DELETE', `/v2/${repository}/manifests/${tag}`);
  }

  /** Pulls a manifest and all that it names, and checks every byte. */
  async pull(repository: string, reference: string): Promise<string> {
    const manifest = await this.send('GET', `/v2/${repository}/manifests/${reference}`);
    const { config, layers } = JSON.parse(manifest) as { config: { digest: string }; layers: { digest: string }[] };
    for (const { digest } of [config, ...layers]) {
      const found = digestOf(await this.send('GET', `/v2/${repository}/blobs/${digest}`));
      if (found !== digest) throw new Error(`${digest} came as ${found}`);
    }
    return digestOf(manifest);
  }
}

/** The tags that were acknowledged before a moment and not touched since, by `repository:tag`. */
export type Acknowledged = ReadonlyMap<string, string>;

/** Pushes, moves and deletes tags in `repositories`, until `stop`. Each repository also gets tags that stay. */
export class Traffic {
  readonly failures: string[] = [];
  readonly #kept = new Map<string, string>();
  readonly #done: Promise<unknown>;
  #stopped = false;
  pushes = 0;

  constructor(pusher: Pusher, repositories: readonly string[]) {
    this.#done = Promise.all(repositories.map((repository) => this.#run(pusher, repository)));
  }

  /** What every backup that begins from now on must have. */
  acknowledged(): Acknowledged {
    return new Map(this.#kept);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }

  async #run(pusher: Pusher, repository: string): Promise<void> {
    for (let i = 0; !this.#stopped && i < 10_000; i++) {
      try {
        await pusher.push(repository, 'moving', `${repository} moving ${i}`);
        await pusher.push(repository, 'going', `${repository} going ${i}`);
        this.#kept.set(
          `${repository}:kept-${i}`,
          await pusher.push(repository, `kept-${i}`, `${repository} kept ${i}`),
        );
        await pusher.deleteTag(repository, 'going');
        this.pushes += 3;
      } catch (error) {
        this.failures.push(String(error));
      }
    }
  }
}
