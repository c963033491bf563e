import { sql } from 'kysely';
import type { RepositoryName } from '../../oci/names.ts';
import type { CachePrefix } from '../../registry/cache-prefixes.ts';
import type { Actor, RegistryContext } from '../../registry/context.ts';
import { nameAt, parseRegistryAddress, type RegistryAddress } from '../registry-address.ts';

/** How a pull below a cache went. `passed`: it was brought to the client and not kept. */
export type CacheResult = 'hit' | 'revalidated' | 'miss' | 'stale' | 'passed' | 'failed';

/** What the pull-through cache needs from outside, besides the upstreams; made by `server.ts`, or by a test. */
export interface CacheReports {
  /** Told of each pull below a cache, for the metrics. */
  onRequest: (part: 'manifest' | 'blob', result: CacheResult) => void;
  /** Bytes of blobs that came from upstreams. */
  onFetched: (bytes: number) => void;
  /** For the log. */
  warn: (fields: Record<string, unknown>, message: string) => void;
}

/** A repository of a cache, and what its upstream calls it. */
export interface CachedRepository {
  cache: CachePrefix;
  name: RepositoryName;
  remoteName: RepositoryName;
}

/** Read once for each cache: every hit needs it. */
const addresses = new WeakMap<CachePrefix, RegistryAddress>();

function addressOf(cache: CachePrefix): RegistryAddress {
  const known = addresses.get(cache);
  if (known !== undefined) return known;
  const address = parseRegistryAddress(cache.address);
  addresses.set(cache, address);
  return address;
}

export function cachedRepository(cache: CachePrefix, name: RepositoryName): CachedRepository {
  const rest = name.slice(cache.prefix.length + 1);
  const written = (cache.remotePrefix === '' ? rest : `${cache.remotePrefix}/${rest}`) as RepositoryName;
  return { cache, name, remoteName: nameAt(addressOf(cache), written) };
}

/** Whom histories name. */
export function actorOf({ cache }: CachedRepository): Actor {
  return { name: 'cache', source: cache.address };
}

/**
 * The registry as the cache of a repository writes to it: what nobody else may, with the visibility that the cache says, and so that the
 * transaction that makes the repository says whose it is.
 */
export function writingFor(
  registry: RegistryContext,
  { cache, remoteName }: CachedRepository,
  onReceived: (bytes: number) => void,
): RegistryContext {
  return {
    ...registry,
    caches: undefined,
    defaultVisibility: cache.visibility,
    onReceived,
    async record(tx, actor, entry) {
      await registry.record(tx, actor, entry);
      if (entry.action !== 'repository.create') return;
      await tx
        .insertInto('cache_repositories')
        .columns(['repository_id', 'upstream', 'remote_name'])
        .expression((select) =>
          select
            .selectFrom('repositories')
            .select(['id', sql.val(cache.upstream).as('upstream'), sql.val(remoteName).as('remote_name')])
            .where('name', '=', entry.subject as RepositoryName),
        )
        .execute();
    },
  };
}
