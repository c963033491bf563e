const MOST_QUOTES = 32;
const MOST_INDENT = 200;
const MOST_BRACKETS = 500;

/**
 * Whether a Markdown text would take its reader's time away: quotes and lists deep in each other, or more brackets and stars in one
 * paragraph than a parser pairs in reasonable time.
 */
export function nestsTooDeeply(text: string): boolean {
  let marks = 0;
  for (const line of text.split('\n')) {
    const lead = /^[\s>*+-]*/.exec(line)?.[0] ?? '';
    if (lead.length > MOST_INDENT || lead.split('>').length - 1 > MOST_QUOTES) return true;
    if (line.trim() === '') {
      marks = 0;
      continue;
    }
    for (const character of line) if ('[]*_~`!'.includes(character)) marks++;
    if (marks > MOST_BRACKETS * 10) return true;
  }
  return false;
}
