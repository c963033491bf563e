import { type ComposeFile, serviceOrder } from '../../compose/file.ts';
import { note, safe } from '../terminal.ts';
import { CommandError } from '../usage.ts';
import { containersOf, type LocalContainer, logTail, standingOf } from './containers.ts';
import type { Docker, Ran } from './docker.ts';

/** A set that is ready to start: its images are here, its file is on disk. */
export interface Startable {
  docker: Docker;
  project: string;
  /** The path of the compose file. */
  path: string;
  /** What it was made of: it says which services are migrations, and what they need. */
  file: ComposeFile;
  /** Those of its services that are in the set. */
  services: ReadonlySet<string>;
  variables: Readonly<Record<string, string>>;
  /** Migrations that ran; they do not run again when the start is tried again. */
  migrated: Set<string>;
}

/** A port that somebody else has taken in the meantime. */
export class PortTakenError extends Error {
  override readonly name = 'PortTakenError';

  constructor(readonly port: number) {
    super(`port ${port} is taken`);
  }
}

/** Settings of compose that a person may have for something else. */
const NOT_OURS = [
  'FILE',
  'PROJECT_NAME',
  'PROFILES',
  'ENV_FILES',
  'DISABLE_ENV_FILE',
  'IGNORE_ORPHANS',
  'REMOVE_ORPHANS',
];

/** Runs `docker compose` for a set. Its variables come through the environment alone. */
export async function compose(
  { docker, project, path, variables }: Pick<Startable, 'docker' | 'project' | 'path' | 'variables'>,
  args: readonly string[],
  withinMs: number,
): Promise<Ran> {
  const env: Record<string, string | undefined> = { ...docker.environment, ...variables };
  for (const name of NOT_OURS) delete env[`COMPOSE_${name}`];
  const folder = path.slice(0, path.lastIndexOf('/'));
  const own = ['--project-name', project, '--project-directory', folder, '--env-file', '/dev/null', '--file', path];
  return docker.run(['compose', '--ansi', 'never', '--progress', 'plain', ...own, ...args], {
    env,
    cwd: folder,
    withinMs,
  });
}

/**
 * Migrations first, each to its end, then all else.
 *
 * @param deadline of `performance.now()`
 * @returns whether it was done in time
 * @throws PortTakenError, CommandError with what the container that failed wrote
 */
export async function startSet(set: Startable, deadline: number): Promise<boolean> {
  const order = serviceOrder(set.file).filter((name) => set.services.has(name));
  const isMigration = (name: string) => set.file.services.get(name)?.migration === true;
  const left = () => Math.max(1, deadline - performance.now());
  for (const migration of order.filter((name) => isMigration(name) && !set.migrated.has(name))) {
    const needed = (set.file.services.get(migration)?.dependsOn ?? []).filter((name) => !isMigration(name));
    if (needed.length > 0 && !(await up(set, ['--wait', ...needed], left()))) return false;
    note(`running the migration ${migration}`);
    const ran = await compose(set, ['run', '--rm', '--no-deps', '--no-TTY', migration], left());
    if (ran.late) return false;
    if (ran.code !== 0) {
      throw new CommandError(
        `the migration ${migration} ended with ${ran.code}${indented(tail(ran.stdout, ran.stderr))}`,
      );
    }
    set.migrated.add(migration);
  }
  const services = order.filter((name) => !isMigration(name));
  note(`starting ${services.join(', ')}`);
  return services.length === 0 || up(set, services, left());
}

/** @returns false when it took too long */
async function up(set: Startable, args: readonly string[], withinMs: number): Promise<boolean> {
  const flags = ['--detach', '--no-build', '--pull', 'never', '--remove-orphans'];
  const ran = await compose(set, ['up', ...flags, ...args], withinMs);
  if (ran.code === 0) return true;
  if (ran.late) return false;
  const port = takenPort(ran.stderr);
  if (port !== undefined) throw new PortTakenError(port);
  throw await failure(set, reasonOf(ran.stderr));
}

function takenPort(said: string): number | undefined {
  if (!/port is already allocated|address already in use|ports are not available/i.test(said)) return undefined;
  const found = /:(\d{1,5})(?: failed|: bind| ->|:)/.exec(
    said.split('\n').find((line) => /allocated|in use|not available/i.test(line)) ?? '',
  );
  return found === null ? undefined : Number(found[1]);
}

const STEADY_MS = 2_000;
const EVERY_MS = 300;

/**
 * Waits until every container is healthy, done, or, where nothing checks its health, has run for a while.
 *
 * @returns whether that was so before `deadline`
 * @throws CommandError with the log of one that failed
 */
export async function waitForSet(set: Startable, deadline: number): Promise<boolean> {
  const since = new Map<string, number>();
  const said = new Map<string, string>();
  for (;;) {
    const containers = await containersOf(set.docker, set.project);
    const now = performance.now();
    let open = 0;
    for (const container of containers) {
      const run = `${container.id} ${container.startedAt} ${container.restarts} ${container.status}`;
      if (!since.has(run)) since.set(run, now);
      const standing = standingOf(container, now - (since.get(run) ?? now) >= STEADY_MS);
      if (said.get(container.name) !== standing.text) note(`${container.name}: ${standing.text}`);
      said.set(container.name, standing.text);
      if (standing.failed) throw await failure(set, `${container.name} is ${standing.text}`, container);
      if (!standing.settled) open += 1;
    }
    if (containers.length > 0 && open === 0) return true;
    if (now >= deadline) return false;
    await Bun.sleep(EVERY_MS);
  }
}

/** The error with the end of the log of a container that did not come up. */
async function failure(set: Startable, reason: string, known?: LocalContainer): Promise<CommandError> {
  const containers = known === undefined ? await containersOf(set.docker, set.project) : [];
  const failed = known ?? containers.find((container) => standingOf(container, true).failed);
  const log = failed === undefined ? '' : await logTail(set.docker, failed.id);
  const from = log === '' || failed === undefined ? '' : `; ${failed.name} wrote:${indented(log)}`;
  return new CommandError(`${safe(reason)}${from}\nthe set is left as it is: berth down ${set.project} removes it`);
}

/** The line of compose's output that tells what went wrong. */
function reasonOf(said: string): string {
  const lines = said.split('\n').map((line) => line.trim());
  const plain = lines.filter(
    (line) => line !== '' && !/^(?:Container|Network|Volume|Image) \S+ +[A-Z][a-z]+$/.test(line),
  );
  const found =
    plain.findLast((line) => /error|failed|invalid|cannot|no such|unhealthy|denied/i.test(line)) ?? plain.at(-1);
  return (found ?? 'docker compose failed').replace(/^Error response from daemon: /, '').slice(0, 1_000);
}

function tail(...texts: readonly string[]): string {
  return texts.filter(Boolean).join('\n').split('\n').slice(-20).join('\n');
}

function indented(text: string): string {
  return text === ''
    ? ''
    : `\n${text
        .split('\n')
        .map((line) => `    ${safe(line)}`)
        .join('\n')}`;
}
