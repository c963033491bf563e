import { z } from 'zod';
import { isRepositoryName } from '../oci/names.ts';
import { time } from './page.ts';

const subjects = z.array(z.object({ subject: z.string(), why: z.string() }));

export const mirrorRunInfo = z.object({
  outcome: z.enum(['done', 'failed']),
  startedAt: time,
  finishedAt: time,
  report: z.object({
    tags: z.int().describe('that were made or moved'),
    tagsPresent: z.int().describe('that named the same already'),
    manifests: z.int(),
    blobs: z.int(),
    bytes: z.int().describe('that were copied'),
    seconds: z.number(),
    failed: subjects.describe('what could not be copied; the first of them'),
    kept: subjects.describe('immutable tags that the other registry has moved'),
    stopped: z.string().nullable().describe('why it ended before everything was tried'),
  }),
});
export type MirrorRunInfo = z.infer<typeof mirrorRunInfo>;

export const mirrorInfo = z.object({
  repository: z.string(),
  upstream: z.string(),
  from: z.string().describe('what the repository is called there'),
  tags: z.array(z.string()).describe('patterns; none takes every tag'),
  referrers: z.boolean().describe('whether signatures and what else has an image as its subject come along'),
  bytesPerSecond: z.int().nullable().describe('null: as fast as it goes'),
  everySeconds: z.int(),
  running: z.boolean(),
  nextAt: time.describe('when it is copied next, unless somebody asks for it earlier'),
  requested: z.int().describe('how many runs were asked for'),
  served: z.int().describe('how many of these have ended'),
  lastRun: mirrorRunInfo.nullable(),
  lastSuccessAt: time.nullable(),
  failures: z.int().describe('runs that failed since the last one that did not'),
  createdBy: z.string(),
  createdAt: time,
});
export type MirrorInfo = z.infer<typeof mirrorInfo>;
export const mirrorList = z.object({ mirrors: z.array(mirrorInfo) });

const repositoryName = z.string().refine((name) => isRepositoryName(name), 'is no name for a repository');
const upstream = z.string().min(1).max(200).describe('the name of an upstream');
const from = repositoryName.describe('what the repository is called there, as in `library/nginx`');
const tags = z.array(z.string().min(1).max(200)).max(100).describe('patterns with `*` and `?`; none takes every tag');
const everySeconds = z
  .int()
  .min(60)
  .max(366 * 86_400);
const bytesPerSecond = z
  .int()
  .min(1_024)
  .max(2 ** 40)
  .nullable()
  .describe('null: as fast as it goes');

export const newMirrorBody = z.strictObject({
  repository: repositoryName.describe('here; made where there is none'),
  upstream,
  from,
  tags: tags.optional(),
  referrers: z.boolean().optional().describe('default: true'),
  bytesPerSecond: bytesPerSecond.optional(),
  everySeconds: everySeconds.optional().describe('default: six hours'),
});
export type NewMirror = z.input<typeof newMirrorBody>;

export const mirrorChangeBody = z.strictObject({
  upstream: upstream.optional(),
  from: from.optional(),
  tags: tags.optional(),
  referrers: z.boolean().optional(),
  bytesPerSecond: bytesPerSecond.optional(),
  everySeconds: everySeconds.optional(),
});
export type MirrorChange = z.input<typeof mirrorChangeBody>;

export const newMirrorRunBody = z.strictObject({ repository: repositoryName.describe('the mirror') });
export const requestedMirrorRun = z.object({
  number: z.int().describe('it has ended when `served` of the mirror is that'),
});
