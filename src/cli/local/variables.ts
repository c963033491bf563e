import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { ResolvedSet } from '../../api/releases.ts';
import type { ComposeFile } from '../../compose/file.ts';
import { reservedVariable, variablesOf } from '../../compose/variables.ts';
import { CommandError } from '../usage.ts';

type Environment = Record<string, string | undefined>;

export interface Sources {
  /** Of the environment that the set is taken from. */
  resolved: Pick<ResolvedSet, 'variables' | 'secrets'>;
  /** Of `.env` in the current folder. */
  file: Record<string, string>;
  process: Environment;
  /** Of --set. */
  given: Record<string, string>;
}

/** What a variable is on this machine: --set wins, then this process's environment, then `.env`, then the environment of Berth. */
export function lookup(sources: Sources): (name: string) => string | undefined {
  const own = (values: Environment, name: string) => (Object.hasOwn(values, name) ? values[name] : undefined);
  return (name) =>
    // What docker itself goes by is the person's own.
    reservedVariable(name)
      ? own(sources.process, name)
      : (own(sources.given, name) ??
        own(sources.process, name) ??
        own(sources.file, name) ??
        own(sources.resolved.variables, name));
}

/**
 * The values that a file takes from outside, without those that docker itself goes by.
 *
 * @param note is told of variables that stay empty
 * @throws CommandError naming those that can't
 */
export function collectVariables(
  file: ComposeFile,
  sources: Sources,
  note: (line: string) => void,
): Record<string, string> {
  const value = lookup(sources);
  const values: Record<string, string> = {};
  const missing: string[] = [];
  for (const { name, hasDefault, required } of variablesOf(file)) {
    const found = value(name);
    const secret = sources.resolved.secrets.includes(name);
    if (found !== undefined) {
      if (!reservedVariable(name)) values[name] = found;
    } else if (required || (secret && !hasDefault)) {
      missing.push(secret ? `${name} (a secret, which the server does not give out)` : name);
    } else if (secret) note(`${name} is a secret: here it is what the compose file says without it`);
    else if (!hasDefault) note(`${name} has no value: it is empty`);
  }
  const [first] = missing;
  if (first !== undefined) {
    const name = first.split(' ', 1)[0];
    throw new CommandError(
      `no value for ${missing.join(', ')}: give one with --set ${name}=VALUE, in .env, or as a variable of the environment`,
    );
  }
  return values;
}

const MOST_BYTES = 1_048_576;

/** The `.env` of a folder; nothing when there is none. @throws CommandError */
export function readEnvFile(folder: string): Record<string, string> {
  const path = resolve(folder, '.env');
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code !== 'ENOENT') {
      throw new CommandError(`${path}: cannot be read: ${error.message}`);
    }
    return {};
  }
  if (text.length > MOST_BYTES) throw new CommandError(`${path}: is larger than 1 MiB`);
  return parseEnv(text);
}

const LINE =
  /^[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*(?:'([^']*)'|"((?:[^"\\]|\\[\s\S])*)"|([^\r\n]*))/gm;

/** `NAME=value`, `'as it is'`, `"with \n"`, `# comments`, `export`. Variables within values are not put in. */
export function parseEnv(text: string): Record<string, string> {
  const values: Record<string, string> = {};
  for (const [, name = '', single, double, plain = ''] of text.matchAll(LINE)) {
    values[name] = single ?? (double === undefined ? plain.replace(/(?:^|\s)#.*$/, '').trim() : unescaped(double));
  }
  return values;
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };

function unescaped(text: string): string {
  return text.replace(/\\([\s\S])/g, (_, char: string) => ESCAPES[char] ?? char);
}
