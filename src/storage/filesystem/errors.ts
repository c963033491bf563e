import { StoreFullError, StoreUnavailableError } from '../blob-store.ts';

const FULL = new Set(['ENOSPC', 'EDQUOT']);

/** Only ENOENT means "not there". ENOTDIR, EIO or EACCES are a store that does not work. */
export function isMissing(error: unknown): boolean {
  return errorCode(error) === 'ENOENT';
}

/** Runs a filesystem operation and names its failure in the port's terms. */
export async function storing<T>(operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (error) {
    throw storeError(error);
  }
}

export function storeError(error: unknown): unknown {
  const found = errorCode(error);
  if (found === undefined) return error;
  if (FULL.has(found)) return new StoreFullError(`no space left for blobs (${found})`, { cause: error });
  if (found === 'EROFS') return new StoreUnavailableError('the blob folder is read-only (EROFS)', { cause: error });
  return new StoreUnavailableError(`the blob folder does not answer (${found})`, { cause: error });
}

/** `ENOENT` and its like; undefined for what is no error of the system. */
export function errorCode(error: unknown): string | undefined {
  const found = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof found === 'string' && /^E[A-Z0-9]+$/.test(found) ? found : undefined;
}
