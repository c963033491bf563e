import { UnfinishedRestoreError } from '../backup/restore-marker.ts';
import { DatabaseFullError, DatabaseUnavailableError, NewerSchemaError } from '../database/database.ts';
import { StoreFullError, StoreUnavailableError } from '../storage/blob-store.ts';
import { CertificateError } from '../tls/tls-material.ts';

/** What an operator needs to know of a failure of data or storage: the error and what the system said. Undefined for others. */
export function storageReason(error: unknown): string | undefined {
  if (
    error instanceof NewerSchemaError ||
    error instanceof UnfinishedRestoreError ||
    error instanceof CertificateError
  ) {
    return error.message;
  }
  if (
    error instanceof StoreFullError ||
    error instanceof StoreUnavailableError ||
    error instanceof DatabaseFullError ||
    error instanceof DatabaseUnavailableError
  ) {
    return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
  }
  return undefined;
}
