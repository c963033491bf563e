import { closeSync, ftruncateSync, openSync } from 'node:fs';
import { join } from 'node:path';
import type { Settings } from '../config/settings.ts';
import { RATE_LIMIT_TABLE_BYTES, type RateLimitKind, RateLimits } from '../http/rate-limits.ts';

/**
 * The limits on requests, counted in memory that the workers of this `serve` share: a file of the data directory that each maps. What is in
 * it may be lost at any time; a worker that is replaced finds it as it was.
 *
 * @returns undefined when nothing is limited
 */
export function openRateLimits(
  settings: Pick<Settings, 'data' | 'rateLimitAddress' | 'rateLimitAccount' | 'rateLimitToken'>,
  refused: (limit: RateLimitKind) => void,
): RateLimits | undefined {
  const { rateLimitAddress: address, rateLimitAccount: account, rateLimitToken: token } = settings;
  if (address === undefined && account === undefined && token === undefined) return undefined;
  const path = join(settings.data, 'rate-limits');
  const file = openSync(path, 'a', 0o600);
  ftruncateSync(file, RATE_LIMIT_TABLE_BYTES);
  closeSync(file);
  const { buffer } = Bun.mmap(path, { shared: true });
  return new RateLimits({ address, account, token }, buffer as ArrayBuffer, Date.now, refused);
}
