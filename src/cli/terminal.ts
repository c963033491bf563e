import { createInterface } from 'node:readline/promises';
import { UsageError } from './usage.ts';

/** A line of data, on standard output. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}

/** What a command did: as JSON, or in a line. */
export function report(json: boolean, value: unknown, line: string): void {
  if (json) printJson(value);
  else print(line);
}

/** A line for the person, on standard error. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Control characters and marks that turn the direction of text could make a terminal show what is not there. */
const UNSAFE = /[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu;

/** Somebody else's text, on one line. */
export function safe(text: string): string {
  return text.replace(UNSAFE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Columns under their headings; null is shown as `-`. Nothing but the note when there are no rows. */
export function printTable(
  headings: readonly string[],
  rows: readonly (readonly (string | null)[])[],
  none: string,
): void {
  if (rows.length === 0) note(none);
  else for (const line of tableLines(headings, rows)) print(line);
}

/** The lines of such a table. */
export function tableLines(headings: readonly string[], rows: readonly (readonly (string | null)[])[]): string[] {
  const lines = [headings, ...rows.map((row) => row.map((cell) => (cell === null || cell === '' ? '-' : safe(cell))))];
  const widths = headings.map((_, i) => Math.max(...lines.map((line) => Bun.stringWidth(line[i] ?? ''))));
  return lines.map((line) =>
    line
      .map((cell, i) => cell + ' '.repeat((widths[i] ?? 0) - Bun.stringWidth(cell)))
      .join('  ')
      .trimEnd(),
  );
}

/** `name: value` lines. */
export function printFields(fields: Record<string, string | null>): void {
  const width = Math.max(...Object.keys(fields).map((name) => name.length)) + 1;
  for (const [name, value] of Object.entries(fields)) {
    print(`${`${name}:`.padEnd(width)} ${value === null || value === '' ? '-' : safe(value)}`);
  }
}

/** A line typed on the terminal. @throws UsageError when there is none; `instead` says what to give */
export async function ask(prompt: string, instead: string): Promise<string> {
  if (!process.stdin.isTTY) throw new UsageError(`there is no terminal to ask on: ${instead}`);
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const ended = new Promise<string>((_, reject) => lines.once('close', () => reject(new UsageError('given up'))));
  try {
    return (await Promise.race([lines.question(prompt), ended])).trim();
  } finally {
    lines.close();
  }
}
