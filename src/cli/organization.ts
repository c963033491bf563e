import type { Command } from 'commander';
import type { OrganizationInfo } from '../api/organizations.ts';
import { type Call, commandGroup } from './command-group.ts';
import { confirmName } from './confirm.ts';
import { plainName } from './names.ts';
import { note, printFields, printJson, printTable, report, safe } from './terminal.ts';
import { CommandError, UsageError } from './usage.ts';

interface TextOptions {
  displayName?: string;
  description?: string;
}

interface DeleteOptions {
  transferTo?: string;
  yes?: boolean;
}

export function register(program: Command, finish: (code: number) => void): void {
  const add = commandGroup(program, finish, {
    name: 'organization',
    summary: 'make, list, change and delete organizations',
    description: 'Organizations: namespaces that several people share.',
  });
  const texts = (command: Command) =>
    command
      .option('--display-name <TEXT>', 'the name that people see')
      .option('--description <TEXT>', 'what it is for');

  add('create <NAME>', 'make an organization; you are its owner', create, texts);
  add('list', 'those that you are a member of', list, (command) =>
    command.option('--all', 'those of others too; for administrators'),
  );
  add('show <NAME>', 'an organization', show);
  add('edit <NAME>', "change an organization's display name or description", edit, texts);
  add('delete <NAME>', 'delete an organization; says first what goes with it, and asks', remove, (command) =>
    command
      .option('--transfer-to <NAMESPACE>', 'give its repositories to this user or organization')
      .option('--yes', 'do not ask'),
  );
}

async function create({ client, json, options }: Call<TextOptions>, name: string): Promise<void> {
  const made = await client.organizations.create({ name: plainName('NAME', name), ...textsOf(options) });
  report(json, made, `made ${made.name}; you are its owner`);
}

async function list({ client, json, options }: Call<{ all?: boolean }>): Promise<void> {
  const found = await Array.fromAsync(client.organizations.list(options.all));
  if (json) return printJson(found);
  printTable(
    ['NAME', 'DISPLAY NAME', 'YOU ARE', 'CREATED', 'DESCRIPTION'],
    found.map(({ name, displayName, role, createdAt, description }) => [
      name,
      displayName,
      role,
      createdAt,
      description,
    ]),
    'no organizations',
  );
}

async function show({ client, json }: Call, name: string): Promise<void> {
  showOrganization(await client.organizations.get(plainName('NAME', name)), json);
}

async function edit({ client, json, options }: Call<TextOptions>, name: string): Promise<void> {
  const change = textsOf(options);
  if (Object.keys(change).length === 0) throw new UsageError('give what to change: --display-name or --description');
  showOrganization(await client.organizations.change(plainName('NAME', name), change), json);
}

async function remove({ client, json, options }: Call<DeleteOptions>, name: string): Promise<void> {
  plainName('NAME', name);
  const to = options.transferTo === undefined ? undefined : plainName('--transfer-to', options.transferTo);
  const plan = await client.organizations.deletion(name);
  note(`Deleting ${name} ends its memberships and what it granted.`);
  for (const repository of plan.repositories) {
    note(`  repository ${safe(repository)}: ${to === undefined ? 'in the way' : `given to ${to}`}`);
  }
  for (const robot of plan.robots) note(`  robot ${safe(robot)}: deleted`);
  for (const team of plan.teams) note(`  team ${safe(team)}: deleted`);
  if (plan.repositories.length > 0 && to === undefined) {
    throw new CommandError(
      `${name} has ${plan.repositories.length} repositories: say --transfer-to NAMESPACE, or delete them first`,
    );
  }
  await confirmName('organization', name, options.yes);
  await client.organizations.delete(name, plan.repositories.length === 0 ? undefined : to);
  report(json, { deleted: name, ...plan }, `deleted ${name}`);
}

function textsOf({ displayName, description }: TextOptions): TextOptions {
  return {
    ...(displayName === undefined ? {} : { displayName }),
    ...(description === undefined ? {} : { description }),
  };
}

function showOrganization(organization: OrganizationInfo, json: boolean): void {
  if (json) {
    printJson(organization);
    return;
  }
  const { name, displayName, description, role, createdAt } = organization;
  printFields({ name, 'display name': displayName, description, 'you are': role, created: createdAt });
}
