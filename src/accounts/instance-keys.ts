import type { Database } from '../database/database.ts';
import { newKey } from './secrets.ts';

/** Secrets that all processes of this instance share, and its name in tokens. */
export interface InstanceKeys {
  /** Signs bearer tokens (HS256). */
  bearer: string;
  /** For the session cookies and what is encrypted at rest. */
  session: string;
  /** The `service` of the challenge and the audience of its tokens. */
  service: string;
}

/** Makes what is missing; of several that start at once, one decides. */
export async function instanceKeys(database: Database): Promise<InstanceKeys> {
  const read = async (from: Pick<Database['read'], 'selectFrom'>) => {
    const rows = await from.selectFrom('instance_keys').select(['name', 'value']).execute();
    return Object.fromEntries(rows.map((row) => [row.name, row.value]));
  };
  let found = await read(database.read);
  if (found.bearer === undefined || found.session === undefined || found.service === undefined) {
    await database.transaction((tx) =>
      tx
        .insertInto('instance_keys')
        .values([
          { name: 'bearer', value: newKey() },
          { name: 'session', value: newKey() },
          {
            name: 'service',
            value: `berth-${newKey()
              .replace(/[^a-zA-Z0-9]/g, '')
              .slice(0, 12)
              .toLowerCase()}`,
          },
        ])
        .onConflict((conflict) => conflict.column('name').doNothing())
        .execute(),
    );
    found = await read(database.read);
  }
  const { bearer, session, service } = found;
  if (bearer === undefined || session === undefined || service === undefined) throw new Error('instance keys vanished');
  return { bearer, session, service };
}
