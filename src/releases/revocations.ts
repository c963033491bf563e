import type { Transaction } from 'kysely';
import type { Schema } from '../database/schema.ts';
import type { Digest } from '../oci/digest.ts';
import type { Actor, ReleasesContext, Rows } from './context.ts';
import { environmentsOf, findEnvironment, findRelease, findStack, stackName } from './find.ts';
import { touchTargets } from './parts.ts';
import { getRelease, imagesOfRelease, type Release } from './releases.ts';

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
    await markRevoked(context, tx, { releaseId: release.id, environmentId: where, reason }, actor);
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

/** @param instead the release that comes back in its place: what both have is not to blame */
export async function markRevoked(
  context: ReleasesContext,
  tx: Transaction<Schema>,
  revoked: { releaseId: number; environmentId: number; reason: string; instead?: number | undefined },
  actor: Actor,
): Promise<void> {
  const { releaseId, environmentId, reason, instead } = revoked;
  const good = instead === undefined ? [] : await imagesOfRelease(tx, instead);
  const culprits = (await imagesOfRelease(tx, releaseId))
    .map(({ digest }) => digest)
    .filter((digest) => !good.some((image) => image.digest === digest));
  await tx
    .insertInto('release_revocations')
    .values({
      release_id: releaseId,
      environment_id: environmentId,
      revoked_by: actor.name,
      revoked_at: context.now(),
      reason,
      culprits: instead === undefined ? null : JSON.stringify(culprits),
    })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/** Images that automation must not bring to an environment, in whatever release. */
export async function culpritsOf(rows: Rows, environmentId: number): Promise<Set<Digest>> {
  const revocations = await rows
    .selectFrom('release_revocations as v')
    .innerJoin('releases as r', 'r.id', 'v.release_id')
    .innerJoin('environments as e', 'e.stack_id', 'r.stack_id')
    .select(['v.release_id', 'v.culprits'])
    .where('e.id', '=', environmentId)
    .where('v.environment_id', 'in', [EVERYWHERE, environmentId])
    .execute();
  const culprits = new Set<Digest>();
  for (const { release_id: release, culprits: kept } of revocations) {
    const digests =
      kept === null
        ? (await imagesOfRelease(rows, release)).map(({ digest }) => digest)
        : (JSON.parse(kept) as Digest[]);
    for (const digest of digests) culprits.add(digest);
  }
  return culprits;
}

/** Whether automation must leave it, or what is the same under another number, alone in this environment; why. */
export async function revocationOf(
  rows: Rows,
  releaseId: number,
  environmentId: number,
): Promise<{ by: string; at: number; reason: string } | undefined> {
  const row = await rows
    .selectFrom('releases as r')
    .innerJoin('releases as same', (join) =>
      join.onRef('same.stack_id', '=', 'r.stack_id').onRef('same.content', '=', 'r.content'),
    )
    .innerJoin('release_revocations as v', 'v.release_id', 'same.id')
    .select(['v.revoked_by', 'v.revoked_at', 'v.reason'])
    .where('r.id', '=', releaseId)
    .where('v.environment_id', 'in', [EVERYWHERE, environmentId])
    .orderBy('v.revoked_at')
    .executeTakeFirst();
  return row && { by: row.revoked_by, at: row.revoked_at, reason: row.reason };
}
