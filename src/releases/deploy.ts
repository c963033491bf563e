import type { Transaction } from 'kysely';
import type { Schema } from '../database/schema.ts';
import { OciError } from '../oci/errors.ts';
import type { Actor, ReleasesContext, Rows } from './context.ts';
import {
  cancelActive,
  type Deployment,
  describeDeployment,
  getDeployment,
  type NewDeployment,
  queueDeployment,
} from './deployments.ts';
import {
  type DeploymentRow,
  deploymentById,
  type EnvironmentRow,
  environmentName,
  findDeployment,
  findEnvironment,
  findStack,
  lockEnvironment,
  type ReleaseRow,
  type StackRow,
} from './find.ts';
import { choicesOf, restored, type Wanted, type Wish } from './intent.ts';
import { writeHold } from './lock.ts';
import { refusalsOf } from './policy.ts';
import { advance } from './progress.ts';
import { insertRelease, prepareRelease } from './releases.ts';
import { markRevoked } from './revocations.ts';
import { stableBefore } from './stable.ts';
import type { Viewpoint } from './stacks.ts';

/**
 * Deploys, promotes or rolls back: makes a deployment and lets it begin.
 *
 * @throws OciError NOT_FOUND, LOCKED; REFUSED with every reason, unless it is forced; as `chooseImages`
 */
export async function startDeployment(
  context: ReleasesContext,
  place: { namespace: string; stack: string; environment: string },
  wish: Wish,
  view: Viewpoint,
  actor: Actor,
): Promise<Deployment> {
  const { read } = context.database;
  const stack = await findStack(read, place.namespace, place.stack);
  const environment = await findEnvironment(read, stack, place.environment);
  const seen = await choicesOf(context, stack, environment, wish, view);
  const prepared = seen.images === undefined ? undefined : await prepareRelease(context, stack, seen.images);
  const number = await context.database.transaction(async (tx) => {
    // What its lease's end or a word of its targets decided comes first.
    await advance(context, tx, environment.id);
    const row = await lockEnvironment(context, tx, environment.id);
    if (row === undefined) throw new OciError('NOT_FOUND', `environment: ${place.environment} was just deleted`);
    // Another deployment may have begun or ended since.
    const wanted = wish.kind === 'rollback' ? await restored(tx, stack, row, wish) : seen;
    const release =
      prepared === undefined
        ? await keptRelease(context, tx, wanted)
        : await insertRelease(context, tx, stack, prepared, { actor });
    if (!wish.force) await requireAllowed(tx, stack, row, wish, { ...wanted, release });
    const current = await deploymentById(tx, row.current_deployment_id);
    const deployment = await queueDeployment(context, tx, stack, row, {
      ...orderOf(wish, wanted, row, current),
      releaseId: release.id,
      actor,
    });
    if (wish.kind === 'rollback' && current !== undefined) {
      await undo(context, tx, row, { current, release, reason: wish.reason, number: deployment.number, actor });
    }
    await advance(context, tx, row.id);
    return deployment.number;
  });
  return getDeployment(context, place.namespace, place.stack, place.environment, number);
}

/** Ends a deployment that waits or is under way; what was under way is undone. @throws OciError NOT_FOUND, CONFLICT */
export async function cancelDeployment(
  context: ReleasesContext,
  place: { namespace: string; stack: string; environment: string },
  number: number,
  actor: Actor,
): Promise<Deployment> {
  await context.database.transaction(async (tx) => {
    const stack = await findStack(tx, place.namespace, place.stack);
    const { id } = await findEnvironment(tx, stack, place.environment);
    const environment = await lockEnvironment(context, tx, id);
    if (environment === undefined)
      throw new OciError('NOT_FOUND', `environment: ${place.environment} was just deleted`);
    const deployment = await findDeployment(tx, environment, number);
    const message = `cancelled by ${actor.name}`;
    if (deployment.status === 'queued') {
      await tx
        .updateTable('deployments')
        .set({ status: 'cancelled', message, finished_at: context.now() })
        .where('id', '=', deployment.id)
        .execute();
    } else if (deployment.id === environment.lease_deployment_id && deployment.undoes === null) {
      const stable = await stableBefore(tx, deployment);
      await cancelActive(context, tx, environment, deployment, message);
      if (stable !== undefined) {
        const row = await lockEnvironment(context, tx, id);
        await queueDeployment(context, tx, stack, row ?? environment, {
          releaseId: stable.release_id,
          configVersion: stable.config_version,
          reason: 'rollback',
          actor,
          restores: stable.number,
          undoes: deployment.number,
        });
      }
    } else {
      throw new OciError(
        'CONFLICT',
        `deployment: v${number} is ${deployment.status.replace('_', ' ')}; only what waits or is under way can be cancelled`,
      );
    }
    await context.record(tx, actor, {
      action: 'deployment.cancel',
      subject: `${environmentName(stack, environment)}/v${number}`,
    });
    await advance(context, tx, id);
  });
  return getDeployment(context, place.namespace, place.stack, place.environment, number);
}

/** Deploys what runs with the newest config. @returns undefined when nothing was deployed yet */
export async function deployConfig(
  context: ReleasesContext,
  place: { namespace: string; stack: string; environment: string },
  actor: Actor,
): Promise<Deployment | undefined> {
  const { read } = context.database;
  const stack = await findStack(read, place.namespace, place.stack);
  const { id } = await findEnvironment(read, stack, place.environment);
  return context.database.transaction(async (tx) => {
    await advance(context, tx, id);
    const environment = await lockEnvironment(context, tx, id);
    const current = environment && (await deploymentById(tx, environment.current_deployment_id));
    if (environment === undefined || current === undefined) return undefined;
    const made = await queueDeployment(context, tx, stack, environment, {
      releaseId: current.release_id,
      configVersion: environment.config_version,
      reason: 'config',
      actor,
    });
    await advance(context, tx, id);
    const row = await findDeployment(tx, environment, made.number);
    return describeDeployment(context, tx, stack, environment, row);
  });
}

function orderOf(
  wish: Wish,
  wanted: Wanted,
  environment: EnvironmentRow,
  current: DeploymentRow | undefined,
): Pick<NewDeployment, 'reason' | 'configVersion' | 'restores' | 'undoes'> {
  if (wish.kind !== 'rollback' || wanted.restores === undefined) {
    return { reason: wish.kind === 'promote' ? 'promote' : 'manual', configVersion: environment.config_version };
  }
  return {
    reason: 'rollback',
    configVersion: wish.keepConfig ? environment.config_version : wanted.restores.config_version,
    restores: wanted.restores.number,
    ...(current === undefined ? {} : { undoes: current.number }),
  };
}

/** What is undone is not deployed again by itself; a protected environment waits for a person besides. */
async function undo(
  context: ReleasesContext,
  tx: Transaction<Schema>,
  environment: EnvironmentRow,
  what: { current: DeploymentRow; release: ReleaseRow; reason: string; number: number; actor: Actor },
): Promise<void> {
  const { current, release, actor, number } = what;
  const reason = what.reason || `rolled back by v${number}`;
  if (current.release_id !== release.id) {
    const revoked = { releaseId: current.release_id, environmentId: environment.id, reason, instead: release.id };
    await markRevoked(context, tx, revoked, actor);
  }
  if (environment.protected === 0 || environment.held_at !== null) return;
  await writeHold(tx, environment.id, { by: actor.name, at: context.now(), reason });
}

async function keptRelease(context: ReleasesContext, tx: Transaction<Schema>, wanted: Wanted): Promise<ReleaseRow> {
  const query = tx
    .selectFrom('releases')
    .selectAll()
    .where('id', '=', wanted.release?.id ?? 0);
  const release = await (context.database.kind === 'postgres' ? query.forUpdate() : query).executeTakeFirstOrThrow();
  if (release.expired_at !== null) {
    throw new OciError('REFUSED', `release: ${release.number} is expired: its images are no longer kept`);
  }
  const images = await tx
    .selectFrom('release_images')
    .select(['service', 'repository', 'digest'])
    .where('release_id', '=', release.id)
    .execute();
  const present = await context.images.present(tx, images);
  const gone = images.find(({ digest }) => !present.has(digest));
  if (gone === undefined) return release;
  throw new OciError(
    'REFUSED',
    `release: ${release.number} can not be deployed: ${gone.repository}@${gone.digest} is gone`,
  );
}

async function requireAllowed(
  rows: Rows,
  stack: StackRow,
  environment: EnvironmentRow,
  wish: Wish,
  wanted: Wanted & { release: ReleaseRow },
): Promise<void> {
  const refusals = await refusalsOf(rows, stack, environment, wish, wanted);
  if (refusals.length > 0) throw new OciError('REFUSED', refusals.join('; '), { refusals });
}
