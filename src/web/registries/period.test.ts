import { expect, test } from 'bun:test';
import { periodOf, shownPeriod } from './period.ts';

test('a period is shown in the largest unit that gives a whole number, and read back as the same', () => {
  expect(shownPeriod(0)).toEqual({ amount: '0', unit: 'seconds' });
  expect(shownPeriod(90)).toEqual({ amount: '90', unit: 'seconds' });
  expect(shownPeriod(21_600)).toEqual({ amount: '6', unit: 'hours' });
  expect(shownPeriod(172_800)).toEqual({ amount: '2', unit: 'days' });
  for (const seconds of [0, 1, 59, 60, 3_600, 5_400, 86_400, 31_622_400]) {
    expect(periodOf(shownPeriod(seconds))).toBe(seconds);
  }
});

test('what is no whole number is no period', () => {
  for (const amount of ['', ' ', '-1', '1.5', '1,5', '6h', '1e3', '1'.repeat(10)]) {
    expect(periodOf({ amount, unit: 'hours' })).toBeUndefined();
  }
  expect(periodOf({ amount: ' 6 ', unit: 'hours' })).toBe(21_600);
});
