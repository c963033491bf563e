import { afterAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ANONYMOUS } from '../accounts/identity.ts';
import type { RateLimits } from '../http/rate-limits.ts';
import { RATE_LIMIT_TABLE_BYTES } from '../http/rate-limits.ts';
import { openRateLimits } from './rate-limits.ts';

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

function newData(): string {
  const folder = mkdtempSync(join(tmpdir(), 'berth-limits-'));
  folders.push(folder);
  return folder;
}

function open(data: string): RateLimits {
  const rate = { requests: 10, perMs: 3_600_000 };
  const quiet = { warn: () => {} };
  const limits = openRateLimits(
    { data, rateLimitAddress: rate, rateLimitAccount: undefined, rateLimitToken: undefined },
    () => {},
    quiet,
  );
  if (limits === undefined) throw new Error('nothing is limited');
  return limits;
}

function through(limits: RateLimits, count: number): number {
  let passed = 0;
  for (let i = 0; i < count; i++) {
    try {
      limits.count(ANONYMOUS, () => '192.0.2.1');
      passed++;
    } catch {
      // Refused.
    }
  }
  return passed;
}

describe('the table of limits', () => {
  test('has all its room on the disk before anything is counted, also one that another version left with holes', () => {
    const data = newData();
    const file = join(data, 'rate-limits');
    const room = () => statSync(file).blocks * 512;
    open(data);
    expect(room()).toBeGreaterThanOrEqual(RATE_LIMIT_TABLE_BYTES);
    truncateSync(file, 0);
    truncateSync(file, RATE_LIMIT_TABLE_BYTES);
    expect(room()).toBe(0);
    open(data);
    expect(room()).toBeGreaterThanOrEqual(RATE_LIMIT_TABLE_BYTES);
  });

  test('is one for all who open it, now and later', () => {
    const data = newData();
    const first = open(data);
    expect(through(first, 6) + through(open(data), 6)).toBe(10);
    expect(through(open(data), 1)).toBe(0);
  });
});
