import type { Command } from 'commander';
import { ApiError } from '../client/errors.ts';
import { ManagementClient } from '../client/management.ts';
import { clientTls } from './client-tls.ts';
import { addServerOptions, credentialsFile, type ServerOptions } from './connect.ts';
import type { Login } from './credentials-file.ts';
import { givenServer } from './login.ts';
import { note, report, safe } from './terminal.ts';
import { CommandError, outputFormat } from './usage.ts';

export function register(program: Command, finish: (code: number) => void): void {
  const command = program
    .command('logout [SERVER]')
    .summary('end the log-in of berth login')
    .description('End the log-in of berth login: revokes its token on the server, and forgets it here.');
  addServerOptions(command).action(async (server: string | undefined, options: ServerOptions) => {
    await logout(server, options);
    finish(0);
  });
}

async function logout(given: string | undefined, options: ServerOptions): Promise<void> {
  const json = outputFormat(options.output) === 'json';
  const file = credentialsFile();
  const server = givenServer(file, given, options.server);
  const login = file.find(server);
  if (login === undefined) throw new CommandError(`nobody is logged in at ${server}`);
  // What can't be revoked now is forgotten all the same.
  file.remove(server);
  const revoked = await revoke(login, options);
  if (login.tokenId === null)
    note('the token was given to berth login, so it was not revoked; revoke it if it is not used elsewhere');
  report(
    json,
    { server, username: login.username, revoked },
    `logged out of ${server}, where you were ${safe(login.username)}`,
  );
}

/** @throws CommandError when the token may still be good */
async function revoke({ server, username, token, tokenId }: Login, options: ServerOptions): Promise<boolean> {
  if (tokenId === null) return false;
  try {
    await new ManagementClient(server, { kind: 'token', token }, clientTls(options)).tokens.revoke(tokenId);
    return true;
  } catch (error) {
    // Expired, revoked elsewhere, or the account is gone.
    if (error instanceof ApiError && (error.status === 401 || error.status === 404)) return false;
    throw new CommandError(
      `the log-in is forgotten here, but its token could not be revoked: ${error instanceof Error ? error.message : 'unknown error'}; later, as ${username}: berth token revoke ${tokenId} --server ${server}`,
    );
  }
}
