import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { type RepositoryInfo, visibility } from '../api/repositories.ts';
import { formatBytes } from './bytes.ts';
import { type Call, commandGroup } from './command-group.ts';
import { confirmName } from './confirm.ts';
import { plainName, repositoryName } from './names.ts';
import { note, printFields, printJson, printTable, report, safe } from './terminal.ts';
import { CommandError, oneOf, UsageError } from './usage.ts';

interface DescribingOptions {
  visibility?: string;
  description?: string;
}

interface EditOptions extends DescribingOptions {
  readme?: string;
}

interface ListOptions {
  namespace?: string;
  search?: string;
  visibility?: string;
}

export function register(program: Command, finish: (code: number) => void): void {
  const add = commandGroup(program, finish, {
    name: 'repository',
    summary: 'make, list, describe, rename and delete repositories',
    description: 'Repositories. A push makes one too.',
  });
  const describing = (command: Command) =>
    command
      .option('--visibility <VISIBILITY>', `${visibility.options.join(' or ')}: whether everyone may read it`)
      .option('--description <TEXT>', 'a line: what it is');

  add('create <NAME>', 'make an empty repository', create, describing);
  add('list', 'those that you may read, in the order of their names', list, (command) =>
    command
      .option('--namespace <NAME>', 'of this user or organization')
      .option('--search <TEXT>', 'with this in the name or the description')
      .option('--visibility <VISIBILITY>', `${visibility.options.join(' or ')} ones`),
  );
  add('show <NAME>', 'a repository', show);
  add('edit <NAME>', 'change who may see a repository, and what it says of itself', edit, (command) =>
    describing(command).option('--readme <FILE>', 'its README, in Markdown'),
  );
  add(
    'rename <NAME> <NEW-NAME>',
    'give a repository another name, or with another namespace another owner; its digests can still be pulled by the old one',
    rename,
  );
  add(
    'delete <NAME>',
    'delete a repository with all that is in it; says first what that is, and asks',
    remove,
    (command) => command.option('--yes', 'do not ask'),
  );
}

async function create({ client, json, options }: Call<DescribingOptions>, name: string): Promise<void> {
  const made = await client.repositories.create({ name: repositoryName(name, 'NAME'), ...describedBy(options) });
  report(json, made, `made ${made.name}, ${made.visibility}`);
}

async function list({ client, json, options }: Call<ListOptions>): Promise<void> {
  const { namespace, search, visibility: wanted } = options;
  const filter = {
    namespace: namespace === undefined ? undefined : plainName('--namespace', namespace),
    q: search,
    visibility: wanted === undefined ? undefined : oneOf('--visibility', wanted, visibility.options),
  };
  const found = await Array.fromAsync(client.repositories.list(filter));
  if (json) return printJson(found);
  printTable(
    ['NAME', 'VISIBILITY', 'UPDATED', 'DESCRIPTION'],
    found.map((repository) => [repository.name, repository.visibility, repository.updatedAt, repository.description]),
    'no repositories',
  );
}

async function show({ client, json }: Call, name: string): Promise<void> {
  showRepository(await client.repositories.get(repositoryName(name, 'NAME')), json);
}

async function edit({ client, json, options }: Call<EditOptions>, name: string): Promise<void> {
  const { readme } = options;
  const change = {
    ...describedBy(options),
    ...(readme === undefined ? {} : { readme: fileText('--readme', readme) }),
  };
  if (Object.keys(change).length === 0) {
    throw new UsageError('give what to change: --visibility, --description or --readme');
  }
  showRepository(await client.repositories.change(repositoryName(name, 'NAME'), change), json);
}

async function rename({ client, json }: Call, name: string, to: string): Promise<void> {
  const renamed = await client.repositories.rename(repositoryName(name, 'NAME'), repositoryName(to, 'NEW-NAME'));
  report(json, renamed, `${name} is ${renamed.name} now`);
}

async function remove({ client, json, options }: Call<{ yes?: boolean }>, name: string): Promise<void> {
  repositoryName(name, 'NAME');
  const plan = await client.repositories.deletion(name);
  note(
    `Deleting ${name} removes ${plan.tags} tag(s) and ${plan.manifests} manifest(s), and frees ${formatBytes(plan.bytes)}.`,
  );
  if (plan.users.length > 0) {
    throw new CommandError(`${name} is in use and can't be deleted: ${plan.users.map(safe).join(', ')}`);
  }
  await confirmName('repository', name, options.yes);
  await client.repositories.delete(name);
  report(json, { deleted: name, ...plan }, `deleted ${name}`);
}

function describedBy({ visibility: wanted, description }: DescribingOptions) {
  return {
    ...(wanted === undefined ? {} : { visibility: oneOf('--visibility', wanted, visibility.options) }),
    ...(description === undefined ? {} : { description }),
  };
}

function fileText(flag: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(`${flag}: ${path} can't be read: ${error instanceof Error ? error.message : 'unknown error'}`);
  }
}

function showRepository(repository: RepositoryInfo, json: boolean): void {
  if (json) {
    printJson(repository);
    return;
  }
  const { name, description, readme, tags, size, role, createdAt, updatedAt } = repository;
  printFields({
    name,
    visibility: repository.visibility,
    description,
    tags: String(tags),
    size: formatBytes(size),
    'you may': role,
    created: createdAt,
    updated: updatedAt,
    readme: readme === '' ? null : `${readme.split('\n').length} line(s); all of it with --output json`,
  });
}
