import { createHash } from 'node:crypto';
import type { FailureKind } from './failure.ts';

/** How long an authority is left alone after a failure: the first pause, which doubles, and the longest. */
const PAUSES: Record<FailureKind, { first: number; most: number }> = {
  // Nothing reached the authority: asking again costs it nothing.
  unreachable: { first: 5_000, most: 3_600_000 },
  // Let's Encrypt allows 5 failed validations of a name an hour: these are at minutes 0, 5, 15, 35, 75.
  refused: { first: 300_000, most: 12 * 3_600_000 },
  limited: { first: 3_600_000, most: 24 * 3_600_000 },
};
/** An authority's own wish is not followed beyond it. */
const LONGEST_WISH_MS = 7 * 86_400_000;
const JITTER = 0.1;

/**
 * When to ask again.
 *
 * @param count failures in a row, this one among them
 * @param retryAfterMs what the authority asked for, at least
 * @param random in [0, 1)
 * @returns ms from now
 */
export function pauseAfter(
  kind: FailureKind,
  count: number,
  retryAfterMs: number | undefined,
  random: () => number,
): number {
  const { first, most } = PAUSES[kind];
  const pause = Math.min(first * 2 ** Math.min(count - 1, 30), most);
  return Math.round(Math.max(pause, Math.min(retryAfterMs ?? 0, LONGEST_WISH_MS)) * (1 + JITTER * random()));
}

/**
 * When a certificate is replaced: when a third of its time is left, and up to a thirtieth of it earlier, so that certificates that
 * were made together are not renewed together. The same for every process that asks.
 *
 * @returns ms since 1970
 */
export function renewalTime(certificate: { notBefore: number; notAfter: number; fingerprint: string }): number {
  const lifetime = certificate.notAfter - certificate.notBefore;
  const share = createHash('sha256').update(certificate.fingerprint).digest().readUInt32BE(0) / 2 ** 32;
  return Math.round(certificate.notAfter - lifetime / 3 - (lifetime / 30) * share);
}
