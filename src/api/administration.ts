import { z } from 'zod';
import { pageOf, pageQuery, time } from './page.ts';

export const storageInfo = z.object({
  repositories: z.number().int(),
  tags: z.number().int(),
  manifests: z.number().int(),
  blobs: z.number().int(),
  blobBytes: z.number().int().describe('of blobs, each once: what the store holds'),
  referencedBytes: z.number().int().describe('as if each repository had its own copy'),
  manifestBytes: z.number().int(),
  uploads: z.object({ open: z.number().int(), bytes: z.number().int() }),
  disk: z
    .object({ total: z.number().int(), free: z.number().int() })
    .nullable()
    .describe('of the file system that the store is on; null where there is none'),
  largest: z
    .array(z.object({ name: z.string(), bytes: z.number().int(), tags: z.number().int() }))
    .describe('the 20 largest repositories'),
  summedAt: time.describe('when bytes were added up; in a large registry that is done twice a minute at most'),
});
export type StorageInfo = z.infer<typeof storageInfo>;

export const garbageItem = z.object({
  kind: z.enum(['tag', 'upload', 'manifest', 'link', 'blob', 'orphan']),
  repository: z.string().nullable(),
  digest: z.string().nullable(),
  size: z.number().int().nullable(),
  why: z.string(),
});
export type GarbageItemInfo = z.infer<typeof garbageItem>;

export const garbageRun = z.object({
  id: z.string(),
  dryRun: z.boolean(),
  startedBy: z.string().describe('`schedule` for one that nobody asked for'),
  state: z.enum(['running', 'done', 'failed']),
  startedAt: time,
  finishedAt: time.nullable(),
  error: z.string().nullable(),
  result: z
    .object({
      tags: z.number().int().describe('by retention policies'),
      uploads: z.number().int(),
      manifests: z.number().int(),
      links: z.number().int().describe('blobs taken out of a repository'),
      blobs: z.number().int(),
      bytes: z.number().int().describe('that the removed blobs had'),
    })
    .nullable(),
});
export type GarbageRunInfo = z.infer<typeof garbageRun>;
export const garbageRunPage = pageOf('runs', garbageRun);
export const garbageRunDetails = garbageRun.extend({
  items: z.array(garbageItem).describe('of a dry run: what would go, and why; the first 1,000'),
});
export type GarbageRunDetails = z.infer<typeof garbageRunDetails>;
export const garbageRunQuery = pageQuery;
export const newGarbageRunBody = z.strictObject({ dryRun: z.boolean() });

export const settingInfo = z.object({
  name: z.string().describe('`publicUrl`'),
  value: z.string().nullable().describe('as text; null: not set'),
  secret: z.boolean().describe('whether something secret was left out of the value'),
  default: z.string().nullable(),
  changed: z.boolean().describe('whether it is not the default'),
  flag: z.string().describe('`--public-url`'),
  variable: z.string().describe('`BERTH_PUBLIC_URL`'),
  help: z.string(),
});
export type SettingInfo = z.infer<typeof settingInfo>;
export const settingList = z.object({ settings: z.array(settingInfo) });

/** How this request reached the server, for the page to compare with the address it was opened under. */
export const addressCheck = z.object({
  base: z.string().describe('how clients see this registry, as the server understands it: scheme and host'),
  realm: z.string().describe('where the challenge of /v2/ sends clients'),
  publicUrl: z.string().nullable().describe('the setting, when it is set'),
  forwarded: z.object({
    proto: z.string().nullable(),
    host: z.string().nullable(),
    for: z.string().nullable(),
  }),
  host: z.string().nullable().describe('the Host header that arrived'),
  trusted: z.boolean().describe('whether the connection comes from a trusted proxy'),
  peer: z.string().nullable().describe('the address to trust; only when forwarded headers came from one that is not'),
  client: z.string().describe('the address that logs and limits know the client by'),
  conditions: z
    .array(z.enum(['if-match', 'if-none-match', 'range', 'if-range']))
    .describe('which of these headers came here'),
});
export type AddressCheck = z.infer<typeof addressCheck>;
export const receivedBody = z.object({ bytes: z.number().int() });
/** How long the answer of the trial of time-outs pauses. */
export const pauseQuery = z.object({ seconds: z.coerce.number().int().min(0).max(200).default(1) });
