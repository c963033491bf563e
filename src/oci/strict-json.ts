/** What {@link scanJson} refuses: `at` counts characters from 0. */
export interface JsonFault {
  reason: string;
  at: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Looks at JSON text that `JSON.parse` would take and finds what it would hide: a key that stands twice in one object
 * (readers differ on which one counts, so two clients could run different images from one digest) and nesting beyond
 * `maxDepth` (readers differ on where they give up). Keeps its own stack, so that depth cannot overflow ours.
 *
 * @returns the first fault, or undefined. Grammar errors are left to `JSON.parse`.
 */
export function scanJson(text: string, maxDepth = 32): JsonFault | undefined {
  const stack: (Set<string> | null)[] = [];
  let expectKey = false;
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case 0x7b: // {
      case 0x5b: {
        // [
        const object = text.charCodeAt(i) === 0x7b;
        stack.push(object ? new Set() : null);
        if (stack.length > maxDepth) return { reason: `nested deeper than ${maxDepth} levels`, at: i };
        expectKey = object;
        break;
      }
      case 0x7d: // }
      case 0x5d: // ]
        stack.pop();
        expectKey = false;
        break;
      case 0x2c: // ,
        expectKey = stack.at(-1) instanceof Set;
        break;
      case QUOTE: {
        const end = stringEnd(text, i);
        const keys = stack.at(-1);
        if (expectKey && keys instanceof Set) {
          const key = unquote(text.slice(i, end + 1));
          if (keys.has(key))
            return { reason: `the key ${JSON.stringify(key.slice(0, 100))} stands twice in one object`, at: i };
          keys.add(key);
          expectKey = false;
        }
        i = end;
        break;
      }
    }
  }
  return undefined;
}

/** The index of the quote that closes the string opened at `start`, or the last index of an unclosed one. */
function stringEnd(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === BACKSLASH) i++;
    else if (code === QUOTE) return i;
  }
  return text.length - 1;
}

function unquote(quoted: string): string {
  if (!quoted.includes('\\')) return quoted.slice(1, -1);
  try {
    return String(JSON.parse(quoted));
  } catch {
    return quoted;
  }
}
