/** Units of a size that somebody gives, by their power of 1024. */
export const SIZE_UNITS = { KiB: 1, MiB: 2, GiB: 3, TiB: 4 } as const;
export type SizeUnit = keyof typeof SIZE_UNITS;

/** @returns bytes; undefined for what is no size */
export function sizeOf(amount: string, unit: SizeUnit): number | undefined {
  if (!/^\d{1,12}([.,]\d{1,6})?$/.test(amount.trim())) return undefined;
  const bytes = Math.round(Number(amount.trim().replace(',', '.')) * 1024 ** SIZE_UNITS[unit]);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** The largest unit of which it is at least one, with at most three decimals. */
export function shownSize(bytes: number): { amount: string; unit: SizeUnit } {
  const units = Object.keys(SIZE_UNITS) as SizeUnit[];
  const unit = units.findLast((name) => bytes >= 1024 ** SIZE_UNITS[name]) ?? 'KiB';
  return { amount: String(Math.round((bytes / 1024 ** SIZE_UNITS[unit]) * 1000) / 1000), unit };
}
