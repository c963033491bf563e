// One of the clients of the soak: pushes, pulls, mounts and deletes in a repository of its own, with layers that the
// others push too. Whatever is not documented to happen is thrown.
import { randomBytes } from 'node:crypto';
import type { Client } from '../support/client.ts';
import type { Random } from '../support/random.ts';
import { describeBytes, digestOf, firstCode, mediaTypes } from '../support/registry.ts';
import type { Answer } from '../support/wire.ts';

export interface Image {
  repository: string;
  tag: string;
  digest: string;
  body: string;
  blobs: string[];
  /** False from before its owner sends the deletion. */
  alive: boolean;
}

export interface Counts {
  pushes: number;
  uploads: number;
  mounts: number;
  heads: number;
  pulls: number;
  deletions: number;
  blobDeletions: number;
  unavailable: number;
  /** Manifests refused because a blob's grace was over before they came. */
  refused: number;
}

/** What the clients share. */
export interface World {
  graceMs: number;
  layers: Buffer[];
  images: Set<Image>;
  repositories: string[];
  counts: Counts;
}

export function newWorld(graceMs: number, clients: number): World {
  return {
    graceMs,
    layers: Array.from({ length: 24 }, (_, i) => randomBytes(i % 8 === 0 ? 400_000 : 3_000)),
    images: new Set(),
    repositories: Array.from({ length: clients }, (_, i) => `soak/client-${i}`),
    counts: {
      pushes: 0,
      uploads: 0,
      mounts: 0,
      heads: 0,
      pulls: 0,
      deletions: 0,
      blobDeletions: 0,
      unavailable: 0,
      refused: 0,
    },
  };
}

export class SoakClient {
  readonly #client: Client;
  readonly #random: Random;
  readonly #world: World;
  readonly #repository: string;
  #tags = 0;

  constructor(client: Client, random: Random, world: World, number: number) {
    this.#client = client;
    this.#random = random;
    this.#world = world;
    this.#repository = world.repositories[number] ?? '';
  }

  async runUntil(stopped: () => boolean): Promise<void> {
    while (!stopped()) {
      const way = this.#random.next();
      if (way < 0.4) await this.#push(stopped);
      else if (way < 0.65) await this.#pullAny();
      else if (way < 0.95) await this.#deleteOne();
      else await this.#deleteBlob();
      await Bun.sleep(this.#random.int(0, 25));
    }
  }

  /** Deletes all that is left of its own. */
  async deleteAll(): Promise<void> {
    for (const image of this.#own()) await this.delete(image);
  }

  #own(): Image[] {
    return [...this.#world.images].filter((image) => image.alive && image.repository === this.#repository);
  }

  async #push(stopped: () => boolean): Promise<void> {
    const { layers, counts, images } = this.#world;
    const config = Buffer.from(JSON.stringify({ id: randomBytes(12).toString('hex') }));
    const chosen = new Set(Array.from({ length: this.#random.int(1, 4) }, () => this.#random.pick(layers)));
    const blobs = [config, ...chosen];
    const body = JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: describeBytes(config, mediaTypes.ociConfig),
      layers: [...chosen].map((layer) => describeBytes(layer, mediaTypes.ociLayer)),
    });
    const tag = `t${this.#tags++}`;
    const contents = new Map(blobs.map((blob) => [digestOf(blob), blob]));
    /** Until when the server has promised to keep each. */
    const kept = new Map<string, number>();
    for (const blob of blobs) kept.set(digestOf(blob), await this.#bring(blob));
    while (!stopped()) {
      // Some clients dawdle, beyond the grace window.
      if (this.#random.chance(0.05)) await Bun.sleep(this.#random.int(0, this.#world.graceMs * 2));
      const answer = await this.#client.request('PUT', `/v2/${this.#repository}/manifests/${tag}`, {
        headers: { 'Content-Type': mediaTypes.ociManifest },
        body,
      });
      if (answer.status === 201) {
        const digest = digestOf(body);
        images.add({ repository: this.#repository, tag, digest, body, blobs: [...kept.keys()], alive: true });
        counts.pushes++;
        return;
      }
      if (this.#unavailable(answer)) continue;
      if (answer.status !== 404 || firstCode(answer) !== 'MANIFEST_BLOB_UNKNOWN')
        throw unexpected('PUT manifest', answer);
      const missing = [...kept.keys()].filter((digest) => answer.text().includes(digest));
      if (missing.length === 0) throw unexpected('PUT manifest names nothing missing', answer);
      for (const digest of missing) {
        const left = (kept.get(digest) ?? 0) - performance.now();
        if (left > 0)
          throw unexpected(`PUT manifest: ${digest} was to be kept for another ${Math.round(left)} ms`, answer);
        counts.refused++;
        kept.set(digest, await this.#bring(contents.get(digest) ?? Buffer.alloc(0)));
      }
    }
  }

  /** Gets a blob into the repository in one of the protocol's ways. Returns until when it is kept. */
  async #bring(blob: Buffer): Promise<number> {
    const { counts, graceMs, repositories } = this.#world;
    const digest = digestOf(blob);
    const uploads = `/v2/${this.#repository}/blobs/uploads/`;
    const way = this.#random.next();
    for (;;) {
      const begun = performance.now();
      if (way < 0.4) {
        const head = await this.#client.request('HEAD', `/v2/${this.#repository}/blobs/${digest}`);
        counts.heads++;
        // What is kept for more than half the window anyway is not prolonged.
        if (head.status === 200) return begun + graceMs / 2;
        if (head.status !== 404 && !this.#unavailable(head)) throw unexpected('HEAD', head);
      }
      let answer: Answer;
      if (way < 0.6) {
        const from = this.#random.chance(0.5) ? `&from=${this.#random.pick(repositories)}` : '';
        answer = await this.#client.request('POST', `${uploads}?mount=${digest}${from}`);
        if (answer.status === 201) {
          counts.mounts++;
          return begun + graceMs;
        }
      } else if (way < 0.8) {
        answer = await this.#client.request('POST', `${uploads}?digest=${digest}`, { body: blob });
        if (answer.status === 201) {
          counts.uploads++;
          return begun + graceMs;
        }
      } else {
        answer = await this.#client.request('POST', uploads);
      }
      if (this.#unavailable(answer)) continue;
      if (answer.status !== 202) throw unexpected('POST upload', answer);
      const path = answer.headers.get('location') ?? '';
      const put = await this.#client.request('PUT', `${path}?digest=${digest}`, { body: blob });
      if (put.status === 201) {
        counts.uploads++;
        return begun + graceMs;
      }
      if (!this.#unavailable(put)) throw unexpected('PUT upload', put);
    }
  }

  async #pullAny(): Promise<void> {
    const images = [...this.#world.images].filter((image) => image.alive);
    if (images.length > 0) await this.pull(this.#random.pick(images));
  }

  /** All of an image; what is wrong with it counts only while its owner has not deleted it. */
  async pull(image: Image): Promise<void> {
    const base = `/v2/${image.repository}`;
    const manifest = await this.#client.request('GET', `${base}/manifests/${image.tag}`);
    if (!image.alive) return;
    if (manifest.status !== 200 || manifest.text() !== image.body)
      throw unexpected(`lost: ${base}:${image.tag}`, manifest);
    for (const digest of image.blobs) {
      const blob = await this.#client.request('GET', `${base}/blobs/${digest}`);
      if (!image.alive) return;
      if (blob.status !== 200) throw unexpected(`lost: ${base}@${digest}`, blob);
      if (digestOf(blob.body) !== digest) throw new Error(`damaged: ${base}@${digest} is ${digestOf(blob.body)}`);
    }
    this.#world.counts.pulls++;
  }

  async #deleteOne(): Promise<void> {
    const own = this.#own();
    // Some are kept, so that old images live beside young ones.
    if (own.length > 6) await this.delete(this.#random.pick(own));
  }

  async delete(image: Image): Promise<void> {
    image.alive = false;
    this.#world.images.delete(image);
    const reference = this.#random.chance(0.5) ? image.tag : image.digest;
    for (;;) {
      const answer = await this.#client.request('DELETE', `/v2/${image.repository}/manifests/${reference}`);
      if (this.#unavailable(answer)) continue;
      if (answer.status !== 202) throw unexpected(`DELETE ${image.repository} ${reference}`, answer);
      this.#world.counts.deletions++;
      return;
    }
  }

  /** Of a shared layer in its own repository: refused while one of its manifests names it. */
  async #deleteBlob(): Promise<void> {
    const digest = digestOf(this.#random.pick(this.#world.layers));
    const named = this.#own().some((image) => image.blobs.includes(digest));
    const answer = await this.#client.request('DELETE', `/v2/${this.#repository}/blobs/${digest}`);
    if (this.#unavailable(answer)) return;
    if (named ? answer.status !== 405 : ![202, 404, 405].includes(answer.status))
      throw unexpected('DELETE blob', answer);
    if (answer.status === 202) this.#world.counts.blobDeletions++;
  }

  /** The one answer that every client must be ready for. */
  #unavailable(answer: Answer): boolean {
    if (answer.status !== 503) return false;
    this.#world.counts.unavailable++;
    return true;
  }
}

function unexpected(what: string, answer: Answer): Error {
  return new Error(`${what}: ${answer.status} ${answer.text().slice(0, 600)}`);
}
