import type { Command } from 'commander';
import { accessLevel, type TokenInfo } from '../api/tokens.ts';
import type { ManagementClient } from '../client/management.ts';
import type { NewToken } from '../client/tokens.ts';
import { type Call, commandGroup } from './command-group.ts';
import { expiry } from './moment.ts';
import { identifier, repositoryName, robotName } from './names.ts';
import { note, print, printJson, printTable, report } from './terminal.ts';
import { oneOf, UsageError } from './usage.ts';

interface RobotOption {
  robot?: string;
}

interface CreateOptions extends RobotOption {
  level: string;
  repository?: string;
  expires?: string;
}

export function register(program: Command, finish: (code: number) => void): void {
  const add = commandGroup(program, finish, {
    name: 'token',
    summary: 'make, list and revoke access tokens',
    description: 'Access tokens: for docker login, for scripts (BERTH_TOKEN), for machines.',
  });
  const robot = (command: Command) => command.option('--robot <NAME>', "a robot's, such as acme+ci, and not yours");

  add('create <NAME>', 'make a token, and print its secret, which is shown this once', create, (command) =>
    robot(command)
      .option('--level <LEVEL>', `what it may do at most: ${accessLevel.options.join(', ')}`, 'write')
      .option('--repository <NAME>', 'for this repository alone')
      .option('--expires <DURATION>', 'as in 30d, or never; a year without it'),
  );
  add('list', 'the tokens that work, newest first, and the log-ins of docker and berth', list, robot);
  add('revoke <ID>', 'end a token, and the log-ins that were got with it', revoke, robot);
}

async function create({ client, json, options }: Call<CreateOptions>, name: string): Promise<void> {
  const made = await make(client, name, options);
  if (json) return printJson(made);
  print(made.secret);
  note(`this is the only time that the secret of token ${made.token.id} is shown; it ${endOf(made.token)}`);
}

function make(client: ManagementClient, name: string, options: CreateOptions): Promise<NewToken> {
  const { repository, expires } = options;
  const token = {
    name,
    level: oneOf('--level', options.level, accessLevel.options),
    ...(expires === undefined ? {} : { expiresAt: expiry('--expires', expires) }),
  };
  if (options.robot !== undefined) {
    if (repository !== undefined) {
      throw new UsageError('--repository: a robot is for one repository or for all, from when it is made');
    }
    const { namespace, name: robot } = robotName(options.robot, '--robot');
    return client.robots.createToken(namespace, robot, token);
  }
  if (repository === undefined) return client.tokens.create(token);
  return client.tokens.create({ ...token, repository: repositoryName(repository, '--repository') });
}

async function list({ client, json, options }: Call<RobotOption>): Promise<void> {
  const tokens = await tokensOf(client, options);
  if (json) return printJson(tokens);
  printTable(
    ['ID', 'NAME', 'KIND', 'LEVEL', 'REPOSITORY', 'EXPIRES', 'LAST USED', 'FROM'],
    tokens.map((token) => [
      token.id,
      token.name,
      token.kind,
      token.level,
      token.repository ?? 'all',
      token.expiresAt ?? 'never',
      token.lastUsedAt,
      token.lastUsedFrom,
    ]),
    'no tokens',
  );
}

function tokensOf(client: ManagementClient, { robot }: RobotOption): Promise<TokenInfo[]> {
  if (robot === undefined) return client.tokens.list();
  const { namespace, name } = robotName(robot, '--robot');
  return client.robots.tokens(namespace, name);
}

async function revoke({ client, json, options }: Call<RobotOption>, id: string): Promise<void> {
  identifier('ID', id);
  if (options.robot === undefined) await client.tokens.revoke(id);
  else {
    const { namespace, name } = robotName(options.robot, '--robot');
    await client.robots.revokeToken(namespace, name, id);
  }
  report(json, { revoked: id }, `revoked ${id}`);
}

function endOf({ expiresAt }: TokenInfo): string {
  return expiresAt === null ? 'never expires' : `expires at ${expiresAt}`;
}
