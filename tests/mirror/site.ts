// A registry with an administrator, whom `berth` commands log in as.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ManagementClient } from '../../src/client/management.ts';
import { type BerthOptions, berth, type RunningBerth, startBerth } from '../support/berth.ts';
import { describeBytes, digestOf, mediaTypes } from '../support/registry.ts';

export const USER = 'alice';
export const PASSWORD = 'correct horse battery';

export class Site {
  private constructor(
    public server: RunningBerth,
    readonly options: BerthOptions,
  ) {}

  static async start(args: string[] = []): Promise<Site> {
    const data = mkdtempSync(join(tmpdir(), 'berth-mirror-'));
    const options = { data, args: ['--anonymous', 'none', ...args], readyWithin: 90_000 };
    const server = await startBerth(options);
    const made = await berth(['setup', '--data', data, '--username', USER, '--password-stdin'], { stdin: PASSWORD });
    if (made.code !== 0) throw new Error(made.stderr);
    return new Site(server, { ...options, port: server.port });
  }

  get client(): ManagementClient {
    return new ManagementClient(this.server.url, { kind: 'password', username: USER, password: PASSWORD });
  }

  get authorization(): string {
    return `Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString('base64')}`;
  }

  /** Serves the same data on the same port. */
  async restart(): Promise<void> {
    this.server = await startBerth(this.options);
  }

  async token(): Promise<string> {
    return (await this.client.tokens.create({ name: 'cli', level: 'admin' })).secret;
  }

  ask(method: string, path: string, body?: string | Uint8Array<ArrayBuffer>, type?: string): Promise<Response> {
    return fetch(this.server.url + path, {
      method,
      headers: { Authorization: this.authorization, ...(type === undefined ? {} : { 'Content-Type': type }) },
      ...(body === undefined ? {} : { body }),
    });
  }

  /** Pushes an image of one layer; the same seed makes the same image. Returns the manifest's digest. */
  async push(repository: string, tag: string, seed: string, size = 1_000): Promise<string> {
    const config = JSON.stringify({ architecture: 'amd64', os: 'linux', seed });
    const layer = Buffer.alloc(size, seed);
    for (const bytes of [config, layer]) {
      const begun = await this.ask('POST', `/v2/${repository}/blobs/uploads/`);
      const location = begun.headers.get('location') ?? '';
      const digest = digestOf(bytes);
      const done = await this.ask('PUT', `${location}?digest=${digest}`, bytes, 'application/octet-stream');
      if (done.status !== 201) throw new Error(`push of a blob: ${done.status} ${await done.text()}`);
    }
    const manifest = JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: describeBytes(config, mediaTypes.ociConfig),
      layers: [describeBytes(layer, mediaTypes.ociLayer)],
    });
    const done = await this.ask('PUT', `/v2/${repository}/manifests/${tag}`, manifest, mediaTypes.ociManifest);
    if (done.status !== 201) throw new Error(`push of ${repository}:${tag}: ${done.status} ${await done.text()}`);
    return digestOf(manifest);
  }

  /** What a tag names; undefined when it is not there. */
  async digestAt(repository: string, tag: string): Promise<string | undefined> {
    const answer = await fetch(`${this.server.url}/v2/${repository}/manifests/${tag}`, {
      method: 'HEAD',
      headers: { Authorization: this.authorization, Accept: mediaTypes.ociManifest },
    });
    return answer.status === 200 ? (answer.headers.get('docker-content-digest') ?? '') : undefined;
  }

  async stop(): Promise<void> {
    await this.server.stop();
    rmSync(this.options.data ?? '', { recursive: true, force: true });
  }
}
