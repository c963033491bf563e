import { z } from 'zod';
import { parseAge } from '../oci/age.ts';
import { pageOf, pageQuery, time } from './page.ts';
import { tagPattern } from './tags.ts';

const MOST_RULES = 20;
const MOST_PATTERNS = 20;
const MOST_KEPT = 100_000;

const age = z
  .string()
  .refine(
    (text) => parseAge(text) !== undefined,
    'not a duration such as 12h, 30d or 8w, of at least an hour and at most 100 years',
  )
  .describe('`12h`, `30d` or `8w`');

export const retentionRule = z
  .strictObject({
    match: z
      .array(tagPattern)
      .min(1, 'names no tags: give patterns, such as "v*", or "*" for all tags')
      .max(MOST_PATTERNS, `more than ${MOST_PATTERNS} patterns: make it two rules`)
      .describe('patterns with `*` and `?` of the tags that the rule is about'),
    always: z.literal(true).optional().describe('keeps them all'),
    keepLast: z
      .int('not a whole number')
      .min(1, 'less than 1: a rule that keeps none of them by number leaves it out')
      .max(MOST_KEPT, `more than ${MOST_KEPT}`)
      .optional()
      .describe('keeps so many of them, those that were set last'),
    pushedWithin: age.optional().describe('keeps those that were set since'),
    pulledWithin: age
      .optional()
      .describe('keeps those whose image was pulled since; where nobody pulled it, setting the tag is its last use'),
  })
  .superRefine((rule, context) => {
    const conditions = [rule.keepLast, rule.pushedWithin, rule.pulledWithin].filter((value) => value !== undefined);
    if (rule.always === true && conditions.length > 0) {
      context.addIssue('always: keeps all of them already; leave out keepLast, pushedWithin and pulledWithin');
    }
    if (rule.always !== true && conditions.length === 0) {
      context.addIssue('keeps nothing: give keepLast, pushedWithin, pulledWithin or always');
    }
  });

export const retentionPolicy = z
  .strictObject({
    rules: z
      .array(retentionRule)
      .max(MOST_RULES, `more than ${MOST_RULES} rules`)
      .default([])
      .describe('a tag stays when a rule keeps it, or when no rule is about it; else it goes'),
    untagged: z
      .strictObject({ after: age })
      .optional()
      .describe('how long what no tag names any more is kept for a rollback, in place of `--tag-history-window`'),
  })
  .refine(
    ({ rules, untagged }) => rules.length > 0 || untagged !== undefined,
    'an empty policy: give rules or untagged, or remove the policy',
  );
export type RetentionPolicyInfo = z.infer<typeof retentionPolicy>;

const from = z.enum(['repository', 'namespace', 'instance']);

export const retentionInfo = z.object({
  own: retentionPolicy.nullable().describe('of this place itself'),
  holds: retentionPolicy.nullable().describe('the nearest one; null: nothing goes by itself'),
  from: from.nullable().describe('whose policy holds'),
  updatedAt: time.nullable(),
  updatedBy: z.string().nullable(),
});
export type RetentionInfo = z.infer<typeof retentionInfo>;

const rule = z.number().int().describe('counted from 1');
const reason = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('immutable') }),
  z.object({ kind: z.literal('in-use') }).describe('deployed, or needed for a rollback'),
  z
    .object({ kind: z.literal('companion'), of: z.string() })
    .describe('a signature or the like of an image that is there'),
  z.object({ kind: z.literal('unmatched') }).describe('no rule is about it'),
  z.object({ kind: z.literal('rule'), rule, by: z.enum(['always', 'last', 'pushed', 'pulled']) }),
  z
    .object({ kind: z.literal('expired'), rules: z.array(rule) })
    .describe('these rules are about it, and none keeps it'),
  z
    .object({ kind: z.literal('orphan'), of: z.string(), rules: z.array(rule) })
    .describe('a signature or the like of an image that is gone'),
]);

export const retentionTag = z.object({
  tag: z.string(),
  digest: z.string(),
  pushedAt: time.describe('when the tag was set'),
  pulledAt: time.nullable().describe('of the image, or of one in it; exact to some minutes'),
  decision: z.enum(['keep', 'remove']),
  reason,
  why: z.string(),
});
export type RetentionTag = z.infer<typeof retentionTag>;

export const retentionPreview = z.object({
  policy: retentionPolicy,
  counts: z.object({
    tags: z.number().int(),
    removed: z.number().int(),
    kept: z.number().int().describe('those that are protected too'),
    immutable: z.number().int(),
    inUse: z.number().int(),
  }),
  tags: z.array(retentionTag).describe('those that were set last first'),
  next: z.string().nullable().describe('the cursor for `last`; null at the end'),
});
export type RetentionPreview = z.infer<typeof retentionPreview>;

export const retentionPreviewBody = z.strictObject({
  policy: retentionPolicy.optional().describe('without it the one that holds'),
});
export const MOST_PREVIEWED = 5_000;
export const retentionPreviewQuery = z.object({
  n: z.string().optional().describe(`how many tags at most: 1 to ${MOST_PREVIEWED}; 100 without it`),
  last: z.string().optional().describe('`next` of the page before'),
  decision: z.enum(['keep', 'remove']).optional().describe('only those that stay, or that go'),
});

export const appliedRetention = z.object({
  tags: z.number().int().describe('that were looked at'),
  removed: z.number().int(),
  more: z.boolean().describe('there is more to remove: ask again'),
});
export type AppliedRetention = z.infer<typeof appliedRetention>;

export const retentionRemoval = z.object({
  id: z.string(),
  tag: z.string(),
  digest: z.string(),
  why: z.string(),
  at: time,
});
export type RetentionRemoval = z.infer<typeof retentionRemoval>;
export const retentionRemovalQuery = pageQuery;
export const retentionRemovalPage = pageOf('removals', retentionRemoval);
