import type { Command } from 'commander';
import { type Call, commandGroup } from './command-group.ts';
import { confirmName } from './confirm.ts';
import { plainName } from './names.ts';
import { printJson, printTable, report } from './terminal.ts';

interface CreateOptions {
  description?: string;
}

export function register(program: Command, finish: (code: number) => void): void {
  const add = commandGroup(program, finish, {
    name: 'team',
    summary: 'make, list and delete teams, add and remove their members',
    description: "An organization's teams: what is granted to one, its members have.",
  });
  add('create <ORGANIZATION> <TEAM>', 'make a team', create, (command) =>
    command.option('--description <TEXT>', 'what it is for'),
  );
  add('list <ORGANIZATION> [TEAM]', 'the teams; or the members of one', list);
  add('delete <ORGANIZATION> <TEAM>', 'delete a team and what was granted to it; asks', remove, (command) =>
    command.option('--yes', 'do not ask'),
  );
  add('add <ORGANIZATION> <TEAM> <USER>', 'add a member of the organization to a team', addMember);
  add('remove <ORGANIZATION> <TEAM> <USER>', 'remove a user from a team', removeMember);
}

async function create(
  { client, json, options }: Call<CreateOptions>,
  organization: string,
  team: string,
): Promise<void> {
  const { description } = options;
  const made = await client.teams.create(plainName('ORGANIZATION', organization), {
    name: plainName('TEAM', team),
    ...(description === undefined ? {} : { description }),
  });
  report(json, made, `made team ${made.name} of ${organization}`);
}

async function list({ client, json }: Call, organization: string, team?: string): Promise<void> {
  plainName('ORGANIZATION', organization);
  if (team !== undefined) {
    const members = await Array.fromAsync(client.teams.members(organization, plainName('TEAM', team)));
    if (json) return printJson(members);
    const rows = members.map(({ username, name, createdAt }) => [username, name, createdAt]);
    return printTable(['USER', 'NAME', 'SINCE'], rows, 'no members');
  }
  const teams = await Array.fromAsync(client.teams.list(organization));
  if (json) return printJson(teams);
  printTable(
    ['TEAM', 'MEMBERS', 'CREATED', 'DESCRIPTION'],
    teams.map(({ name, members, createdAt, description }) => [name, String(members), createdAt, description]),
    'no teams',
  );
}

async function remove(
  { client, json, options }: Call<{ yes?: boolean }>,
  organization: string,
  team: string,
): Promise<void> {
  plainName('ORGANIZATION', organization);
  plainName('TEAM', team);
  await confirmName('team', team, options.yes);
  await client.teams.delete(organization, team);
  report(json, { organization, deleted: team }, `deleted team ${team} of ${organization}`);
}

async function addMember({ client, json }: Call, organization: string, team: string, user: string): Promise<void> {
  await client.teams.addMember(
    plainName('ORGANIZATION', organization),
    plainName('TEAM', team),
    plainName('USER', user),
  );
  report(json, { organization, team, added: user }, `${user} is in team ${team} of ${organization}`);
}

async function removeMember({ client, json }: Call, organization: string, team: string, user: string): Promise<void> {
  await client.teams.removeMember(
    plainName('ORGANIZATION', organization),
    plainName('TEAM', team),
    plainName('USER', user),
  );
  report(json, { organization, team, removed: user }, `${user} is not in team ${team} of ${organization} any more`);
}
