import { type Digest, digestAlgorithm, isDigest } from '../oci/digest.ts';
import { MEDIA } from '../oci/media-types.ts';
import type { Reference, RepositoryName, Tag } from '../oci/names.ts';
import { referenceText } from '../oci/names.ts';
import { FileRefusedError } from '../storage/blob-store.ts';
import { nameAt, type RegistryAddress } from './registry-address.ts';
import { RegistryClient, type UpstreamDescriptor } from './registry-client.ts';
import { RegistryTransport, type TransportOptions } from './registry-transport.ts';
import { invalid, isNotFound, unavailable } from './upstream-error.ts';

export interface PushedBlob {
  digest: Digest;
  size: number;
  /** Its bytes, from the beginning at each call. */
  open: () => Promise<ReadableStream<Uint8Array>>;
}

/**
 * Writes to another registry, by the Distribution protocol. What it takes is compared with the digests that it was to be; what it has
 * already is not sent again.
 */
export class RegistryPush {
  readonly address: RegistryAddress;
  readonly #transport: RegistryTransport;
  readonly #client: RegistryClient;

  constructor(options: TransportOptions) {
    this.address = options.address;
    this.#transport = new RegistryTransport(options);
    this.#client = new RegistryClient(options);
  }

  /**
   * Brings a blob into a repository: nothing when it is there, a mount from `from` when the registry does that, else its bytes.
   *
   * @param from another repository there that has it
   * @throws UpstreamError; FileRefusedError when the bytes are not what the digest says
   */
  async blob(
    name: RepositoryName,
    blob: PushedBlob,
    from: RepositoryName | undefined,
    onBytes: (count: number) => void = () => {},
  ): Promise<'present' | 'mounted' | 'sent'> {
    const scope = this.#scope(name);
    if (await this.#has(`${this.#base(name)}/blobs/${blob.digest}`, scope)) return 'present';
    const { tries } = this.#transport.patience;
    for (let tried = 1; ; tried++) {
      try {
        return await this.#send(name, blob, from, onBytes);
      } catch (error) {
        // What of an upload has come is not known: it is begun anew.
        const pause = this.#transport.pauseAfter(error, tried);
        if (tried >= tries || pause === undefined) throw error;
        await this.#transport.sleep(pause);
      }
    }
  }

  /** What a reference names there; undefined when it is not there. @throws UpstreamError */
  async digestAt(name: RepositoryName, reference: Reference): Promise<Digest | undefined> {
    try {
      const { digest } = await this.#client.headManifest(name, reference);
      return digest ?? (await this.#client.getManifest(name, reference)).digest;
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  /**
   * Puts a manifest under its digest or a tag.
   *
   * @returns whether the registry has a list of referrers, and put the manifest there
   * @throws UpstreamError
   */
  async manifest(
    name: RepositoryName,
    reference: Reference,
    manifest: { digest: Digest; mediaType: string; bytes: Uint8Array<ArrayBuffer> },
  ): Promise<boolean> {
    const response = await this.#transport.send({
      method: 'PUT',
      path: `${this.#base(name)}/manifests/${referenceText(reference)}`,
      scope: this.#scope(name),
      headers: { 'content-type': manifest.mediaType },
      body: () => manifest.bytes,
    });
    await response.body?.cancel();
    const said = response.headers.get('docker-content-digest') ?? '';
    if (isDigest(said) && said !== manifest.digest && digestAlgorithm(said) === digestAlgorithm(manifest.digest)) {
      throw invalid(`${this.address.shown}: it took ${manifest.digest} as ${said}`);
    }
    return response.headers.has('oci-subject');
  }

  /**
   * Names a referrer by the tag of its subject (OCI Distribution 1.1 "Referrers Tag Schema"), unless the registry's list has it.
   *
   * @throws UpstreamError
   */
  async referrerTag(name: RepositoryName, subject: Digest, referrer: UpstreamDescriptor): Promise<void> {
    const before = await this.#client.referrers(name, subject);
    if (before.some(({ digest }) => digest === referrer.digest)) return;
    const index = { schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests: [...before, referrer] };
    const bytes = new TextEncoder().encode(JSON.stringify(index));
    const digest = `sha256:${new Bun.CryptoHasher('sha256').update(bytes).digest('hex')}` as Digest;
    const tag = subject.replace(':', '-').slice(0, 128) as Tag;
    await this.manifest(name, { kind: 'tag', tag }, { digest, mediaType: MEDIA.ociIndex, bytes });
  }

  async #has(path: string, scope: string): Promise<boolean> {
    try {
      const response = await this.#transport.send({ method: 'HEAD', path, scope });
      await response.body?.cancel();
      return true;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }

  /** POST, PATCH with all of the bytes, PUT: as `docker push` does, so that every registry takes it. */
  async #send(
    name: RepositoryName,
    blob: PushedBlob,
    from: RepositoryName | undefined,
    onBytes: (count: number) => void,
  ): Promise<'mounted' | 'sent'> {
    const scope = this.#scope(name);
    const uploads = `${this.#base(name)}/blobs/uploads/`;
    const source = from === undefined ? undefined : nameAt(this.address, from);
    const begun = await this.#transport.send({
      method: 'POST',
      path: source === undefined ? uploads : `${uploads}?mount=${blob.digest}&from=${source}`,
      scope: source === undefined ? scope : `${scope} repository:${source}:pull`,
    });
    await begun.body?.cancel();
    if (begun.status === 201) return 'mounted';
    const bytes = await blob.open();
    const sent = await this.#transport.send({
      method: 'PATCH',
      path: this.#location(begun),
      scope,
      headers: { 'content-type': 'application/octet-stream' },
      body: () => checked(blob, bytes, onBytes),
      once: true,
    });
    await sent.body?.cancel();
    const target = new URL(this.#location(sent), this.address.origin);
    target.searchParams.set('digest', blob.digest);
    const done = await this.#transport.send({
      method: 'PUT',
      path: target.href,
      scope,
      headers: { 'content-type': 'application/octet-stream' },
      body: () => new Uint8Array(0),
      once: true,
    });
    await done.body?.cancel();
    return 'sent';
  }

  #location(response: Response): string {
    const location = response.headers.get('location');
    if (location === null || !URL.canParse(location, this.address.origin)) {
      throw unavailable(`${this.address.shown}: it does not say where an upload goes on; is the address right?`);
    }
    return new URL(location, this.address.origin).href;
  }

  #base(name: RepositoryName): string {
    return `/v2/${nameAt(this.address, name)}`;
  }

  #scope(name: RepositoryName): string {
    return `repository:${nameAt(this.address, name)}:pull,push`;
  }
}

/** Fails before its end when the bytes are not what they are to be: then the registry does not take them either. */
function checked(
  { digest, size }: PushedBlob,
  bytes: ReadableStream<Uint8Array>,
  onBytes: (count: number) => void,
): ReadableStream<Uint8Array> {
  const hasher = new Bun.CryptoHasher(digestAlgorithm(digest));
  let count = 0;
  return bytes.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(piece, controller) {
        hasher.update(piece);
        count += piece.byteLength;
        onBytes(count);
        controller.enqueue(piece);
      },
      flush() {
        const found = `${digestAlgorithm(digest)}:${hasher.digest('hex')}`;
        if (found === digest && count === size) return;
        throw new FileRefusedError(`the stored bytes of ${digest} are damaged (${found}); run berth verify`);
      },
    }),
  );
}
