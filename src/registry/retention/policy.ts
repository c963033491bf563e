/**
 * Which tags of a repository stay. A tag that no rule is about stays. A tag that some rule's `match` covers stays as long as one of the
 * rules that cover it keeps it, and goes when none does. What is protected (`decide.ts`) stays whatever the rules say.
 */
export interface RetentionPolicy {
  rules: readonly RetentionRule[];
  /** How long what no tag names any more is kept for a rollback, in place of the instance's history window. */
  untagged?: { after: Age } | undefined;
}

/** Keeps a tag that it covers when any of its conditions holds; it has at least one. */
export interface RetentionRule {
  /** Patterns of tags with `*` and `?`. */
  match: readonly string[];
  /** Every one. */
  always?: true | undefined;
  /** So many of them, those that were set last. */
  keepLast?: number | undefined;
  /** Those that were set since. */
  pushedWithin?: Age | undefined;
  /** Those whose image was pulled since; of one that nobody pulled, setting it is its last use. */
  pulledWithin?: Age | undefined;
}

/** `12h`, `30d`, `8w` */
export type Age = string;
