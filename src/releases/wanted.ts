import { parseComposeFile } from '../compose/file.ts';
import { watchOf } from '../compose/watch.ts';
import type { ReleasesContext, Rows } from './context.ts';
import {
  type DeploymentRow,
  deploymentById,
  type EnvironmentRow,
  type StackRow,
  stackById,
  stackName,
  type TargetRow,
} from './find.ts';
import { admit, partsOf } from './parts.ts';
import { advance } from './progress.ts';
import { imagesOfRelease } from './releases.ts';
import { keptStable, stableBefore } from './stable.ts';
import { stackFileText } from './stacks.ts';
import { openVariables } from './variables.ts';

/** What a target is to run, whole. */
export interface WantedState {
  target: string;
  stack: string;
  environment: string;
  project: string;
  deployment: WantedDeployment | null;
  stable: WantedDeployment | null;
  failed: number[];
  keep: string[];
  timings: { watchMs: number; pollMs: number; reportMs: number };
  now: number;
}

export interface WantedDeployment {
  number: number;
  file: string;
  images: Record<string, { repository: string; digest: string }>;
  variables: Record<string, string>;
}

/** A target that asked need not be written down again so soon. */
const SEEN_EVERY_MS = 5_000;
const FAILED_SHOWN = 50;

/** Changes with everything that the target must know; undefined for a target that is revoked. One small read. */
export async function wantedVersion(context: ReleasesContext, targetId: number): Promise<string | undefined> {
  const row = await context.database.read
    .selectFrom('targets as t')
    .innerJoin('environments as e', 'e.id', 't.environment_id')
    .select(['e.id', 'e.revision', 't.revoked_at'])
    .where('t.id', '=', targetId)
    .executeTakeFirst();
  if (row === undefined || row.revoked_at !== null) return undefined;
  return `${row.id}.${targetId}.${row.revision}`;
}

/** A target asked: it is there. What waited for it goes on. */
export async function targetSeen(context: ReleasesContext, targetId: number, address: string): Promise<void> {
  const { read } = context.database;
  const now = context.now();
  const target = await read.selectFrom('targets').selectAll().where('id', '=', targetId).executeTakeFirst();
  if (target === undefined) return;
  const environment = await read
    .selectFrom('environments')
    .selectAll()
    .where('id', '=', target.environment_id)
    .executeTakeFirstOrThrow();
  const wasAway = target.last_seen_at === null || target.last_seen_at < now - context.policy.onlineMs;
  if (
    !wasAway &&
    target.last_seen_at !== null &&
    target.last_seen_at > now - SEEN_EVERY_MS &&
    target.address === address
  ) {
    if (!(await isMissing(read, environment, target))) return;
  }
  await context.database.relaxedTransaction(async (tx) => {
    await tx.updateTable('targets').set({ last_seen_at: now, address }).where('id', '=', targetId).execute();
    await advance(context, tx, environment.id);
    await admitLate(context, tx, environment.id, target);
  });
}

/** Whether the current deployment is over without this target having had a part in it. */
async function isMissing(rows: Rows, environment: EnvironmentRow, target: Pick<TargetRow, 'id'>): Promise<boolean> {
  if (environment.current_deployment_id === null || environment.lease_deployment_id !== null) return false;
  const part = await rows
    .selectFrom('target_deployments')
    .select('phase')
    .where('deployment_id', '=', environment.current_deployment_id)
    .where('target_id', '=', target.id)
    .executeTakeFirst();
  return part === undefined;
}

/** A target that was away goes straight to what the others run. */
async function admitLate(
  context: ReleasesContext,
  tx: Parameters<typeof admit>[1],
  environmentId: number,
  target: Pick<TargetRow, 'id'>,
): Promise<void> {
  const environment = await tx
    .selectFrom('environments')
    .selectAll()
    .where('id', '=', environmentId)
    .executeTakeFirstOrThrow();
  if (!(await isMissing(tx, environment, target))) return;
  const current = await deploymentById(tx, environment.current_deployment_id);
  if (current === undefined) return;
  // Of which nobody knows whether it works goes to no further target, but for what is to bring the old one back.
  const isOpen = current.undoes !== null || (await partsOf(tx, current.id)).length === 0;
  const runs = current.status === 'success' || (current.status === 'error' && isOpen);
  if (runs) await admit(context, tx, environment, current, [target]);
}

/** @returns undefined for a target that is revoked */
export async function wantedState(context: ReleasesContext, targetId: number): Promise<WantedState | undefined> {
  const { read } = context.database;
  const target = await read
    .selectFrom('targets')
    .selectAll()
    .where('id', '=', targetId)
    .where('revoked_at', 'is', null)
    .executeTakeFirst();
  if (target === undefined) return undefined;
  const environment = await read
    .selectFrom('environments')
    .selectAll()
    .where('id', '=', target.environment_id)
    .executeTakeFirstOrThrow();
  const stack = await stackById(read, environment.stack_id);
  const deployment = await latestPart(read, targetId);
  const stable = deployment === undefined ? undefined : await stableBefore(read, deployment);
  const described = deployment === undefined ? null : await describe(context, stack, deployment);
  return {
    target: target.name,
    stack: stackName(stack),
    environment: environment.name,
    project: `${stack.name}-${environment.name}`,
    deployment: described,
    stable: stable === undefined ? null : await describe(context, stack, stable),
    failed: await failedNumbers(read, environment.id),
    keep: await keptDigests(context, read, environment, deployment),
    timings: {
      watchMs: described === null ? 60_000 : watchOf(parseComposeFile(described.file)),
      pollMs: context.policy.pollMs,
      reportMs: context.policy.reportMs,
    },
    now: context.now(),
  };
}

/** The newest deployment that the target was admitted to: what it is to run. A cancelled one too, until there is another. */
async function latestPart(rows: Rows, targetId: number): Promise<DeploymentRow | undefined> {
  return rows
    .selectFrom('target_deployments as p')
    .innerJoin('deployments as d', 'd.id', 'p.deployment_id')
    .selectAll('d')
    .where('p.target_id', '=', targetId)
    .orderBy('d.number', 'desc')
    .executeTakeFirst();
}

async function describe(
  context: ReleasesContext,
  stack: StackRow,
  deployment: DeploymentRow,
): Promise<WantedDeployment> {
  const { read } = context.database;
  const { file } = await read
    .selectFrom('releases')
    .select('file')
    .where('id', '=', deployment.release_id)
    .executeTakeFirstOrThrow();
  const images = await imagesOfRelease(read, deployment.release_id);
  return {
    number: deployment.number,
    file: await stackFileText(read, stack, file),
    images: Object.fromEntries(images.map(({ service, repository, digest }) => [service, { repository, digest }])),
    variables: await openVariables(context, read, deployment.environment_id, deployment.config_version),
  };
}

async function failedNumbers(rows: Rows, environmentId: number): Promise<number[]> {
  const failed = await rows
    .selectFrom('deployments')
    .select('number')
    .where('environment_id', '=', environmentId)
    .where('status', 'in', ['failure', 'rolling_back', 'rolled_back'])
    .orderBy('number', 'desc')
    .limit(FAILED_SHOWN)
    .execute();
  return failed.map(({ number }) => number);
}

async function keptDigests(
  context: ReleasesContext,
  rows: Rows,
  environment: EnvironmentRow,
  deployment: DeploymentRow | undefined,
): Promise<string[]> {
  const releases = (await keptStable(context, rows, environment.id)).map((kept) => kept.release_id);
  if (deployment !== undefined) releases.push(deployment.release_id);
  const digests = new Set<string>();
  for (const release of new Set(releases)) {
    for (const image of await imagesOfRelease(rows, release)) digests.add(image.digest);
  }
  return [...digests].sort();
}
