// Whether what was said is what the page shows. Digests, tokens and ids are others each time, but the same one here stands for the
// same one there all through the page; times, sizes and versions may be any.

/** What is another each time, and whether one of the page always stands for the same one here. */
const CHANGING = [
  { kind: 'digest', pattern: 'sha256:[0-9a-f]{64}', same: true },
  { kind: 'token', pattern: 'berth_[a-z]+_[0-9A-Za-z]{20,}', same: true },
  { kind: 'id', pattern: '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}', same: true },
  { kind: 'short digest', pattern: '(?<![0-9a-f])[0-9a-f]{12}(?![0-9a-f])', same: true },
  { kind: 'backup', pattern: '\\d{8}T\\d{6}(?:\\.\\d+)?Z-[0-9a-f]+', same: true },
  { kind: 'fingerprint', pattern: '(?<=fingerprint )[0-9a-f]+', same: true },
  { kind: 'rows', pattern: '\\d+(?= row\\(s\\))', same: false },
  { kind: 'seconds', pattern: '(?<=; )[\\d.]+ s$', same: false },
  { kind: 'time', pattern: '\\d{4}-\\d\\d-\\d\\dT[\\d:.]+Z', same: false },
  { kind: 'size', pattern: '(?<=size: )\\d+|\\d+(?:\\.\\d+)? (?:bytes|[KMGT]i?B)', same: false },
  { kind: 'version', pattern: '(?<![\\d.])\\d+\\.\\d+\\.\\d+(?:\\+\\w+)?(?![\\d.])', same: false },
] as const;

const ANY_CHANGING = new RegExp(CHANGING.map(({ pattern }) => `(${pattern})`).join('|'), 'g');

/** What is said more or less often depending on how fast things go, and by npm of itself. */
const PASSING = [
  /^\w{12}: (?:Preparing|Waiting|Layer already exists|Pushed|Pulling fs layer|Verifying Checksum|Download complete|Pull complete|Already exists|Mounted from .*)$/,
  /^ {2}\S+: (?:pending|pulling|pulled|migrating|switching|monitoring|stable|reverting|reverted)$/,
  /^> /,
  /^\{"level":/,
];

/** Where a terminal is told to put a question. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CURSOR_UP = /\u001b\[(\d+)A/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above
const TERMINAL = /\r|\u001b\[[0-9;?]*[A-Za-z]/g;

/** Lines of the page that stand for any number of lines. */
const ANY_LINES = '…';

interface Line {
  shape: string;
  values: { kind: string; value: string; same: boolean }[];
}

export class Comparison {
  /** What stands here for a value of the page, and the other way round. */
  readonly #here = new Map<string, string>();
  readonly #there = new Map<string, string>();

  /** A command of the page with the values that stand here for those of the page. */
  translate(text: string): string {
    return text.replace(ANY_CHANGING, (value) => this.#here.get(value) ?? value);
  }

  /** @returns what differs, for people; undefined when nothing does */
  differs(page: string, said: string): string | undefined {
    const wanted = linesOf(page);
    const actual = linesOf(said);
    const pairs = align(wanted, actual);
    const shown = () => `the page has\n${page}\nbut it said\n${said}`;
    if (pairs === undefined) return shown();
    for (const [one, other] of pairs) {
      for (const [at, { kind, value, same }] of one.values.entries()) {
        const real = other.values[at]?.value ?? '';
        if (!same) continue;
        const before = this.#here.get(value);
        const from = this.#there.get(real);
        if ((before ?? real) !== real)
          return `${kind} ${value} of the page was ${before}, and is ${real} now: ${shown()}`;
        if ((from ?? value) !== value)
          return `${kind} ${real} is ${value} on the page, and was ${from} before: ${shown()}`;
        this.#here.set(value, real);
        this.#there.set(real, value);
      }
    }
    return undefined;
  }
}

function linesOf(text: string): Line[] {
  return onScreen(text)
    .map((line) => line.trimEnd())
    .filter((line) => line !== '' && !PASSING.some((pattern) => pattern.test(line)))
    .map((line) => {
      const values: Line['values'] = [];
      const shape = line.replace(ANY_CHANGING, (value: string, ...groups: unknown[]) => {
        const found = CHANGING[groups.slice(0, CHANGING.length).findIndex((group) => group !== undefined)];
        if (found === undefined) return value;
        values.push({ kind: found.kind, value, same: found.same });
        return `‹${found.kind}›`;
      });
      // The width of a column is that of its longest value.
      return { shape: shape.replace(/(?<=\S) {2,}/g, '  '), values };
    });
}

/** What is on a terminal's screen at the end: where the cursor goes up, the lines from there on are written anew. */
function onScreen(text: string): string[] {
  const lines: string[] = [];
  for (const line of text.split('\n')) {
    for (const [, up] of line.matchAll(CURSOR_UP)) lines.splice(Math.max(0, lines.length - Number(up)));
    lines.push(line.replace(TERMINAL, ''));
  }
  return lines;
}

/** Which line of the page is which that was said; undefined when they are not the same lines. */
function align(wanted: Line[], actual: Line[]): [Line, Line][] | undefined {
  const [first, ...rest] = wanted;
  const [next, ...others] = actual;
  if (first === undefined) return next === undefined ? [] : undefined;
  if (first.shape === ANY_LINES) {
    for (let skipped = 0; skipped <= actual.length; skipped++) {
      const pairs = align(rest, actual.slice(skipped));
      if (pairs !== undefined) return pairs;
    }
    return undefined;
  }
  if (next === undefined || first.shape !== next.shape) return undefined;
  const pairs = align(rest, others);
  return pairs === undefined ? undefined : [[first, next], ...pairs];
}
