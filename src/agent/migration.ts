import { composeError } from './compose.ts';
import { type Container, containerOf, containersOf } from './containers.ts';
import { EngineUnreachableError } from './engine.ts';
import { blameOf, DeploymentFailure, isEngineGone } from './failure.ts';
import type { PreparedService } from './prepared.ts';
import { sleep } from './pull.ts';
import { type Applied, failureOf, type Host, type SwitchOptions, split, switchService } from './switching.ts';

const LOOK_EVERY_MS = 200;

/**
 * Runs each migration once, in the order of the file; what they need and was never on this host is started before. A migration has
 * a container whose name holds the deployment's number: after a crash it is waited for, or its exit code read, and it does not run twice.
 *
 * @throws DeploymentFailure; EngineUnreachableError; what the signal was aborted with
 */
export async function runMigrations(host: Host, applied: Applied, options: SwitchOptions): Promise<void> {
  const { services, migrations } = applied.deployment;
  const needed = new Set(migrations.flatMap(({ needs }) => needs));
  for (const service of services) {
    if (!needed.has(service.name)) continue;
    const { fresh, old } = split(await containersOf(host.engine, host.place), service);
    const isNew = old.length === 0 && (fresh.length === 0 || options.touched.includes(service.name));
    if (isNew) await switchService(host, applied, { ...service, neededHealthy: true }, options);
  }
  for (const migration of migrations) await runMigration(host, applied, migration, options);
}

async function runMigration(
  host: Host,
  applied: Applied,
  migration: PreparedService,
  { signal, onStep }: SwitchOptions,
): Promise<void> {
  const { engine, place } = host;
  const name = `${place.project}-${migration.name}-v${applied.deployment.number}`;
  const find = async (): Promise<Container | undefined> => {
    const found = await engine.container(name);
    return found === undefined ? undefined : containerOf(found);
  };
  let container = await find();
  if (container?.inspected.State.Status === 'created') {
    await engine.remove(container.id);
    container = undefined;
  }
  if (container === undefined) {
    await composeRun(host, applied, ['--name', name, migration.name], signal);
    onStep(`started:${migration.name}`);
    container = await find();
  }
  const deadline = performance.now() + migration.deadlines.progressDeadline;
  while (container?.running) {
    if (performance.now() > deadline) {
      const why = `it has not ended within ${migration.deadlines.progressDeadline / 1000} s`;
      const failure = await failureOf(host, migration, container, why);
      await engine.stop(container.id);
      throw failure;
    }
    await sleep(LOOK_EVERY_MS, signal);
    container = await find();
  }
  if (container === undefined) throw new DeploymentFailure(`${migration.name}: its container was removed`, 'place');
  if (container.exitCode !== 0) {
    throw await failureOf(host, migration, container, `it ended with exit code ${container.exitCode}`);
  }
}

async function composeRun(
  host: Host,
  { deployment, file }: Applied,
  args: string[],
  signal: AbortSignal,
): Promise<void> {
  const { variables } = deployment;
  const command = ['run', '--detach', '--no-TTY', '--no-deps', ...args];
  const { code, output } = await host.compose.run(command, { file, variables });
  signal.throwIfAborted();
  if (code === 0) return;
  if (isEngineGone(output)) throw new EngineUnreachableError(composeError(output));
  throw new DeploymentFailure(composeError(output), blameOf(composeError(output)));
}

/** Removes the containers of migrations that have ended; to be called once what they did is on the disk. */
export async function removeMigrations({ engine, place }: Host): Promise<void> {
  for (const container of await containersOf(engine, place)) {
    if (container.oneOff && !container.running && /-v\d+$/.test(container.name)) await engine.remove(container.id);
  }
}
