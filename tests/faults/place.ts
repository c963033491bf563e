// A server that something is taken away from, what was pushed to it, and what it has acknowledged.
import { expect } from 'bun:test';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BerthOptions, berth, type RunningBerth, startBerth } from '../support/berth.ts';
import { Client } from '../support/client.ts';
import { describeBytes, digestOf, firstCode, mediaTypes } from '../support/registry.ts';
import type { Answer } from '../support/wire.ts';

export const REPOSITORY = 'some/image';

const SOON_GARBAGE = ['--gc-grace', '1s', '--upload-expiry', '1s', '--tag-history-window', '1s'];

/** A folder of its own, and its end. */
export function workFolder(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'berth-faults-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

export class Place {
  /** What was answered 201: path → content. */
  readonly acknowledged = new Map<string, Buffer>();
  #client: Client;
  #tags = 0;

  private constructor(
    public server: RunningBerth,
    readonly database: string[],
    readonly options: BerthOptions,
  ) {
    this.#client = new Client(server.port);
  }

  /** @param database flags that name it */
  static async start(options: BerthOptions, database: string[] = []): Promise<Place> {
    const args = ['--workers', '2', '--gc-interval', '0s', ...SOON_GARBAGE, ...database, ...(options.args ?? [])];
    const whole = { readyWithin: 60_000, ...options, args };
    return new Place(await startBerth(whole), database, whole);
  }

  /** The same data, port and flags. */
  async startAgain(data = this.server.data): Promise<void> {
    this.#client.close();
    this.server = await startBerth({ ...this.options, data });
    this.#client = new Client(this.server.port);
  }

  request(...request: Parameters<Client['requestOnNew']>): Promise<Answer> {
    return this.#client.requestOnNew(...request);
  }

  /** Pushes an image; what is acknowledged is remembered. Returns the first answer that is no 201, or the last. */
  async push(size = 5_000): Promise<Answer> {
    const config = Buffer.from(JSON.stringify({ id: randomBytes(8).toString('hex') }));
    const layer = randomBytes(size);
    for (const blob of [config, layer]) {
      const answer = await this.pushBlob(blob);
      if (answer.status !== 201) return answer;
    }
    const body = JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: describeBytes(config, mediaTypes.ociConfig),
      layers: [describeBytes(layer, mediaTypes.ociLayer)],
    });
    return this.putManifest(`t${this.#tags++}`, body);
  }

  async putManifest(tag: string, body: string): Promise<Answer> {
    const path = `/v2/${REPOSITORY}/manifests/${tag}`;
    const answer = await this.request('PUT', path, { headers: { 'Content-Type': mediaTypes.ociManifest }, body });
    if (answer.status === 201) this.acknowledged.set(path, Buffer.from(body));
    return answer;
  }

  async pushBlob(blob: Buffer): Promise<Answer> {
    const digest = digestOf(blob);
    const answer = await this.request('POST', `/v2/${REPOSITORY}/blobs/uploads/?digest=${digest}`, { body: blob });
    if (answer.status === 201) this.acknowledged.set(`/v2/${REPOSITORY}/blobs/${digest}`, blob);
    return answer;
  }

  /** A push that is whole. */
  async expectPush(): Promise<void> {
    const answer = await this.push();
    expect([answer.status, answer.text()]).toEqual([201, '']);
  }

  /** All that was acknowledged comes back, byte for byte. */
  async expectAll(): Promise<void> {
    expect(this.acknowledged.size).toBeGreaterThan(0);
    for (const [path, content] of this.acknowledged) {
      const answer = await this.request('GET', path);
      expect([path, answer.status, answer.body.equals(content)]).toEqual([path, 200, true]);
    }
  }

  async expectVerified(): Promise<void> {
    const { code, stdout, stderr } = await berth(['verify', '--data', this.server.data, ...this.database]);
    expect([code, stdout + stderr]).toEqual([0, expect.stringContaining('all is well')]);
  }

  /** Deletes what an answer was 201 to. Returns whether it is gone. */
  async delete(path: string): Promise<Answer> {
    const answer = await this.request('DELETE', path);
    if (answer.status === 202) this.acknowledged.delete(path);
    return answer;
  }

  /** What was let go more than a second ago goes. */
  collect(): ReturnType<typeof berth> {
    return berth(['gc', '--data', this.server.data, ...this.database, ...SOON_GARBAGE]);
  }

  async ready(): Promise<{ status: number; text: string }> {
    const answer = await this.request('GET', '/readyz');
    return { status: answer.status, text: answer.text() };
  }

  /** What `/metrics` says of a check: 1 while it holds. */
  async metric(check: string): Promise<number> {
    const text = (await this.request('GET', '/metrics')).text();
    return Number(new RegExp(`^berth_check_ok\\{check="${check}"\\} (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN);
  }

  async stop(): Promise<void> {
    this.#client.close();
    await this.server.stop();
  }

  /** As a power cut would, without one. */
  async kill(): Promise<void> {
    this.#client.close();
    await this.server.kill();
  }
}

/** Refused for now, in the protocol's words, saying when to come again, without a stack trace. */
export function expectUnavailable(answer: Answer): void {
  expect([answer.status, firstCode(answer)]).toEqual([503, 'UNAVAILABLE']);
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(answer.text()).not.toMatch(/\bat .+:\d+:\d+/);
}

/** Refused for want of room, in the protocol's words. */
export function expectFull(answer: Answer): void {
  expect([answer.status, firstCode(answer)]).toEqual([507, 'STORAGE_FULL']);
  expect(answer.text()).toMatch(/no space left/);
}
