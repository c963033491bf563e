import type { UserDeletion } from '../client/users.ts';
import type { AddSubcommand, Call } from './command-group.ts';
import { confirmName } from './confirm.ts';
import { plainName } from './names.ts';
import { note, report, safe } from './terminal.ts';
import { CommandError, UsageError } from './usage.ts';

interface DeleteOptions {
  yes?: boolean;
  transferTo?: string;
  deleteRepositories?: boolean;
}

type Repositories = 'delete' | { transferTo: string } | undefined;

export function addUserDelete(add: AddSubcommand): void {
  add('delete <NAME>', 'delete a user; says first what becomes of what it owns, and asks', remove, (command) =>
    command
      .option('--transfer-to <NAMESPACE>', 'give its repositories to this user or organization')
      .option('--delete-repositories', 'delete its repositories')
      .option('--yes', 'do not ask'),
  );
}

async function remove({ client, json, options }: Call<DeleteOptions>, name: string): Promise<void> {
  const username = plainName('NAME', name);
  const wanted = repositoriesOf(options);
  const plan = await client.users.deletion(username);
  for (const line of consequences(username, plan, wanted)) note(line);
  if (plan.organizations.length > 0) {
    throw new CommandError(
      `${username} is the only owner of ${plan.organizations.map(safe).join(', ')}: give them another one first`,
    );
  }
  if (plan.repositories.length > 0 && wanted === undefined) {
    throw new CommandError(
      `${username} has ${plan.repositories.length} repositories: say --transfer-to NAMESPACE or --delete-repositories`,
    );
  }
  await confirmName('user', username, options.yes);
  await client.users.delete(username, plan.repositories.length === 0 ? undefined : wanted);
  report(json, { deleted: username, ...plan }, `deleted ${username}`);
}

function repositoriesOf({ transferTo, deleteRepositories }: DeleteOptions): Repositories {
  if (transferTo === undefined) return deleteRepositories ? 'delete' : undefined;
  if (deleteRepositories) throw new UsageError('--transfer-to and --delete-repositories: give one of them');
  return { transferTo: plainName('--transfer-to', transferTo) };
}

function consequences(username: string, plan: UserDeletion, wanted: Repositories): string[] {
  const fate = wanted === undefined ? 'in the way' : wanted === 'delete' ? 'deleted' : `given to ${wanted.transferTo}`;
  return [
    `Deleting ${username} ends its log-ins, tokens and memberships.`,
    ...plan.repositories.map((name) => `  repository ${safe(name)}: ${fate}`),
    ...plan.robots.map((name) => `  robot ${safe(name)}: deleted`),
  ];
}
