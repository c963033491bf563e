import { z } from 'zod';

const visibility = z.enum(['private', 'public']);

/** A prefix below which repositories are another registry's, fetched when they are pulled. */
export const cacheInfo = z.object({
  prefix: z.string().describe('of repository names, as in `dockerhub`'),
  upstream: z.string().describe('the name of the upstream'),
  address: z.string().describe('where that is'),
  remotePrefix: z.string().describe("what stands in place of the prefix in the upstream's names; empty for nothing"),
  freshSeconds: z.number().int().describe('for how long a tag is taken as it is, without asking the upstream'),
  visibility: visibility.describe('of the repositories that pulls make'),
  repositories: z.number().int().describe('how many were pulled so far'),
  createdBy: z.string(),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
});
export type CacheInfo = z.infer<typeof cacheInfo>;
export const cacheList = z.object({ caches: z.array(cacheInfo) });

export const cacheBody = z.strictObject({
  upstream: z.string().min(1).max(100),
  remotePrefix: z.string().max(200).optional().describe('default: none'),
  freshSeconds: z.number().int().min(0).max(31_622_400).optional().describe('default: 3600'),
  visibility: visibility.optional().describe('default: private'),
});
export type CacheWish = z.infer<typeof cacheBody>;
