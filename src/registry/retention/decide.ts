import { parseAge } from '../../oci/age.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Tag } from '../../oci/names.ts';
import { matchesPattern } from '../../oci/tag-pattern.ts';
import type { RetentionPolicy, RetentionRule } from './policy.ts';

/** What a decision about a tag is made from. Times are ms since 1970. */
export interface TagFacts {
  name: Tag;
  digest: Digest;
  /** When it was set to that digest. */
  pushedAt: number;
  /** The last pull of its manifest, or of one in it; null: none that is known. */
  pulledAt: number | null;
  immutable: boolean;
  /** Something deployed, or a rollback of it, needs its image. */
  inUse: boolean;
  /** For a signature or the like whose tag is made from an image's digest (`sha256-….sig`): whether that image is there. */
  companion?: { of: Digest; there: boolean } | undefined;
}

/** Rules are numbered from 1. */
export type Reason =
  | { kind: 'immutable' }
  | { kind: 'in-use' }
  | { kind: 'companion'; of: Digest }
  | { kind: 'unmatched' }
  | { kind: 'rule'; rule: number; by: 'always' | 'last' | 'pushed' | 'pulled' }
  | { kind: 'expired'; rules: number[] }
  | { kind: 'orphan'; of: Digest; rules: number[] };

export interface Decision {
  keep: boolean;
  reason: Reason;
}

/** Stored pull times are exact to some minutes; no pull is overlooked because of that. */
const PULLS_EXACT_TO_MS = 10 * 60_000;

interface CompiledRule {
  number: number;
  rule: RetentionRule;
  pushedAfter: number;
  pulledAfter: number;
  /** How many tags it has covered so far. */
  covered: number;
}

/** Decides about the tags of one repository, one after the other, those that were set last first. */
export class Judge {
  readonly #rules: CompiledRule[];

  /** @param now ms since 1970 */
  constructor(policy: RetentionPolicy, now: number) {
    const since = (age: string | undefined, leeway: number) =>
      age === undefined ? Number.POSITIVE_INFINITY : now - (parseAge(age) ?? Number.POSITIVE_INFINITY) - leeway;
    this.#rules = policy.rules.map((rule, index) => ({
      number: index + 1,
      rule,
      pushedAfter: since(rule.pushedWithin, 0),
      pulledAfter: since(rule.pulledWithin, PULLS_EXACT_TO_MS),
      covered: 0,
    }));
  }

  decide(tag: TagFacts): Decision {
    const covering = this.#rules.filter(({ rule }) => rule.match.some((pattern) => matchesPattern(pattern, tag.name)));
    // A signature takes no image's place among the last ones.
    if (tag.companion === undefined) for (const rule of covering) rule.covered++;
    if (tag.immutable) return kept({ kind: 'immutable' });
    if (tag.inUse) return kept({ kind: 'in-use' });
    if (covering.length === 0) return kept({ kind: 'unmatched' });
    const rules = covering.map(({ number }) => number);
    if (tag.companion !== undefined) {
      const { of, there } = tag.companion;
      return there ? kept({ kind: 'companion', of }) : { keep: false, reason: { kind: 'orphan', of, rules } };
    }
    for (const rule of covering) {
      const by = keeps(rule, tag);
      if (by !== undefined) return kept({ kind: 'rule', rule: rule.number, by });
    }
    return { keep: false, reason: { kind: 'expired', rules } };
  }
}

function kept(reason: Reason): Decision {
  return { keep: true, reason };
}

function keeps({ rule, pushedAfter, pulledAfter, covered }: CompiledRule, tag: TagFacts) {
  if (rule.always === true) return 'always';
  if (rule.keepLast !== undefined && covered <= rule.keepLast) return 'last';
  if (tag.pushedAt >= pushedAfter) return 'pushed';
  if (Math.max(tag.pulledAt ?? 0, tag.pushedAt) >= pulledAfter) return 'pulled';
  return undefined;
}

/** The reason in a sentence. @param users of the image, for `in-use` */
export function whyOf(policy: RetentionPolicy, reason: Reason, users: readonly string[] = []): string {
  switch (reason.kind) {
    case 'immutable':
      return 'kept: immutable';
    case 'in-use':
      return `kept: ${users.length === 0 ? 'deployed, or needed for a rollback' : users.join('; ')}`;
    case 'companion':
      return `kept: belongs to ${reason.of}, which is there`;
    case 'unmatched':
      return 'kept: no rule is about it';
    case 'rule': {
      const rule = policy.rules[reason.rule - 1];
      return `kept by rule ${reason.rule}: ${rule === undefined ? '' : keptWords(rule, reason.by)}`;
    }
    case 'expired': {
      const rules = reason.rules.flatMap((number) => {
        const rule = policy.rules[number - 1];
        return rule === undefined ? [] : [`rule ${number} is about ${patterns(rule)}: ${missed(rule)}`];
      });
      return `removed: ${rules.join('; ')}`;
    }
    case 'orphan':
      return `removed: belongs to ${reason.of}, which is gone`;
  }
}

function keptWords(rule: RetentionRule, by: 'always' | 'last' | 'pushed' | 'pulled'): string {
  switch (by) {
    case 'always':
      return `always keeps ${patterns(rule)}`;
    case 'last':
      return `among the last ${rule.keepLast} of ${patterns(rule)}`;
    case 'pushed':
      return `set within ${rule.pushedWithin}`;
    case 'pulled':
      return `used within ${rule.pulledWithin}`;
  }
}

function missed({ keepLast, pushedWithin, pulledWithin }: RetentionRule): string {
  return [
    ...(keepLast === undefined ? [] : [`not among the last ${keepLast}`]),
    ...(pushedWithin === undefined ? [] : [`not set within ${pushedWithin}`]),
    ...(pulledWithin === undefined ? [] : [`not used within ${pulledWithin}`]),
  ].join(', ');
}

function patterns({ match }: RetentionRule): string {
  return match.join(', ');
}
