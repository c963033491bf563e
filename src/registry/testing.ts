import { rmSync } from 'node:fs';
import type { Database } from '../database/database.ts';
import { migrate } from '../database/migrate.ts';
import type { DatabasePlace } from '../database/test-databases.ts';
import { type Digest, digestOf } from '../oci/digest.ts';
import { OciError } from '../oci/errors.ts';
import { MEDIA } from '../oci/media-types.ts';
import { parseReference, parseRepositoryName, parseTag, type RepositoryName, type Tag } from '../oci/names.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import { testFolder } from '../storage/contract.ts';
import { FilesystemBlobStore } from '../storage/filesystem/filesystem-blob-store.ts';
import type { Actor, RegistryContext, RegistryPolicy } from './context.ts';
import { FactCache } from './fact-cache.ts';
import { collectGarbage, type GarbageResult } from './garbage/collect.ts';
import type { GarbageItem } from './garbage/run.ts';
import { putManifest } from './manifests.ts';
import { PullReader } from './pull-reader.ts';
import { PullTimes } from './pull-times.ts';
import type { TagPrecondition } from './tags.ts';
import { UploadHashes } from './upload-hashes.ts';
import { completeUpload, startUpload } from './uploads.ts';

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** A registry with real parts: an empty database, a blob store in a temporary folder, and a clock that a test can move. */
export interface TestRegistry {
  context: RegistryContext;
  store: FilesystemBlobStore;
  /** The data directory of the store. */
  root: string;
  /** Moves the clock of every context of this registry. */
  advance(ms: number): void;
  /** What another process has: its own connections, cache, hashes and name; the same data and clock. */
  anotherProcess(name: string): RegistryContext;
  /** Removes the data directory; the databases are closed with their suite. */
  remove(): void;
}

export const POLICY: RegistryPolicy = { graceMs: HOUR, tagHistoryMs: DAY, uploadExpiryMs: DAY };

export async function openTestRegistry(
  place: DatabasePlace,
  policy: Partial<RegistryPolicy> = {},
): Promise<TestRegistry> {
  const root = testFolder('registry');
  const store = new FilesystemBlobStore({ root });
  await store.prepare();
  let ahead = 0;
  const open = (process: string): RegistryContext => {
    const database = place.open();
    return {
      database,
      store: new FilesystemBlobStore({ root }),
      pull: new PullReader(database),
      pullTimes: new PullTimes(),
      facts: new FactCache(),
      hashes: new UploadHashes(),
      policy: { ...POLICY, ...policy },
      defaultVisibility: 'private',
      now: () => Date.now() + ahead,
      newId: () => Bun.randomUUIDv7(),
      process,
      onStep: () => {},
      onReceived: () => {},
      usersOf: async () => [],
      digestsInUse: async () => new Set(),
      record: async () => {},
      tagMoved: async () => {},
      mounted: async () => {},
      pulled: () => {},
      moved: async () => {},
    };
  };
  // The schema comes before the reader's statements.
  await migrate(place.open());
  return {
    context: open('p1'),
    store,
    root,
    advance: (ms) => {
      ahead += ms;
    },
    anotherProcess: open,
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}

export const ACTOR: Actor = { name: 'alice', source: '192.0.2.7' };

export const named = (text: string): RepositoryName => parseRepositoryName(text);
export const tagged = (text: string): Tag => parseTag(text);

export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text) as Uint8Array<ArrayBuffer>;
}

/** A body that arrives in these pieces; `end` may keep it open or break it. */
export function bodyOf(
  pieces: readonly Uint8Array[],
  end: 'close' | 'hang' | Error = 'close',
): ReadableStream<Uint8Array> {
  let next = 0;
  return new ReadableStream<Uint8Array>({
    pull(controller) {
      const piece = pieces[next++];
      if (piece !== undefined) controller.enqueue(piece);
      else if (end === 'close') controller.close();
      else if (end instanceof Error) controller.error(end);
      else return new Promise(() => {});
    },
  });
}

/** Pushes a whole blob as a client does: POST, then PUT with the bytes. */
export async function pushBlob(context: RegistryContext, name: string, content: string | Uint8Array): Promise<Digest> {
  const bytes = typeof content === 'string' ? bytesOf(content) : content;
  const digest = digestOf(bytes);
  const { id } = await startUpload(context, named(name), ACTOR);
  await completeUpload(context, named(name), id, digest, { body: bodyOf([bytes]) });
  return digest;
}

/**
 * The same context with moments at which a test does something else: before each write transaction, and when its statements
 * have run and it is about to commit (on PostgreSQL alone can others go on meanwhile).
 */
export function interposed(
  context: RegistryContext,
  moments: { beforeTransaction?: () => Promise<void>; beforeCommit?: () => Promise<void> },
): RegistryContext {
  const { database } = context;
  const around =
    (run: Database['transaction']): Database['transaction'] =>
    async (work, kind) => {
      await moments.beforeTransaction?.();
      return run(async (tx) => {
        const result = await work(tx);
        await moments.beforeCommit?.();
        return result;
      }, kind);
    };
  const wrapped: Database = {
    kind: database.kind,
    read: database.read,
    transaction: around((work, kind) => database.transaction(work, kind)),
    relaxedTransaction: around((work, kind) => database.relaxedTransaction(work, kind)),
    requireRoom: () => database.requireRoom(),
    check: () => database.check(),
    prepare: (query) => database.prepare(query),
    version: () => database.version(),
    snapshot: (work) => database.snapshot(work),
    close: () => database.close(),
  };
  return { ...context, database: wrapped };
}

/** The same context with a moment before the bytes of a blob are removed. */
export function removing(context: RegistryContext, before: (digest: Digest) => Promise<void>): RegistryContext {
  const store = new Proxy(context.store, {
    get(target, key) {
      if (key === 'remove') {
        const remove: BlobStore['remove'] = (digest, mayGo) => before(digest).then(() => target.remove(digest, mayGo));
        return remove;
      }
      const value: unknown = Reflect.get(target, key);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { ...context, store };
}

/** Collects garbage once, and says what it named; `moment` sees each thing when it is named. */
export async function collect(
  context: RegistryContext,
  options: { dryRun?: boolean; moment?: (item: GarbageItem) => void } = {},
): Promise<{ result: GarbageResult; items: GarbageItem[] }> {
  const items: GarbageItem[] = [];
  const onItem = (item: GarbageItem) => {
    items.push(item);
    options.moment?.(item);
  };
  const result = await collectGarbage(context, { dryRun: options.dryRun ?? false, onItem });
  return { result, items };
}

/** A place where work waits until it is let go, and where a test can wait for it to come. */
export function gate() {
  const arrival = Promise.withResolvers<void>();
  const opening = Promise.withResolvers<void>();
  return {
    arrived: arrival.promise,
    open: () => opening.resolve(),
    pass: () => {
      arrival.resolve();
      return opening.promise;
    },
  };
}

/**
 * What a reference names for a request that comes now. A request comes with a turn of the event loop, and the reader looks once
 * a turn whether anything was committed.
 */
export async function pulled(context: RegistryContext, name: string, reference: string): Promise<Digest | undefined> {
  await nextTurn();
  return (await context.pull.manifest(named(name), parseReference(reference)))?.digest;
}

export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A descriptor of a blob or manifest; the size is not checked by a registry. */
export function descriptor(digest: Digest, mediaType: string = MEDIA.octets, size = 1) {
  return { mediaType, digest, size };
}

export function imageOf(options: {
  config: Digest;
  layers?: Digest[];
  subject?: Digest;
  artifactType?: string;
  annotations?: Record<string, string>;
}): Record<string, unknown> {
  const { config, layers = [], subject, artifactType, annotations } = options;
  return {
    schemaVersion: 2,
    mediaType: MEDIA.ociManifest,
    ...(artifactType === undefined ? {} : { artifactType }),
    config: descriptor(config, 'application/vnd.oci.image.config.v1+json'),
    layers: layers.map((layer) => descriptor(layer, 'application/vnd.oci.image.layer.v1.tar+gzip')),
    ...(subject === undefined ? {} : { subject: descriptor(subject, MEDIA.ociManifest) }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}

export function indexOf(manifests: Digest[], annotations: Record<string, string> = {}): Record<string, unknown> {
  return {
    schemaVersion: 2,
    mediaType: MEDIA.ociIndex,
    manifests: manifests.map((digest) => descriptor(digest, MEDIA.ociManifest)),
    annotations,
  };
}

export function digestOfDocument(document: Record<string, unknown>): Digest {
  return digestOf(bytesOf(JSON.stringify(document)));
}

/** Pushes a document by tag, or by its digest when `tag` is undefined. */
export async function pushManifest(
  context: RegistryContext,
  name: string,
  document: Record<string, unknown>,
  tag?: string,
  precondition: TagPrecondition = {},
): Promise<Digest> {
  const bytes = bytesOf(JSON.stringify(document));
  const { digest } = await putManifest(context, {
    name: named(name),
    reference: parseReference(tag ?? digestOf(bytes)),
    bytes,
    contentType: String(document.mediaType),
    precondition,
    actor: ACTOR,
  });
  return digest;
}

/** Pushes an image whose config and one layer are made from `seed`. */
export async function pushImage(
  context: RegistryContext,
  name: string,
  seed: string,
  tag?: string,
): Promise<{ digest: Digest; config: Digest; layer: Digest }> {
  const config = await pushBlob(context, name, `config of ${seed}`);
  const layer = await pushBlob(context, name, `layer of ${seed}`);
  const digest = await pushManifest(context, name, imageOf({ config, layers: [layer] }), tag);
  return { digest, config, layer };
}

/** The code of the OciError that `work` ends with; 'none' when it succeeds. Any other error is thrown on. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'none';
  } catch (error) {
    if (error instanceof OciError) return error.code;
    throw error;
  }
}

/** The names of the manifests and of the stored blobs that are left, for comparing. */
export async function inventory(
  context: RegistryContext,
): Promise<{ manifests: Set<Digest>; blobs: Set<Digest>; files: Set<Digest> }> {
  const { read } = context.database;
  const manifests = await read.selectFrom('manifests').select('digest').execute();
  const blobs = await read.selectFrom('blobs').select('digest').execute();
  const files = new Set<Digest>();
  for await (const { digest } of context.store.list()) files.add(digest);
  return {
    manifests: new Set(manifests.map((row) => row.digest)),
    blobs: new Set(blobs.map((row) => row.digest)),
    files,
  };
}
