import type { Compose } from './compose.ts';
import { composeError } from './compose.ts';
import { type Container, containersOf } from './containers.ts';
import { type Engine, EngineError, EngineUnreachableError } from './engine.ts';
import { blameOf, DeploymentFailure, isEngineGone, SupersededError } from './failure.ts';
import { gateOf, HealthGate } from './health.ts';
import type { Place } from './labels.ts';
import type { PreparedDeployment, PreparedService } from './prepared.ts';
import { sleep } from './pull.ts';
import type { Retirement } from './retirement.ts';

/** What switching needs of the host. */
export interface Host {
  engine: Engine;
  compose: Compose;
  place: Place;
}

/** A deployment whose compose file is on the disk. */
export interface Applied {
  deployment: PreparedDeployment;
  /** The path of its compose file. */
  file: string;
}

export interface SwitchOptions {
  retirement: Retirement;
  /** Services whose containers this switch has begun to replace, before the agent was killed or now. */
  touched: readonly string[];
  /** Remembers one more of them, durably. */
  touch: (service: string) => Promise<void>;
  /** Whether to leave what remains to a newer deployment; asked between services. */
  superseded: () => boolean;
  warn: (warning: string) => void;
  onStep: (step: string) => void;
  signal: AbortSignal;
}

const LOOK_EVERY_MS = 200;
const LOG_LINES = 50;

/**
 * Makes the host run a deployment, service by service in the order of what they depend on, and waits until all is healthy. What runs
 * already as the deployment wants it is left alone. May be repeated at any point, also after a crash.
 *
 * @throws DeploymentFailure; EngineUnreachableError; SupersededError; what `signal` was aborted with
 */
export async function switchTo(host: Host, applied: Applied, options: SwitchOptions): Promise<void> {
  const later: Waiting[] = [];
  for (const service of applied.deployment.services) {
    if (options.superseded()) throw new SupersededError('a newer deployment is wanted');
    options.signal.throwIfAborted();
    const waiting = await switchService(host, applied, service, options);
    if (waiting !== undefined) later.push(waiting);
  }
  for (const { service, ids } of later) await waitHealthy(host, service, ids, options);
  await removeOthers(host, applied.deployment);
}

/** Containers that nothing needs to be healthy before the others begin. */
export interface Waiting {
  service: PreparedService;
  ids: string[];
}

/** One service of `switchTo`. @returns what is still to be waited for */
export async function switchService(
  host: Host,
  applied: Applied,
  service: PreparedService,
  options: SwitchOptions,
): Promise<Waiting | undefined> {
  const { fresh, old } = split(await containersOf(host.engine, host.place), service);
  const goes = fresh.filter((container) => isGoing(service, container));
  if (goes.length === service.replicas && fresh.length === goes.length) {
    // What was not touched is left alone. The rest was made just before the agent was killed.
    if (old.length > 0 || options.touched.includes(service.name)) await waitHealthy(host, service, ids(goes), options);
    options.retirement.begin(old, service.deadlines.drain);
    return undefined;
  }
  await options.touch(service.name);
  const serving = old.filter(({ running }) => running);
  const startFirst = serving.length > 0 && canStartFirst(service, serving, options.warn);
  options.onStep(`switching:${service.name}`);
  if (startFirst) await startBeside(host, applied, service, { fresh, old, serving }, options.signal);
  else if (old.length > 0) await composeUp(host, applied, ['--no-deps', service.name], options.signal);
  else await composeUp(host, applied, ['--no-deps', '--no-recreate', service.name], options.signal);
  options.onStep(`created:${service.name}`);
  const made = split(await containersOf(host.engine, host.place), service).fresh;
  if (made.length < service.replicas) {
    throw new DeploymentFailure(
      `${service.name}: compose made ${made.length} of ${service.replicas} containers`,
      'release',
    );
  }
  const isFirst = old.length === 0 && !service.neededHealthy && !service.endsByItself;
  if (isFirst && made.every((container) => gateOf(service, container) === 'time')) {
    return { service, ids: ids(made) };
  }
  try {
    await waitHealthy(host, service, ids(made), options);
  } catch (error) {
    if (startFirst && error instanceof DeploymentFailure) {
      for (const { id } of made) await host.engine.remove(id);
    }
    throw error;
  }
  options.onStep(`healthy:${service.name}`);
  if (startFirst) options.retirement.begin(old, service.deadlines.drain);
  return undefined;
}

/** Those made from the deployment's definition of a service, and the others. */
export function split(
  containers: readonly Container[],
  service: PreparedService,
): { fresh: Container[]; old: Container[] } {
  const own = containers.filter((container) => container.service === service.name && !container.oneOff);
  return {
    fresh: own.filter(({ hash }) => hash === service.hash),
    old: own.filter(({ hash }) => hash !== service.hash),
  };
}

/** Whether a container does what it is there for, as far as its state tells. */
export function isGoing(service: PreparedService, container: Container): boolean {
  return container.running || (service.endsByItself && container.exitCode === 0 && container.startedAt !== NEVER);
}

const NEVER = '0001-01-01T00:00:00Z';

function canStartFirst(service: PreparedService, serving: readonly Container[], warn: (text: string) => void): boolean {
  if (service.endsByItself || service.replacement.order === 'stop-first') return false;
  if (service.startFirstAsked || !serving.some(({ anonymousVolume }) => anonymousVolume)) return true;
  warn(`${service.name} is stopped before its successor starts: its image writes to a volume of its own`);
  return false;
}

async function startBeside(
  host: Host,
  applied: Applied,
  service: PreparedService,
  { fresh, old, serving }: { fresh: Container[]; old: Container[]; serving: Container[] },
  signal: AbortSignal,
): Promise<void> {
  // Compose would start them again, and count them. A new one that ended is no start.
  const ended = [...old, ...fresh].filter(({ running, restarting }) => !running && !restarting);
  for (const { id } of ended) await host.engine.remove(id);
  const restarting = old.filter((container) => container.restarting).length;
  const count = serving.length + restarting + service.replicas;
  const args = ['--no-deps', '--no-recreate', '--scale', `${service.name}=${count}`, service.name];
  await composeUp(host, applied, args, signal);
}

/** @throws DeploymentFailure, EngineUnreachableError */
export async function composeUp(
  host: Host,
  { deployment, file }: Applied,
  args: string[],
  signal: AbortSignal,
): Promise<void> {
  const { variables } = deployment;
  const command = ['up', '--detach', '--no-build', '--pull', 'never', ...args];
  const { code, output } = await host.compose.run(command, { file, variables });
  signal.throwIfAborted();
  if (code === 0) return;
  if (isEngineGone(output)) throw new EngineUnreachableError(composeError(output));
  await host.engine.ping();
  throw new DeploymentFailure(composeError(output), blameOf(composeError(output)));
}

/** @throws DeploymentFailure with the log of the container that is not healthy */
async function waitHealthy(
  host: Host,
  service: PreparedService,
  containers: readonly string[],
  { warn, signal }: Pick<SwitchOptions, 'warn' | 'signal'>,
): Promise<void> {
  const gates = new Map<string, HealthGate>();
  const waiting = new Set(containers);
  while (waiting.size > 0) {
    for (const [id, container] of await containersById(host, containers)) {
      if (!waiting.has(id)) continue;
      let gate = gates.get(id);
      if (gate === undefined && container !== undefined) {
        gate = new HealthGate(service, container);
        gates.set(id, gate);
        if (gateOf(service, container) === 'time' && !service.endsByItself) {
          warn(
            `${service.name} has no health check: running for ${service.deadlines.minHealthyTime / 1000} s counts as healthy`,
          );
        }
      }
      const verdict =
        gate === undefined
          ? ({ kind: 'unhealthy', why: 'its container was removed' } as const)
          : await gate.judge(container);
      if (verdict.kind === 'healthy') waiting.delete(id);
      if (verdict.kind === 'unhealthy') throw await failureOf(host, service, container, verdict.why);
    }
    if (waiting.size > 0) await sleep(LOOK_EVERY_MS, signal);
  }
}

async function containersById(host: Host, wanted: readonly string[]): Promise<Map<string, Container | undefined>> {
  const found = new Map((await containersOf(host.engine, host.place)).map((container) => [container.id, container]));
  return new Map(wanted.map((id) => [id, found.get(id)]));
}

const JUST_LOST_MS = 15_000;

/** A failure of the release, once it is sure that it is not the engine's. @throws EngineUnreachableError */
export async function failureOf(
  host: Host,
  service: PreparedService,
  container: Container | undefined,
  why: string,
): Promise<DeploymentFailure> {
  await host.engine.ping();
  // What ends or restarts with its engine has not failed: it is looked at anew.
  if (host.engine.wasLostWithin(JUST_LOST_MS)) {
    throw new EngineUnreachableError(`${service.name}: ${why}, just after the engine was away`);
  }
  let log: string | undefined;
  try {
    log = container === undefined ? undefined : await host.engine.logs(container.inspected, LOG_LINES);
  } catch (error) {
    // A log driver that can't be read, or a container that is gone meanwhile.
    if (!(error instanceof EngineError)) throw error;
  }
  return new DeploymentFailure(`${service.name}: ${why}`, blameOf(why), log);
}

/** Stops and removes the containers of services that the deployment has no more; their volumes stay. */
async function removeOthers(host: Host, { services, migrations }: PreparedDeployment): Promise<void> {
  const known = new Set([...services, ...migrations].map(({ name }) => name));
  for (const container of await containersOf(host.engine, host.place)) {
    if (container.oneOff || known.has(container.service)) continue;
    await host.engine.stop(container.id);
    await host.engine.remove(container.id);
  }
}

function ids(containers: readonly Container[]): string[] {
  return containers.map(({ id }) => id);
}
