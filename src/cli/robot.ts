import type { Command } from 'commander';
import { repositoryRole } from '../api/grants.ts';
import { type Call, commandGroup } from './command-group.ts';
import { confirmName } from './confirm.ts';
import { plainName, repositoryName, robotName } from './names.ts';
import { note, printJson, printTable, report } from './terminal.ts';
import { oneOf } from './usage.ts';

interface CreateOptions {
  role: string;
  repository?: string;
  description?: string;
}

export function register(program: Command, finish: (code: number) => void): void {
  const add = commandGroup(program, finish, {
    name: 'robot',
    summary: 'make, list and delete accounts for machines',
    description: 'Robots: accounts for machines, of a user or an organization. acme+ci is the robot ci of acme.',
  });
  add('create <NAME>', 'make a robot, such as acme+ci', create, (command) =>
    command
      .requiredOption('--role <ROLE>', `what it may do: ${repositoryRole.options.join(', ')}`)
      .option('--repository <NAME>', 'in this repository alone; in all of the namespace without it')
      .option('--description <TEXT>', 'what it is for'),
  );
  add('list <NAMESPACE>', 'the robots of a user or an organization', list);
  add('disable <NAME>', 'let a robot do nothing; it keeps its tokens', (call, name) => setDisabled(call, name, true));
  add('enable <NAME>', 'let a disabled robot work again', (call, name) => setDisabled(call, name, false));
  add('delete <NAME>', 'delete a robot and its tokens; asks', remove, (command) =>
    command.option('--yes', 'do not ask'),
  );
}

async function create({ client, json, options }: Call<CreateOptions>, given: string): Promise<void> {
  const { namespace, name } = robotName(given, 'NAME');
  const { repository, description } = options;
  const robot = await client.robots.create(namespace, {
    name,
    role: oneOf('--role', options.role, repositoryRole.options),
    ...(repository === undefined ? {} : { repository: repositoryName(repository, '--repository') }),
    ...(description === undefined ? {} : { description }),
  });
  report(json, robot, `made ${robot.username}`);
  if (!json) note(`make a token for it: berth token create NAME --robot ${robot.username}`);
}

async function list({ client, json }: Call, namespace: string): Promise<void> {
  const robots = await Array.fromAsync(client.robots.list(plainName('NAMESPACE', namespace)));
  if (json) return printJson(robots);
  printTable(
    ['NAME', 'ROLE', 'REPOSITORY', 'STATE', 'MADE BY', 'CREATED', 'DESCRIPTION'],
    robots.map((robot) => [
      robot.username,
      robot.role,
      robot.repository ?? 'all',
      robot.disabledAt === null ? 'active' : 'disabled',
      robot.createdBy,
      robot.createdAt,
      robot.description,
    ]),
    'no robots',
  );
}

async function setDisabled({ client, json }: Call, given: string, disabled: boolean): Promise<void> {
  const { namespace, name } = robotName(given, 'NAME');
  const robot = await client.robots.change(namespace, name, { disabled });
  report(json, robot, `${robot.username} is ${disabled ? 'disabled' : 'enabled'}`);
}

async function remove({ client, json, options }: Call<{ yes?: boolean }>, given: string): Promise<void> {
  const { namespace, name } = robotName(given, 'NAME');
  await confirmName('robot', given, options.yes);
  await client.robots.delete(namespace, name);
  report(json, { deleted: given }, `deleted ${given}`);
}
