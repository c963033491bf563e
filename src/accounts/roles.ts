import type { AccessLevel, RepositoryRole } from '../database/accounts-schema.ts';

/** What a route needs in a repository. */
export type RepositoryAccess = 'read' | 'write' | 'delete' | 'admin';

/** `none` and the roles, each with what the one before it may. */
const RANK = { none: 0, read: 1, write: 2, admin: 3 } as const;
export type Role = 'none' | RepositoryRole;

/** Who may push to a tag may move it away as well: deleting needs `write`, and a credential that may delete. */
const NEEDS: Record<RepositoryAccess, Role> = { read: 'read', write: 'write', delete: 'write', admin: 'admin' };

const LEVEL_RANK: Record<AccessLevel, number> = { read: 0, write: 1, delete: 2, admin: 3 };

export function roleAllows(role: Role, access: RepositoryAccess): boolean {
  return RANK[role] >= RANK[NEEDS[access]];
}

export function levelAllows(level: AccessLevel, access: RepositoryAccess): boolean {
  return LEVEL_RANK[level] >= LEVEL_RANK[access];
}

export function higher(a: Role, b: Role): Role {
  return RANK[a] >= RANK[b] ? a : b;
}

export function roleOfRank(rank: number): Role {
  return rank >= 3 ? 'admin' : rank === 2 ? 'write' : rank === 1 ? 'read' : 'none';
}
