const ESCAPE = '\u001b';
const BELL = '\u0007';

/** Colours, moves of the cursor, titles of windows (ECMA-48): what a terminal would obey. */
const SEQUENCES = new RegExp(
  [
    `${ESCAPE}\\[[0-?]*[ -/]*(?:[@-~]|$)`,
    `${ESCAPE}[\\]PX^_][^${BELL}${ESCAPE}]*(?:${BELL}|${ESCAPE}\\\\)?`,
    `${ESCAPE}[ -/]*[0-~]?`,
  ].join('|'),
  'gu',
);

/** Control characters but for line ends and tabs, and marks that turn the direction of text. */
const UNSEEN = /(?![\n\t])[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu;

/** What a container wrote, as text alone. A line that was written over shows what it ended as. */
export function plainText(written: string): string {
  return written
    .replace(SEQUENCES, '')
    .replace(/\r+\n/g, '\n')
    .replace(/[^\n]*\r(?=[^\n])/g, '')
    .replace(UNSEEN, '')
    .trimEnd();
}
