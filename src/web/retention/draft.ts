import { type RetentionPolicyInfo, retentionPolicy } from '../../api/retention.ts';

/** A policy as it is typed. */
export interface RuleDraft {
  id: number;
  match: string;
  always: boolean;
  keepLast: string;
  pushedWithin: string;
  pulledWithin: string;
}
export interface PolicyDraft {
  rules: readonly RuleDraft[];
  untagged: string;
}

export function newRule(id: number): RuleDraft {
  return { id, match: '', always: false, keepLast: '10', pushedWithin: '', pulledWithin: '' };
}

export function draftOf(policy: RetentionPolicyInfo | null): PolicyDraft {
  return {
    rules: (policy?.rules ?? []).map((rule, id) => ({
      id,
      match: rule.match.join(' '),
      always: rule.always === true,
      keepLast: rule.keepLast === undefined ? '' : String(rule.keepLast),
      pushedWithin: rule.pushedWithin ?? '',
      pulledWithin: rule.pulledWithin ?? '',
    })),
    untagged: policy?.untagged?.after ?? '',
  };
}

/** The policy, or what is wrong in which rule (counted from 0; undefined: in none of them). */
export function policyOf(
  draft: PolicyDraft,
): { policy: RetentionPolicyInfo } | { problem: string; rule: number | undefined } {
  const conditions = ({ keepLast, pushedWithin, pulledWithin }: RuleDraft) => ({
    ...(keepLast.trim() === '' ? {} : { keepLast: Number(keepLast) }),
    ...(pushedWithin.trim() === '' ? {} : { pushedWithin: pushedWithin.trim() }),
    ...(pulledWithin.trim() === '' ? {} : { pulledWithin: pulledWithin.trim() }),
  });
  const read = retentionPolicy.safeParse({
    rules: draft.rules.map((rule) => ({
      match: rule.match.split(/[\s,]+/).filter((pattern) => pattern !== ''),
      ...(rule.always ? { always: true } : conditions(rule)),
    })),
    ...(draft.untagged.trim() === '' ? {} : { untagged: { after: draft.untagged.trim() } }),
  });
  if (read.success) return { policy: read.data };
  const [issue] = read.error.issues;
  const [part, rule, field] = issue?.path ?? [];
  const name = part === 'rules' ? field : part;
  return {
    problem: `${name === undefined ? '' : `${String(name)}: `}${issue?.message ?? ''}`,
    rule: part === 'rules' && typeof rule === 'number' ? rule : undefined,
  };
}
