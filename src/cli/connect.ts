import type { Command } from 'commander';
import { isAccessToken } from '../accounts/secrets.ts';
import type { Credential } from '../client/connection.ts';
import { ManagementClient } from '../client/management.ts';
import { addClientTlsOptions, type ClientTlsOptions, clientTls } from './client-tls.ts';
import { CredentialsFile } from './credentials-file.ts';
import { parseServer } from './server-address.ts';
import { note } from './terminal.ts';
import { CommandError, outputFormat, UsageError } from './usage.ts';

/** The options of every command that talks to a server. */
export interface ServerOptions extends ClientTlsOptions {
  server?: string;
  output: string;
}

/** What such a command works with. */
export interface Connected {
  client: ManagementClient;
  /** Whether the answer is to be JSON. */
  json: boolean;
}

const DEFAULT_SERVER = 'http://localhost:5000';

export function addServerOptions(command: Command): Command {
  return addClientTlsOptions(
    command
      .option(
        '--server <URL>',
        `the registry; default: that of the last berth login, or ${DEFAULT_SERVER} [BERTH_SERVER]`,
      )
      .option('--output <FORMAT>', 'text or json', 'text'),
  );
}

/** A client with the token of BERTH_TOKEN, or of `berth login`; without one it is nobody's. @throws UsageError, CommandError */
export function connect(options: ServerOptions): Connected {
  const json = outputFormat(options.output) === 'json';
  const file = credentialsFile();
  const server = chooseServer(file, options.server);
  return { client: new ManagementClient(server, credentialFor(file, server), clientTls(options)), json };
}

export function credentialsFile(): CredentialsFile {
  return new CredentialsFile(process.env, note);
}

/** @throws UsageError, CommandError */
export function chooseServer(file: CredentialsFile, given: string | undefined): string {
  if (given !== undefined) return parseServer('--server', given);
  const { BERTH_SERVER: variable } = process.env;
  if (variable) return parseServer('BERTH_SERVER', variable);
  return file.logins().at(-1)?.server ?? DEFAULT_SERVER;
}

/** @throws UsageError for a BERTH_TOKEN that is no token, which it does not print; CommandError for a log-in that has expired */
export function credentialFor(file: CredentialsFile, server: string): Credential | undefined {
  const { BERTH_TOKEN: variable } = process.env;
  if (variable) {
    const token = variable.trim();
    if (!isAccessToken(token)) throw new UsageError('BERTH_TOKEN: is not an access token of Berth');
    return { kind: 'token', token };
  }
  const login = file.find(server);
  if (login === undefined) return undefined;
  if (login.expiresAt !== null && Date.parse(login.expiresAt) <= Date.now()) {
    throw new CommandError(
      `the log-in of ${login.username} at ${server} expired at ${login.expiresAt}; log in again: berth login ${server}`,
    );
  }
  return { kind: 'token', token: login.token };
}
