/** A path with its values encoded: path`/api/v1/users/${name}`. @throws TypeError for what would lead to another path */
export function path(parts: TemplateStringsArray, ...values: string[]): string {
  return String.raw({ raw: parts }, ...values.map(encoded));
}

/** What follows repositories' names in paths. */
const WORDS =
  /(^|\/)(tags|history|images|usage|content|rollback|immutable-tags|grants|rename|deletion|aliases|retention)(\/|$)/;

/** A name that holds one of these words is sent with `%2F`; others are not, for proxies that refuse it. */
export function repositoryPath(name: string): string {
  const components = name.split('/').map(encoded);
  return `/api/v1/repositories/${components.join(WORDS.test(name) ? '%2F' : '/')}`;
}

function encoded(value: string): string {
  if (value === '' || value === '.' || value === '..') throw new TypeError(`${JSON.stringify(value)} is not a name`);
  return encodeURIComponent(value);
}

export type Query = Record<string, string | undefined>;

/** The path with what of the query is there. */
export function withQuery(path: string, query: Query): string {
  const given = Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given)}`;
}
