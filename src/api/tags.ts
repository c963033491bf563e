import { z } from 'zod';
import { isDigest } from '../oci/digest.ts';
import { pageOf, time } from './page.ts';

export const tagInfo = z.object({ name: z.string(), digest: z.string(), updatedAt: time });
export type TagInfo = z.infer<typeof tagInfo>;
export const tagPage = pageOf('tags', tagInfo);

export const tagChange = z.object({
  id: z.string(),
  digest: z.string().nullable().describe('null: the tag was deleted'),
  previous: z.string().nullable().describe('null: the tag was not there'),
  action: z.enum(['push', 'delete', 'rollback', 'promote']),
  actor: z.string(),
  source: z.string().describe("the client's address"),
  at: time,
  available: z.boolean().describe('whether the manifest is still there'),
});
export type TagChange = z.infer<typeof tagChange>;
export const tagHistoryPage = pageOf('entries', tagChange);

export const rollbackTagBody = z.strictObject({
  to: z
    .string()
    .refine(isDigest, 'not a sha256 or sha512 digest')
    .optional()
    .describe('a digest of the history; without it the one before the current'),
});
export const rolledBackTag = z.object({ digest: z.string(), previous: z.string().nullable() });

const pattern = z
  .string()
  .max(128)
  .regex(/^[a-zA-Z0-9._*?-]+$/, 'a pattern is made of [a-zA-Z0-9._-], * and ?');
export const immutableTags = z.strictObject({ patterns: z.array(pattern).max(100) });
