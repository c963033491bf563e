import { z } from 'zod';
import { pageOf, pageQuery } from './page.ts';

const bytes = z
  .number()
  .int()
  .min(0)
  .max(2 ** 53 - 1);

/** What a namespace holds and may hold. `_` stands for names without a namespace, as in `ubuntu`. */
export const namespaceUsage = z.object({
  namespace: z.string(),
  used: bytes.describe('bytes of its blobs and manifests, each once, in however many of its repositories it is'),
  quota: bytes.nullable().describe('bytes that it may hold; null: as much as the disk takes'),
  fromDefault: z.boolean().describe('whether the quota is the default'),
});
export type NamespaceUsageInfo = z.infer<typeof namespaceUsage>;
export const usagePage = pageOf('namespaces', namespaceUsage);
export const usageQuery = pageQuery;

export const quotaBody = z.strictObject({ bytes });

export const defaultQuotaInfo = z.object({
  bytes: bytes.nullable().describe('of every namespace without a quota of its own; null: as much as the disk takes'),
});
export type DefaultQuota = z.infer<typeof defaultQuotaInfo>;
export const defaultQuotaBody = z.strictObject({ bytes: bytes.nullable() });
