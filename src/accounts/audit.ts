import type { Transaction } from 'kysely';
import type { Schema } from '../database/schema.ts';
import type { AccountsContext, Origin } from './context.ts';

/** What is written down: `<what>.<verb>`. `docs/reference/audit.md` says when. */
export const AUDIT_ACTIONS = [
  'login.success',
  'login.failure',
  'setup.done',
  'user.create',
  'user.disable',
  'user.enable',
  'user.delete',
  'user.update',
  'user.password',
  'user.two-factor',
  'session.end',
  'invitation.create',
  'invitation.revoke',
  'token.create',
  'token.revoke',
  'robot.create',
  'robot.update',
  'robot.delete',
  'organization.create',
  'organization.update',
  'organization.delete',
  'member.set',
  'member.remove',
  'team.create',
  'team.update',
  'team.delete',
  'team-member.add',
  'team-member.remove',
  'grant.set',
  'grant.remove',
  'repository.create',
  'repository.update',
  'repository.rename',
  'repository.delete',
  'alias.remove',
  'manifest.push',
  'manifest.delete',
  'blob.delete',
  'tag.push',
  'tag.delete',
  'tag.rollback',
  'tag.promote',
  'stack.create',
  'stack.update',
  'stack.delete',
  'environment.create',
  'environment.update',
  'environment.delete',
  'environment.hold',
  'environment.resume',
  'config.change',
  'target.enroll',
  'target.revoke',
  'release.create',
  'release.revoke',
  'deployment.create',
  'deployment.cancel',
  'deployment.rollback',
  'garbage.collect',
  'retention.set',
  'retention.remove',
  'retention.apply',
  'quota.set',
  'quota.remove',
  'webhook.create',
  'webhook.update',
  'webhook.delete',
  'webhook.redeliver',
  'upstream.create',
  'upstream.update',
  'upstream.delete',
  'cache.set',
  'cache.remove',
  'mirror.create',
  'mirror.update',
  'mirror.delete',
  'mirror.run',
] as const;
export type AuditAction = (typeof AUDIT_ACTIONS)[number];

export interface AuditEntry {
  action: AuditAction;
  /** What it was done to: `alice`, `alice/app:1.0`, a token's id. */
  subject: string;
  outcome?: 'done' | 'refused';
  /** Never a secret. */
  detail?: Record<string, unknown> | undefined;
}

export interface AuditLine {
  id: number;
  at: number;
  actor: string;
  source: string;
  action: string;
  subject: string;
  outcome: 'done' | 'refused';
  detail: Record<string, unknown> | null;
}

/** Writes a line in the transaction that does the thing: one is not without the other. */
export async function audit(tx: Transaction<Schema>, now: number, origin: Origin, entry: AuditEntry): Promise<void> {
  await tx
    .insertInto('audit_log')
    .values({
      at: now,
      actor: origin.name.slice(0, 300),
      source: origin.source.slice(0, 100),
      action: entry.action,
      subject: entry.subject.slice(0, 500),
      outcome: entry.outcome ?? 'done',
      detail: entry.detail === undefined ? null : JSON.stringify(entry.detail),
    })
    .execute();
}

/** The same for what changes nothing else, such as a refused log-in. */
export async function auditAlone(context: AccountsContext, origin: Origin, entry: AuditEntry): Promise<void> {
  await context.database.relaxedTransaction((tx) => audit(tx, context.now(), origin, entry));
}

export interface AuditFilter {
  actor?: string | undefined;
  action?: string | undefined;
  subject?: string | undefined;
  outcome?: 'done' | 'refused' | undefined;
  /** ms since 1970, inclusive */
  since?: number | undefined;
  /** ms since 1970, exclusive */
  until?: number | undefined;
}

/** Newest first. `action` may end in `.*`; `subject` also takes everything beneath it (`alice/app` has `alice/app:1.0`). */
export async function listAudit(
  context: AccountsContext,
  filter: AuditFilter,
  page: { before?: number | undefined; limit: number },
): Promise<{ lines: AuditLine[]; more: boolean }> {
  let query = context.database.read.selectFrom('audit_log').selectAll();
  const { actor, action, subject, outcome, since, until } = filter;
  if (page.before !== undefined) query = query.where('id', '<', page.before);
  if (actor !== undefined) query = query.where('actor', '=', actor);
  if (action?.endsWith('.*')) {
    const prefix = action.slice(0, -1);
    query = query.where('action', '>=', prefix).where('action', '<', `${prefix.slice(0, -1)}/`);
  } else if (action !== undefined) query = query.where('action', '=', action);
  if (subject !== undefined) {
    query = query.where((where) =>
      where.or([
        where('subject', '=', subject),
        where.and([where('subject', '>', `${subject}:`), where('subject', '<', `${subject};`)]),
        where.and([where('subject', '>', `${subject}@`), where('subject', '<', `${subject}A`)]),
        where.and([where('subject', '>', `${subject}/`), where('subject', '<', `${subject}0`)]),
        where.and([where('subject', '>', `${subject}+`), where('subject', '<', `${subject},`)]),
        where.and([where('subject', '>', `${subject}#`), where('subject', '<', `${subject}$`)]),
      ]),
    );
  }
  if (outcome !== undefined) query = query.where('outcome', '=', outcome);
  if (since !== undefined) query = query.where('at', '>=', since);
  if (until !== undefined) query = query.where('at', '<', until);
  const rows = await query
    .orderBy('id', 'desc')
    .limit(page.limit + 1)
    .execute();
  const lines = rows.slice(0, page.limit).map((row) => ({
    ...row,
    detail: row.detail === null ? null : (JSON.parse(row.detail) as Record<string, unknown>),
  }));
  return { lines, more: rows.length > page.limit };
}
