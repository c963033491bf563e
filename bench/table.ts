// Renders measurements as a Markdown table that also reads well on a terminal.
import { judge, type Measurement } from './measurement.ts';
import type { Spread } from './statistics.ts';

const columns = ['work', 'against', 'its median', 'Berth', 'ratio (min – max of pairs)', 'bar', 'holds'];

export function renderTable(measurements: readonly Measurement[]): string {
  const rows = [columns, ...measurements.map(cells)];
  const widths = columns.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join(' | ')} |`;
  const [head = columns, ...body] = rows;
  return [line(head), `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`, ...body.map(line)].join('\n');
}

export function renderNotes(measurements: readonly Measurement[]): string {
  return measurements
    .filter((measurement) => measurement.notes.length > 0)
    .map((measurement) => `${measurement.label}\n${measurement.notes.map((note) => `  - ${note}`).join('\n')}`)
    .join('\n');
}

function cells(measurement: Measurement): string[] {
  const { medians, ratio, bar, holds } = judge(measurement);
  const { subject, unit, label } = measurement;
  const other = measurement.bar.kind === 'times' ? measurement.bar.than : undefined;
  const from = measurement.bar.kind === 'growth' ? measurement.bar.from : undefined;
  const against = other ?? from ?? Object.keys(medians).find((name) => name !== subject);
  const theirs = against === undefined ? undefined : medians[against];
  return [
    label,
    against ?? '–',
    theirs === undefined ? '–' : `${number(theirs)} ${unit}`,
    `${number(medians[subject] ?? Number.NaN)} ${unit}`,
    ratio === undefined ? '–' : ratioText(ratio),
    bar,
    holds === undefined ? '–' : holds ? 'yes' : 'NO',
  ];
}

function ratioText(ratio: Spread): string {
  return `${number(ratio.median)} × (${number(ratio.min)} – ${number(ratio.max)})`;
}

/** Three significant digits, whole numbers in groups of three. */
export function number(value: number): string {
  if (!Number.isFinite(value)) return '?';
  return value >= 100 ? Math.round(value).toLocaleString('en-US') : String(Number(value.toPrecision(3)));
}
