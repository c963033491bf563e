import type { ReleasesContext, Rows } from './context.ts';
import type { DeploymentRow } from './find.ts';
import { EVERYWHERE } from './revocations.ts';

/**
 * The last stable deployment before one, by number, that automation may bring back: neither revoked here nor expired, and with another
 * release or config than that one.
 */
export async function stableBefore(rows: Rows, deployment: DeploymentRow): Promise<DeploymentRow | undefined> {
  return rows
    .selectFrom('deployments as d')
    .innerJoin('releases as r', 'r.id', 'd.release_id')
    .selectAll('d')
    .where('d.environment_id', '=', deployment.environment_id)
    .where('d.number', '<', deployment.number)
    .where('d.stable_at', 'is not', null)
    .where('r.expired_at', 'is', null)
    .where((where) =>
      where.or([
        where('d.release_id', '<>', deployment.release_id),
        where('d.config_version', '<>', deployment.config_version),
      ]),
    )
    .where((where) =>
      where.not(
        where.exists(
          where
            .selectFrom('release_revocations as v')
            .innerJoin('releases as same', 'same.id', 'v.release_id')
            .select('v.release_id')
            .whereRef('same.stack_id', '=', 'r.stack_id')
            .whereRef('same.content', '=', 'r.content')
            .where('v.environment_id', 'in', [EVERYWHERE, deployment.environment_id]),
        ),
      ),
    )
    .orderBy('d.number', 'desc')
    .executeTakeFirst();
}

/** The newest stable deployments of an environment: what can be rolled back to, and is kept. */
export function keptStable(
  context: ReleasesContext,
  rows: Rows,
  environmentId: number,
): Promise<Pick<DeploymentRow, 'id' | 'number' | 'release_id'>[]> {
  return rows
    .selectFrom('deployments')
    .select(['id', 'number', 'release_id'])
    .where('environment_id', '=', environmentId)
    .where('stable_at', 'is not', null)
    .orderBy('number', 'desc')
    .limit(context.policy.keepStable)
    .execute();
}
