import { BackupError } from '../backup/format.ts';
import { ApiError, ServerUnreachableError } from '../client/errors.ts';
import { ConfigError } from '../config/load.ts';
import { OciError } from '../oci/errors.ts';
import { GarbageBusyError } from '../registry/garbage/lease.ts';
import { FileRefusedError } from '../storage/blob-store.ts';
import { UpstreamError } from '../upstreams/upstream-error.ts';
import { DataInUseError } from '../workers/data-lock.ts';
import { PortInUseError } from '../workers/port.ts';
import { storageReason } from '../workers/reason.ts';
import { StartError } from '../workers/start-error.ts';
import { EXIT } from './exit.ts';
import { safe } from './terminal.ts';
import { CommandError, UsageError } from './usage.ts';

/** Errors whose message is written for the person at the terminal. */
const PLAIN = [
  CommandError,
  ServerUnreachableError,
  DataInUseError,
  PortInUseError,
  OciError,
  GarbageBusyError,
  FileRefusedError,
  UpstreamError,
  BackupError,
  StartError,
];

/** The line for the person at the terminal, and the exit code. An error that nobody foresaw is named as such. */
export function explain(error: unknown): { message: string; code: number } {
  if (error instanceof ConfigError || error instanceof UsageError) return { message: error.message, code: EXIT.usage };
  const text = error instanceof Error ? error.message : String(error);
  if (error instanceof ApiError) {
    const advice = error.status === 401 ? '; log in with berth login, or set BERTH_TOKEN' : '';
    return { message: safe(text) + advice, code: codeOf(error.code) };
  }
  if (PLAIN.some((kind) => error instanceof kind)) return { message: text, code: EXIT.error };
  return { message: storageReason(error) ?? `unexpected: ${text}`, code: EXIT.error };
}

/** @param code of the error table */
function codeOf(code: string): number {
  if (code === 'LOCKED') return EXIT.locked;
  if (code === 'REFUSED') return EXIT.refused;
  return EXIT.error;
}
