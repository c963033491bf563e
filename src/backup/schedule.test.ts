import { afterAll, describe, expect, test } from 'bun:test';
import { nextBackup } from './schedule.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const NOW = Date.parse('2027-01-15T12:00:00Z');
const well = (success: number | undefined) => ({ success, failures: 0, failedAt: undefined });

describe('the next backup', () => {
  test('is at once when there is none', () => {
    expect(nextBackup({ everyMs: DAY }, well(undefined))).toBe(0);
    expect(nextBackup({ at: '03:00' }, well(undefined))).toBe(0);
  });

  test('is so long after the last that ended well began', () => {
    expect(nextBackup({ everyMs: DAY }, well(NOW))).toBe(NOW + DAY);
  });

  test('after a failure is in a minute, then after twice as long each time, up to an hour', () => {
    const pauses = [1, 2, 3, 4, 5, 6, 7, 8, 100].map(
      (failures) => nextBackup({ everyMs: DAY }, { success: NOW - DAY, failures, failedAt: NOW }) - NOW,
    );
    expect(pauses.map((pause) => pause / MINUTE)).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60]);
  });

  test('after a failure is no later than the schedule would have it, and no earlier', () => {
    const failed = { failures: 5, failedAt: NOW };
    expect(nextBackup({ everyMs: 2_000 }, { success: NOW - 2_000, ...failed })).toBe(NOW + 2_000);
    // Somebody tried by hand an hour after a good one.
    expect(nextBackup({ everyMs: DAY }, { success: NOW - HOUR, ...failed })).toBe(NOW - HOUR + DAY);
    expect(nextBackup({ everyMs: DAY }, { success: undefined, failures: 1, failedAt: NOW })).toBe(NOW + MINUTE);
  });
});

describe('the next backup at a time of day', () => {
  const zone = process.env.TZ;
  process.env.TZ = 'Europe/Berlin';
  afterAll(() => {
    if (zone === undefined) delete process.env.TZ;
    else process.env.TZ = zone;
  });
  const next = (at: string, success: string) => new Date(nextBackup({ at }, well(Date.parse(success)))).toISOString();

  test("is the first after the last one began, by the server's clock", () => {
    expect(next('03:00', '2027-01-15T02:00:00.020Z')).toBe('2027-01-16T02:00:00.000Z');
    expect(next('03:00', '2027-01-15T01:00:00Z')).toBe('2027-01-15T02:00:00.000Z');
    expect(next('03:00', '2027-01-15T13:00:00Z')).toBe('2027-01-16T02:00:00.000Z');
    expect(next('00:00', '2027-01-15T23:00:00Z')).toBe('2027-01-16T23:00:00.000Z');
  });

  test('keeps its hour when clocks change, and a day that lacks it still has one', () => {
    // 2027-03-28: from 02:00 to 03:00; 2027-10-31: 03:00 is 02:00 again.
    expect(next('03:30', '2027-03-27T02:30:00Z')).toBe('2027-03-28T01:30:00.000Z');
    expect(next('02:30', '2027-03-27T01:30:00Z')).toBe('2027-03-28T01:30:00.000Z');
    expect(next('02:30', '2027-03-28T01:30:00Z')).toBe('2027-03-29T00:30:00.000Z');
    expect(next('03:30', '2027-10-30T01:30:00Z')).toBe('2027-10-31T02:30:00.000Z');
  });
});
