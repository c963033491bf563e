import { fieldOf, listIn, textIn } from './json-field.ts';
import { parseBeginning } from './partial-json.ts';
import { readSbom, type Sbom } from './sbom.ts';

/** What the content of a referrer or of an artifact's part says. */
export interface Statement {
  /** To be read: JSON in lines, or the text as it is. */
  text: string;
  /** What is wrapped in it (DSSE, a bundle of sigstore), to be read as well. */
  payload: string | undefined;
  /** The in-toto statement's. */
  predicateType: string | undefined;
  /** What it is about: names with digests. */
  subjects: { name: string; digest: string }[];
  /** Who built it, of a SLSA provenance. */
  builder: string | undefined;
  sbom: Sbom | undefined;
}

/**
 * Reads text that somebody pushed. It never throws; what can't be understood is text.
 *
 * @param truncated whether `text` is only the beginning
 */
export function readStatement(text: string, truncated: boolean): Statement {
  const document = parse(text, truncated);
  const payload = payloadOf(text, document, truncated);
  const inner = payload === undefined ? document : parse(payload, truncated);
  const predicate = predicateOf(inner);
  return {
    // The beginning of a document stays as it came: made whole, it would look as if it were.
    text: truncated ? text : pretty(text, document),
    payload: payload === undefined || truncated ? payload : pretty(payload, inner),
    predicateType: textIn(inner, 'predicateType'),
    subjects: subjectsOf(inner),
    builder: builderOf(predicate),
    sbom: readSbom(inner) ?? readSbom(predicate),
  };
}

function parse(text: string, truncated: boolean): unknown {
  const begins = text.trimStart()[0];
  if (begins !== '{' && begins !== '[') return undefined;
  if (truncated) return parseBeginning(text);
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Each level is two spaces more on every line beneath it: a deep document would grow without measure. */
const MOST_LEVELS = 40;

function pretty(text: string, document: unknown): string {
  if (document === undefined || levelsOf(text) > MOST_LEVELS) return text;
  return JSON.stringify(document, null, 2);
}

function levelsOf(json: string): number {
  let level = 0;
  let most = 0;
  let inText = false;
  for (let at = 0; at < json.length; at++) {
    const character = json[at];
    if (inText) {
      if (character === '\\') at++;
      else if (character === '"') inText = false;
    } else if (character === '"') inText = true;
    else if (character === '{' || character === '[') most = Math.max(most, ++level);
    else if (character === '}' || character === ']') level--;
  }
  return most;
}

/** Of a DSSE envelope (github.com/secure-systems-lab/dsse), which may be in a bundle of sigstore. */
function payloadOf(text: string, document: unknown, truncated: boolean): string | undefined {
  const envelope = fieldOf(document, 'dsseEnvelope') ?? document;
  const payload = textIn(envelope, 'payload');
  if (payload !== undefined) return textIn(envelope, 'payloadType') === undefined ? undefined : decode(payload);
  // Nearly all of a long envelope is its payload: the cut goes through it.
  const begun = truncated ? /"payload"\s*:\s*"([\w+/-]+)$/.exec(text)?.[1] : undefined;
  return begun === undefined ? undefined : decode(begun.slice(0, begun.length - (begun.length % 4)));
}

/** Base64 of either alphabet, a character that is cut at the end left out; undefined when it is none or not UTF-8. */
function decode(base64: string): string | undefined {
  try {
    const bytes = Uint8Array.from(
      atob(base64.replaceAll('-', '+').replaceAll('_', '/')),
      (character) => character.codePointAt(0) ?? 0,
    );
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true });
  } catch {
    return undefined;
  }
}

const MOST_SUBJECTS = 20;

function subjectsOf(statement: unknown): Statement['subjects'] {
  return listIn(statement, 'subject')
    .slice(0, MOST_SUBJECTS)
    .flatMap((subject) => {
      const digest = fieldOf(subject, 'digest');
      const [algorithm] = typeof digest === 'object' && digest !== null ? Object.keys(digest) : [];
      const hex = algorithm === undefined ? undefined : textIn(digest, algorithm);
      return hex === undefined ? [] : [{ name: textIn(subject, 'name') ?? '', digest: `${algorithm}:${hex}` }];
    });
}

/** cosign wraps a document that is no in-toto predicate as text, with the time: `{"Data": "{…}", "Timestamp": …}`. */
function predicateOf(statement: unknown): unknown {
  const predicate = fieldOf(statement, 'predicate');
  const data = textIn(predicate, 'Data');
  return data === undefined ? predicate : parse(data, false);
}

/** SLSA 1.0 has it in `runDetails`, before it was at the top. */
function builderOf(predicate: unknown): string | undefined {
  const builder = fieldOf(fieldOf(predicate, 'runDetails'), 'builder') ?? fieldOf(predicate, 'builder');
  const id = textIn(builder, 'id');
  return id === '' ? undefined : id;
}
