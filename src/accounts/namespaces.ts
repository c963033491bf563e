import type { Transaction } from 'kysely';
import type { Schema } from '../database/schema.ts';
import { OciError } from '../oci/errors.ts';
import { isRepositoryName } from '../oci/names.ts';

const NAME_MAX = 64;

/** Names that the page and the protocol need for themselves. */
const RESERVED = new Set([
  'admin',
  'anonymous',
  'api',
  'auth',
  'berth',
  'docs',
  'explore',
  'help',
  'invitations',
  'library',
  'login',
  'logout',
  'organizations',
  'retention',
  'root',
  'search',
  'settings',
  'setup',
  'signup',
  'stacks',
  'system',
  'users',
  'v1',
  'v2',
]);

/**
 * The name of a user or an organization: one component of a repository name, so without `/` and `+`.
 *
 * @throws OciError BODY_INVALID naming `field`
 */
export function checkNamespaceName(name: string, field: string): void {
  const reason =
    name.length < 2 || name.length > NAME_MAX
      ? `must have 2 to ${NAME_MAX} characters`
      : name.includes('/') || !isRepositoryName(name)
        ? 'must be lower-case letters and digits with single ".", "_", "__" or "-" between, as in a repository name'
        : RESERVED.has(name)
          ? `${JSON.stringify(name)} is reserved`
          : undefined;
  if (reason !== undefined) throw new OciError('BODY_INVALID', `${field}: ${reason}`);
}

/**
 * Takes a name, which users and organizations share.
 *
 * @param claim.adopt whether repositories that are beneath the name already (pushed while nobody had it) come with it; else the name is
 *   refused: what others pushed is not given to who asks first
 * @throws OciError NAME_TAKEN
 */
export async function claimNamespace(
  tx: Transaction<Schema>,
  claim: {
    name: string;
    field: string;
    kind: 'user' | 'organization';
    userId: string | null;
    displayName?: string;
    description?: string;
    now: number;
    adopt: boolean;
  },
): Promise<number> {
  const { name, field, kind, userId, displayName = '', description = '', now } = claim;
  const found = await tx.selectFrom('namespaces').select('id').where('name', '=', name).executeTakeFirst();
  if (found !== undefined) throw taken(claim);
  if (!claim.adopt && (await hasRepositories(tx, name))) {
    throw new OciError(
      'NAME_TAKEN',
      `${field}: there are repositories under ${name}/ already; an administrator can give the name out`,
    );
  }
  const row = { name, kind, user_id: userId, display_name: displayName, description, created_at: now };
  const made = await tx
    .insertInto('namespaces')
    .values(row)
    .onConflict((conflict) => conflict.column('name').doNothing())
    .returning('id')
    .executeTakeFirst();
  if (made === undefined) throw taken(claim);
  return made.id;
}

function taken({ name, field }: { name: string; field: string }): OciError {
  return new OciError('NAME_TAKEN', `${field}: ${JSON.stringify(name)} is taken`);
}

async function hasRepositories(tx: Transaction<Schema>, namespace: string): Promise<boolean> {
  const found = await tx
    .selectFrom('repositories')
    .select('id')
    .where('name', '>', `${namespace}/` as never)
    .where('name', '<', `${namespace}0` as never)
    .limit(1)
    .executeTakeFirst();
  return found !== undefined;
}
