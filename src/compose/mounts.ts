import { isYes, listOf, record } from './definition.ts';

/** One entry of `volumes` of a service. `source` is '' for an anonymous volume. Variables are not put in. */
export type Mount = { kind: 'bind' | 'volume' | 'tmpfs' | 'other'; source: string; target: string; readOnly: boolean };

/** What a service mounts, from the short and the long form. */
export function mountsOf(definition: Record<string, unknown>): Mount[] {
  const { volumes } = definition;
  return (Array.isArray(volumes) ? volumes : []).flatMap((entry: unknown) => {
    if (typeof entry === 'string') return [shortMount(entry)];
    const { type, source, target, read_only: readOnly } = record(entry);
    const kind = type === 'bind' || type === 'volume' || type === 'tmpfs' ? type : 'other';
    return [
      {
        kind,
        source: listOf(source)[0] ?? '',
        target: listOf(target)[0] ?? '',
        readOnly: isYes(readOnly) || type === 'image',
      },
    ];
  });
}

function shortMount(text: string): Mount {
  const parts = splitOutsideBraces(text);
  if (parts.length === 1) return { kind: 'volume', source: '', target: text, readOnly: false };
  const [source = '', target = '', mode = ''] = parts;
  return { kind: isPath(source) ? 'bind' : 'volume', source, target, readOnly: mode.split(',').includes('ro') };
}

/** A source that begins with a variable is taken for a path: nobody names volumes so. */
function isPath(source: string): boolean {
  return /^(?:[./~\\$]|[a-zA-Z]:[\\/])/.test(source);
}

/** Splits at colons, not at those of `${NAME:-value}`. */
export function splitOutsideBraces(text: string): string[] {
  const parts = [''];
  let depth = 0;
  for (const char of text) {
    if (char === '{') depth += 1;
    if (char === '}') depth -= 1;
    if (char === ':' && depth <= 0) parts.push('');
    else parts[parts.length - 1] += char;
  }
  return parts;
}
