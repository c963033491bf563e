import type { Selectable, Transaction } from 'kysely';
import type { TargetPhase } from '../database/releases-schema.ts';
import type { Schema } from '../database/schema.ts';
import type { ReleasesContext, Rows } from './context.ts';
import type { DeploymentRow, EnvironmentRow, TargetRow } from './find.ts';

/** A target's part in a deployment, with what the target last said runs. */
export type Part = Selectable<Schema['target_deployments']> & {
  name: string;
  last_seen_at: number | null;
  services: string | null;
};

/** Of a target that did not take the deployment. `reverting` too: it does not come back from there. */
export const FAILED_PHASES: readonly TargetPhase[] = ['failed', 'reverting', 'reverted', 'revert-failed'];

/** A target's phases in the order in which it can come to them; it never goes back. */
const ORDER: readonly (readonly TargetPhase[])[] = [
  ['pending'],
  ['pulling'],
  ['pulled'],
  ['migrating'],
  ['switching'],
  ['monitoring'],
  ['stable'],
  ['reverting'],
  ['reverted', 'failed', 'revert-failed'],
];

/** The phase of a target that was in one and says another: a word that comes late or twice changes nothing. */
export function later(known: TargetPhase, said: TargetPhase): TargetPhase {
  const rank = (phase: TargetPhase) => ORDER.findIndex((phases) => phases.includes(phase));
  return rank(said) > rank(known) ? said : known;
}

/** Of targets that are not revoked. */
export function partsOf(rows: Rows, deploymentId: number): Promise<Part[]> {
  return rows
    .selectFrom('target_deployments as d')
    .innerJoin('targets as t', 't.id', 'd.target_id')
    .selectAll('d')
    .select(['t.name', 't.last_seen_at', 't.services'])
    .where('d.deployment_id', '=', deploymentId)
    .where('t.revoked_at', 'is', null)
    .orderBy('t.id')
    .execute();
}

/** Lets targets begin. */
export async function admit(
  context: ReleasesContext,
  tx: Transaction<Schema>,
  environment: EnvironmentRow,
  deployment: Pick<DeploymentRow, 'id'>,
  targets: readonly Pick<TargetRow, 'id'>[],
): Promise<void> {
  const now = context.now();
  for (const target of targets) {
    await tx
      .insertInto('target_deployments')
      .values({
        deployment_id: deployment.id,
        target_id: target.id,
        phase: 'pending',
        error: null,
        blame: null,
        warnings: '[]',
        log: null,
        reverted_to: null,
        admitted_at: now,
        updated_at: now,
      })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
  await renewLease(context, tx, environment);
  await touchTargets(tx, environment.id);
}

/** The holder gave a sign of life. */
export async function renewLease(
  context: ReleasesContext,
  tx: Transaction<Schema>,
  environment: Pick<EnvironmentRow, 'id'>,
): Promise<void> {
  await tx
    .updateTable('environments')
    .set({ lease_until: context.now() + context.policy.leaseMs })
    .where('id', '=', environment.id)
    .where('lease_deployment_id', 'is not', null)
    .execute();
}

/** What its targets must know has changed. */
export async function touchTargets(tx: Transaction<Schema>, environmentId: number): Promise<void> {
  await tx
    .updateTable('environments')
    .set((set) => ({ revision: set('revision', '+', 1) }))
    .where('id', '=', environmentId)
    .execute();
}
