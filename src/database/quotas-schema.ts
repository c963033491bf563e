import type { Digest } from '../oci/digest.ts';

/**
 * What namespaces hold, and how much they may. A namespace is a repository name's text before its first `/`, '' for names without
 * one. Sizes are bytes, times ms since 1970.
 */
export interface QuotasSchema {
  namespace_content: NamespaceContentTable;
  quotas: QuotaTable;
  quota_shares: QuotaShareTable;
}

/** A blob or manifest that repositories of the namespace have: once, in however many. `links` is in how many. */
interface NamespaceContentTable {
  namespace: string;
  digest: Digest;
  size: number;
  links: number;
}

/** `*` is the default: of every namespace that has no row of its own, or one that was made from it. */
interface QuotaTable {
  namespace: string;
  bytes: number;
  from_default: number;
}

/** What is left of a quota, in parts, so that pushes at the same time need not wait for one row. Their sum is exact. */
interface QuotaShareTable {
  namespace: string;
  share: number;
  free: number;
}
