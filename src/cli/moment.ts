import { z } from 'zod';
import { parseDuration } from '../config/duration.ts';
import { UsageError } from './usage.ts';

const moment = z.iso.datetime({ offset: true });

/** `24h` ago, or a time. @returns RFC 3339 @throws UsageError */
export function pastMoment(flag: string, text: string): string {
  const ms = parseDuration(text);
  if (ms !== undefined) return new Date(Date.now() - ms).toISOString();
  if (moment.safeParse(text).success) return text;
  throw new UsageError(
    `${flag}: ${JSON.stringify(text)} is neither a duration such as 24h nor a time as in 2027-01-31T00:00:00Z`,
  );
}

/** `30d` from now; `never` as null. @returns RFC 3339 @throws UsageError */
export function expiry(flag: string, text: string): string | null {
  if (text === 'never') return null;
  const ms = parseDuration(text);
  if (ms !== undefined && ms > 0) return new Date(Date.now() + ms).toISOString();
  throw new UsageError(`${flag}: ${JSON.stringify(text)} is neither a duration such as 30d nor never`);
}

/** `7d` as 7; at most `most`. @throws UsageError */
export function wholeDays(flag: string, text: string, most: number): number {
  const days = (parseDuration(text) ?? 0) / 86_400_000;
  if (Number.isInteger(days) && days >= 1 && days <= most) return days;
  throw new UsageError(`${flag}: ${JSON.stringify(text)} is not whole days, 1d to ${most}d`);
}
