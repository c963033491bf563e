/** Units of a period that somebody gives, in seconds. */
export const PERIOD_UNITS = { seconds: 1, minutes: 60, hours: 3_600, days: 86_400 } as const;
export type PeriodUnit = keyof typeof PERIOD_UNITS;

/** As it is typed. */
export interface PeriodDraft {
  amount: string;
  unit: PeriodUnit;
}

/** @returns seconds; undefined for what is no period */
export function periodOf({ amount, unit }: PeriodDraft): number | undefined {
  return /^\d{1,9}$/.test(amount.trim()) ? Number(amount) * PERIOD_UNITS[unit] : undefined;
}

/** In the largest unit that gives a whole number. */
export function shownPeriod(seconds: number): PeriodDraft {
  const units = Object.keys(PERIOD_UNITS) as PeriodUnit[];
  const unit = (seconds > 0 && units.findLast((name) => seconds % PERIOD_UNITS[name] === 0)) || 'seconds';
  return { amount: String(seconds / PERIOD_UNITS[unit]), unit };
}
