import { expect, test } from 'bun:test';
import type { TlsMaterial } from '../tls/tls-material.ts';
import { watchExpiry } from './expiry-watch.ts';

const DAY_MS = 86_400_000;

function said(leftMs: number): string[] {
  const lines: string[] = [];
  const notAfter = Date.now() + leftMs;
  const material: TlsMaterial = { certificate: '', key: '', fingerprint: '', names: ['r'], notBefore: 0, notAfter };
  const warn = (_fields: object, message: string) => {
    lines.push(message);
  };
  watchExpiry(() => material, { warn })();
  return lines;
}

test('fewer than 14 days before its end a certificate is warned of, and after it otherwise', () => {
  expect(said(15 * DAY_MS)).toEqual([]);
  expect(said(13 * DAY_MS)).toEqual([expect.stringContaining('expires soon')]);
  expect(said(-1)).toEqual([expect.stringContaining('has expired')]);
});
