// What a row hands back: samples by contender, the bar, and whether it holds.
import { median, pairRatios, type Spread, spread } from './statistics.ts';

/** What the number is held against. */
export type Bar =
  /** Berth is at least so many times as good as `than`, in the median of the pairs. */
  | { kind: 'times'; atLeast: number; than: string }
  /** Berth's median is at most so much, in the measurement's unit. */
  | { kind: 'value'; atMost: number }
  /** Berth's value is at most so many times that of `from`, in the median of the pairs. */
  | { kind: 'growth'; atMost: number; from: string }
  /** Printed for comparison alone. */
  | { kind: 'none' };

export interface Measurement {
  row: string;
  label: string;
  unit: string;
  better: 'higher' | 'lower';
  /** The contender that the bar is about. */
  subject: string;
  /** Values by contender; the same index in two of them is one pair. */
  samples: Record<string, number[]>;
  bar: Bar;
  notes: string[];
}

export interface Verdict {
  /** Median by contender. */
  medians: Record<string, number>;
  /** Of the pairs, the way the bar is worded; undefined where there is nothing to divide by. */
  ratio: Spread | undefined;
  bar: string;
  /** undefined when there is no bar. */
  holds: boolean | undefined;
}

export function judge(measurement: Measurement): Verdict {
  const { bar, better, samples, subject, unit } = measurement;
  const own = samples[subject] ?? [];
  const medians = Object.fromEntries(Object.entries(samples).map(([name, values]) => [name, median(values)]));
  const timesBetter = (other: readonly number[]) =>
    better === 'higher' ? pairRatios(own, other) : pairRatios(other, own);
  switch (bar.kind) {
    case 'times': {
      const ratio = timesBetter(samples[bar.than] ?? []);
      return { medians, ratio, bar: `≥ ${bar.atLeast} × ${bar.than}`, holds: ratio.median >= bar.atLeast };
    }
    case 'growth': {
      const ratio = pairRatios(own, samples[bar.from] ?? []);
      return { medians, ratio, bar: `≤ ${bar.atMost} × ${bar.from}`, holds: ratio.median <= bar.atMost };
    }
    case 'value': {
      const other = Object.keys(samples).find((name) => name !== subject);
      const ratio = other === undefined ? undefined : timesBetter(samples[other] ?? []);
      return { medians, ratio, bar: `≤ ${bar.atMost} ${unit}`, holds: spread(own).median <= bar.atMost };
    }
    case 'none': {
      const other = Object.keys(samples).find((name) => name !== subject);
      const ratio = other === undefined ? undefined : timesBetter(samples[other] ?? []);
      return { medians, ratio, bar: '–', holds: undefined };
    }
  }
}
