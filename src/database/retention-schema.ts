import type { Generated } from 'kysely';
import type { Digest } from '../oci/digest.ts';
import type { Tag } from '../oci/names.ts';

/** The tables of retention. Times are ms since 1970. */
export interface RetentionSchema {
  retention_policies: RetentionPolicyTable;
  retention_removals: RetentionRemovalTable;
}

/** Which tags go by themselves, of the instance, of a namespace or of a repository. */
interface RetentionPolicyTable {
  /** `instance`, `namespace:<id>` or `repository:<id>` */
  place: string;
  namespace_id: number | null;
  repository_id: number | null;
  /** JSON */
  policy: string;
  /** Another one with each change. */
  revision: string;
  updated_at: number;
  updated_by: string;
}

/** A tag that a policy removed, and why; kept for some months. */
interface RetentionRemovalTable {
  id: Generated<number>;
  repository_id: number;
  tag: Tag;
  digest: Digest;
  why: string;
  at: number;
}
