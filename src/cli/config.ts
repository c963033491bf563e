import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { type ConfigInfo, variableName } from '../api/stacks.ts';
import { environmentAndPairs, pairsOf } from './choices.ts';
import { type Call, commandGroup } from './command-group.ts';
import { readSecret } from './read-secret.ts';
import { environmentText, givenEnvironment, resolveEnvironment } from './stack-name.ts';
import { note, printJson, printTable, report } from './terminal.ts';
import { collected, UsageError } from './usage.ts';

interface StackOption {
  stack?: string;
}

interface ChangeOptions extends StackOption {
  deploy?: boolean;
}

interface SetOptions extends ChangeOptions {
  secret?: string[];
  secretFile?: string[];
}

export function register(program: Command, finish: (code: number) => void): void {
  const add = commandGroup(program, finish, {
    name: 'config',
    summary: 'the variables and secrets of an environment',
    description:
      'The variables and secrets of an environment. Each change is a version; secrets are kept encrypted and never shown. ENV is test, shop/test or alice/shop/test.',
  });
  const stack = (command: Command) => command.option('--stack <STACK>', 'of which the environment is [BERTH_STACK]');
  const changing = (command: Command) =>
    stack(command.option('--deploy', 'deploy what runs now with it, at once; else the next deployment has it'));

  add('set [ENV] [NAME=VALUE...]', 'set variables and secrets', set, (command) =>
    changing(
      command
        .option('--secret <NAME>', 'a secret, typed without being shown or from standard input', collected)
        .option('--secret-file <NAME=FILE>', 'a secret, from a file without its last line end', collected),
    ),
  );
  add('unset <ENV> <NAME...>', 'take variables and secrets away', unset, changing);
  add('list [ENV]', 'the variables as they are now; of secrets the names alone', list, stack);
  add('history [ENV]', 'the versions, newest first', history, stack);
}

async function set({ client, json, options }: Call<SetOptions>, ...args: string[]): Promise<void> {
  const { environment: given, pairs } = environmentAndPairs(args);
  const values = Object.entries(pairsOf('NAME=VALUE', pairs, 'NAME=VALUE')).map(([name, value]) => ({
    name,
    value,
    secret: false,
  }));
  const files = Object.entries(pairsOf('--secret-file', options.secretFile ?? [], 'NAME=FILE')).map(([name, path]) => ({
    name,
    value: secretOf(name, path),
    secret: true,
  }));
  const typed = options.secret ?? [];
  const names = [...values, ...files].map(({ name }) => name).concat(typed);
  checkNames(names);
  const environment = await resolveEnvironment(client, givenEnvironment(given), options.stack);
  const variables = [...values, ...files, ...(await readSecrets(typed))];
  const changed = await client.environments.changeConfig(environment, {
    set: Object.fromEntries(variables.map(({ name, value, secret }) => [name, { value, secret }])),
    deploy: options.deploy ?? false,
  });
  done(json, changed, environmentText(environment), options);
}

async function unset({ client, json, options }: Call<ChangeOptions>, given: string, ...names: string[]): Promise<void> {
  checkNames(names);
  const environment = await resolveEnvironment(client, given, options.stack);
  const deploy = options.deploy ?? false;
  done(
    json,
    await client.environments.changeConfig(environment, { unset: names, deploy }),
    environmentText(environment),
    options,
  );
}

async function list({ client, json, options }: Call<StackOption>, given: string | undefined): Promise<void> {
  const environment = await resolveEnvironment(client, givenEnvironment(given), options.stack);
  const config = await client.environments.config(environment);
  if (json) return printJson(config);
  printTable(
    ['NAME', 'VALUE'],
    config.variables.map(({ name, secret, value }) => [name, secret ? '(secret)' : (value ?? '')]),
    'no variables',
  );
}

async function history({ client, json, options }: Call<StackOption>, given: string | undefined): Promise<void> {
  const environment = await resolveEnvironment(client, givenEnvironment(given), options.stack);
  const versions = await client.environments.configVersions(environment);
  if (json) return printJson(versions);
  printTable(
    ['VERSION', 'WHO', 'WHEN', 'NAMES'],
    versions.map(({ version, createdBy, createdAt, variables }) => [
      String(version),
      createdBy,
      createdAt,
      variables.map(({ name, secret }) => (secret ? `${name} (secret)` : name)).join(', '),
    ]),
    'no variables were set yet',
  );
}

function done(json: boolean, changed: ConfigInfo, environment: string, { deploy }: ChangeOptions): void {
  report(json, changed, `${environment} has version ${changed.version} of its variables`);
  if (!json) note(deploy ? 'deploying it: berth status shows how far' : 'the next deployment takes it');
}

/** A name that holds a value is not repeated: it may be a secret. @throws UsageError */
function checkNames(names: readonly string[]): void {
  if (names.length === 0)
    throw new UsageError('give what to set: NAME=VALUE, --secret NAME or --secret-file NAME=FILE');
  for (const [i, name] of names.entries()) {
    if (name.includes('=')) {
      throw new UsageError(
        "--secret: give the name alone, the value is asked for: others can see a command line's words",
      );
    }
    if (!variableName.safeParse(name).success) {
      throw new UsageError(
        `${JSON.stringify(name)} is not a name of letters, digits and "_" that begins with no digit`,
      );
    }
    if (names.indexOf(name) !== i) throw new UsageError(`${name} is there twice`);
  }
}

/** One by one on the terminal; without one, standard input is the only one. @throws UsageError */
async function readSecrets(names: readonly string[]): Promise<{ name: string; value: string; secret: true }[]> {
  const piped = !process.stdin.isTTY;
  if (piped && names.length > 1) {
    throw new UsageError('--secret: standard input is one secret; give the others with --secret-file NAME=FILE');
  }
  const secrets: { name: string; value: string; secret: true }[] = [];
  for (const name of names) secrets.push({ name, value: await readSecret(`${name}: `, piped), secret: true });
  return secrets;
}

function secretOf(name: string, path: string): string {
  try {
    return readFileSync(path, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'unknown error';
    throw new UsageError(`--secret-file: ${name}: ${path} can't be read: ${reason}`);
  }
}
