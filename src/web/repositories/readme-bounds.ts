/** Laying out Markdown holds the page up: of a longer text the rest is shown as it was written. */
const MOST_CHARACTERS = 50_000;
/** Lines without an empty one between, each as often as it is quoted or a list in a list. */
const MOST_LINES = 1_500;
/** `>` and list signs at the beginning of a line. */
const MOST_DEPTH = 12;
const MOST_INDENT = 60;
/** Of all lines together, how deep they are. */
const MOST_DEPTHS = 6_000;
/** Brackets, stars and such in one paragraph: a parser looks for the pair of each. */
const MOST_SIGNS = 4_000;

/**
 * The beginning of a Markdown text that can be laid out quickly, whoever wrote it, and the rest.
 *
 * @returns undefined for what is nested so deeply that none of it is laid out
 */
export function quickMarkdown(text: string): { laidOut: string; rest: string } | undefined {
  const laidOut = text.length <= MOST_CHARACTERS ? text : beginning(text);
  return nestsTooDeeply(laidOut) ? undefined : { laidOut, rest: text.slice(laidOut.length) };
}

/** Up to the last empty line that is within bounds. */
function beginning(text: string): string {
  const end = text.lastIndexOf('\n\n', MOST_CHARACTERS);
  return text.slice(0, end > 0 ? end : MOST_CHARACTERS);
}

function nestsTooDeeply(text: string): boolean {
  let lines = 0;
  let signs = 0;
  let depths = 0;
  for (const line of text.split(/\r\n|\r|\n/)) {
    const lead = isRule(line) ? '' : (/^[\s>*+-]*/.exec(line)?.[0] ?? '');
    const depth = lead.replace(/\s/g, '').length;
    if (lead.length > MOST_INDENT || depth > MOST_DEPTH) return true;
    depths += depth;
    lines = line.trim() === '' ? 0 : lines + 1;
    signs = line.trim() === '' ? 0 : signs + (line.match(/[[\]*_~`!<&]/g)?.length ?? 0);
    if (lines > MOST_LINES || signs > MOST_SIGNS || depths > MOST_DEPTHS) return true;
  }
  return false;
}

/** `-----`, also beneath a heading. */
function isRule(line: string): boolean {
  return line.length <= 200 && /^ {0,3}(-{3,}|\*{3,})\s*$/.test(line);
}
