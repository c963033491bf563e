import { expect, test } from 'bun:test';
import { dayOf, expiresAt } from './expiry.ts';

const NOW = Date.parse('2026-11-28T12:00:00Z');

test('a token ends so many days from now, or never', () => {
  expect(expiresAt('30', '', NOW)).toBe('2026-12-28T12:00:00.000Z');
  expect(expiresAt('365', '', NOW)).toBe('2027-11-28T12:00:00.000Z');
  expect(expiresAt('never', '2027-01-31', NOW)).toBeNull();
});

test('a chosen day counts to its end, where the viewer is', () => {
  const end = expiresAt('date', '2027-01-31', NOW) ?? '';
  expect(dayOf(Date.parse(end))).toBe('2027-01-31');
  expect(dayOf(Date.parse(end) + 1_000)).toBe('2027-02-01');
});

test('no day, a day that is none and one that is over are not taken', () => {
  for (const date of ['', 'soon', '2027-13-45', '2026-11-26']) expect(expiresAt('date', date, NOW)).toBeUndefined();
});
