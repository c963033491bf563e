/*
 * Reads values out of JSON that others wrote, whatever it holds: what has another type is as if it were not there.
 */

export function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

export function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

/** The texts of a list; a text alone is a list of one. */
export function textsOf(value: unknown, most: number): string[] {
  if (typeof value === 'string') return [value];
  if (!Array.isArray(value)) return [];
  return value.filter((entry) => typeof entry === 'string').slice(0, most);
}

/** The entries of an object whose value is a text; a key `__proto__` is one like others. */
export function textEntriesOf(value: unknown, most: number): Record<string, string> {
  const entries = Object.entries(objectOf(value));
  return Object.fromEntries(
    entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string').slice(0, most),
  );
}

/** A moment of RFC 3339, to the millisecond. Go's zero time, of a program that knew none, is null. */
export function momentOf(value: unknown): string | null {
  if (typeof value !== 'string' || value.length > 100 || value.startsWith('0001-')) return null;
  const [, seconds = '', fraction = '', zone = ''] = MOMENT.exec(value) ?? [];
  const time = Date.parse(`${seconds}${fraction.slice(0, 4)}${zone}`);
  return Number.isNaN(time) ? null : new Date(time).toISOString();
}

const MOMENT = /^(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;
