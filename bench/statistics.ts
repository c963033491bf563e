// Medians, percentiles and the ratios of pairs.

export interface Spread {
  median: number;
  min: number;
  max: number;
}

/** The value below which `share` (0 to 1) of the values lie, by nearest rank. NaN for no values. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  const lower = sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
  return (upper + lower) / 2;
}

export function spread(values: readonly number[]): Spread {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/**
 * numerator[i] / denominator[i], and the spread of these. A pair was measured one right after the other, so that what
 * else the machine does falls on both: the ratio of a pair says more than the ratio of two medians.
 */
export function pairRatios(numerator: readonly number[], denominator: readonly number[]): Spread {
  const ratios: number[] = [];
  for (const [index, value] of numerator.entries()) {
    const other = denominator[index];
    if (other !== undefined) ratios.push(value / other);
  }
  return spread(ratios);
}
