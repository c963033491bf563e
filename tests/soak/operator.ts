// Requests of a registry whose workers are killed now and then: what was cut off is asked again, anything else that fails is thrown.
import { ServerUnreachableError } from '../../src/client/errors.ts';
import { ManagementClient } from '../../src/client/management.ts';
import { isLost } from '../support/client.ts';
import { describeBytes, digestOf, mediaTypes } from '../support/registry.ts';

const PERSIST_MS = 30_000;

export interface Reply {
  status: number;
  text: string;
  /** An earlier attempt was cut off, so that the registry may have done it already. */
  again: boolean;
}

export interface Image {
  digest: string;
  body: string;
  blobs: string[];
}

export class Operator {
  readonly api: ManagementClient;
  readonly #authorization: string;
  requests = 0;
  cutOff = 0;

  constructor(
    readonly url: string,
    token: string,
  ) {
    this.api = new ManagementClient(url, { kind: 'token', token });
    this.#authorization = `Basic ${btoa(`alice:${token}`)}`;
  }

  /** Asks until it is answered. @throws what is no cut connection */
  async persist<T>(ask: () => Promise<T>): Promise<{ value: T; again: boolean }> {
    const deadline = Date.now() + PERSIST_MS;
    for (let again = false; ; again = true) {
      this.requests++;
      try {
        return { value: await ask(), again };
      } catch (error) {
        if (!isCutOff(error) || Date.now() > deadline) throw error;
        this.cutOff++;
        await Bun.sleep(50);
      }
    }
  }

  async send(method: string, path: string, body?: string, type = 'application/octet-stream'): Promise<Reply> {
    const headers = {
      Authorization: this.#authorization,
      'Content-Type': type,
      Accept: `${mediaTypes.ociManifest}, ${mediaTypes.ociIndex}`,
    };
    const { value, again } = await this.persist(async () => {
      const response = await fetch(this.url + path, { method, headers, ...(body === undefined ? {} : { body }) });
      return { status: response.status, text: await response.text() };
    });
    return { ...value, again };
  }

  /** Of new content each time. */
  async push(repository: string, tag: string, word: string): Promise<Image> {
    const config = JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      rootfs: { type: 'layers', diff_ids: [] },
      word,
    });
    const layer = `the layer of ${word}\n`.repeat(2_000);
    await Promise.all([config, layer].map((content) => this.#pushBlob(repository, content)));
    const body = JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: describeBytes(config, mediaTypes.ociConfig),
      layers: [describeBytes(layer, mediaTypes.ociLayer)],
    });
    expectStatus(
      await this.send('PUT', `/v2/${repository}/manifests/${tag}`, body, mediaTypes.ociManifest),
      [201],
      `push of ${repository}:${tag}`,
    );
    return { digest: digestOf(body), body, blobs: [digestOf(config), digestOf(layer)] };
  }

  /** All of an image, every byte compared. */
  async pull(repository: string, reference: string, image: Image): Promise<void> {
    const manifest = await this.send('GET', `/v2/${repository}/manifests/${reference}`);
    expectStatus(manifest, [200], `pull of ${repository}:${reference}`);
    if (manifest.text !== image.body) throw new Error(`${repository}:${reference} is not what was acknowledged`);
    for (const digest of image.blobs) {
      const blob = await this.send('GET', `/v2/${repository}/blobs/${digest}`);
      expectStatus(blob, [200], `pull of ${repository}@${digest}`);
      if (digestOf(blob.text) !== digest) throw new Error(`damaged: ${repository}@${digest}`);
    }
  }

  async deleteTag(repository: string, tag: string): Promise<void> {
    const answer = await this.send('DELETE', `/v2/${repository}/manifests/${tag}`);
    expectStatus(answer, answer.again ? [202, 404] : [202], `deletion of ${repository}:${tag}`);
  }

  async #pushBlob(repository: string, content: string): Promise<void> {
    const path = `/v2/${repository}/blobs/uploads/?digest=${digestOf(content)}`;
    expectStatus(await this.send('POST', path, content), [201], `push of a blob of ${repository}`);
  }
}

/** The connection was cut, or nobody listened for a moment. */
export function isCutOff(error: unknown): boolean {
  if (error instanceof ServerUnreachableError || isLost(error)) return true;
  if (!(error instanceof Error)) return false;
  const code = 'code' in error ? String(error.code) : '';
  return ['ConnectionRefused', 'ConnectionClosed', 'FailedToOpenSocket'].includes(code) || isCutOff(error.cause);
}

function expectStatus(answer: Reply, allowed: number[], what: string): void {
  if (!allowed.includes(answer.status)) throw new Error(`${what}: ${answer.status} ${answer.text.slice(0, 500)}`);
}
