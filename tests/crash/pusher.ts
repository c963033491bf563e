// One client that pushes images in every way the protocol has, and writes down what was acknowledged.
import { randomBytes } from 'node:crypto';
import { type Client, isLost } from '../support/client.ts';
import type { Random } from '../support/random.ts';
import { type Descriptor, describeBytes, digestOf, mediaTypes } from '../support/registry.ts';
import type { Answer } from '../support/wire.ts';
import type { Ledger, OpenUpload } from './ledger.ts';

/** The client goes away in the middle of an upload, which lies there until somebody resumes it. */
class GoneAway extends Error {}

const REPOSITORIES = ['app', 'team/web', 'team/api', 'deep/er/path'];

/** Layers that several pushers push, so that the same digest is pushed at once and again. */
export class SharedLayers {
  readonly #layers: Buffer[] = [];

  take(random: Random): Buffer {
    if (this.#layers.length < 40 || random.chance(0.1)) {
      this.#layers.push(randomBytes(random.int(200, 20_000)));
      if (this.#layers.length > 80) this.#layers.shift();
    }
    return random.pick(this.#layers);
  }
}

export class Pusher {
  /** Answers that were lost because a process died. */
  lost = 0;
  pushes = 0;
  readonly #name: string;
  readonly #ledger: Ledger;
  readonly #random: Random;
  readonly #shared: SharedLayers;

  constructor(name: string, ledger: Ledger, random: Random, shared: SharedLayers) {
    this.#name = name;
    this.#ledger = ledger;
    this.#random = random;
    this.#shared = shared;
  }

  /** Pushes until `stopped` is true; an answer that does not come ends that push, and the next begins. */
  async pushUntil(client: Client, stopped: () => boolean): Promise<void> {
    while (!stopped()) {
      try {
        await this.#push(client);
        this.pushes++;
      } catch (error) {
        if (error instanceof GoneAway) continue;
        if (!isLost(error)) throw error;
        this.lost++;
        await Bun.sleep(20);
      }
    }
  }

  async #push(client: Client): Promise<void> {
    const random = this.#random;
    const repository = random.pick(REPOSITORIES);
    // A tag has one owner: the order of its acknowledged changes is then known.
    const tag = `${this.#name}-${random.int(1, 12)}`;
    if (random.chance(0.06)) return this.#deleteTag(client, repository, tag);
    if (random.chance(0.15)) {
      const entries = [await this.#image(client, repository), await this.#image(client, repository)];
      const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: entries };
      return this.#putManifest(client, repository, index, mediaTypes.ociIndex, tag);
    }
    await this.#image(client, repository, random.chance(0.9) ? tag : undefined);
  }

  /** Without a tag it is pushed by digest. */
  async #image(client: Client, repository: string, tag?: string): Promise<Descriptor> {
    const config = Buffer.from(
      JSON.stringify({ architecture: 'amd64', os: 'linux', id: randomBytes(12).toString('hex') }),
    );
    const layers = Array.from({ length: this.#random.int(1, 3) }, () => this.#layer());
    // A manifest names a layer once, as an image with a repeated layer is another matter.
    const distinct = [...new Map(layers.map((layer) => [digestOf(layer), layer])).values()];
    for (const blob of [config, ...distinct]) await this.#pushBlob(client, repository, blob);
    const manifest = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: describeBytes(config, mediaTypes.ociConfig),
      layers: distinct.map((layer) => describeBytes(layer, mediaTypes.ociLayer)),
    };
    await this.#putManifest(client, repository, manifest, mediaTypes.ociManifest, tag);
    return describeBytes(JSON.stringify(manifest), mediaTypes.ociManifest);
  }

  #layer(): Buffer {
    const random = this.#random;
    if (random.chance(0.5)) return this.#shared.take(random);
    return randomBytes(random.chance(0.04) ? random.int(1_000_000, 4_000_000) : random.int(100, 60_000));
  }

  async #putManifest(
    client: Client,
    repository: string,
    manifest: object,
    mediaType: string,
    tag: string | undefined,
  ): Promise<void> {
    const body = JSON.stringify(manifest);
    const digest = digestOf(body);
    if (tag !== undefined) this.#ledger.tagSent(repository, tag, digest);
    const answer = await client.request('PUT', `/v2/${repository}/manifests/${tag ?? digest}`, {
      headers: { 'Content-Type': mediaType },
      body,
    });
    expectStatus(answer, 201, `PUT manifest ${repository}:${tag ?? digest}`);
    this.#ledger.manifestStored(repository, digest);
    if (tag !== undefined) this.#ledger.tagSet(repository, tag, digest);
  }

  async #deleteTag(client: Client, repository: string, tag: string): Promise<void> {
    this.#ledger.tagSent(repository, tag, null);
    const answer = await client.request('DELETE', `/v2/${repository}/manifests/${tag}`);
    if (answer.status !== 404) expectStatus(answer, 202, `DELETE ${repository}:${tag}`);
    this.#ledger.tagSet(repository, tag, null);
  }

  async #pushBlob(client: Client, repository: string, content: Buffer): Promise<void> {
    const digest = digestOf(content);
    const way = this.#random.next();
    const uploads = `/v2/${repository}/blobs/uploads/`;
    if (way < 0.2) {
      const answer = await client.request('POST', `${uploads}?digest=${digest}`, { body: content });
      expectStatus(answer, 201, `POST ${uploads}?digest`);
      return this.#ledger.blobStored(repository, digest);
    }
    if (way < 0.35) {
      const from = this.#random.pick(REPOSITORIES);
      const answer = await client.request('POST', `${uploads}?mount=${digest}&from=${from}`);
      if (answer.status === 201) return this.#ledger.blobStored(repository, digest);
      expectStatus(answer, 202, `POST ${uploads}?mount`);
      return this.#complete(client, this.#opened(answer, repository, content), 0);
    }
    const answer = await client.request('POST', uploads);
    expectStatus(answer, 202, `POST ${uploads}`);
    const upload = this.#opened(answer, repository, content);
    let at = 0;
    // At least two bytes: the answer `Range: 0-0` says one byte, or none.
    for (let chunks = this.#random.int(0, 3); chunks > 0 && at < content.length; chunks--) {
      const end =
        chunks === 1 && this.#random.chance(0.4)
          ? content.length
          : this.#random.int(Math.min(at + 2, content.length), content.length);
      const headers = this.#random.chance(0.7) ? { 'Content-Range': `${at}-${end - 1}` } : undefined;
      const body = content.subarray(at, end);
      const patched = await client.request('PATCH', upload.path, {
        body,
        ...(headers === undefined ? { chunked: 50_000 } : { headers }),
      });
      expectStatus(patched, 202, `PATCH ${upload.path} ${at}-${end}`);
      upload.acknowledged = end;
      at = end;
    }
    if (this.#random.chance(0.03)) throw new GoneAway();
    return this.#complete(client, upload, at);
  }

  #opened(answer: Answer, repository: string, content: Buffer): OpenUpload {
    const path = answer.headers.get('location') ?? '';
    const upload: OpenUpload = { repository, path, content, acknowledged: 0, completing: false };
    this.#ledger.uploads.add(upload);
    return upload;
  }

  async #complete(client: Client, upload: OpenUpload, at: number): Promise<void> {
    const digest = digestOf(upload.content);
    upload.completing = true;
    const answer = await client.request('PUT', `${upload.path}?digest=${digest}`, {
      body: upload.content.subarray(at),
    });
    expectStatus(answer, 201, `PUT ${upload.path}`);
    this.#ledger.uploads.delete(upload);
    this.#ledger.blobStored(upload.repository, digest);
  }
}

function expectStatus(answer: Answer, status: number, what: string): void {
  if (answer.status !== status)
    throw new Error(`${what}: ${answer.status}, not ${status}: ${answer.text().slice(0, 800)}`);
}
