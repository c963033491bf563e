import type { Command } from 'commander';
import { organizationRole } from '../api/organizations.ts';
import { type Call, commandGroup } from './command-group.ts';
import { plainName } from './names.ts';
import { printJson, printTable, report } from './terminal.ts';
import { oneOf } from './usage.ts';

export function register(program: Command, finish: (code: number) => void): void {
  const add = commandGroup(program, finish, {
    name: 'member',
    summary: 'list, add and remove the members of an organization',
    description: 'The members of an organization. An owner may do everything there, a member what grants say.',
  });
  add('list <ORGANIZATION>', 'the members, in the order of their usernames', list);
  add('set <ORGANIZATION> <USER>', 'make a user a member or an owner, or change which', set, (command) =>
    command.option('--role <ROLE>', organizationRole.options.join(' or '), 'member'),
  );
  add('remove <ORGANIZATION> <USER>', 'remove a member, its teams and its grants there; yourself: leave', remove);
}

async function list({ client, json }: Call, organization: string): Promise<void> {
  const members = await Array.fromAsync(client.organizations.members(plainName('ORGANIZATION', organization)));
  if (json) return printJson(members);
  printTable(
    ['USER', 'NAME', 'ROLE', 'SINCE'],
    members.map(({ username, name, role, createdAt }) => [username, name, role, createdAt]),
    'no members',
  );
}

async function set(
  { client, json, options }: Call<{ role: string }>,
  organization: string,
  user: string,
): Promise<void> {
  const role = oneOf('--role', options.role, organizationRole.options);
  const member = await client.organizations.setMember(
    plainName('ORGANIZATION', organization),
    plainName('USER', user),
    role,
  );
  report(json, member, `${member.username} is ${member.role === 'owner' ? 'an owner' : 'a member'} of ${organization}`);
}

async function remove({ client, json }: Call, organization: string, user: string): Promise<void> {
  await client.organizations.removeMember(plainName('ORGANIZATION', organization), plainName('USER', user));
  report(json, { organization, removed: user }, `${user} is no member of ${organization} any more`);
}
