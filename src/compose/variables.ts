import { OciError } from '../oci/errors.ts';
import { record } from './definition.ts';
import type { ComposeFile } from './file.ts';
import type { Tree } from './tree.ts';

/**
 * What a compose file takes from the environment of `docker compose`.
 *
 * `required`: compose refuses to start without it. `hasDefault`: every place that uses it does without. Neither: compose warns and puts nothing there.
 */
export type ComposeVariable = { name: string; hasDefault: boolean; required: boolean };

/** The variables of a file, by name. @throws OciError BODY_INVALID where a `$` is malformed */
export function variablesOf(file: ComposeFile): ComposeVariable[] {
  const found = new Map<string, ComposeVariable>();
  const use = (name: string, hasDefault: boolean, required: boolean) => {
    const before = found.get(name) ?? { name, hasDefault: true, required: false };
    found.set(name, { name, hasDefault: before.hasDefault && hasDefault, required: before.required || required });
  };
  const { root } = file;
  for (const section of ['services', 'networks', 'volumes', 'secrets', 'configs']) {
    const tree = root.entries.get(section);
    if (tree !== undefined) visitTexts(tree, section, (text, where) => readTemplate(text, where, use));
  }
  for (const { definition } of file.services.values()) {
    for (const name of passedThrough(definition.environment)) use(name, true, false);
  }
  for (const section of ['secrets', 'configs']) {
    for (const entry of Object.values(record(file.definition[section]))) {
      const name = record(entry).environment;
      if (typeof name === 'string') use(name, false, true);
    }
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Names without a value: compose gives the container what its own environment has. */
function passedThrough(environment: unknown): string[] {
  if (Array.isArray(environment)) {
    return environment.filter((entry) => typeof entry === 'string' && /^[A-Za-z_][A-Za-z0-9_]*$/.test(entry));
  }
  return Object.entries(record(environment)).flatMap(([name, value]) => (value === null ? [name] : []));
}

function visitTexts(tree: Tree, where: string, visit: (text: string, where: string) => void): void {
  if (tree.kind === 'scalar') {
    if (typeof tree.value === 'string') visit(tree.value, where);
  } else if (tree.kind === 'list') {
    for (const [at, item] of tree.items.entries()) visitTexts(item, `${where}[${at}]`, visit);
  } else {
    for (const [name, value] of tree.entries) visitTexts(value, `${where}.${name}`, visit);
  }
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*/;

/** What a variable in a text becomes. `operator` is '', or one of `-`, `?`, `+`, with `:` before it; `rest` is what stands after that. */
type Put = (name: string, operator: string, rest: string) => string;

/** `$NAME`, `${NAME}`, `${NAME:-default}`, `-`, `:?`, `?`, `:+`, `+`, nested, and `$$`: the interpolation of the Compose Specification. */
class Template {
  #at = 0;

  constructor(
    readonly text: string,
    readonly where: string,
    readonly put: Put,
    /** What `$$` becomes. */
    readonly dollar = '$',
  ) {}

  read(): string {
    return this.#until(false);
  }

  #until(braced: boolean): string {
    let out = '';
    while (this.#at < this.text.length) {
      const char = this.text.charAt(this.#at);
      if (braced && char === '}') return out;
      this.#at += 1;
      out += char === '$' ? this.#variable() : char;
    }
    if (braced) throw this.#malformed();
    return out;
  }

  #variable(): string {
    if (this.text.charAt(this.#at) === '$') {
      this.#at += 1;
      return this.dollar;
    }
    const braced = this.text.charAt(this.#at) === '{';
    if (braced) this.#at += 1;
    const name = NAME.exec(this.text.slice(this.#at, this.#at + 300))?.[0];
    if (name === undefined) throw this.#malformed();
    this.#at += name.length;
    if (!braced) return this.put(name, '', '');
    const operator = /^:?[-?+]/.exec(this.text.slice(this.#at, this.#at + 2))?.[0] ?? '';
    this.#at += operator.length;
    const rest = operator === '' ? '' : this.#until(true);
    if (this.text.charAt(this.#at) !== '}') throw this.#malformed();
    this.#at += 1;
    return this.put(name, operator, rest);
  }

  #malformed(): OciError {
    return new OciError(
      'BODY_INVALID',
      `${this.where}: ${JSON.stringify(this.text.slice(0, 100))} has a "$" that begins no variable; write "$$" for the sign itself`,
    );
  }
}

/** A copy of a text with its variables put in as `docker compose` does. @throws OciError BODY_INVALID where a `$` is malformed */
export function interpolate(
  text: string,
  value: (name: string) => string | undefined = () => undefined,
  where = 'file',
): string {
  const put: Put = (name, operator, rest) => {
    const given = value(name);
    const isSet = given !== undefined && !(operator.startsWith(':') && given === '');
    if (operator.endsWith('+')) return isSet ? rest : '';
    return isSet ? given : operator.endsWith('-') ? rest : '';
  };
  return new Template(text, where, put).read();
}

/**
 * A copy of a text that means the same, save that a variable with a value here has it as its default.
 *
 * @throws OciError BODY_INVALID where a `$` is malformed
 */
export function withDefaults(text: string, value: (name: string) => string | undefined): string {
  const put: Put = (name, operator, rest) => {
    const given = value(name);
    if (given === undefined || operator.endsWith('+')) return `\${${name}${operator}${rest}}`;
    // A default ends at the first brace, whatever stands before it.
    if (/[${}]/.test(given)) return given.replaceAll('$', '$$$$');
    return `\${${name}${given === '' ? '-' : ':-'}${given}}`;
  };
  return new Template(text, 'file', put, '$$').read();
}

function readTemplate(
  text: string,
  where: string,
  use: (name: string, hasDefault: boolean, required: boolean) => void,
): void {
  if (!text.includes('$')) return;
  const put: Put = (name, operator) => {
    use(name, operator !== '' && !operator.endsWith('?'), operator.endsWith('?'));
    return '';
  };
  new Template(text, `file: ${where}`, put).read();
}

const RESERVED = new Set([
  ...['PATH', 'HOME', 'USER', 'LOGNAME', 'SHELL', 'PWD', 'TMPDIR', 'TERM', 'IFS', 'ENV', 'BASH_ENV', 'NODE_OPTIONS'],
  ...[
    'HTTP_PROXY',
    'HTTPS_PROXY',
    'NO_PROXY',
    'ALL_PROXY',
    'SSL_CERT_FILE',
    'SSL_CERT_DIR',
    'SSH_AUTH_SOCK',
    'SSH_ASKPASS',
  ],
]);
const RESERVED_BEGINNING =
  /^(?:DOCKER|COMPOSE|BERTH|BUILDKIT|BUILDX|XDG|LD|DYLD|OTEL|GODEBUG|GOTRACEBACK|GOMAXPROCS)(?:_|$)/;

/** True for a name that changes what `docker compose` or the agent itself does, and so can't be a variable of an environment. */
export function reservedVariable(name: string): boolean {
  const upper = name.toUpperCase();
  return RESERVED.has(upper) || RESERVED_BEGINNING.test(upper);
}
