import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { isAccessToken } from '../accounts/secrets.ts';
import { runAgent } from '../agent/agent.ts';
import { createLog, flushLog, type LogLevel } from '../log.ts';
import { failpoint } from '../workers/failpoint.ts';
import { addClientTlsOptions, type ClientTlsOptions, clientTls } from './client-tls.ts';
import { isPrivate, parseServer } from './server-address.ts';
import { CommandError, oneOf, UsageError } from './usage.ts';

interface Options extends ClientTlsOptions {
  server?: string;
  tokenFile?: string;
  token?: string;
  state?: string;
  registry?: string;
  logLevel: string;
  once?: boolean;
}

/** Of `--once`. */
const ROLLED_BACK = 3;
const NOT_ROLLED_BACK = 4;

export function register(program: Command, finish: (code: number) => void): void {
  const command = program
    .command('agent')
    .summary('run what an environment wants on this server')
    .description(
      'The agent: runs on a server of an environment, asks Berth what is to run there, and sees to it with docker compose. It opens no port.\n' +
        'SIGTERM ends it; the containers go on. With --once: exit code 0 for a stable deployment, 3 when it was rolled back, 4 when that failed too.',
    )
    .option('--server <URL>', 'Berth [BERTH_SERVER]')
    .option('--token-file <FILE>', "the target's token, in a file [BERTH_AGENT_TOKEN_FILE]")
    .option('--token <TOKEN>', 'the token itself; other users of the machine can see it [BERTH_AGENT_TOKEN]')
    .option('--state <DIR>', 'what it keeps; default: /var/lib/berth-agent [BERTH_AGENT_STATE]')
    .option('--registry <HOST>', 'the host in the names of images; default: that of --server [BERTH_AGENT_REGISTRY]')
    .option('--once', 'bring the newest deployment to its end, and end')
    .option('--log-level <LEVEL>', 'debug, info, warn or error', 'info');
  addClientTlsOptions(command).action(async (options: Options) => finish(await agent(options)));
}

async function agent(options: Options): Promise<number> {
  const { env } = process;
  const address = options.server ?? env.BERTH_SERVER;
  if (!address) throw new UsageError('--server: give the address of Berth, as in https://berth.example.com');
  const server = parseServer(options.server === undefined ? 'BERTH_SERVER' : '--server', address);
  const token = readToken(options);
  const tls = clientTls(options);
  const level: LogLevel = oneOf('--log-level', options.logLevel, ['debug', 'info', 'warn', 'error']);
  const log = createLog(level, { program: 'berth-agent' });
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop.abort());
  if (!isPrivate(server))
    log.warn({ server }, 'the token and the variables go over plain http; give an https:// address');
  log.info({ server }, 'agent starts');
  try {
    const phase = await runAgent({
      server,
      ...(tls === undefined ? {} : { tls }),
      token,
      registry: options.registry ?? env.BERTH_AGENT_REGISTRY ?? new URL(server).host,
      state: options.state ?? env.BERTH_AGENT_STATE ?? '/var/lib/berth-agent',
      once: options.once ?? false,
      environment: env,
      log,
      onStep: failpoint(env.BERTH_FAILPOINT),
      stop: stop.signal,
    });
    if (options.once !== true || stop.signal.aborted) return 0;
    if (phase === 'reverted') return ROLLED_BACK;
    return phase === 'failed' || phase === 'revert-failed' ? NOT_ROLLED_BACK : 0;
  } catch (error) {
    throw new CommandError(error instanceof Error ? error.message : String(error));
  } finally {
    await flushLog(log);
  }
}

/** @throws UsageError, which does not print the token */
function readToken({ token: given, tokenFile }: Options): string {
  const { BERTH_AGENT_TOKEN: variable, BERTH_AGENT_TOKEN_FILE: fileVariable } = process.env;
  const file = tokenFile ?? (given === undefined && !variable ? fileVariable : undefined);
  let token = given ?? variable;
  if (file !== undefined) {
    try {
      token = readFileSync(file, 'utf8');
    } catch (error) {
      throw new UsageError(
        `--token-file: ${file} can't be read (${error instanceof Error ? error.message : 'unknown error'})`,
      );
    }
  }
  if (!token) throw new UsageError('--token-file: give the file with the token that berth target enroll has printed');
  if (!isAccessToken(token.trim())) throw new UsageError("the agent's token: it is not a token of Berth");
  return token.trim();
}
