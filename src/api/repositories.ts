import { z } from 'zod';
import { pageOf, pageQuery, time } from './page.ts';

const DESCRIPTION_MAX = 1_000;
const README_MAX_BYTES = 256 * 1024;

const text = z.string().refine((value) => !value.includes('\0'), 'holds a NUL character');

export const visibility = z.enum(['public', 'private']).describe('`public`: everyone may read it');
const description = text.max(DESCRIPTION_MAX, `longer than ${DESCRIPTION_MAX} characters`);
const readme = text
  .refine(
    (value) => new TextEncoder().encode(value).byteLength <= README_MAX_BYTES,
    `larger than ${README_MAX_BYTES} bytes`,
  )
  .describe('Markdown');

export const repositorySummary = z.object({
  name: z.string(),
  visibility,
  description: z.string(),
  createdAt: time,
  updatedAt: time.describe('when a tag last changed'),
});
export type RepositorySummary = z.infer<typeof repositorySummary>;
export const repositoryPage = pageOf('repositories', repositorySummary);

export const repositoryInfo = repositorySummary.extend({
  readme: z.string().describe('Markdown'),
  tags: z.number().int(),
  size: z.number().int().describe('bytes of its manifests and blobs, each once'),
  role: z.enum(['read', 'write', 'admin']).describe('what you may do with the credential that you showed'),
});
export type RepositoryInfo = z.infer<typeof repositoryInfo>;

export const repositoriesQuery = pageQuery.extend({
  namespace: z.string().optional().describe('only those beneath this user or organization'),
  q: z.string().max(200).optional().describe('only those with this in the name or the description, in either case'),
  visibility: visibility.optional(),
  sort: z.enum(['name', 'updated']).optional().describe('name without it; updated: whose tags changed last first'),
});

export const newRepositoryBody = z.strictObject({
  name: z.string().describe('`alice/app`'),
  visibility: visibility.optional(),
  description: description.optional(),
});

export const repositoryChangeBody = z.strictObject({
  visibility: visibility.optional(),
  description: description.optional(),
  readme: readme.optional(),
});

export const renameRepositoryBody = z.strictObject({
  to: z.string().describe('the whole new name; in another namespace it is a transfer'),
});

export const repositoryDeletion = z.object({
  tags: z.number().int(),
  manifests: z.number().int(),
  bytes: z.number().int().describe('of its manifests, and of its blobs that no other repository has'),
  users: z.array(z.string()).describe('what uses its manifests; while there is any, it is not deleted'),
});
export type RepositoryDeletion = z.infer<typeof repositoryDeletion>;

export const deleteRepositoryBody = z.strictObject({ confirm: z.string().describe('the full name once more') });

export const formerNames = z.object({
  aliases: z.array(z.object({ name: z.string(), since: time })).describe('digests can be pulled under these as well'),
});
export type FormerNames = z.infer<typeof formerNames>;

export const formerNameQuery = z.object({ alias: z.string().describe('the former name') });
