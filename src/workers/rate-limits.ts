import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Settings } from '../config/settings.ts';
import { RATE_LIMIT_TABLE_BYTES, type RateLimitKind, RateLimits } from '../http/rate-limits.ts';

/** What `stat` counts blocks in (POSIX `sys/stat.h`). */
const BLOCK_BYTES = 512;

/**
 * The limits on requests, counted in memory that the workers of this `serve` share: a file of the data directory that each maps. What is in
 * it may be lost at any time; a worker that is replaced finds it as it was. Where the disk has no room for it, each worker counts by itself.
 *
 * @returns undefined when nothing is limited
 */
export function openRateLimits(
  settings: Pick<Settings, 'data' | 'rateLimitAddress' | 'rateLimitAccount' | 'rateLimitToken'>,
  refused: (limit: RateLimitKind) => void,
  log: { warn(fields: object, message: string): void },
): RateLimits | undefined {
  const { rateLimitAddress: address, rateLimitAccount: account, rateLimitToken: token } = settings;
  if (address === undefined && account === undefined && token === undefined) return undefined;
  return new RateLimits(
    { address, account, token },
    openTable(join(settings.data, 'rate-limits'), log),
    Date.now,
    refused,
  );
}

function openTable(path: string, log: Parameters<typeof openRateLimits>[2]): ArrayBuffer {
  const file = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  try {
    ftruncateSync(file, RATE_LIMIT_TABLE_BYTES);
    takeRoom(file);
  } catch (error) {
    if (!isFull(error)) throw error;
    log.warn(
      { file: path },
      'no room on the disk for the limits on requests: each worker counts its own until it is started anew',
    );
    return new ArrayBuffer(RATE_LIMIT_TABLE_BYTES);
  } finally {
    closeSync(file);
  }
  return Bun.mmap(path, { shared: true }).buffer as ArrayBuffer;
}

/** A file with holes would want room of a full disk when something is counted, and whoever writes to memory without room is killed. */
function takeRoom(file: number): void {
  if (fstatSync(file).blocks * BLOCK_BYTES >= RATE_LIMIT_TABLE_BYTES) return;
  const held = new Uint8Array(RATE_LIMIT_TABLE_BYTES);
  readSync(file, held, 0, held.length, 0);
  // The system takes what fits and says only then that it is full.
  for (let done = 0; done < held.length; ) done += writeSync(file, held, done, held.length - done, done);
}

function isFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
}
