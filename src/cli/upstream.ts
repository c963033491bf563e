import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { type Call, commandGroup } from './command-group.ts';
import { confirmName } from './confirm.ts';
import { plainName, repositoryName } from './names.ts';
import { readSecret } from './read-secret.ts';
import { note, print, printJson, printTable, report, safe } from './terminal.ts';
import { CommandError, UsageError } from './usage.ts';

interface LoginOptions {
  username?: string;
  passwordStdin?: boolean;
  authority?: string | false;
}

export function register(program: Command, finish: (code: number) => void): void {
  const add = commandGroup(program, finish, {
    name: 'upstream',
    summary: 'other registries by name, for caches and mirrors',
    description:
      'Other registries by name, with the log-in that they are asked with. Caches and mirrors name them. For administrators.',
  });
  const login = (command: Command) =>
    command
      .option('--username <NAME>', 'log in there; the password or token is asked for')
      .option('--password-stdin', 'read the password from standard input')
      .option('--authority <FILE>', 'certificates (PEM) of the authority that it has its own from');
  add('create <NAME> <ADDRESS>', 'name one, such as hub docker.io, or old https://old.example.com:5000', create, login);
  add('list', 'the upstreams, and what uses them', list);
  add('edit <NAME>', 'change what is given; it holds at once', edit, (command) =>
    login(command)
      .option('--address <ADDRESS>', 'another address')
      .option('--no-login', 'ask without a log-in from now on')
      .option('--no-authority', "trust the system's authorities alone"),
  );
  add('check <NAME>', 'ask it whether it answers and takes the log-in', check, (command) =>
    command.option('--repository <NAME>', 'one of its own, whose tags are to be listed, too'),
  );
  add(
    'delete <NAME>',
    'forget one and its log-in; asks; refused while a cache or a mirror uses it',
    remove,
    (command) => command.option('--yes', 'do not ask'),
  );
}

async function create({ client, json, options }: Call<LoginOptions>, given: string, address: string): Promise<void> {
  const name = plainName('NAME', given);
  const { username } = options;
  if (options.passwordStdin && username === undefined) throw new UsageError('--password-stdin: needs --username');
  const upstream = await client.upstreams.create({
    name,
    address,
    ...(username === undefined ? {} : { username, password: await passwordOf(username, options) }),
    ...(typeof options.authority === 'string' ? { ca: certificates(options.authority) } : {}),
  });
  report(json, upstream, `made upstream ${name} of ${upstream.address}`);
  if (!json) note(`see whether it answers: berth upstream check ${name}`);
}

async function list({ client, json }: Call): Promise<void> {
  const upstreams = await client.upstreams.list();
  if (json) return printJson(upstreams);
  printTable(
    ['NAME', 'ADDRESS', 'USERNAME', 'AUTHORITY', 'CACHES', 'MIRRORS', 'CHANGED'],
    upstreams.map((upstream) => [
      upstream.name,
      upstream.address,
      upstream.username,
      upstream.hasAuthority ? 'own' : null,
      upstream.caches.join(', '),
      upstream.mirrors.join(', '),
      upstream.updatedAt,
    ]),
    'no upstreams',
  );
}

interface EditOptions extends LoginOptions {
  address?: string;
  login: boolean;
}

async function edit({ client, json, options }: Call<EditOptions>, given: string): Promise<void> {
  const name = plainName('NAME', given);
  const { address, username, passwordStdin, authority } = options;
  if (!options.login && (username !== undefined || passwordStdin)) {
    throw new UsageError('--no-login: not together with --username or --password-stdin');
  }
  const asks = username !== undefined || passwordStdin;
  const change = {
    ...(address === undefined ? {} : { address }),
    ...(username === undefined ? {} : { username }),
    ...(asks ? { password: await passwordOf(username ?? name, options) } : {}),
    ...(options.login ? {} : { username: null }),
    ...(typeof authority === 'string' ? { ca: certificates(authority) } : {}),
    ...(authority === false ? { ca: null } : {}),
  };
  if (Object.keys(change).length === 0) {
    throw new UsageError(
      'nothing to change: give --address, --username, --password-stdin, --no-login, --authority or --no-authority',
    );
  }
  const upstream = await client.upstreams.change(name, change);
  report(json, upstream, `changed upstream ${name}`);
}

async function check({ client, json, options }: Call<{ repository?: string }>, given: string): Promise<void> {
  const name = plainName('NAME', given);
  const { repository } = options;
  const wanted = repository === undefined ? undefined : repositoryName(repository, '--repository');
  const found = await client.upstreams.check(name, wanted);
  if (json) printJson(found);
  if (!found.ok) throw new CommandError(`${name}: ${safe(found.why ?? 'it does not answer')}`);
  if (json) return;
  const how = found.login ? 'it takes the log-in' : 'it asked for no log-in';
  print(`${name} answers; ${how}${wanted === undefined ? '' : `; it lists the tags of ${wanted}`}`);
}

async function remove({ client, json, options }: Call<{ yes?: boolean }>, given: string): Promise<void> {
  const name = plainName('NAME', given);
  await confirmName('upstream', name, options.yes);
  await client.upstreams.delete(name);
  report(json, { deleted: name }, `deleted upstream ${name}`);
}

function passwordOf(username: string, { passwordStdin }: LoginOptions): Promise<string> {
  return readSecret(`Password or token of ${username}: `, passwordStdin ?? false);
}

function certificates(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(
      `--authority: cannot read ${path}: ${error instanceof Error ? error.message : 'unknown error'}`,
    );
  }
}
