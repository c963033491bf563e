import type { Transaction } from 'kysely';
import type { DeploymentReason, DeploymentStatus, TargetPhase } from '../database/releases-schema.ts';
import type { Schema } from '../database/schema.ts';
import { OciError } from '../oci/errors.ts';
import type { Actor, ReleasesContext, Rows } from './context.ts';
import {
  activeTargets,
  type DeploymentRow,
  deploymentById,
  type EnvironmentRow,
  environmentName,
  findDeployment,
  findEnvironment,
  findStack,
  isOnline,
  type StackRow,
  stackName,
  type TargetRow,
} from './find.ts';
import { lockOf } from './lock.ts';
import { expectedServices } from './measure.ts';
import { type DescribedImage, describedImages, imagesOfRelease } from './releases.ts';
import { stableBefore } from './stable.ts';

/** Times are ms since 1970. */
export interface Deployment {
  stack: string;
  environment: string;
  number: number;
  release: number;
  configVersion: number;
  reason: DeploymentReason;
  actor: string;
  status: DeploymentStatus;
  message: string;
  stable: boolean;
  restorable: boolean;
  restores: number | null;
  undoes: number | null;
  rolledBackBy: number | null;
  images: DescribedImage[];
  targets: TargetResult[];
  createdAt: number;
  startedAt: number | null;
  finishedAt: number | null;
  stableAt: number | null;
}

export interface TargetResult {
  target: string;
  phase: TargetPhase;
  online: boolean;
  pull: { bytes: number; total: number } | null;
  error: string | null;
  warnings: string[];
  log: string | null;
  updatedAt: number | null;
}

/** Statuses of which nothing more comes by itself. */
export const ENDED: readonly DeploymentStatus[] = [
  'success',
  'failure',
  'rolled_back',
  'error',
  'cancelled',
  'superseded',
];

/** The actor of what nobody asked for. */
export const AUTOMATION: Actor = { name: 'berth', source: '' };

export interface NewDeployment {
  releaseId: number;
  configVersion: number;
  reason: DeploymentReason;
  actor: Actor;
  restores?: number;
  undoes?: number;
}

/**
 * Puts a deployment at the end of its environment's queue, in place of whatever waits there. `advance` begins it.
 *
 * @param environment locked
 * @throws OciError LOCKED when another has the environment and this one's reason does not let it wait or go before
 */
export async function queueDeployment(
  context: ReleasesContext,
  tx: Transaction<Schema>,
  stack: StackRow,
  environment: EnvironmentRow,
  wanted: NewDeployment,
): Promise<DeploymentRow> {
  const active = await deploymentById(tx, environment.lease_deployment_id);
  const mayWait = wanted.reason === 'push';
  const mayPreempt =
    wanted.reason === 'rollback' && active?.reason !== 'auto-rollback' && active?.reason !== 'rollback';
  if (active !== undefined && !mayWait && !mayPreempt) throw await locked(tx, stack, environment);
  const deployment = await insertDeployment(context, tx, environment, { ...wanted, status: 'queued' });
  const by = `v${deployment.number} of ${wanted.actor.name}`;
  await tx
    .updateTable('deployments')
    .set({ status: 'superseded', message: `${by} took its place`, finished_at: context.now() })
    .where('environment_id', '=', environment.id)
    .where('status', '=', 'queued')
    .where('number', '<', deployment.number)
    .execute();
  if (active !== undefined && mayPreempt) {
    await cancelActive(context, tx, environment, active, `cancelled by the rollback ${by}`);
  }
  await context.record(tx, wanted.actor, {
    action: wanted.reason === 'rollback' ? 'deployment.rollback' : 'deployment.create',
    subject: `${environmentName(stack, environment)}/v${deployment.number}`,
    detail: { reason: wanted.reason, restores: wanted.restores ?? null },
  });
  return deployment;
}

export async function insertDeployment(
  context: ReleasesContext,
  tx: Transaction<Schema>,
  environment: Pick<EnvironmentRow, 'id'>,
  wanted: NewDeployment & { status: 'queued' | 'in_progress' },
): Promise<DeploymentRow> {
  const now = context.now();
  const { next_deployment: next } = await tx
    .updateTable('environments')
    .set((set) => ({ next_deployment: set('next_deployment', '+', 1) }))
    .where('id', '=', environment.id)
    .returning('next_deployment')
    .executeTakeFirstOrThrow();
  return tx
    .insertInto('deployments')
    .values({
      environment_id: environment.id,
      number: next - 1,
      release_id: wanted.releaseId,
      config_version: wanted.configVersion,
      reason: wanted.reason,
      actor: wanted.actor.name,
      status: wanted.status,
      message: '',
      restores: wanted.restores ?? null,
      undoes: wanted.undoes ?? null,
      created_at: now,
      started_at: wanted.status === 'in_progress' ? now : null,
      finished_at: null,
      stable_at: null,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** Ends what is under way and frees the environment. */
export async function cancelActive(
  context: ReleasesContext,
  tx: Transaction<Schema>,
  environment: EnvironmentRow,
  active: DeploymentRow,
  message: string,
): Promise<void> {
  await tx
    .updateTable('deployments')
    .set({ status: 'cancelled', message, finished_at: context.now() })
    .where('id', '=', active.id)
    .execute();
  await tx
    .updateTable('environments')
    .set({ lease_deployment_id: null, lease_since: null, lease_until: null })
    .where('id', '=', environment.id)
    .execute();
}

export async function locked(rows: Rows, stack: StackRow, environment: EnvironmentRow): Promise<OciError> {
  const lock = await lockOf(rows, environment);
  const since = lock === null ? '' : ` since ${new Date(lock.since).toISOString()}`;
  return new OciError(
    'LOCKED',
    `environment: ${environmentName(stack, environment)} is locked by ${lock?.holder ?? 'another deployment'}${since}; wait for it, or roll it back`,
    lock === null ? {} : { ...lock },
  );
}

/** Newest first. @throws OciError NOT_FOUND */
export async function listDeployments(
  context: ReleasesContext,
  namespace: string,
  stack: string,
  environment: string,
  page: { before?: number | undefined; limit: number },
): Promise<{ deployments: Deployment[]; more: boolean }> {
  const { read } = context.database;
  const found = await findStack(read, namespace, stack);
  const row = await findEnvironment(read, found, environment);
  const rows = await read
    .selectFrom('deployments')
    .selectAll()
    .where('environment_id', '=', row.id)
    .where('number', '<', page.before ?? 2_147_483_647)
    .orderBy('number', 'desc')
    .limit(page.limit + 1)
    .execute();
  const deployments = [];
  for (const each of rows.slice(0, page.limit)) {
    deployments.push(await describeDeployment(context, read, found, row, each));
  }
  return { deployments, more: rows.length > page.limit };
}

/** @throws OciError NOT_FOUND */
export async function getDeployment(
  context: ReleasesContext,
  namespace: string,
  stack: string,
  environment: string,
  number: number,
): Promise<Deployment> {
  const { read } = context.database;
  const found = await findStack(read, namespace, stack);
  const row = await findEnvironment(read, found, environment);
  return describeDeployment(context, read, found, row, await findDeployment(read, row, number));
}

export async function describeDeployment(
  context: ReleasesContext,
  rows: Rows,
  stack: StackRow,
  environment: EnvironmentRow,
  deployment: DeploymentRow,
): Promise<Deployment> {
  const release = await rows
    .selectFrom('releases')
    .selectAll()
    .where('id', '=', deployment.release_id)
    .executeTakeFirstOrThrow();
  const undoing = await rows
    .selectFrom('deployments')
    .select('number')
    .where('environment_id', '=', environment.id)
    .where('undoes', '=', deployment.number)
    .orderBy('number', 'desc')
    .executeTakeFirst();
  return {
    stack: stackName(stack),
    environment: environment.name,
    number: deployment.number,
    release: release.number,
    configVersion: deployment.config_version,
    reason: deployment.reason,
    actor: deployment.actor,
    status: deployment.status,
    message: deployment.message,
    stable: deployment.stable_at !== null,
    restorable: deployment.stable_at !== null && release.expired_at === null,
    restores: deployment.restores,
    undoes: deployment.undoes,
    rolledBackBy: undoing?.number ?? null,
    images: await describedImages(rows, release.id),
    targets: await targetResults(context, rows, environment, deployment),
    createdAt: deployment.created_at,
    startedAt: deployment.started_at,
    finishedAt: deployment.finished_at,
    stableAt: deployment.stable_at,
  };
}

/** What the targets made of it; of one that is under way also those that did not begin yet. */
async function targetResults(
  context: ReleasesContext,
  rows: Rows,
  environment: EnvironmentRow,
  deployment: DeploymentRow,
): Promise<TargetResult[]> {
  const made = await rows
    .selectFrom('target_deployments as d')
    .innerJoin('targets as t', 't.id', 'd.target_id')
    .selectAll('d')
    .select(['t.name', 't.last_seen_at'])
    .where('d.deployment_id', '=', deployment.id)
    .orderBy('t.id')
    .execute();
  const results: TargetResult[] = made.map((row) => ({
    target: row.name,
    phase: row.phase,
    online: isOnline(context, row),
    pull: { bytes: row.pulled_bytes, total: row.pull_total },
    error: row.error,
    warnings: JSON.parse(row.warnings) as string[],
    log: row.log,
    updatedAt: row.updated_at,
  }));
  if (deployment.id !== environment.current_deployment_id && deployment.status !== 'queued') return results;
  const waiting = (target: TargetRow) => !made.some((row) => row.target_id === target.id);
  for (const target of (await activeTargets(rows, environment.id)).filter(waiting)) {
    results.push({
      target: target.name,
      phase: 'pending',
      online: isOnline(context, target),
      pull: null,
      error: null,
      warnings: [],
      log: null,
      updatedAt: null,
    });
  }
  return results;
}

export interface EnvironmentStatus {
  current: Deployment | null;
  queued: Deployment | null;
  /** The number that an undo would bring back. */
  rollback: number | null;
  /** Services of the current release that are not to be running. */
  idle: string[];
}

export async function environmentStatus(
  context: ReleasesContext,
  stack: StackRow,
  environment: EnvironmentRow,
): Promise<EnvironmentStatus> {
  const { read } = context.database;
  const current = await deploymentById(read, environment.current_deployment_id);
  const queued = await queuedDeployment(read, environment.id);
  const describe = (row: DeploymentRow | undefined) =>
    row === undefined ? null : describeDeployment(context, read, stack, environment, row);
  const expected = current === undefined ? undefined : await expectedServices(read, stack, current);
  const images = current === undefined ? [] : await imagesOfRelease(read, current.release_id);
  return {
    current: await describe(current),
    queued: await describe(queued),
    rollback: current === undefined ? null : ((await stableBefore(read, current))?.number ?? null),
    idle: images.map(({ service }) => service).filter((service) => expected?.has(service) === false),
  };
}

export function queuedDeployment(rows: Rows, environmentId: number): Promise<DeploymentRow | undefined> {
  return rows
    .selectFrom('deployments')
    .selectAll()
    .where('status', '=', 'queued')
    .where('environment_id', '=', environmentId)
    .orderBy('number', 'desc')
    .executeTakeFirst();
}
