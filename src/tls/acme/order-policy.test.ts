import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { pauseAfter, renewalTime } from './order-policy.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

describe('the pause after a failed order', () => {
  const pauses = (kind: Parameters<typeof pauseAfter>[0]) =>
    Array.from({ length: 20 }, (_, i) => pauseAfter(kind, i + 1, undefined, () => 0));

  test('doubles, up to a longest one', () => {
    expect(pauses('unreachable').slice(0, 4)).toEqual([5_000, 10_000, 20_000, 40_000]);
    expect(pauses('unreachable').at(-1)).toBe(HOUR);
    expect(pauses('refused').slice(0, 4)).toEqual([5 * MINUTE, 10 * MINUTE, 20 * MINUTE, 40 * MINUTE]);
    expect(pauses('refused').at(-1)).toBe(12 * HOUR);
    expect(pauses('limited').slice(0, 2)).toEqual([HOUR, 2 * HOUR]);
    expect(pauses('limited').at(-1)).toBe(DAY);
  });

  test('allows no more than four refused orders in the first hour: Let’s Encrypt takes five', () => {
    let at = 0;
    const times = [0, ...pauses('refused').map((pause) => (at += pause))];
    expect(times.filter((time) => time < HOUR)).toHaveLength(4);
  });

  test('is at least what the authority asks for, but not longer than a week', () => {
    expect(pauseAfter('limited', 1, 3 * HOUR, () => 0)).toBe(3 * HOUR);
    expect(pauseAfter('limited', 1, 1_000, () => 0)).toBe(HOUR);
    expect(pauseAfter('limited', 1, 400 * DAY, () => 0)).toBe(7 * DAY);
  });

  test('is up to a tenth longer by chance, and finite after any number of failures', () => {
    const kinds = fc.constantFrom('unreachable' as const, 'refused' as const, 'limited' as const);
    const chance = fc.double({ min: 0, max: 0.999, noNaN: true });
    fc.assert(
      fc.property(kinds, fc.integer({ min: 1, max: 1_000_000 }), chance, (kind, count, random) => {
        const least = pauseAfter(kind, count, undefined, () => 0);
        const pause = pauseAfter(kind, count, undefined, () => random);
        expect(pause).toBeGreaterThanOrEqual(least);
        expect(pause).toBeLessThanOrEqual(least * 1.1 + 1);
        expect(pause).toBeLessThanOrEqual(27 * HOUR);
      }),
    );
  });
});

describe('a certificate is replaced', () => {
  test('when a third of its time is left, or up to a thirtieth of it sooner, and all processes agree when', () => {
    const fingerprints = fc.stringMatching(/^[0-9a-f]{64}$/);
    fc.assert(
      fc.property(fingerprints, fc.integer({ min: 3_000, max: 400 * DAY }), (fingerprint, lifetime) => {
        const certificate = { notBefore: 1_000_000, notAfter: 1_000_000 + lifetime, fingerprint };
        const left = (certificate.notAfter - renewalTime(certificate)) / lifetime;
        expect(left).toBeGreaterThanOrEqual(1 / 3 - 0.001);
        expect(left).toBeLessThanOrEqual(1 / 3 + 1 / 30 + 0.001);
        expect(renewalTime({ ...certificate })).toBe(renewalTime(certificate));
      }),
    );
  });

  test('at another time than another one that was given with it', () => {
    const times = Array.from({ length: 50 }, (_, i) =>
      renewalTime({ notBefore: 0, notAfter: 90 * DAY, fingerprint: `certificate ${i}` }),
    );
    expect(new Set(times).size).toBeGreaterThan(45);
  });
});
