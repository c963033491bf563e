import { closeSync, ftruncateSync, openSync } from 'node:fs';
import { join } from 'node:path';
import type { Settings } from '../config/settings.ts';
import { RATE_LIMIT_TABLE_BYTES } from '../http/rate-limits.ts';

/**
 * The memory in which the workers of this `serve` count requests together: a file of the data directory that each maps. What is in it
 * may be lost at any time; a worker that is replaced finds it as it was.
 *
 * @returns undefined when nothing is limited
 */
export function openRateLimitTable(
  settings: Pick<Settings, 'data' | 'rateLimitAddress' | 'rateLimitAccount'>,
): ArrayBuffer | undefined {
  if (settings.rateLimitAddress === undefined && settings.rateLimitAccount === undefined) return undefined;
  const path = join(settings.data, 'rate-limits');
  const file = openSync(path, 'a', 0o600);
  ftruncateSync(file, RATE_LIMIT_TABLE_BYTES);
  closeSync(file);
  const { buffer } = Bun.mmap(path, { shared: true });
  return buffer as ArrayBuffer;
}
