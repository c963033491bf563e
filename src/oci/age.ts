const UNITS = { h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 } as const;
const MOST_MS = 100 * 365 * UNITS.d;

/** `12h`, `30d` or `8w` in ms; undefined for anything else, for nothing and for more than 100 years. */
export function parseAge(text: string): number | undefined {
  const match = /^(\d{1,7})([hdw])$/.exec(text);
  if (match === null) return undefined;
  const ms = Number(match[1]) * UNITS[match[2] as keyof typeof UNITS];
  return ms > 0 && ms <= MOST_MS ? ms : undefined;
}
