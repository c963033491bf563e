import { z } from 'zod';
import { pageOf, time } from './page.ts';
import { composeText, digestText } from './stacks.ts';

/** What one service of a release runs. */
export const releaseImage = z.object({
  service: z.string(),
  repository: z.string(),
  digest: digestText,
  tag: z.string().nullable().describe('that it was found by; for people, never used again'),
  revision: z.string().nullable().describe('org.opencontainers.image.revision'),
  source: z.string().nullable().describe('org.opencontainers.image.source'),
  version: z.string().nullable().describe('org.opencontainers.image.version'),
  created: z.string().nullable().describe('org.opencontainers.image.created'),
});
export type ReleaseImage = z.infer<typeof releaseImage>;

export const releaseInfo = z.object({
  number: z.number().int(),
  version: z.string().nullable().describe('a name of its own, as in 1.4.2'),
  file: digestText,
  images: z.array(releaseImage),
  notes: z.string(),
  createdBy: z.string(),
  createdAt: time,
  revoked: z
    .array(
      z.object({
        environment: z.string().nullable().describe('null: everywhere'),
        by: z.string(),
        at: time,
        reason: z.string(),
      }),
    )
    .describe('where no automation deploys it any more'),
  expiredAt: time.nullable().describe('its images are no longer kept: it can not be deployed'),
});
export type ReleaseInfo = z.infer<typeof releaseInfo>;
export const releasePage = pageOf('releases', releaseInfo);

/** By service: a tag, a digest, or `repository:tag`. */
export const imageChoices = z.record(z.string().min(1).max(100), z.string().min(1).max(400));

export const newReleaseBody = z.strictObject({
  images: imageChoices
    .optional()
    .describe('by service: a tag or a digest; the others as in `from`, or by the tag of the compose file'),
  from: z
    .string()
    .max(100)
    .optional()
    .describe('an environment: what it runs now, for the services that `images` does not name'),
  version: z
    .string()
    .max(100)
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'must be what a tag may hold')
    .optional(),
  notes: z.string().max(10_000).optional(),
});

export const releaseDiff = z.object({
  from: z.number().int(),
  to: z.number().int(),
  fileChanged: z.boolean(),
  images: z.array(
    z.object({ service: z.string(), from: releaseImage.nullable(), to: releaseImage.nullable(), changed: z.boolean() }),
  ),
});
export type ReleaseDiff = z.infer<typeof releaseDiff>;

export const revokeReleaseBody = z.strictObject({
  reason: z.string().max(500).default(''),
  environment: z.string().max(100).optional().describe('there alone'),
});

export const resolveBody = z.strictObject({
  environment: z.string().max(100).optional().describe('what it runs now'),
  release: z.number().int().min(1).optional(),
  images: imageChoices.optional().describe('other images for some services'),
});

/** What a laptop needs to run a set of versions; secrets are not in it. */
export const resolvedSet = z.object({
  stack: z.string(),
  environment: z.string().nullable(),
  release: z.number().int().nullable(),
  deployment: z.number().int().nullable(),
  file: composeText,
  images: z.array(releaseImage),
  variables: z.record(z.string(), z.string()),
  secrets: z.array(z.string()).describe('names of variables whose values are not given out'),
});
export type ResolvedSet = z.infer<typeof resolvedSet>;
