import { existsSync, readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { StackInfo } from '../api/stacks.ts';
import { type Call, commandGroup } from './command-group.ts';
import { confirmName } from './confirm.ts';
import { shortDigest } from './image-text.ts';
import { newStackName, resolveStack, stackText } from './stack-name.ts';
import { note, print, printFields, printJson, printTable, report, safe } from './terminal.ts';
import { UsageError } from './usage.ts';

interface FileOption {
  file?: string;
}

/** Those that docker compose looks for, in its order. */
const USUAL = ['compose.yaml', 'compose.yml', 'docker-compose.yaml', 'docker-compose.yml'];

export function register(program: Command, finish: (code: number) => void): void {
  const add = commandGroup(program, finish, {
    name: 'stack',
    summary: 'make, list, change and delete stacks',
    description: 'Stacks: compose files and their services. NAME is shop or alice/shop.',
  });
  const file = (command: Command) =>
    command.option('-f, --file <FILE>', `the compose file; - for standard input; ${USUAL[0]} and the like without it`);

  add('create <NAME>', 'make a stack of a compose file', create, file);
  add('update <NAME>', 'give a stack another compose file; releases from now on have it', update, file);
  add('list', 'those that you may read', list);
  add('show <NAME>', 'a stack', show);
  add('file <NAME>', 'its compose file, as it was given', printFile);
  add('delete <NAME>', 'delete a stack with its environments, releases and history; asks', remove, (command) =>
    command.option('--yes', 'do not ask'),
  );
}

async function create({ client, json, options }: Call<FileOption>, given: string): Promise<void> {
  const file = await composeText(options.file);
  const { namespace, stack } = await newStackName(client, given);
  const made = await client.stacks.create(namespace, { name: stack, file });
  report(json, made, `made ${safe(made.name)}: ${servicesText(made)}`);
  if (!json) note(`say where it runs: berth env create ${stack} test`);
}

async function update({ client, json, options }: Call<FileOption>, given: string): Promise<void> {
  const file = await composeText(options.file);
  const changed = await client.stacks.setFile(await resolveStack(client, given), file);
  report(json, changed, `changed ${safe(changed.name)}: ${servicesText(changed)}`);
}

async function list({ client, json }: Call): Promise<void> {
  const stacks = await Array.fromAsync(client.stacks.list());
  if (json) return printJson(stacks);
  printTable(
    ['NAME', 'SERVICES', 'ENVIRONMENTS', 'UPDATED'],
    stacks.map((stack) => [stack.name, servicesText(stack), stack.environments.join(' '), stack.updatedAt]),
    'no stacks',
  );
}

async function show({ client, json }: Call, given: string): Promise<void> {
  const stack = await client.stacks.get(await resolveStack(client, given));
  if (json) return printJson(stack);
  const { name, environments, file, createdBy, createdAt, updatedAt, services } = stack;
  printFields({
    name,
    environments: environments.join(' '),
    file: shortDigest(file),
    created: `${createdAt} by ${createdBy}`,
    updated: updatedAt,
  });
  print('');
  printTable(
    ['SERVICE', 'IMAGE', 'REPOSITORY'],
    services.map(({ name: service, image, repository }) => [service, image, repository ?? 'of another registry']),
    'no services',
  );
}

async function printFile({ client, json }: Call, given: string): Promise<void> {
  const file = await client.stacks.file(await resolveStack(client, given));
  if (json) printJson(file);
  else process.stdout.write(file.file);
}

async function remove({ client, json, options }: Call<{ yes?: boolean }>, given: string): Promise<void> {
  const name = await resolveStack(client, given);
  await confirmName('stack', stackText(name), options.yes);
  await client.stacks.delete(name);
  report(json, { deleted: stackText(name) }, `deleted ${stackText(name)}`);
}

function servicesText({ services }: StackInfo): string {
  return services.map(({ name }) => safe(name)).join(' ');
}

/** 512 KiB, as the server has it. */
const MOST = 524_288;

/** @throws UsageError */
async function composeText(given: string | undefined): Promise<string> {
  if (given === '-') {
    let text = '';
    for await (const chunk of process.stdin) {
      text += String(chunk);
      if (text.length > MOST) throw new UsageError('--file: standard input is longer than any compose file');
    }
    return text;
  }
  const path = given ?? USUAL.find((name) => existsSync(name));
  if (path === undefined) throw new UsageError(`--file: none of ${USUAL.join(', ')} is here; give the compose file`);
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(`--file: ${path} can't be read: ${error instanceof Error ? error.message : 'unknown error'}`);
  }
}
