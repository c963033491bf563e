import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { ResolvedSet } from '../api/releases.ts';
import type { ManagementClient } from '../client/management.ts';
import { exportComposeFile } from '../compose/export.ts';
import { parseComposeFile } from '../compose/file.ts';
import { parseDuration } from '../config/duration.ts';
import { imageChoicesOf, pairsOf } from './choices.ts';
import { addServerOptions, connect, credentialsFile, type ServerOptions } from './connect.ts';
import { EXIT } from './exit.ts';
import { Docker } from './local/docker.ts';
import { lockPath, readLock, writeLock } from './local/lock.ts';
import type { RegistryLogin } from './local/pull.ts';
import { runSet } from './local/run-set.ts';
import { type LocalSet, Sets } from './local/set.ts';
import { printRows, printSets, rowsOf } from './local/table.ts';
import { readEnvFile } from './local/variables.ts';
import { parseWanted, resolveWanted, setName } from './local/wanted.ts';
import { note, print, printJson } from './terminal.ts';
import { CommandError, outputFormat, UsageError } from './usage.ts';

interface UpOptions extends ServerOptions {
  name?: string;
  set: string[];
  only?: string;
  lock?: string;
  locked?: boolean;
  export?: string;
  wait: boolean;
  timeout: string;
  list?: boolean;
}

export function register(program: Command, finish: (code: number) => void): void {
  const command = program
    .command('up [STACK@ENV|STACK@RELEASE] [SERVICE=TAG...]')
    .summary('run chosen versions on this machine')
    .description(
      'Run chosen versions of a stack on this machine with docker compose: what runs in an environment, or a release, or what the\ncompose file says, with other tags or digests for some services. Sets run side by side; berth down removes one.',
    )
    .option('--name <NAME>', 'what the set is called, to have two of the same stack and environment')
    .option(
      '--set <NAME=VALUE>',
      'a variable of the compose file; may be given again. Before it count the environment of this command, .env in the current folder, and what the server has',
      (value: string, before: string[]) => [...before, value],
      [],
    )
    .option('--only <SERVICES>', 'these services, with commas between, and what they depend on')
    .option(
      '--lock <FILE>',
      'where the exact versions are written; default: berth.NAME.lock.json in the current folder',
    )
    .option('--locked', 'run exactly what the lock file says; the server is not asked what is newest')
    .option('--export <FILE>', 'write a compose file that works without Berth, and start nothing; - is standard output')
    .option('--no-wait', 'do not wait until everything is healthy')
    .option(
      '--timeout <DURATION>',
      'wait so long at most for what was pulled to be healthy, then end with exit code 124',
      '5m',
    )
    .option('--list', 'the sets on this machine');
  addServerOptions(command).action(async (stack: string | undefined, words: string[], options: UpOptions) => {
    if (options.list) {
      listSets(outputFormat(options.output) === 'json');
      return finish(EXIT.ok);
    }
    // With --lock the stack may be left out.
    const isChoice = stack?.includes('=') ?? false;
    const choices = isChoice && stack !== undefined ? [stack, ...words] : words;
    finish(await up(isChoice ? undefined : stack, choices, options));
  });
}

/** For `berth up --list` and `berth down --list`. */
export function listSets(json: boolean): void {
  const all = new Sets(process.env).list();
  if (json) printJson(all);
  else printSets(all);
}

async function up(stack: string | undefined, words: string[], options: UpOptions): Promise<number> {
  const images = imageChoicesOf(words);
  const timeoutMs = parseDuration(options.timeout);
  if (timeoutMs === undefined)
    throw new UsageError(`--timeout: ${JSON.stringify(options.timeout)} is no duration such as 5m`);
  const given = pairsOf('--set', options.set, 'NAME=VALUE');
  const only = options.only?.split(',').map((name) => name.trim()) ?? [];
  const { client, json } = connect(options);
  const { resolved, name, path } = await chooseSet(client, stack, images, options);
  if (options.export !== undefined) {
    writeExport(options.export, resolved, registryOf(client));
    return EXIT.ok;
  }
  const docker = await Docker.open(process.env);
  if (!options.locked) writeLock(path, resolved);
  const { set, ready } = await runSet({
    docker,
    sets: new Sets(process.env),
    resolved,
    name,
    only,
    registry: registryOf(client),
    login: () => loginOf(client),
    sources: { resolved, file: readEnvFile(process.cwd()), process: process.env, given },
    wait: options.wait,
    timeoutMs,
  });
  await show(docker, set, path, json);
  if (ready) return EXIT.ok;
  note(`not everything was healthy within ${options.timeout}; it goes on: berth down ${set.project} removes it`);
  return EXIT.timedOut;
}

async function chooseSet(
  client: ManagementClient,
  stack: string | undefined,
  images: Record<string, string>,
  options: UpOptions,
): Promise<{ resolved: ResolvedSet; name: string; path: string }> {
  const wanted = stack === undefined ? undefined : parseWanted(stack);
  if (!options.locked) {
    if (wanted === undefined) throw new UsageError('STACK: give one, as in shop@test, shop@7 or shop');
    const name = setName(wanted, options.name);
    const resolved = await resolveWanted(client, wanted, images);
    return { resolved, name, path: lockPath(options.lock, name) };
  }
  if (Object.keys(images).length > 0) {
    throw new UsageError('--locked: the lock file says which images; leave SERVICE=TAG out, or --locked');
  }
  if (wanted === undefined && options.lock === undefined) {
    throw new UsageError('--locked: give the stack, as in shop@test, or the lock file with --lock');
  }
  const path = lockPath(options.lock, wanted === undefined ? '' : setName(wanted, options.name));
  const resolved = readLock(path);
  if (wanted !== undefined && wanted.stack !== resolved.stack && wanted.stack !== resolved.stack.split('/').at(-1)) {
    throw new CommandError(`${path}: is of ${resolved.stack}, not of ${wanted.stack}`);
  }
  const from = resolved.environment ?? resolved.release?.toString();
  return { resolved, name: setName(wanted ?? { stack: resolved.stack, from }, options.name), path };
}

/** How images of the registry are named: without the protocol. */
function registryOf(client: ManagementClient): string {
  return new URL(client.instance.connection.server).host;
}

/** The token of BERTH_TOKEN or `berth login`, with the name that the registry wants beside it. */
async function loginOf(client: ManagementClient): Promise<RegistryLogin | undefined> {
  const { BERTH_TOKEN: variable } = process.env;
  const kept = credentialsFile().find(client.instance.connection.server);
  if (!variable) return kept;
  const caller = await client.instance.caller();
  return caller.kind === 'anonymous' ? undefined : { username: caller.name, token: variable.trim() };
}

function writeExport(path: string, resolved: ResolvedSet, registry: string): void {
  const images = Object.fromEntries(
    resolved.images.map(({ service, repository, digest }) => [service, `${registry}/${repository}@${digest}`]),
  );
  const name = resolved.stack.split('/').at(-1) ?? resolved.stack;
  const text = exportComposeFile(parseComposeFile(resolved.file), { images, variables: resolved.variables, name });
  if (path === '-') {
    process.stdout.write(text);
    return;
  }
  try {
    writeFileSync(resolve(path), text);
  } catch (error) {
    throw new CommandError(
      `--export: ${path} cannot be written: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  note(`wrote ${path}; docker compose -f ${path} up runs it`);
}

async function show(docker: Docker, set: LocalSet, lock: string, json: boolean): Promise<void> {
  const rows = await rowsOf(docker, set, await hostOf(docker));
  if (json) {
    const { project, name, stack, environment, release } = set;
    printJson({ set: project, name, stack, environment, release, lock, services: rows });
    return;
  }
  print(`${set.project}: ${set.stack}${from(set)}`);
  printRows(rows);
}

function from({ environment, release }: LocalSet): string {
  return environment !== null ? `@${environment}` : release !== null ? `@${release}` : '';
}

/** Where published ports are reached: here, or where a remote engine is. */
async function hostOf(docker: Docker): Promise<string> {
  const { DOCKER_HOST: host = process.env.DOCKER_HOST ?? '' } = await docker.engine();
  return /^(?:tcp|ssh|https?):\/\/(?:[^@/]*@)?(\[[^\]]+\]|[^:/]+)/.exec(host)?.[1] ?? 'localhost';
}
