/** One challenge of a `WWW-Authenticate` header (RFC 9110 §11.6.1). */
export interface Challenge {
  /** In lower case. */
  scheme: string;
  /** Names in lower case. */
  parameters: Record<string, string>;
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const PARAMETER = new RegExp(`\\s*(${TOKEN})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|([^\\s,"]+))\\s*,?`, 'y');
const SCHEME = new RegExp(`[\\s,]*(${TOKEN})(?=\\s|,|$)`, 'y');

/** Every challenge, in the header's order. What can't be read ends the list. */
export function parseChallenges(header: string | null): Challenge[] {
  const text = header ?? '';
  const challenges: Challenge[] = [];
  for (let at = 0; at < text.length; ) {
    SCHEME.lastIndex = at;
    const scheme = SCHEME.exec(text);
    if (scheme?.[1] === undefined) break;
    at = SCHEME.lastIndex;
    const parameters: Record<string, string> = {};
    for (;;) {
      PARAMETER.lastIndex = at;
      const found = PARAMETER.exec(text);
      if (found?.[1] === undefined) break;
      parameters[found[1].toLowerCase()] = found[2]?.replace(/\\(.)/g, '$1') ?? found[3] ?? '';
      at = PARAMETER.lastIndex;
    }
    challenges.push({ scheme: scheme[1].toLowerCase(), parameters });
  }
  return challenges;
}
