import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { isAccessToken } from '../accounts/secrets.ts';
import { examine } from '../doctor/examine.ts';
import type { Check } from '../doctor/result.ts';
import { isRepositoryName } from '../oci/names.ts';
import { formatBytes } from './bytes.ts';
import { credentialFor, credentialsFile } from './connect.ts';
import { EXIT } from './exit.ts';
import { createProgress } from './progress.ts';
import { parseServer } from './server-address.ts';
import { note, print, printJson, safe } from './terminal.ts';
import { CommandError, countOf, noMore, outputFormat, UsageError } from './usage.ts';

interface DoctorOptions {
  token?: string;
  ca?: string;
  repository?: string;
  bodyLimit: string;
  idle: string;
  output: string;
}

/** Berth itself takes larger layers; nobody waits for a trial of more. */
const MOST_BYTES = 5 * 1024 ** 3;
/** Above it Berth itself ends an idle connection. */
const MOST_IDLE_SECONDS = 200;

export function register(program: Command, finish: (code: number) => void): void {
  program
    .command('doctor <URL> [MORE...]')
    .summary('check a running registry from outside, and say the line to change')
    .description(
      'Asks the registry at URL as its clients do: name, port, scheme, certificate, log-in, uploads, time-outs. For what is wrong it says the line to change, of the proxy in front too. What needs a push is left out without a log-in (berth login, BERTH_TOKEN). It leaves nothing behind. Exit code 1 when something failed.',
    )
    .option('--token <TOKEN>', 'an access token to push with for trial; without it that of berth login [BERTH_TOKEN]')
    .option('--ca <FILE>', 'certificates, as PEM, of an authority of your own to trust')
    .option('--repository <NAME>', 'where to push for trial; default: berth-doctor in your namespace')
    .option('--body-limit <SIZE>', 'the largest body to try, such as 20MiB; at most 5GiB', '100MiB')
    .option('--idle <SECONDS>', `how long an upload and an answer pause; at most ${MOST_IDLE_SECONDS}`, '20')
    .option('--output <FORMAT>', 'text or json', 'text')
    .action(async (url: string, more: string[], options: DoctorOptions) => finish(await doctor(url, more, options)));
}

async function doctor(url: string, more: string[], options: DoctorOptions): Promise<number> {
  noMore(more);
  const json = outputFormat(options.output) === 'json';
  const origin = parseServer('URL', url);
  const mostBytes = sizeOf('--body-limit', options.bodyLimit);
  const idle = countOf('--idle', options.idle);
  if (idle > MOST_IDLE_SECONDS) throw new UsageError(`--idle: ${idle} is more than ${MOST_IDLE_SECONDS} seconds`);
  const { repository } = options;
  if (repository !== undefined && !isRepositoryName(repository)) {
    throw new UsageError(`--repository: ${JSON.stringify(repository)} is not the name of a repository`);
  }
  const authorities = options.ca === undefined ? [] : [readCertificates(options.ca)];
  const progress = createProgress();
  const checks = await examine({
    origin,
    authorization: authorizationFor(origin, options.token),
    authorities,
    repository,
    mostBytes,
    idleMs: idle * 1_000,
    now: Date.now,
    onCheck: (check) => {
      progress.stop();
      if (!json) show(check);
    },
    onSent: (sent, size) => progress.update(formatBytes(size), sent, size),
  });
  const count = (state: Check['state']) => checks.filter((check) => check.state === state).length;
  if (json) printJson({ url: origin, ok: count('failed') === 0, checks });
  else
    note(`${count('ok')} ok, ${count('warning')} to look at, ${count('failed')} failed, ${count('skipped')} left out`);
  return count('failed') === 0 ? EXIT.ok : EXIT.error;
}

/** What is shown of oneself, when there is something. A log-in that has expired is none. */
function authorizationFor(origin: string, token: string | undefined): string | undefined {
  if (token !== undefined) {
    if (!isAccessToken(token)) throw new UsageError('--token: is not an access token of Berth');
    return `Bearer ${token}`;
  }
  try {
    const found = credentialFor(credentialsFile(), origin);
    return found?.kind === 'token' ? `Bearer ${found.token}` : undefined;
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    note(error.message);
    return undefined;
  }
}

function readCertificates(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`--ca: ${file} can not be read (${error instanceof Error ? error.message : 'unknown error'})`);
  }
  if (!text.includes('-----BEGIN CERTIFICATE-----')) throw new UsageError(`--ca: ${file} holds no certificate as PEM`);
  return text;
}

/** `20MiB` in bytes. @throws UsageError */
function sizeOf(flag: string, text: string): number {
  const [, number, unit = ''] = /^(\d{1,6})\s*(KiB|MiB|GiB|K|M|G)$/i.exec(text) ?? [];
  const power = 'kmg'.indexOf(unit.charAt(0).toLowerCase()) + 1;
  const bytes = number === undefined ? 0 : Number(number) * 1024 ** power;
  if (bytes === 0) throw new UsageError(`${flag}: ${JSON.stringify(text)} is not a size such as 20MiB or 5GiB`);
  if (bytes > MOST_BYTES) throw new UsageError(`${flag}: ${text} is more than ${formatBytes(MOST_BYTES)}`);
  return bytes;
}

const WORDS: Record<Check['state'], string> = { ok: 'ok', warning: 'warning', failed: 'FAILED', skipped: 'left out' };

function show({ name, state, seen, lines }: Check): void {
  print(`${WORDS[state].padEnd(8)}  ${name.padEnd(18)}  ${safe(seen)}`);
  for (const { where, code } of lines) {
    print(`${' '.repeat(10)}${where}:`);
    for (const line of code.split('\n')) print(`${' '.repeat(12)}${safe(line)}`);
  }
}
