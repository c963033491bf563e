const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Longer than anything meant; keeps times in ms well below what a date or a database column holds. */
const MOST_MS = 100 * 365 * UNITS.d;

/** `500ms`, `30s`, `10m`, `24h` or `30d` in ms; undefined for anything else, or for more than 100 years. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,15})(ms|s|m|h|d)$/.exec(text.trim());
  if (match === null) return undefined;
  const ms = Number(match[1]) * UNITS[match[2] as keyof typeof UNITS];
  return ms <= MOST_MS ? ms : undefined;
}

/** The shortest of those texts; two days and more in days, less in hours. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s';
  const unit = (['d', 'h', 'm', 's'] as const).find((name) => {
    return ms % UNITS[name] === 0 && (name !== 'd' || ms >= 2 * UNITS.d);
  });
  return unit === undefined ? `${ms}ms` : `${ms / UNITS[unit]}${unit}`;
}
