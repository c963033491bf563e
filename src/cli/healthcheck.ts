import { connect } from 'node:net';
import type { Command } from 'commander';
import type { ClientTls } from '../client/client-tls.ts';
import { authorityAdvice } from '../client/connection.ts';
import { servesHttps } from '../config/https.ts';
import type { Settings } from '../config/settings.ts';
import { addClientTlsOptions, type ClientTlsOptions, clientTls } from './client-tls.ts';
import { EXIT } from './exit.ts';
import { parseServer } from './server-address.ts';
import { print } from './terminal.ts';
import { addSettings, CommandError, noMore, settingsOf, UsageError } from './usage.ts';

const WITHIN_MS = 8_000;
const READY = 'ready';

export function register(program: Command, finish: (code: number) => void): void {
  const command = program
    .command('healthcheck [URL] [MORE...]')
    .summary('say whether the registry can serve, for containers')
    .description(
      'Asks /readyz of the registry at URL; without it, of the one that berth serve with these settings is on this machine. Exit code 0 when it can serve, else 1 and the reason. Where only clients with a certificate may connect and none is given, it looks whether the port is open, no more.',
    );
  addClientTlsOptions(addSettings(command, ['port', 'host'])).action(
    async (url: string | undefined, more: string[], options: ClientTlsOptions) => {
      noMore(more);
      const tls = clientTls(options);
      if (url === undefined) print(await checkThisMachine(settingsOf(command), tls));
      else {
        await ready(parseServer('URL', url), { ...tls, rejectUnauthorized: true });
        print(READY);
      }
      finish(EXIT.ok);
    },
  );
}

/** Returns what is known then. */
async function checkThisMachine(settings: Settings, tls: ClientTls | undefined): Promise<string> {
  const { port, tlsClientCa } = settings;
  if (port === 0) throw new UsageError('--port: 0 says no port; give the one that berth serve chose');
  const host = hostOf(settings.host);
  // Who has no certificate to show gets no answer there.
  if (tlsClientCa !== undefined && tls?.cert === undefined) {
    await listens(host, port);
    return `port ${port} is open; whether it can serve is told with --client-certificate and --client-key only`;
  }
  const scheme = servesHttps(settings) ? 'https' : 'http';
  // The name in its certificate is not this address, and what is asked does not leave the machine.
  await ready(`${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`, { ...tls, rejectUnauthorized: false });
  return READY;
}

/** Where a server is reached from its own machine. */
function hostOf(listening: string): string {
  return listening === '::' || listening === '0.0.0.0' ? '127.0.0.1' : listening;
}

/** @throws CommandError saying what does not work */
async function ready(origin: string, tls: ClientTls & { rejectUnauthorized: boolean }): Promise<void> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(`${origin}/readyz`, {
      redirect: 'manual',
      signal: AbortSignal.timeout(WITHIN_MS),
      tls,
    });
    text = await response.text();
  } catch (error) {
    const advice = authorityAdvice(error);
    const reason = reasonOf(error);
    throw new CommandError(`${origin} does not answer (${reason})${advice === undefined ? '' : `; ${advice}`}`);
  }
  const elsewhere = response.headers.get('location');
  if (elsewhere !== null && URL.canParse(elsewhere, origin)) {
    throw new CommandError(`${origin} redirects to ${new URL(elsewhere, origin).origin}: give that address`);
  }
  if (response.status !== 200) throw new CommandError(`${origin}/readyz: ${response.status} ${text.slice(0, 500)}`);
}

function listens(host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: WITHIN_MS });
    const refuse = (why: string) => {
      socket.destroy();
      reject(new CommandError(`nothing answers on port ${port} of ${host} (${why})`));
    };
    socket.once('connect', () => {
      socket.destroy();
      resolve();
    });
    socket.once('timeout', () => refuse('no answer in time'));
    socket.once('error', (error) => refuse(error.message));
  });
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}
