import { type CacheInfo, type CacheWish, cacheInfo, cacheList } from '../api/caches.ts';
import type { Connection } from './connection.ts';

const CACHES = '/api/v1/caches';

/** Prefixes whose repositories are fetched from another registry when they are pulled. For administrators. */
export class CachesClient {
  constructor(readonly connection: Connection) {}

  async list(): Promise<CacheInfo[]> {
    return (await this.connection.call(cacheList, 'GET', CACHES)).caches;
  }

  /** Makes it, or changes it; on return every pull knows. */
  set(prefix: string, wish: CacheWish): Promise<CacheInfo> {
    return this.connection.call(cacheInfo, 'PUT', pathOf(prefix), wish);
  }

  /** What was fetched stays. */
  remove(prefix: string): Promise<void> {
    return this.connection.send('DELETE', pathOf(prefix));
  }
}

/** A prefix may hold slashes, which stay. */
function pathOf(prefix: string): string {
  return `${CACHES}/${prefix.split('/').map(encodeURIComponent).join('/')}`;
}
