// What the server has acknowledged, kept outside of it, and how that is asked back after a crash.
import { type Client, isLost, persist } from '../support/client.ts';
import { digestOf } from '../support/registry.ts';

/** An upload of which the client knows the address. */
export interface OpenUpload {
  repository: string;
  path: string;
  content: Buffer;
  /** Bytes that an answer (202) has said are there. */
  acknowledged: number;
  /** Whether a PUT was sent: it may have succeeded, its answer lost. */
  completing: boolean;
}

/** `null`: deleted. `maybe` are changes sent after the last acknowledged one whose answers were lost. */
interface TagState {
  acknowledged: string | null | undefined;
  maybe: (string | null)[];
}

export interface Checked {
  blobs: number;
  manifests: number;
  tags: number;
  resumed: number;
  bytes: number;
}

export class Ledger {
  /** `repository@digest` of everything answered 201. */
  readonly #blobs = new Set<string>();
  readonly #manifests = new Set<string>();
  readonly #tags = new Map<string, TagState>();
  /** What has changed since it was last asked back. */
  readonly #unchecked = new Set<string>();
  readonly uploads = new Set<OpenUpload>();
  readonly checked: Checked = { blobs: 0, manifests: 0, tags: 0, resumed: 0, bytes: 0 };

  get size() {
    return { blobs: this.#blobs.size, manifests: this.#manifests.size, tags: this.#tags.size };
  }

  blobStored(repository: string, digest: string): void {
    this.#blobs.add(`${repository}@${digest}`);
    this.#unchecked.add(`blob ${repository}@${digest}`);
  }

  manifestStored(repository: string, digest: string): void {
    this.#manifests.add(`${repository}@${digest}`);
    this.#unchecked.add(`manifest ${repository}@${digest}`);
  }

  /** Called before the request goes out; `tagSet` takes it back when the answer arrives. */
  tagSent(repository: string, tag: string, digest: string | null): void {
    this.#tag(repository, tag).maybe.push(digest);
  }

  tagSet(repository: string, tag: string, digest: string | null): void {
    const state = this.#tag(repository, tag);
    state.acknowledged = digest;
    state.maybe = [];
  }

  /** The tags that name something, as far as the server has said. */
  tagged(): { repository: string; tag: string }[] {
    return [...this.#tags]
      .filter(([, state]) => typeof state.acknowledged === 'string')
      .map(([key]) => {
        const [repository = '', tag = ''] = key.split(':');
        return { repository, tag };
      });
  }

  /** Asks back what changed since it was last asked back. */
  async checkNew(client: Client): Promise<void> {
    const keys = [...this.#unchecked];
    this.#unchecked.clear();
    await this.#check(client, keys);
  }

  /** Asks back everything that was ever acknowledged. */
  async checkAll(client: Client): Promise<void> {
    this.#unchecked.clear();
    await this.#check(client, [
      ...[...this.#blobs].map((key) => `blob ${key}`),
      ...[...this.#manifests].map((key) => `manifest ${key}`),
      ...[...this.#tags.keys()].map((key) => `tag ${key}`),
    ]);
  }

  async #check(client: Client, keys: string[]): Promise<void> {
    for (let i = 0; i < keys.length; i += 8) {
      await Promise.all(keys.slice(i, i + 8).map((key) => this.#checkOne(client, key)));
    }
  }

  async #checkOne(client: Client, key: string): Promise<void> {
    const [kind = '', name = ''] = key.split(' ');
    if (kind === 'tag') return this.#checkTag(client, name);
    const [repository = '', digest = ''] = name.split('@');
    const answer = await persist(client, 'GET', `/v2/${repository}/${kind}s/${digest}`);
    if (answer.status !== 200) throw new Error(`lost: ${key}: ${answer.status} ${answer.text().slice(0, 500)}`);
    const found = digestOf(answer.body);
    if (found !== digest) throw new Error(`damaged: ${key} reads back as ${found}, ${answer.body.length} bytes`);
    this.checked.bytes += answer.body.length;
    if (kind === 'blob') this.checked.blobs++;
    else this.checked.manifests++;
  }

  async #checkTag(client: Client, key: string): Promise<void> {
    const state = this.#tags.get(key);
    if (state === undefined) return;
    const [repository, tag] = key.split(':');
    const answer = await persist(client, 'GET', `/v2/${repository}/manifests/${tag}`);
    const found = answer.status === 200 ? digestOf(answer.body) : answer.status === 404 ? null : undefined;
    const acknowledged = state.acknowledged ?? null;
    const allowed = [acknowledged, ...state.maybe];
    if (found === undefined || !allowed.includes(found)) {
      throw new Error(`lost: tag ${key} is ${found ?? answer.status}, not one of ${allowed.join(', ')}`);
    }
    // The process that a lost request went to is dead, so what is seen now is what was decided.
    state.acknowledged = found;
    state.maybe = [];
    this.checked.tags++;
  }

  /**
   * Goes on with every upload that has an address: status, a chunk from where it ends, and the last piece with the digest. What a crash cuts
   * again stays for the next time.
   */
  async resumeUploads(client: Client): Promise<void> {
    for (const upload of [...this.uploads]) {
      try {
        await this.#resume(client, upload);
      } catch (error) {
        if (!isLost(error)) throw error;
      }
    }
  }

  async #resume(client: Client, upload: OpenUpload): Promise<void> {
    const { repository, path, content } = upload;
    const digest = digestOf(content);
    const status = await persist(client, 'GET', path);
    if (status.status === 404 && upload.completing) {
      // The lost answer was a 201: then the blob is there.
      this.uploads.delete(upload);
      this.blobStored(repository, digest);
      return;
    }
    if (status.status !== 204) throw new Error(`lost: upload ${path}: ${status.status} ${status.text()}`);
    const last = Number(/^0-(\d+)$/.exec(status.headers.get('range') ?? '')?.[1]);
    const offset = last === 0 ? 0 : last + 1;
    // A PUT that was cut between rename and commit has used the bytes up; then the upload begins again.
    const least = upload.completing ? 0 : upload.acknowledged;
    if (!(offset === 0 && upload.completing) && (offset < least || offset > content.length)) {
      throw new Error(`lost: upload ${path} has ${offset} bytes; ${least} were acknowledged of ${content.length}`);
    }
    const middle = offset + Math.ceil((content.length - offset) / 2);
    if (middle > offset) {
      const patched = await client.request('PATCH', path, {
        headers: { 'Content-Range': `${offset}-${middle - 1}` },
        body: content.subarray(offset, middle),
      });
      if (patched.status !== 202) throw new Error(`PATCH ${path} from ${offset}: ${patched.status} ${patched.text()}`);
      upload.acknowledged = middle;
      upload.completing = false;
    }
    upload.completing = true;
    const put = await client.request('PUT', `${path}?digest=${digest}`, { body: content.subarray(middle) });
    if (put.status !== 201) throw new Error(`PUT ${path} after ${offset}: ${put.status} ${put.text()}`);
    this.uploads.delete(upload);
    this.blobStored(repository, digest);
    this.checked.resumed++;
  }

  #tag(repository: string, tag: string): TagState {
    const key = `${repository}:${tag}`;
    this.#unchecked.add(`tag ${key}`);
    const known = this.#tags.get(key);
    if (known !== undefined) return known;
    const made: TagState = { acknowledged: undefined, maybe: [] };
    this.#tags.set(key, made);
    return made;
  }
}
