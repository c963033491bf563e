import type { Transaction } from 'kysely';
import type { Schema } from '../database/schema.ts';
import type { Actor, ReleasesContext } from './context.ts';

/** Somebody is to look whether an environment follows something new. `triggers.ts` looks. */
export async function requestDeployment(
  context: Pick<ReleasesContext, 'now'>,
  tx: Transaction<Schema>,
  environmentId: number,
  actor: Pick<Actor, 'name'>,
  cause: string,
): Promise<void> {
  const values = { actor: actor.name, cause: cause.slice(0, 500) };
  await tx
    .insertInto('environment_triggers')
    .values({ environment_id: environmentId, requested_at: context.now(), ...values })
    .onConflict((conflict) =>
      // Differs each time, whatever the clock says: who read it before knows that there was another.
      conflict.column('environment_id').doUpdateSet((set) => ({
        requested_at: set('environment_triggers.requested_at', '+', 1),
        ...values,
      })),
    )
    .execute();
}
