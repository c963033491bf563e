import type { Command } from 'commander';
import { organizationRole } from '../api/organizations.ts';
import { type Call, commandGroup } from './command-group.ts';
import { wholeDays } from './moment.ts';
import { identifier, plainName } from './names.ts';
import { note, print, printJson, printTable, report } from './terminal.ts';
import { oneOf, UsageError } from './usage.ts';

interface CreateOptions {
  email?: string;
  organization?: string;
  role?: string;
  expires?: string;
}

export function register(program: Command, finish: (code: number) => void): void {
  const add = commandGroup(program, finish, {
    name: 'invitation',
    summary: 'invite people to make an account',
    description: 'Invitations to make an account: by administrators, or into an organization by its owners.',
  });
  add('create', 'invite somebody, and print the link to send, which is shown this once', create, (command) =>
    command
      .option('--email <ADDRESS>', "the new account's e-mail address")
      .option('--organization <NAME>', 'what the invited becomes a member of')
      .option('--role <ROLE>', `in the organization: ${organizationRole.options.join(' or ')}; member without it`)
      .option('--expires <DURATION>', 'in whole days, 1d to 30d; 7d without it'),
  );
  add('list', 'invitations, newest first', list, (command) =>
    command.option('--organization <NAME>', 'those into this one; all of them are for administrators'),
  );
  add('revoke <ID>', 'withdraw an invitation', revoke);
}

async function create({ client, json, options }: Call<CreateOptions>): Promise<void> {
  const { email, organization, role, expires } = options;
  if (role !== undefined && organization === undefined) {
    throw new UsageError('--role: is one in an organization; give --organization too');
  }
  const made = await client.invitations.create({
    ...(email === undefined ? {} : { email }),
    ...(organization === undefined ? {} : { organization: plainName('--organization', organization) }),
    ...(role === undefined ? {} : { role: oneOf('--role', role, organizationRole.options) }),
    ...(expires === undefined ? {} : { expiresInDays: wholeDays('--expires', expires, 30) }),
  });
  const link = client.server + made.path;
  if (json) return printJson({ ...made, link });
  print(link);
  note(`this is the only time that the link is shown; it works once, until ${made.invitation.expiresAt}`);
}

async function list({ client, json, options }: Call<{ organization?: string }>): Promise<void> {
  const { organization } = options;
  const of = organization === undefined ? undefined : plainName('--organization', organization);
  const invitations = await Array.fromAsync(client.invitations.list(of));
  if (json) return printJson(invitations);
  printTable(
    ['ID', 'EMAIL', 'ORGANIZATION', 'ROLE', 'BY', 'EXPIRES', 'USED BY'],
    invitations.map((invitation) => [
      invitation.id,
      invitation.email,
      invitation.organization,
      invitation.role,
      invitation.createdBy,
      invitation.expiresAt,
      invitation.usedBy,
    ]),
    'no invitations',
  );
}

async function revoke({ client, json }: Call, id: string): Promise<void> {
  await client.invitations.revoke(identifier('ID', id));
  report(json, { revoked: id }, `withdrew invitation ${id}`);
}
