/**
 * JSON of which only the beginning is there: what is open at the end is closed, and the value that was being said is left out. undefined
 * when that is no JSON either, or nothing is left.
 */
export function parseBeginning(text: string): unknown {
  const open: ('}' | ']')[] = [];
  let inText = false;
  // Up to where the document is whole once what is open is closed; it follows every change of `open`.
  let whole = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (inText) {
      if (character === '\\') at++;
      else if (character === '"') inText = false;
      continue;
    }
    switch (character) {
      case '"':
        inText = true;
        break;
      case '{':
      case '[':
        open.push(character === '{' ? '}' : ']');
        if (open.length > MOST_LEVELS) return undefined;
        whole = at + 1;
        break;
      case '}':
      case ']':
        open.pop();
        whole = at + 1;
        break;
      case ',':
        whole = at;
        break;
    }
  }
  if (whole === 0) return undefined;
  try {
    return JSON.parse(text.slice(0, whole) + open.toReversed().join(''));
  } catch {
    return undefined;
  }
}

/** Deeper than any document that people read. */
const MOST_LEVELS = 1_000;
