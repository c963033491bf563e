import { z } from 'zod';
import { isDigest } from '../oci/digest.ts';
import { imageKind, platformImage } from './images.ts';
import { pageOf, pageQuery, time } from './page.ts';

export const tagDetails = z.object({
  kind: imageKind,
  mediaType: z.string(),
  platforms: z.array(platformImage).describe('empty for an artifact; the first 100'),
  size: z.number().int().describe('bytes of its manifest and of all that it names, each once'),
  updatedBy: z.string().describe('who moved the tag last'),
  pulledAt: time.nullable().describe('exact to some minutes'),
  immutable: z.boolean(),
});
export const tagInfo = z.object({
  name: z.string(),
  digest: z.string(),
  updatedAt: time,
  details: tagDetails.nullable().describe('null unless asked for'),
});
export type TagInfo = z.infer<typeof tagInfo>;
export const tagPage = pageOf('tags', tagInfo);

export const tagsQuery = pageQuery.extend({
  q: z.string().max(128).optional().describe('only those with this in the name, in either case'),
  sort: z.enum(['name', 'updated']).optional().describe('name without it, in byte order'),
  order: z.enum(['asc', 'desc']).optional().describe('asc without it'),
  details: z
    .enum(['true', 'false'])
    .optional()
    .describe('with kind, size, platforms, who, last pull; 200 a page at most'),
});

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

export const tagPattern = z
  .string()
  .max(128)
  .regex(/^[a-zA-Z0-9._*?-]+$/, 'a pattern is made of [a-zA-Z0-9._-], * and ?');
export const immutableTags = z.strictObject({ patterns: z.array(tagPattern).max(100) });
