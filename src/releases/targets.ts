import type { Transaction } from 'kysely';
import type { TargetPhase } from '../database/releases-schema.ts';
import type { Schema } from '../database/schema.ts';
import { isDigest } from '../oci/digest.ts';
import { OciError } from '../oci/errors.ts';
import type { Actor, ReleasesContext, Rows } from './context.ts';
import {
  clip,
  type EnvironmentRow,
  environmentName,
  findEnvironment,
  findStack,
  isOnline,
  lockEnvironment,
  stackName,
  type TargetRow,
} from './find.ts';
import { type RunningService, runningServices } from './measure.ts';
import { later, touchTargets } from './parts.ts';
import { advance } from './progress.ts';

/** Times are ms since 1970. `services` null: unknown, which is not "nothing". */
export interface Target {
  name: string;
  online: boolean;
  revokedAt: number | null;
  enrolledAt: number;
  lastSeenAt: number | null;
  address: string | null;
  agentVersion: string | null;
  engine: string | null;
  clockSkewMs: number | null;
  deployment: number | null;
  phase: TargetPhase | null;
  error: string | null;
  services: RunningService[] | null;
  reportedAt: number | null;
}

const MOST_TARGETS = 1_000;

/** Those that are revoked come last. @throws OciError NOT_FOUND */
export async function listTargets(
  context: ReleasesContext,
  namespace: string,
  stack: string,
  environment: string,
): Promise<Target[]> {
  const { read } = context.database;
  const row = await findEnvironment(read, await findStack(read, namespace, stack), environment);
  return targetsOf(context, read, row);
}

export async function targetsOf(
  context: ReleasesContext,
  rows: Rows,
  environment: Pick<EnvironmentRow, 'id'>,
): Promise<Target[]> {
  const found = await rows
    .selectFrom('targets')
    .selectAll()
    .where('environment_id', '=', environment.id)
    .orderBy('id')
    .execute();
  const ordered = [
    ...found.filter((target) => target.revoked_at === null),
    ...found.filter((target) => target.revoked_at !== null),
  ];
  const targets = [];
  for (const target of ordered) targets.push(await describeTarget(context, rows, target));
  return targets;
}

/** Makes a target and the token that its agent logs in with. @throws OciError NOT_FOUND, NAME_TAKEN */
export async function enrollTarget(
  context: ReleasesContext,
  namespace: string,
  stack: string,
  environment: string,
  name: string | undefined,
  actor: Actor,
): Promise<{ target: Target; token: string }> {
  const { row, token } = await context.database.transaction(async (tx) => {
    const found = await findStack(tx, namespace, stack);
    const { id } = await findEnvironment(tx, found, environment);
    const place = await lockEnvironment(context, tx, id);
    if (place === undefined) throw new OciError('NOT_FOUND', `environment: ${clip(environment)} was just deleted`);
    const others = await tx.selectFrom('targets').select('name').where('environment_id', '=', id).execute();
    if (others.length >= MOST_TARGETS) throw new OciError('DENIED', `there are ${MOST_TARGETS} targets already`);
    const taken = new Set(others.map((other) => other.name));
    if (name !== undefined && taken.has(name)) {
      throw new OciError('NAME_TAKEN', `name: ${environmentName(found, place)} has had a target ${name} already`);
    }
    const row = await tx
      .insertInto('targets')
      .values({
        environment_id: id,
        name: name ?? freeName(taken),
        created_by: actor.name,
        created_at: context.now(),
        revoked_at: null,
        last_seen_at: null,
        address: null,
        agent_version: null,
        engine: null,
        clock_skew_ms: null,
        deployment: null,
        services: null,
        reported_at: null,
      })
      .returningAll()
      .executeTakeFirstOrThrow();
    const subject = `${environmentName(found, place)}/${row.name}`;
    const token = await context.tokens.create(tx, row.id, subject, actor);
    await context.record(tx, actor, { action: 'target.enroll', subject });
    return { row, token };
  });
  return { target: await describeTarget(context, context.database.read, row), token };
}

/** Ends a target's token; what runs there goes on running. @throws OciError NOT_FOUND */
export async function revokeTarget(
  context: ReleasesContext,
  namespace: string,
  stack: string,
  environment: string,
  name: string,
  actor: Actor,
): Promise<void> {
  await context.database.transaction(async (tx) => {
    const found = await findStack(tx, namespace, stack);
    const place = await findEnvironment(tx, found, environment);
    const revoked = await tx
      .updateTable('targets')
      .set({ revoked_at: context.now() })
      .where('environment_id', '=', place.id)
      .where('name', '=', name)
      .where('revoked_at', 'is', null)
      .returning('id')
      .executeTakeFirst();
    if (revoked === undefined) {
      throw new OciError('NOT_FOUND', `target: ${stackName(found)}@${environment} has no target ${clip(name)}`);
    }
    await tx.deleteFrom('target_images').where('target_id', '=', revoked.id).execute();
    await context.tokens.revoke(tx, revoked.id, actor);
    await context.record(tx, actor, { action: 'target.revoke', subject: `${environmentName(found, place)}/${name}` });
    // A deployment may have waited for this one alone.
    await advance(context, tx, place.id);
    await touchTargets(tx, place.id);
  });
}

/** What an agent says, checked for its form. */
export interface Report {
  agentVersion?: string | undefined;
  engine?: string | undefined;
  now: number;
  deployment?:
    | {
        number: number;
        phase: TargetPhase;
        pull?: { bytes: number; total: number } | undefined;
        error?: string | undefined;
        warnings?: string[] | undefined;
        log?: string | undefined;
        revertedTo?: number | undefined;
        blame?: 'release' | 'place' | undefined;
      }
    | undefined;
  services?: RunningService[] | null | undefined;
}

/** Takes a target's word, and moves its environment on. A word about a deployment that it was never given changes nothing. */
export async function takeReport(
  context: ReleasesContext,
  targetId: number,
  report: Report,
  address: string,
): Promise<void> {
  const now = context.now();
  await context.database.transaction(async (tx) => {
    const { environment_id: environmentId } = await tx
      .selectFrom('targets')
      .select('environment_id')
      .where('id', '=', targetId)
      .executeTakeFirstOrThrow();
    const environment = await lockEnvironment(context, tx, environmentId);
    if (environment === undefined || (await isRevoked(tx, targetId))) return;
    await tx
      .updateTable('targets')
      .set({
        last_seen_at: now,
        address,
        clock_skew_ms: Math.max(-1e15, Math.min(1e15, report.now - now)),
        ...(report.agentVersion === undefined ? {} : { agent_version: report.agentVersion }),
        ...(report.engine === undefined ? {} : { engine: report.engine }),
        ...(report.deployment === undefined ? {} : { deployment: report.deployment.number }),
        ...(report.services === undefined
          ? {}
          : { services: report.services === null ? null : JSON.stringify(report.services), reported_at: now }),
      })
      .where('id', '=', targetId)
      .execute();
    if (report.services) await keepImages(tx, targetId, report.services);
    const worksOn =
      report.deployment === undefined
        ? undefined
        : await takePart(context, tx, environment, targetId, report.deployment);
    const holder = worksOn ?? (await lastPart(tx, targetId));
    if (holder !== undefined && holder === environment.lease_deployment_id) {
      await tx
        .updateTable('environments')
        .set({ lease_until: now + context.policy.leaseMs })
        .where('id', '=', environment.id)
        .execute();
    }
    await advance(context, tx, environment.id);
  });
}

/** The token was good when the request came; nothing that a revoked target says is kept. */
async function isRevoked(rows: Rows, targetId: number): Promise<boolean> {
  const row = await rows.selectFrom('targets').select('revoked_at').where('id', '=', targetId).executeTakeFirst();
  return row === undefined || row.revoked_at !== null;
}

/** @returns the id of the deployment, when the target was admitted to it */
async function takePart(
  context: ReleasesContext,
  tx: Transaction<Schema>,
  environment: EnvironmentRow,
  targetId: number,
  word: NonNullable<Report['deployment']>,
): Promise<number | undefined> {
  const part = await tx
    .selectFrom('target_deployments as p')
    .innerJoin('deployments as d', 'd.id', 'p.deployment_id')
    .select(['p.deployment_id', 'p.phase', 'p.error', 'p.blame', 'p.log', 'p.warnings', 'p.reverted_to'])
    .where('d.environment_id', '=', environment.id)
    .where('d.number', '=', word.number)
    .where('p.target_id', '=', targetId)
    .executeTakeFirst();
  if (part === undefined) return undefined;
  await tx
    .updateTable('target_deployments')
    .set({
      phase: later(part.phase, word.phase),
      error: word.error ?? part.error,
      blame: word.blame ?? part.blame,
      log: word.log ?? part.log,
      warnings: word.warnings === undefined ? part.warnings : JSON.stringify(word.warnings),
      reverted_to: word.revertedTo ?? part.reverted_to,
      ...(word.pull === undefined ? {} : { pulled_bytes: word.pull.bytes, pull_total: word.pull.total }),
      updated_at: context.now(),
    })
    .where('deployment_id', '=', part.deployment_id)
    .where('target_id', '=', targetId)
    .execute();
  return part.deployment_id;
}

/** The last deployment that a target was admitted to. */
async function lastPart(rows: Rows, targetId: number): Promise<number | undefined> {
  const part = await rows
    .selectFrom('target_deployments')
    .select('deployment_id')
    .where('target_id', '=', targetId)
    .orderBy('deployment_id', 'desc')
    .executeTakeFirst();
  return part?.deployment_id;
}

/** What a server runs is kept, whatever happens to its deployment. */
async function keepImages(
  tx: Transaction<Schema>,
  targetId: number,
  services: readonly RunningService[],
): Promise<void> {
  const digests = [...new Set(services.flatMap(({ digest }) => (digest !== null && isDigest(digest) ? [digest] : [])))];
  await tx.deleteFrom('target_images').where('target_id', '=', targetId).execute();
  if (digests.length === 0) return;
  // What its stack never released is none of its business, whatever it says.
  const released = await tx
    .selectFrom('release_images as i')
    .innerJoin('releases as r', 'r.id', 'i.release_id')
    .innerJoin('environments as e', 'e.stack_id', 'r.stack_id')
    .innerJoin('targets as t', 't.environment_id', 'e.id')
    .select('i.digest')
    .distinct()
    .where('t.id', '=', targetId)
    .where('i.digest', 'in', digests)
    .execute();
  if (released.length === 0) return;
  await tx
    .insertInto('target_images')
    .values(released.map(({ digest }) => ({ target_id: targetId, digest })))
    .execute();
}

async function describeTarget(context: ReleasesContext, rows: Rows, target: TargetRow): Promise<Target> {
  const part = await rows
    .selectFrom('target_deployments as p')
    .innerJoin('deployments as d', 'd.id', 'p.deployment_id')
    .select(['p.phase', 'p.error', 'd.number'])
    .where('p.target_id', '=', target.id)
    .orderBy('p.deployment_id', 'desc')
    .executeTakeFirst();
  return {
    name: target.name,
    online: target.revoked_at === null && isOnline(context, target),
    revokedAt: target.revoked_at,
    enrolledAt: target.created_at,
    lastSeenAt: target.last_seen_at,
    address: target.address,
    agentVersion: target.agent_version,
    engine: target.engine,
    clockSkewMs: target.clock_skew_ms,
    deployment: part?.number ?? null,
    phase: part?.phase ?? null,
    error: part?.error ?? null,
    services: runningServices(target.services),
    reportedAt: target.reported_at,
  };
}

function freeName(taken: ReadonlySet<string>): string {
  for (let number = 1; ; number++) if (!taken.has(`target-${number}`)) return `target-${number}`;
}
