import type { Rows } from './context.ts';
import type { EnvironmentRow, ReleaseRow, StackRow } from './find.ts';
import { environmentBefore, type Wanted, type Wish } from './intent.ts';
import { revocationOf } from './revocations.ts';

/**
 * Why a person's wish is refused; with `force`, and the role for it, it is done all the same.
 *
 * - A release that was revoked there, by a rollback or by a person.
 * - A protected environment takes only what was stable in the environment before it.
 * - A rollback goes to what was stable.
 */
export async function refusalsOf(
  rows: Rows,
  stack: StackRow,
  environment: EnvironmentRow,
  wish: Wish,
  wanted: Wanted & { release: ReleaseRow | undefined },
): Promise<string[]> {
  const { release, restores } = wanted;
  const refusals: string[] = [];
  if (release !== undefined) {
    const revoked = await revocationOf(rows, release.id, environment.id);
    if (revoked !== undefined) {
      refusals.push(
        `release: ${release.number} was revoked in ${environment.name} by ${revoked.by}${revoked.reason === '' ? '' : ` (${revoked.reason})`}; "force" deploys it all the same`,
      );
    }
    if (release.expired_at !== null)
      refusals.push(`release: ${release.number} is expired: its images are no longer kept`);
  }
  if (wish.kind === 'rollback') {
    if (restores !== undefined && restores.stable_at === null) {
      refusals.push(`to: v${restores.number} never was stable; "force" goes back to it all the same`);
    }
    return refusals;
  }
  if (environment.protected === 0) return refusals;
  const before = (await environmentBefore(rows, stack, environment)) ?? wanted.from;
  if (before !== undefined && (release === undefined || !(await wasStable(rows, before, release)))) {
    refusals.push(
      `environment: ${environment.name} is protected, and this release was not stable in ${before.name}: deploy it there and wait until it is`,
    );
  }
  return refusals;
}

/** This content, that is: one that got a version since is another release. */
async function wasStable(rows: Rows, environment: EnvironmentRow, release: ReleaseRow): Promise<boolean> {
  const row = await rows
    .selectFrom('deployments as d')
    .innerJoin('releases as r', 'r.id', 'd.release_id')
    .select('d.id')
    .where('d.environment_id', '=', environment.id)
    .where('r.content', '=', release.content)
    .where('d.stable_at', 'is not', null)
    .executeTakeFirst();
  return row !== undefined;
}
