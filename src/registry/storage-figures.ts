import { type RawBuilder, sql } from 'kysely';
import type { RegistryContext } from './context.ts';

/** Sizes are bytes. */
export interface StorageFigures {
  repositories: number;
  tags: number;
  manifests: number;
  blobs: number;
  /** What lies in the blob store: each blob once, also one that no repository has yet or any more. */
  blobBytes: number;
  /** As if each repository had its own copy. */
  referencedBytes: number;
  manifestBytes: number;
  uploads: { open: number; bytes: number };
  disk: { total: number; free: number } | null;
  largest: { name: string; bytes: number; tags: number }[];
  /** ms since 1970: when the bytes were added up. */
  summedAt: number;
}

interface Sums {
  blobs: number;
  blobBytes: number;
  manifestBytes: number;
  referencedBytes: number;
  bytesOf: ReadonlyMap<number, number>;
  summedAt: number;
}

/** Rows of one statement on SQLite: some ms in which this process does nothing else. */
const PIECE = 2_000;
const LARGEST = 20;
const AT_A_TIME = 100;
/** Sums are good for so many times what it took to make them, up to a half minute: of a small registry they are always new. */
const KEPT_TIMES = 20;
const MOST_KEPT_MS = 30_000;
/** Older sums are better than waiting for longer than this. */
const PATIENCE_MS = 50;

/**
 * What a registry holds, for its administrators. Counting is quick; adding up sizes reads every row (a second for 10,000 repositories with
 * 100,000 manifests), so it is done in small pieces between requests, and its result is kept for a while.
 */
export class StorageReader {
  readonly #context: RegistryContext;
  #sums: Sums | undefined;
  #goodUntil = 0;
  #adding: Promise<Sums> | undefined;

  constructor(context: RegistryContext) {
    this.#context = context;
  }

  /** @throws StoreUnavailableError, DatabaseUnavailableError */
  async read(): Promise<StorageFigures> {
    const { store } = this.#context;
    const [counts, uploads, disk, sums] = await Promise.all([
      counted(this.#context),
      openUploads(this.#context),
      store.space(),
      this.#summed(),
    ]);
    const { bytesOf, ...rest } = sums;
    return { ...counts, ...rest, uploads, disk: disk ?? null, largest: await largest(this.#context, bytesOf) };
  }

  async #summed(): Promise<Sums> {
    const known = this.#sums;
    if (known !== undefined && performance.now() < this.#goodUntil) return known;
    this.#adding ??= this.#add().finally(() => {
      this.#adding = undefined;
    });
    if (known === undefined) return this.#adding;
    // What fails later than the answer is found out by the next one to ask.
    return Promise.race([this.#adding, Bun.sleep(PATIENCE_MS).then(() => known)]);
  }

  async #add(): Promise<Sums> {
    const started = performance.now();
    const sums = await addUp(this.#context);
    const ended = performance.now();
    this.#sums = sums;
    this.#goodUntil = ended + Math.min((ended - started) * KEPT_TIMES, MOST_KEPT_MS);
    return sums;
  }
}

async function counted({ database }: RegistryContext) {
  const count = async (table: 'repositories' | 'tags' | 'manifests') => {
    const query = database.read.selectFrom(table).select((select) => select.fn.countAll<number | string>().as('n'));
    return Number((await query.executeTakeFirst())?.n ?? 0);
  };
  return { repositories: await count('repositories'), tags: await count('tags'), manifests: await count('manifests') };
}

async function openUploads({ database, store }: RegistryContext): Promise<{ open: number; bytes: number }> {
  const rows = await database.read.selectFrom('uploads').select('id').execute();
  let bytes = 0;
  for (let i = 0; i < rows.length; i += AT_A_TIME) {
    const sizes = await Promise.all(rows.slice(i, i + AT_A_TIME).map(({ id }) => store.uploadSize(id)));
    for (const size of sizes) bytes += size ?? 0;
  }
  return { open: rows.length, bytes };
}

async function addUp(context: RegistryContext): Promise<Sums> {
  const summedAt = context.now();
  return {
    ...(await blobSums(context)),
    manifestBytes: await manifestBytes(context),
    ...(await repositorySums(context)),
    summedAt,
  };
}

async function blobSums(context: RegistryContext): Promise<{ blobs: number; blobBytes: number }> {
  let blobs = 0;
  let blobBytes = 0;
  for await (const piece of pieces(context, 'blobs')) {
    const { rows } = await sql<{ n: number | string; bytes: number | string | null }>`
      select count(*) n, sum(size) bytes from blobs where state = 'stored' and ${piece}`.execute(context.database.read);
    blobs += Number(rows[0]?.n ?? 0);
    blobBytes += Number(rows[0]?.bytes ?? 0);
  }
  return { blobs, blobBytes: blobBytes + (await unsettledBytes(context)) };
}

/** Of blobs that come or go: their rows do not say whether the bytes are there. */
async function unsettledBytes({ database, store }: RegistryContext): Promise<number> {
  const rows = await database.read.selectFrom('blobs').select('digest').where('state', '<>', 'stored').execute();
  let bytes = 0;
  for (let i = 0; i < rows.length; i += AT_A_TIME) {
    const sizes = await Promise.all(rows.slice(i, i + AT_A_TIME).map(({ digest }) => store.stat(digest)));
    for (const size of sizes) bytes += size ?? 0;
  }
  return bytes;
}

async function manifestBytes(context: RegistryContext): Promise<number> {
  let bytes = 0;
  for await (const piece of pieces(context, 'manifests')) {
    const { rows } = await sql<{ bytes: number | string | null }>`
      select sum(size) bytes from manifests where ${piece}`.execute(context.database.read);
    bytes += Number(rows[0]?.bytes ?? 0);
  }
  return bytes;
}

async function repositorySums(context: RegistryContext): Promise<Pick<Sums, 'referencedBytes' | 'bytesOf'>> {
  let referencedBytes = 0;
  const bytesOf = new Map<number, number>();
  for await (const piece of pieces(context, 'repository_blobs')) {
    const { rows } = await sql<{ id: number; bytes: number | string }>`
      select l.repository_id id, sum(b.size) bytes
      from (select repository_id, digest from repository_blobs where ${piece}) l join blobs b on b.digest = l.digest
      where b.state = 'stored' group by l.repository_id`.execute(context.database.read);
    for (const { id, bytes } of rows) {
      referencedBytes += Number(bytes);
      bytesOf.set(id, (bytesOf.get(id) ?? 0) + Number(bytes));
    }
  }
  return { referencedBytes, bytesOf };
}

/**
 * Conditions that together take every row of a table once. PostgreSQL is another process and takes all at a time; SQLite works in
 * this one, so it gets some rows in the order in which they lie in the file, and between two pieces others have their turn.
 */
async function* pieces(
  { database }: RegistryContext,
  table: 'blobs' | 'manifests' | 'repository_blobs',
): AsyncGenerator<RawBuilder<unknown>> {
  if (database.kind === 'postgres') {
    yield sql`true`;
    return;
  }
  const { rows } = await sql<{ last: number | null }>`select max(rowid) last from ${sql.table(table)}`.execute(
    database.read,
  );
  for (let from = 0; from < (rows[0]?.last ?? 0); from += PIECE) {
    yield sql`rowid > ${from} and rowid <= ${from + PIECE}`;
    await turn();
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function largest(
  { database }: RegistryContext,
  bytesOf: ReadonlyMap<number, number>,
): Promise<StorageFigures['largest']> {
  const top = [...bytesOf].sort(([, a], [, b]) => b - a).slice(0, LARGEST);
  if (top.length === 0) return [];
  const rows = await database.read
    .selectFrom('repositories as r')
    .select((select) => [
      'r.id',
      'r.name',
      select
        .selectFrom('tags as t')
        .whereRef('t.repository_id', '=', 'r.id')
        .select((count) => count.fn.countAll<number | string>().as('n'))
        .as('tags'),
    ])
    .where(
      'r.id',
      'in',
      top.map(([id]) => id),
    )
    .execute();
  const found = new Map(rows.map((row) => [row.id, row]));
  return top.flatMap(([id, bytes]) => {
    const row = found.get(id);
    return row === undefined ? [] : [{ name: row.name, bytes, tags: Number(row.tags ?? 0) }];
  });
}
