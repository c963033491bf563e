import type { Command } from 'commander';
import { repositoryRole } from '../api/grants.ts';
import type { GrantPlace, GrantSubject } from '../client/grants.ts';
import { type Call, commandGroup } from './command-group.ts';
import { plainName, repositoryName } from './names.ts';
import { printJson, printTable, report } from './terminal.ts';
import { oneOf, UsageError } from './usage.ts';

interface SubjectOptions {
  user?: string;
  team?: string;
}

interface SetOptions extends SubjectOptions {
  role: string;
}

export function register(program: Command, finish: (code: number) => void): void {
  const add = commandGroup(program, finish, {
    name: 'grant',
    summary: 'say who may read, write or administer',
    description:
      'Roles of users and teams: in all repositories of a user or an organization (acme), or in one (acme/app).',
  });
  const subject = (command: Command) =>
    command.option('--user <NAME>', 'of this user').option('--team <NAME>', "of this team of the organization's");

  add('list <WHERE>', 'who was granted a role there', list);
  add('set <WHERE>', 'grant a role, in place of the one before', set, (command) =>
    subject(command).requiredOption('--role <ROLE>', repositoryRole.options.join(', ')),
  );
  add('remove <WHERE>', 'take a role back', remove, subject);
}

async function list({ client, json }: Call, where: string): Promise<void> {
  const grants = await Array.fromAsync(client.grants.list(placeOf(where)));
  if (json) return printJson(grants);
  printTable(
    ['TO', 'NAME', 'ROLE', 'SINCE'],
    grants.map(({ user, team, role, createdAt }) => [user === null ? 'team' : 'user', user ?? team, role, createdAt]),
    'no grants',
  );
}

async function set({ client, json, options }: Call<SetOptions>, where: string): Promise<void> {
  const role = oneOf('--role', options.role, repositoryRole.options);
  const subject = subjectOf(options);
  const grant = await client.grants.set(placeOf(where), subject, role);
  report(json, grant, `${described(subject)} has the role ${role} in ${where}`);
}

async function remove({ client, json, options }: Call<SubjectOptions>, where: string): Promise<void> {
  const subject = subjectOf(options);
  await client.grants.remove(placeOf(where), subject);
  report(json, { removed: subject }, `${described(subject)} has no role in ${where} any more`);
}

/** A name with a slash is a repository's. */
function placeOf(where: string): GrantPlace {
  return where.includes('/')
    ? { repository: repositoryName(where, 'WHERE') }
    : { namespace: plainName('WHERE', where) };
}

function subjectOf({ user, team }: SubjectOptions): GrantSubject {
  if (user !== undefined && team === undefined) return { user: plainName('--user', user) };
  if (team !== undefined && user === undefined) return { team: plainName('--team', team) };
  throw new UsageError('give either --user or --team');
}

function described(subject: GrantSubject): string {
  return 'user' in subject ? subject.user : `team ${subject.team}`;
}
