// A registry with an administrator, and pushes that take a request.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ManagementClient } from '../../src/client/management.ts';
import { type BerthOptions, berth, type RunningBerth, startBerth } from '../support/berth.ts';

const USER = 'alice';
const PASSWORD = 'correct horse battery';
const INDEX = 'application/vnd.oci.image.index.v1+json';

export class Place {
  private constructor(
    public server: RunningBerth,
    readonly options: BerthOptions,
  ) {}

  static async start(args: string[] = []): Promise<Place> {
    const data = mkdtempSync(join(tmpdir(), 'berth-webhooks-'));
    const options = { data, args: ['--anonymous', 'none', ...args] };
    const server = await startBerth(options);
    const made = await berth(['setup', '--data', data, '--username', USER, '--password-stdin'], { stdin: PASSWORD });
    if (made.code !== 0) throw new Error(made.stderr);
    return new Place(server, { ...options, port: server.port });
  }

  get client(): ManagementClient {
    return new ManagementClient(this.server.url, { kind: 'password', username: USER, password: PASSWORD });
  }

  /** Serves the same data on the same port. */
  async restart(): Promise<void> {
    this.server = await startBerth(this.options);
  }

  /** Pushes an empty index with something in it that makes it another one. Returns the answer's status and its digest. */
  async push(repository: string, tag: string): Promise<{ digest: string; size: number }> {
    const body = JSON.stringify({
      schemaVersion: 2,
      mediaType: INDEX,
      manifests: [],
      annotations: { 'org.example.tag': `${repository}:${tag}` },
    });
    const response = await fetch(`${this.server.url}/v2/${repository}/manifests/${tag}`, {
      method: 'PUT',
      headers: { 'Content-Type': INDEX, 'User-Agent': 'pusher/1.0', Authorization: this.authorization },
      body,
    });
    const text = await response.text();
    if (response.status !== 201) throw new Error(`push of ${repository}:${tag}: ${response.status} ${text}`);
    return { digest: response.headers.get('docker-content-digest') ?? '', size: Buffer.byteLength(body) };
  }

  get authorization(): string {
    return `Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString('base64')}`;
  }

  async stop(): Promise<void> {
    await this.server.stop();
    rmSync(this.options.data ?? '', { recursive: true, force: true });
  }
}
