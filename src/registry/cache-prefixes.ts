import { sql } from 'kysely';
import type { Database, PreparedRead } from '../database/database.ts';
import { Freshness } from '../database/freshness.ts';
import type { Visibility } from '../database/schema.ts';
import { OciError } from '../oci/errors.ts';
import type { RepositoryName } from '../oci/names.ts';

/** A prefix below which repositories are those of another registry, fetched when they are pulled. */
export interface CachePrefix {
  prefix: string;
  /** The upstream's name here. */
  upstream: string;
  /** Its address, for people. */
  address: string;
  /** What stands in place of the prefix in the upstream's names; empty for nothing. */
  remotePrefix: string;
  /** For how long a tag is taken as it is, without asking the upstream. */
  freshMs: number;
  /** Of the repositories that a pull makes. */
  visibility: Visibility;
}

/** Where the database says of no commit that it was, the list is read so often. Who changes it waits as long. */
export const KNOWN_WITHIN_MS = 1_000;

interface Stamp {
  n: number | string;
  caches: number | string | null;
  upstreams: number | string | null;
}

/**
 * Which names are those of a cache. Every pull and push asks, so the list is in memory, and who asks waits for nothing unless it has
 * changed: on SQLite it is looked at when any process has committed, on PostgreSQL every `KNOWN_WITHIN_MS`.
 */
export class CachePrefixes {
  readonly #database: Database;
  readonly #freshness: Freshness;
  readonly #stamp: PreparedRead<Stamp>;
  #list: readonly CachePrefix[] = [];
  /** Which rows `#list` is of; undefined before it was read. */
  #of: string | undefined;
  #version: number | undefined;
  #until = 0;

  constructor(database: Database) {
    this.#database = database;
    this.#freshness = new Freshness(database);
    this.#stamp = database.prepare(
      database.read
        .selectFrom('caches as c')
        .innerJoin('upstreams as u', 'u.name', 'c.upstream')
        .select((select) => [
          select.fn.countAll<number>().as('n'),
          select.fn.max('c.updated_at').as('caches'),
          select.fn.max('u.updated_at').as('upstreams'),
        ]),
    );
  }

  /** The innermost cache that a repository is below; undefined when it is an ordinary one. */
  of(name: RepositoryName): CachePrefix | undefined | Promise<CachePrefix | undefined> {
    const list = this.list();
    return list instanceof Promise ? list.then((caches) => innermost(caches, name)) : innermost(list, name);
  }

  /** All of them, the longest prefix first. */
  list(): readonly CachePrefix[] | Promise<readonly CachePrefix[]> {
    const version = this.#freshness.version();
    const current = version === undefined ? performance.now() < this.#until : version === this.#version;
    if (current && this.#of !== undefined) return this.#list;
    const stamp = this.#stamp();
    return stamp instanceof Promise ? stamp.then((found) => this.#renew(found, version)) : this.#renew(stamp, version);
  }

  #renew(
    stamp: Stamp | undefined,
    version: number | undefined,
  ): readonly CachePrefix[] | Promise<readonly CachePrefix[]> {
    const of = `${stamp?.n ?? 0} ${stamp?.caches ?? ''} ${stamp?.upstreams ?? ''}`;
    const read = (list: readonly CachePrefix[]) => {
      this.#list = list;
      this.#of = of;
      this.#version = version;
      this.#until = performance.now() + KNOWN_WITHIN_MS;
      return list;
    };
    if (of === this.#of) return read(this.#list);
    return Number(stamp?.n ?? 0) === 0 ? read([]) : readPrefixes(this.#database).then(read);
  }
}

/**
 * What is below a cache is the upstream's alone: nobody else puts anything there.
 *
 * @throws OciError DENIED
 */
export async function refuseCached(
  caches: CachePrefixes | undefined,
  name: RepositoryName,
  field = 'name',
): Promise<void> {
  const found = caches?.of(name);
  if (found === undefined) return;
  const cache = await found;
  if (cache === undefined) return;
  throw new OciError(
    'DENIED',
    `${field}: ${name} is below ${cache.prefix}, which is a cache of ${cache.address} and takes no pushes; push under another name`,
    { name, cache: cache.prefix, upstream: cache.address },
  );
}

async function readPrefixes(database: Database): Promise<CachePrefix[]> {
  const rows = await database.read
    .selectFrom('caches as c')
    .innerJoin('upstreams as u', 'u.name', 'c.upstream')
    .select(['c.prefix', 'c.upstream', 'u.address', 'c.remote_prefix', 'c.fresh_ms', 'c.visibility'])
    .orderBy(sql`length(c.prefix)`, 'desc')
    .execute();
  return rows.map(({ remote_prefix: remotePrefix, fresh_ms: freshMs, ...row }) => ({ ...row, remotePrefix, freshMs }));
}

function innermost(caches: readonly CachePrefix[], name: RepositoryName): CachePrefix | undefined {
  for (const cache of caches) {
    if (name.length > cache.prefix.length && name[cache.prefix.length] === '/' && name.startsWith(cache.prefix)) {
      return cache;
    }
  }
  return undefined;
}
