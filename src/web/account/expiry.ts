/** When a new token ends. `date`: at the end of a day that is chosen. */
export const EXPIRIES = ['30', '90', '365', 'date', 'never'] as const;
export type Expiry = (typeof EXPIRIES)[number];

const DAY_MS = 86_400_000;

/**
 * @param date `2027-01-31`, of the viewer's time zone
 * @param now ms since 1970
 * @returns RFC 3339; null for never; undefined while no day is chosen that is to come
 */
export function expiresAt(expiry: Expiry, date: string, now: number): string | null | undefined {
  if (expiry === 'never') return null;
  if (expiry !== 'date') return new Date(now + Number(expiry) * DAY_MS).toISOString();
  const end = Date.parse(`${date}T23:59:59`);
  return Number.isNaN(end) || end <= now ? undefined : new Date(end).toISOString();
}

/** `2027-01-31` of the viewer's time zone, for a field of a date. */
export function dayOf(ms: number): string {
  const at = new Date(ms);
  const two = (number: number) => String(number).padStart(2, '0');
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}
