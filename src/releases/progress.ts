import type { Transaction } from 'kysely';
import type { Schema } from '../database/schema.ts';
import type { Digest } from '../oci/digest.ts';
import type { DeploymentStep, ReleasesContext } from './context.ts';
import { AUTOMATION, insertDeployment, queuedDeployment } from './deployments.ts';
import {
  activeTargets,
  type DeploymentRow,
  deploymentById,
  type EnvironmentRow,
  environmentName,
  isOnline,
  lockEnvironment,
  type StackRow,
  stackById,
} from './find.ts';
import { writeHold } from './lock.ts';
import { expectedServices, isMeasured } from './measure.ts';
import { admit, FAILED_PHASES, type Part, partsOf, renewLease, touchTargets } from './parts.ts';
import { pointEnvironment, pointStable } from './pointers.ts';
import { imagesOfRelease } from './releases.ts';
import { requestDeployment } from './requests.ts';
import { culpritsOf, markRevoked, revocationOf } from './revocations.ts';
import { stableBefore } from './stable.ts';

/*
 * `deployment-states.md` in code.
 */

/** Steps of one call; each takes a deployment further, so a handful is enough. */
const MOST_STEPS = 10;

/**
 * Takes an environment as far as what is known allows: begins what waits, ends what is done, undoes what failed. Idempotent; call it in the
 * transaction that wrote something new, and now and then for what only time tells.
 */
export async function advance(context: ReleasesContext, tx: Transaction<Schema>, environmentId: number): Promise<void> {
  for (let i = 0; i < MOST_STEPS; i++) {
    const environment = await lockEnvironment(context, tx, environmentId);
    if (environment === undefined) return;
    if (!(await step({ context, tx, environment, stack: await stackById(tx, environment.stack_id) }))) return;
  }
}

interface Scene {
  context: ReleasesContext;
  tx: Transaction<Schema>;
  environment: EnvironmentRow;
  stack: StackRow;
}

/** @returns whether something changed, so that there may be more to do */
async function step(scene: Scene): Promise<boolean> {
  const { tx, environment } = scene;
  const active = await deploymentById(tx, environment.lease_deployment_id);
  if (active !== undefined) return judge(scene, active);
  const current = await deploymentById(tx, environment.current_deployment_id);
  if (current !== undefined && (await watch(scene, current))) return true;
  const queued = await queuedDeployment(tx, environment.id);
  return queued !== undefined && begin(scene, queued);
}

/** A deployment that has the lease. */
async function judge(scene: Scene, deployment: DeploymentRow): Promise<boolean> {
  const { context, tx, environment, stack } = scene;
  const parts = await partsOf(tx, deployment.id);
  const failed = parts.find((part) => FAILED_PHASES.includes(part.phase));
  if (failed !== undefined) return fail(scene, deployment, failed);

  const expected = await expectedServices(tx, stack, deployment);
  const unhealthy = parts.filter((part) => !isHealthy(part, expected));
  const there = (await activeTargets(tx, environment.id)).filter((target) => isOnline(context, target));
  const waiting = there.filter((target) => !parts.some((part) => part.target_id === target.id));
  const healthy = parts.length - unhealthy.length;
  // Who is away is not waited for, but for the first one: it goes before the others so that they need not find out.
  const busy = healthy === 0 ? unhealthy : unhealthy.filter((part) => isOnline(context, part));
  // What is undone is undone everywhere at once.
  const most = deployment.undoes === null ? environment.max_parallel - busy.length : waiting.length;
  const next = waiting.slice(0, Math.max(0, most));
  if (next.length > 0) {
    await admit(context, tx, environment, deployment, next);
    return false;
  }
  if (healthy > 0 && waiting.length === 0 && busy.length === 0) return succeed(scene, deployment, healthy);
  if (environment.lease_until !== null && environment.lease_until > context.now()) return false;

  const silent = unhealthy.filter((part) => !isOnline(context, part));
  if (silent.length < unhealthy.length) {
    // It speaks, but not of this deployment: an agent that asks is told again; it is not waited for without end.
    if (environment.lease_since !== null && context.now() - environment.lease_since < LONGEST_MS) {
      await renewLease(context, tx, environment);
      return false;
    }
  }
  const names = unhealthy.map((part) => part.name).join(', ') || 'any target';
  return end(
    scene,
    deployment,
    'error',
    `no word from ${names} for ${Math.round(context.policy.leaseMs / 1000)} s: what runs is unknown`,
  );
}

function isHealthy(part: Part, expected: ReadonlyMap<string, Digest>): boolean {
  return (part.phase === 'monitoring' || part.phase === 'stable') && isMeasured(part, expected);
}

/** Longer than an agent's own deadlines: who works for so long is not working. */
const LONGEST_MS = 3_600_000;

/** A deployment that targets are to run and that nothing changes now: its watch, or what became known late. */
async function watch(scene: Scene, current: DeploymentRow): Promise<boolean> {
  const { context, tx, stack } = scene;
  const open = (current.status === 'success' && current.stable_at === null) || current.status === 'error';
  if (!open) return false;
  const parts = await partsOf(tx, current.id);
  const failed = parts.find((part) => FAILED_PHASES.includes(part.phase));
  if (failed !== undefined) return fail(scene, current, failed);
  const there = parts.filter((part) => isOnline(context, part));
  const expected = await expectedServices(tx, stack, current);
  if (current.status === 'error') return there.some((part) => isHealthy(part, expected)) && reopen(scene, current);
  if (there.length === 0 || !there.every((part) => isMeasured(part, expected))) return false;
  if (!there.every((part) => part.phase === 'stable')) return false;
  await tx.updateTable('deployments').set({ stable_at: context.now() }).where('id', '=', current.id).execute();
  await pointStable(context, tx, scene.environment, current);
  await touchTargets(tx, scene.environment.id);
  return true;
}

/** Nobody answered, and now a target did: the others are to follow it, unless somebody has revoked the release since. */
async function reopen(scene: Scene, deployment: DeploymentRow): Promise<boolean> {
  const { tx, environment } = scene;
  if ((await revocationOf(tx, deployment.release_id, environment.id)) !== undefined) return false;
  await tx
    .updateTable('deployments')
    .set({ status: 'in_progress', message: '', finished_at: null })
    .where('id', '=', deployment.id)
    .execute();
  await take(scene, deployment.id);
  return true;
}

async function begin(scene: Scene, queued: DeploymentRow): Promise<boolean> {
  const { context, tx, environment } = scene;
  if (queued.reason === 'push') {
    const revoked = await revocationOf(tx, queued.release_id, environment.id);
    if (revoked !== undefined) {
      await tx
        .updateTable('deployments')
        .set({ status: 'cancelled', message: `its release was revoked by ${revoked.by}`, finished_at: context.now() })
        .where('id', '=', queued.id)
        .execute();
      return true;
    }
    if (environment.held_at !== null) return false;
    if (await isUndone(tx, environment, queued)) {
      const message = 'made of what was rolled back meanwhile';
      await tx
        .updateTable('deployments')
        .set({ status: 'superseded', message, finished_at: context.now() })
        .where('id', '=', queued.id)
        .execute();
      await requestDeployment(context, tx, environment.id, { name: queued.actor }, message);
      return true;
    }
  }
  const there = (await activeTargets(tx, environment.id)).filter((target) => isOnline(context, target));
  if (there.length === 0) {
    const message = 'waits for a target: none is there';
    if (queued.message !== message) {
      await tx.updateTable('deployments').set({ message }).where('id', '=', queued.id).execute();
    }
    return false;
  }
  await tx
    .updateTable('deployments')
    .set({ status: 'in_progress', message: '', started_at: context.now() })
    .where('id', '=', queued.id)
    .execute();
  // Its rollback got no answer, and now nobody asks any more.
  await tx
    .updateTable('deployments')
    .set({
      status: 'failure',
      message: `its rollback was not finished before v${queued.number} began`,
      finished_at: context.now(),
    })
    .where('environment_id', '=', environment.id)
    .where('status', '=', 'rolling_back')
    .execute();
  await take(scene, queued.id);
  await tell(scene, 'deployment.start', queued, {});
  return true;
}

/** For events: what became of a deployment. */
async function tell(
  { context, tx, environment, stack }: Scene,
  kind: DeploymentStep['kind'],
  deployment: DeploymentRow,
  detail: Record<string, unknown>,
): Promise<void> {
  const release = await tx
    .selectFrom('releases')
    .select(['number', 'version'])
    .where('id', '=', deployment.release_id)
    .executeTakeFirst();
  await context.happened(tx, {
    kind,
    subject: `${environmentName(stack, environment)}/v${deployment.number}`,
    actor: deployment.actor,
    detail: {
      reason: deployment.reason,
      release: release?.number ?? null,
      version: release?.version ?? null,
      ...detail,
    },
  });
}

/** Whether a deployment that nobody asked for would bring back what was undone while it waited. */
async function isUndone(tx: Transaction<Schema>, environment: EnvironmentRow, queued: DeploymentRow): Promise<boolean> {
  const culprits = await culpritsOf(tx, environment.id);
  const current = await deploymentById(tx, environment.current_deployment_id);
  const running = current === undefined ? [] : await imagesOfRelease(tx, current.release_id);
  return (await imagesOfRelease(tx, queued.release_id)).some(
    ({ service, digest }) =>
      culprits.has(digest) && !running.some((image) => image.service === service && image.digest === digest),
  );
}

/** Gives the environment and its lease to a deployment. */
async function take({ context, tx, environment }: Scene, deploymentId: number): Promise<void> {
  const now = context.now();
  await tx
    .updateTable('environments')
    .set((set) => ({
      current_deployment_id: deploymentId,
      lease_deployment_id: deploymentId,
      lease_since: now,
      lease_until: now + context.policy.leaseMs,
      lease_fence: set('lease_fence', '+', 1),
      revision: set('revision', '+', 1),
    }))
    .where('id', '=', environment.id)
    .execute();
}

async function release({ tx, environment }: Scene): Promise<void> {
  await tx
    .updateTable('environments')
    .set((set) => ({
      lease_deployment_id: null,
      lease_since: null,
      lease_until: null,
      revision: set('revision', '+', 1),
    }))
    .where('id', '=', environment.id)
    .execute();
}

async function succeed(scene: Scene, deployment: DeploymentRow, healthy: number): Promise<boolean> {
  const { context, tx, environment } = scene;
  const all = (await activeTargets(tx, environment.id)).length;
  await end(scene, deployment, 'success', `healthy on ${healthy} of ${Math.max(all, healthy)} targets`);
  await pointEnvironment(context, tx, environment, deployment);
  if (deployment.undoes === null) return true;
  const undone = await tx
    .updateTable('deployments')
    .set({ status: 'rolled_back', finished_at: context.now() })
    .where('environment_id', '=', environment.id)
    .where('number', '=', deployment.undoes)
    .where('status', '=', 'rolling_back')
    .returningAll()
    .executeTakeFirst();
  if (undone !== undefined) await tell(scene, 'deployment.rolled-back', undone, { by: deployment.number });
  return true;
}

async function end(
  scene: Scene,
  deployment: DeploymentRow,
  status: 'success' | 'error' | 'failure',
  message: string,
): Promise<boolean> {
  const { context, tx } = scene;
  await tx
    .updateTable('deployments')
    .set({ status, message, finished_at: context.now() })
    .where('id', '=', deployment.id)
    .execute();
  await release(scene);
  await tell(scene, status === 'success' ? 'deployment.success' : 'deployment.failure', deployment, {
    status,
    message,
  });
  return true;
}

/** A target failed: brings the last stable deployment back, if there is one and this was not such an attempt itself. */
async function fail(scene: Scene, deployment: DeploymentRow, part: Part): Promise<boolean> {
  const { context, tx, environment } = scene;
  const message = `${part.name}: ${part.error ?? 'failed'}`;
  if (deployment.reason === 'auto-rollback') {
    await end(scene, deployment, 'failure', message);
    await tx
      .updateTable('deployments')
      .set({
        status: 'failure',
        finished_at: context.now(),
        message: `the rollback v${deployment.number} failed too: ${message}`,
      })
      .where('environment_id', '=', environment.id)
      .where('number', '=', deployment.undoes ?? 0)
      .where('status', '=', 'rolling_back')
      .execute();
    return true;
  }
  const stable = await stableBefore(tx, deployment);
  if (part.blame !== 'place' && stable?.release_id !== deployment.release_id) {
    const reason = `v${deployment.number}: ${message}`;
    const revoked = {
      releaseId: deployment.release_id,
      environmentId: environment.id,
      reason,
      instead: stable?.release_id,
    };
    await markRevoked(context, tx, revoked, AUTOMATION);
  }
  if (environment.protected !== 0) await hold(scene, `v${deployment.number} failed`);
  if (stable === undefined) {
    await end(scene, deployment, 'failure', `${message}; there is no stable deployment to go back to`);
    return true;
  }
  await end(scene, deployment, 'failure', message);
  await tx
    .updateTable('deployments')
    .set({ status: 'rolling_back', finished_at: null })
    .where('id', '=', deployment.id)
    .execute();
  const undo = await insertDeployment(context, tx, environment, {
    releaseId: stable.release_id,
    configVersion: stable.config_version,
    reason: 'auto-rollback',
    actor: AUTOMATION,
    restores: stable.number,
    undoes: deployment.number,
    status: 'in_progress',
  });
  await giveWay(scene, undo);
  await take(scene, undo.id);
  await tell(scene, 'deployment.start', undo, { undoes: deployment.number });
  return true;
}

/** Targets take only numbers that grow: what waits behind a rollback needs a new one. A push is looked at anew. */
async function giveWay({ context, tx, environment }: Scene, undo: DeploymentRow): Promise<void> {
  const queued = await queuedDeployment(tx, environment.id);
  if (queued === undefined) return;
  await tx
    .updateTable('deployments')
    .set({ status: 'superseded', message: `the rollback v${undo.number} came first`, finished_at: context.now() })
    .where('environment_id', '=', environment.id)
    .where('status', '=', 'queued')
    .execute();
  if (queued.reason !== 'push') return;
  await requestDeployment(context, tx, environment.id, { name: queued.actor }, `v${queued.number} gave way`);
}

/** Automation deploys nothing there until somebody ends it. */
async function hold({ context, tx, environment }: Scene, reason: string): Promise<void> {
  if (environment.held_at !== null) return;
  await writeHold(tx, environment.id, { by: AUTOMATION.name, at: context.now(), reason });
}
