import type { Transaction } from 'kysely';
import type { Schema } from '../database/schema.ts';
import type { Actor, ReleasesContext, Rows } from './context.ts';
import { environmentsOf, findEnvironment, findRelease, findStack, stackName } from './find.ts';
import { touchTargets } from './parts.ts';
import { getRelease, type Release } from './releases.ts';

/** `environment_id` of a revocation that counts everywhere. */
export const EVERYWHERE = 0;

/** No automation deploys it any more, in one environment or everywhere. Idempotent. @throws OciError NOT_FOUND */
export async function revokeRelease(
  context: ReleasesContext,
  namespace: string,
  name: string,
  number: number,
  revocation: { environment?: string | undefined; reason: string },
  actor: Actor,
): Promise<Release> {
  await context.database.transaction(async (tx) => {
    const stack = await findStack(tx, namespace, name);
    const release = await findRelease(tx, stack, number);
    const { environment, reason } = revocation;
    const where = environment === undefined ? EVERYWHERE : (await findEnvironment(tx, stack, environment)).id;
    await markRevoked(context, tx, release.id, where, reason, actor);
    // What their agents would go back to by themselves may be another one now.
    for (const { id } of await environmentsOf(tx, stack.id)) {
      if (where === EVERYWHERE || where === id) await touchTargets(tx, id);
    }
    await context.record(tx, actor, {
      action: 'release.revoke',
      subject: `${stackName(stack)}#${number}`,
      detail: { environment: environment ?? null, reason },
    });
  });
  return getRelease(context, namespace, name, number);
}

export async function markRevoked(
  context: ReleasesContext,
  tx: Transaction<Schema>,
  releaseId: number,
  environmentId: number,
  reason: string,
  actor: Actor,
): Promise<void> {
  await tx
    .insertInto('release_revocations')
    .values({
      release_id: releaseId,
      environment_id: environmentId,
      revoked_by: actor.name,
      revoked_at: context.now(),
      reason,
    })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/** Whether automation must leave it alone in this environment; why. */
export async function revocationOf(
  rows: Rows,
  releaseId: number,
  environmentId: number,
): Promise<{ by: string; at: number; reason: string } | undefined> {
  const row = await rows
    .selectFrom('release_revocations')
    .selectAll()
    .where('release_id', '=', releaseId)
    .where('environment_id', 'in', [EVERYWHERE, environmentId])
    .orderBy('revoked_at')
    .executeTakeFirst();
  return row && { by: row.revoked_by, at: row.revoked_at, reason: row.reason };
}
