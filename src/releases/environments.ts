import { OciError } from '../oci/errors.ts';
import type { Actor, ReleasesContext, Rows } from './context.ts';
import {
  activeTargets,
  clip,
  deploymentById,
  type EnvironmentRow,
  environmentName,
  environmentsOf,
  findEnvironment,
  findStack,
  lockEnvironment,
  type StackRow,
  stackName,
} from './find.ts';
import { type Hold, holdOf, type Lock, lockOf, writeHold } from './lock.ts';
import { advance } from './progress.ts';
import { requestDeployment } from './requests.ts';
import { servicesOf, type Tracking, trackingFault, trackingOf } from './resolution.ts';

/** Times are ms since 1970. */
export interface Environment {
  name: string;
  position: number;
  protected: boolean;
  deployOnPush: boolean;
  maxParallel: number;
  track: Record<string, Tracking>;
  hold: Hold | null;
  lock: Lock | null;
  configVersion: number;
  current: number | null;
  createdAt: number;
}

const MOST_ENVIRONMENTS = 100;

/** In their order. @throws OciError NOT_FOUND */
export async function listEnvironments(
  context: ReleasesContext,
  namespace: string,
  stack: string,
): Promise<Environment[]> {
  const { read } = context.database;
  const found = await findStack(read, namespace, stack);
  const list = [];
  for (const row of await environmentsOf(read, found.id)) list.push(await describeEnvironment(read, row));
  return list;
}

/** @throws OciError NOT_FOUND */
export async function getEnvironment(
  context: ReleasesContext,
  namespace: string,
  stack: string,
  name: string,
): Promise<Environment> {
  const { read } = context.database;
  return describeEnvironment(read, await findEnvironment(read, await findStack(read, namespace, stack), name));
}

/** Puts an environment behind those that the stack has. @throws OciError NOT_FOUND, NAME_TAKEN, BODY_INVALID */
export async function createEnvironment(
  context: ReleasesContext,
  namespace: string,
  stack: string,
  environment: {
    name: string;
    track?: Record<string, Tracking> | undefined;
    deployOnPush?: boolean | undefined;
    protected?: boolean | undefined;
    maxParallel?: number | undefined;
  },
  actor: Actor,
): Promise<Environment> {
  const { read } = context.database;
  const track = environment.track ?? {};
  await checkTracking(read, await findStack(read, namespace, stack), track);
  await context.database.transaction(async (tx) => {
    const found = await findStack(tx, namespace, stack);
    const others = await environmentsOf(tx, found.id);
    if (others.length >= MOST_ENVIRONMENTS) {
      throw new OciError('DENIED', `${stackName(found)} has ${MOST_ENVIRONMENTS} environments already`);
    }
    const added = await tx
      .insertInto('environments')
      .values({
        stack_id: found.id,
        name: environment.name,
        position: (others.at(-1)?.position ?? 0) + 1,
        protected: environment.protected === true ? 1 : 0,
        deploy_on_push: environment.deployOnPush === true ? 1 : 0,
        max_parallel: environment.maxParallel ?? 1,
        track: JSON.stringify(track),
        created_at: context.now(),
      })
      .onConflict((conflict) => conflict.columns(['stack_id', 'name']).doNothing())
      .returning('id')
      .executeTakeFirst();
    if (added === undefined) {
      throw new OciError('NAME_TAKEN', `name: ${stackName(found)} has an environment ${environment.name} already`);
    }
    if (environment.deployOnPush === true)
      await requestDeployment(context, tx, added.id, actor, 'the environment is new');
    await context.record(tx, actor, { action: 'environment.create', subject: environmentName(found, environment) });
  });
  return getEnvironment(context, namespace, stack, environment.name);
}

/** @throws OciError NOT_FOUND, BODY_INVALID */
export async function changeEnvironment(
  context: ReleasesContext,
  namespace: string,
  stack: string,
  name: string,
  change: {
    track?: Record<string, Tracking> | undefined;
    deployOnPush?: boolean | undefined;
    protected?: boolean | undefined;
    maxParallel?: number | undefined;
    position?: number | undefined;
  },
  actor: Actor,
): Promise<Environment> {
  const { read } = context.database;
  if (change.track !== undefined) await checkTracking(read, await findStack(read, namespace, stack), change.track);
  await context.database.transaction(async (tx) => {
    const found = await findStack(tx, namespace, stack);
    const { id } = await findEnvironment(tx, found, name);
    const row = await lockEnvironment(context, tx, id);
    if (row === undefined) throw new OciError('NOT_FOUND', `environment: ${clip(name)} was just deleted`);
    await tx
      .updateTable('environments')
      .set({
        track: change.track === undefined ? row.track : JSON.stringify(change.track),
        deploy_on_push: flag(change.deployOnPush, row.deploy_on_push),
        protected: flag(change.protected, row.protected),
        max_parallel: change.maxParallel ?? row.max_parallel,
      })
      .where('id', '=', id)
      .execute();
    if (change.position !== undefined) {
      const others = (await environmentsOf(tx, found.id)).filter((other) => other.id !== id);
      const ordered = [...others.slice(0, change.position - 1), row, ...others.slice(change.position - 1)];
      for (const [i, each] of ordered.entries()) {
        await tx
          .updateTable('environments')
          .set({ position: i + 1 })
          .where('id', '=', each.id)
          .execute();
      }
    }
    if (change.track !== undefined || change.deployOnPush !== undefined) {
      await requestDeployment(context, tx, id, actor, 'what is tracked was changed');
    }
    await context.record(tx, actor, {
      action: 'environment.update',
      subject: environmentName(found, row),
      detail: change,
    });
  });
  return getEnvironment(context, namespace, stack, name);
}

/** @throws OciError NOT_FOUND; CONFLICT while servers are enrolled in it */
export async function deleteEnvironment(
  context: ReleasesContext,
  namespace: string,
  stack: string,
  name: string,
  actor: Actor,
): Promise<void> {
  await context.database.transaction(async (tx) => {
    const found = await findStack(tx, namespace, stack);
    const row = await findEnvironment(tx, found, name);
    const targets = (await activeTargets(tx, row.id)).map((target) => target.name);
    if (targets.length > 0) {
      throw new OciError('CONFLICT', `environment: ${name} has targets: ${targets.join(', ')}; revoke them first`, {
        targets,
      });
    }
    await tx.deleteFrom('release_revocations').where('environment_id', '=', row.id).execute();
    await tx.deleteFrom('environments').where('id', '=', row.id).execute();
    await context.record(tx, actor, { action: 'environment.delete', subject: environmentName(found, row) });
  });
}

/** Automation deploys nothing there until `resume`; people may. @throws OciError NOT_FOUND */
export async function holdEnvironment(
  context: ReleasesContext,
  namespace: string,
  stack: string,
  name: string,
  reason: string,
  actor: Actor,
): Promise<Environment> {
  await context.database.transaction(async (tx) => {
    const found = await findStack(tx, namespace, stack);
    const row = await findEnvironment(tx, found, name);
    await writeHold(tx, row.id, { by: actor.name, at: context.now(), reason });
    await tx.deleteFrom('environment_triggers').where('environment_id', '=', row.id).execute();
    await context.record(tx, actor, {
      action: 'environment.hold',
      subject: environmentName(found, row),
      detail: { reason },
    });
  });
  return getEnvironment(context, namespace, stack, name);
}

/** Ends a hold; what was pushed meanwhile is looked at. @throws OciError NOT_FOUND */
export async function resumeEnvironment(
  context: ReleasesContext,
  namespace: string,
  stack: string,
  name: string,
  actor: Actor,
): Promise<Environment> {
  await context.database.transaction(async (tx) => {
    const found = await findStack(tx, namespace, stack);
    const row = await findEnvironment(tx, found, name);
    await writeHold(tx, row.id, null);
    await requestDeployment(context, tx, row.id, actor, 'the hold was ended');
    // A push that came before the hold may wait.
    await advance(context, tx, row.id);
    await context.record(tx, actor, { action: 'environment.resume', subject: environmentName(found, row) });
  });
  return getEnvironment(context, namespace, stack, name);
}

export async function describeEnvironment(rows: Rows, row: EnvironmentRow): Promise<Environment> {
  return {
    name: row.name,
    position: row.position,
    protected: row.protected !== 0,
    deployOnPush: row.deploy_on_push !== 0,
    maxParallel: row.max_parallel,
    track: trackingOf(row),
    hold: holdOf(row),
    lock: await lockOf(rows, row),
    configVersion: row.config_version,
    current: (await deploymentById(rows, row.current_deployment_id))?.number ?? null,
    createdAt: row.created_at,
  };
}

async function checkTracking(rows: Rows, stack: StackRow, track: Readonly<Record<string, Tracking>>): Promise<void> {
  const services = (await servicesOf(rows, stack.id)).map(({ service }) => service);
  for (const [service, tracking] of Object.entries(track)) {
    if (!services.includes(service)) {
      throw new OciError(
        'BODY_INVALID',
        `track: ${stackName(stack)} has no service ${clip(service)} with an image of this registry; it has ${services.join(', ') || 'none'}`,
      );
    }
    const fault = trackingFault(tracking);
    if (fault !== undefined) throw new OciError('BODY_INVALID', `track.${service}: ${fault}`);
  }
}

function flag(wanted: boolean | undefined, current: number): number {
  return wanted === undefined ? current : Number(wanted);
}
