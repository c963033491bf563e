import { hostname } from 'node:os';
import type { Command } from 'commander';
import { isAccessToken } from '../accounts/secrets.ts';
import type { Credential } from '../client/connection.ts';
import { ApiError } from '../client/errors.ts';
import { ManagementClient } from '../client/management.ts';
import { clientTls } from './client-tls.ts';
import { addServerOptions, chooseServer, credentialsFile, type ServerOptions } from './connect.ts';
import type { CredentialsFile, Login } from './credentials-file.ts';
import { readSecret } from './read-secret.ts';
import { isPrivate, parseServer } from './server-address.ts';
import { ask, note, report, safe } from './terminal.ts';
import { CommandError, outputFormat, UsageError } from './usage.ts';

interface LoginOptions extends ServerOptions {
  username?: string;
  passwordStdin?: boolean;
  tokenStdin?: boolean;
}

const LOGIN_MS = 90 * 86_400_000;

export function register(program: Command, finish: (code: number) => void): void {
  const command = program
    .command('login [SERVER]')
    .summary('log in to a registry, for the commands of berth')
    .description(
      "Log in to a registry, for the commands of berth: makes a token there, good for 90 days, and keeps it in the system's\nconfiguration folder (or BERTH_CONFIG_HOME), readable by you alone. For docker there is docker login.",
    )
    .option('-u, --username <NAME>', 'your username')
    .option('--password-stdin', 'read the password from standard input')
    .option('--token-stdin', 'read an access token from standard input, and keep that');
  addServerOptions(command).action(async (server: string | undefined, options: LoginOptions) => {
    await login(server, options);
    finish(0);
  });
}

async function login(given: string | undefined, options: LoginOptions): Promise<void> {
  const json = outputFormat(options.output) === 'json';
  if (options.passwordStdin && options.tokenStdin) {
    throw new UsageError('--token-stdin: standard input holds one secret; leave --password-stdin out');
  }
  const file = credentialsFile();
  const server = givenServer(file, given, options.server);
  if (!isPrivate(server)) note(`warning: ${server} is not encrypted: who sees its traffic sees what you log in with`);
  const before = file.find(server);
  const entry = await enter(server, options);
  file.save(entry);
  if (before !== undefined && before.tokenId !== entry.tokenId) await revokeQuietly(before, options);
  if (process.env.BERTH_TOKEN) note('warning: BERTH_TOKEN is set: commands take that token, and not this log-in');
  const { username, expiresAt } = entry;
  report(
    json,
    { server, username, expiresAt, file: file.path },
    `logged in to ${server} as ${safe(username)}${expiresAt === null ? '' : ` until ${expiresAt}`}`,
  );
}

/** The argument, or what the commands would take. @throws UsageError */
export function givenServer(file: CredentialsFile, argument: string | undefined, option: string | undefined): string {
  if (argument === undefined) return chooseServer(file, option);
  const server = parseServer('SERVER', argument);
  if (option !== undefined && parseServer('--server', option) !== server) {
    throw new UsageError(`--server: ${option} is not ${argument}; give one of them`);
  }
  return server;
}

async function enter(server: string, options: LoginOptions): Promise<Login> {
  if (options.tokenStdin) {
    const token = await readSecret('Token: ', true, '--token-stdin');
    if (!isAccessToken(token)) throw new UsageError('--token-stdin: standard input is not an access token of Berth');
    return keepToken(server, options.username, token, options);
  }
  const username = (options.username ?? (await ask('Username: ', 'give -u NAME'))).toLowerCase();
  if (username === '' || username.includes(':')) throw new UsageError('-u: is not a username');
  const secret = await readSecret('Password: ', options.passwordStdin ?? false);
  if (isAccessToken(secret)) return keepToken(server, username, secret, options);
  const client = new ManagementClient(server, { kind: 'password', username, password: secret }, clientTls(options));
  const { token, secret: made } = await refusedPlainly(server, () =>
    client.tokens.create({
      name: `berth on ${hostname()}`.slice(0, 100),
      level: 'admin',
      expiresAt: new Date(Date.now() + LOGIN_MS).toISOString(),
    }),
  );
  return { server, username, token: made, tokenId: token.id, expiresAt: token.expiresAt };
}

/** What the token is good for the server alone knows. */
async function keepToken(
  server: string,
  username: string | undefined,
  token: string,
  options: LoginOptions,
): Promise<Login> {
  const credential: Credential = { kind: 'token', token };
  const caller = await refusedPlainly(server, () =>
    new ManagementClient(server, credential, clientTls(options)).instance.caller(),
  );
  if (username !== undefined && caller.name !== username.toLowerCase()) {
    throw new CommandError(
      `log-in refused by ${server}: the token is that of ${safe(caller.name)}, not of ${username}`,
    );
  }
  return { server, username: caller.name, token, tokenId: null, expiresAt: null };
}

async function refusedPlainly<T>(server: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ApiError && error.status < 500) {
      throw new CommandError(`log-in refused by ${server}: ${error.message}`);
    }
    throw error;
  }
}

/** The token of the log-in before; it may have ended by itself. */
async function revokeQuietly({ server, token, tokenId }: Login, options: LoginOptions): Promise<void> {
  if (tokenId === null) return;
  try {
    await new ManagementClient(server, { kind: 'token', token }, clientTls(options)).tokens.revoke(tokenId);
  } catch {
    // Then it ends by its date.
  }
}
