import { UsageError } from './usage.ts';

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** `1536` as `1.5 KiB`. */
export function formatBytes(bytes: number): string {
  const power = Math.min(Math.floor(Math.log2(Math.max(bytes, 1)) / 10), UNITS.length - 1);
  const value = bytes / 1024 ** power;
  return `${power === 0 ? value : value.toFixed(1)} ${UNITS[power]}`;
}

const SIZE = /^(\d{1,15}(?:\.\d{1,3})?) ?(B|[KMGTP]i?B?)?$/i;
const POWERS = 'KMGTP';

/** `10GiB`, `10G` and `1.5 TiB` are powers of 1024, `10GB` of 1000; a bare number is bytes. @throws UsageError */
export function parseBytes(what: string, text: string): number {
  const [, number = '', unit = ''] = SIZE.exec(text.trim()) ?? [];
  const power = POWERS.indexOf(unit.charAt(0).toUpperCase()) + 1;
  const base = /^[kmgtp]b$/i.test(unit) ? 1_000 : 1_024;
  const bytes = Math.round(Number(number) * base ** (unit === '' || /^b$/i.test(unit) ? 0 : power));
  if (number !== '' && Number.isSafeInteger(bytes)) return bytes;
  throw new UsageError(`${what}: ${JSON.stringify(text)} is not a size such as 500MiB, 10GiB or 1.5TiB`);
}
