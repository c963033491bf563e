import { DatabaseFullError, DatabaseUnavailableError } from '../database/database.ts';
import { OciError } from '../oci/errors.ts';
import { StoreFullError, StoreUnavailableError } from '../storage/blob-store.ts';

/** What a caller is told of an error, and what the log is. Only an `OciError` explains itself to the caller. */
export interface Failure {
  told: OciError;
  /** The error that the log gets besides; undefined when what is told is all there is. */
  cause: unknown;
}

/** Names any throw in the error table's terms. What has no row is UNKNOWN: the cause stays in the log. */
export function failureOf(error: unknown, aborted: boolean): Failure {
  if (error instanceof OciError) return { told: error, cause: error.cause };
  if (error instanceof StoreFullError || error instanceof DatabaseFullError) {
    return { told: new OciError('STORAGE_FULL', `${error.message}; nothing was stored by this request`), cause: error };
  }
  if (error instanceof StoreUnavailableError || error instanceof DatabaseUnavailableError) {
    return {
      told: new OciError('UNAVAILABLE', 'the storage of this registry does not answer; try again'),
      cause: error,
    };
  }
  if (aborted || isBrokenConnection(error)) {
    const told = new OciError('BLOB_UPLOAD_INVALID', 'the connection broke before the request was whole');
    return { told, cause: undefined };
  }
  return {
    told: new OciError('UNKNOWN', 'an unexpected error; the log of the registry has it under this request id'),
    cause: error,
  };
}

function isBrokenConnection(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return (
    error.name === 'AbortError' ||
    ('code' in error && (error.code === 'ECONNRESET' || error.code === 'ERR_STREAM_PREMATURE_CLOSE'))
  );
}
