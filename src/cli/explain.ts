import { ApiError, ServerUnreachableError } from '../client/management.ts';
import { ConfigError } from '../config/load.ts';
import { DatabaseFullError, DatabaseUnavailableError } from '../database/database.ts';
import { NewerSchemaError } from '../database/migrate.ts';
import { OciError } from '../oci/errors.ts';
import { GarbageBusyError } from '../registry/garbage/lease.ts';
import { StoreFullError, StoreUnavailableError } from '../storage/blob-store.ts';
import { DataInUseError } from '../workers/data-lock.ts';
import { PortInUseError } from '../workers/port.ts';
import { UsageError } from './usage.ts';

const EXPLAINED = [
  ApiError,
  ServerUnreachableError,
  NewerSchemaError,
  DataInUseError,
  PortInUseError,
  OciError,
  GarbageBusyError,
] as const;

/** The line for the person at the terminal. An error that nobody foresaw is named as such. */
export function explain(error: unknown): { message: string; usage: boolean } {
  if (error instanceof ConfigError || error instanceof UsageError) return { message: error.message, usage: true };
  if (EXPLAINED.some((kind) => error instanceof kind)) return { message: (error as Error).message, usage: false };
  if (
    error instanceof StoreFullError ||
    error instanceof StoreUnavailableError ||
    error instanceof DatabaseFullError ||
    error instanceof DatabaseUnavailableError
  ) {
    const cause = error.cause instanceof Error ? `: ${error.cause.message}` : '';
    return { message: `${error.message}${cause}`, usage: false };
  }
  return { message: `unexpected: ${error instanceof Error ? error.message : String(error)}`, usage: false };
}
