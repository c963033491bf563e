import { isRepositoryName } from '../oci/names.ts';

/** Distribution "Token Scope Documentation": `repository:alice/app:pull,push`, `registry:catalog:*`. */
export interface Scope {
  type: string;
  name: string;
  actions: string[];
  /** What was asked for and not granted. */
  refused?: string[];
}

/** A request for more repositories than any client makes. */
const MOST_SCOPES = 100;

/**
 * The scopes of a request, merged by what they are about. One that is malformed, or of a type that this registry does not have, is
 * left out: it grants nothing (as the specification has it, a client learns that from the token).
 *
 * @param texts each may hold several, with a space between
 */
export function parseScopes(texts: readonly string[]): Scope[] {
  const merged = new Map<string, Scope>();
  for (const text of texts.flatMap((list) => list.split(' ')).filter(Boolean)) {
    const scope = parseScope(text);
    if (scope === undefined) continue;
    const key = `${scope.type}:${scope.name}`;
    const before = merged.get(key);
    if (before !== undefined) before.actions = [...new Set([...before.actions, ...scope.actions])];
    else if (merged.size < MOST_SCOPES) merged.set(key, scope);
  }
  return [...merged.values()];
}

function parseScope(text: string): Scope | undefined {
  // `repository(plugin):…` is the older form of a resource class.
  const match = /^([a-z]+)(?:\([a-z0-9]+\))?:(.+):([a-z*,]*)$/.exec(text);
  if (match === null) return undefined;
  const [, type = '', name = '', actions = ''] = match;
  const known = type === 'repository' ? isRepositoryName(name) : type === 'registry' && name === 'catalog';
  return known ? { type, name, actions: actions.split(',').filter(Boolean) } : undefined;
}

export function scopeText({ type, name, actions }: Scope): string {
  return `${type}:${name}:${actions.join(',')}`;
}
