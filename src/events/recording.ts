import { type Selectable, sql, type Transaction } from 'kysely';
import type { Schema } from '../database/schema.ts';
import type { BerthEvent, RequestFacts } from './context.ts';
import { EVENT_KINDS, type EventKind, isEventKind } from './kinds.ts';

/** What the audit log is told, with what only events say. */
export interface Happening {
  /** What is no kind of event is none. */
  action: string;
  subject: string;
  detail?: Record<string, unknown> | undefined;
  /** More than the audit log needs: `mediaType`, `size`, `digest`. */
  facts?: Record<string, unknown> | undefined;
}

interface Doer {
  name: string;
  source: string;
  request?: RequestFacts | undefined;
}

const OF_STACKS = /^(release|deployment)\./;

/**
 * Writes an event in the transaction that does the thing: one is not without the other. It costs one row; who is told of it is found out
 * later (`routing.ts`).
 */
export async function recordEvent(
  tx: Transaction<Schema>,
  now: number,
  actor: Doer,
  happening: Happening,
): Promise<void> {
  // Whoever asked for it, and why: it is one more deployment.
  const kind = happening.action === 'deployment.rollback' ? 'deployment.create' : happening.action;
  if (!isEventKind(kind)) return;
  const { repository, stack } = placeOf(kind, happening.subject);
  // The rename is done: the name that it has now finds it.
  const name = kind === 'repository.rename' ? String(happening.detail?.to ?? '') : repository;
  const detail = { ...happening.detail, ...happening.facts };
  await tx
    .insertInto('events')
    .values({
      seq: null,
      at: now,
      kind,
      repository,
      repository_id: sql<number | null>`(select id from repositories where name = ${name ?? ''})`,
      namespace: namespaceOf(repository ?? stack),
      stack,
      subject: happening.subject.slice(0, 500),
      actor: actor.name.slice(0, 300),
      source: actor.source.slice(0, 100),
      detail: JSON.stringify(detail),
      request: actor.request === undefined ? null : JSON.stringify(actor.request),
    })
    .execute();
}

/** Whether a webhook asked for what is not written down for everybody. */
export async function isAskedFor(rows: Pick<Transaction<Schema>, 'selectFrom'>, kind: EventKind): Promise<boolean> {
  if (!EVENT_KINDS[kind].asked) return true;
  const row = await rows
    .selectFrom('webhooks')
    .select('id')
    .where('disabled_at', 'is', null)
    .where('kinds', 'like', `%"${kind}"%`)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

/** `alice/app:1.0`, `alice/app@sha256:…`, `alice/shop#3`, `alice/shop@test/v7` */
function placeOf(kind: EventKind, subject: string): { repository: string | null; stack: string | null } {
  const place = /^[^:@#]*/.exec(subject)?.[0] ?? '';
  return OF_STACKS.test(kind) ? { repository: null, stack: place } : { repository: place, stack: null };
}

/** The first component of a name that has more than one. */
function namespaceOf(name: string | null): string | null {
  const slash = name?.indexOf('/') ?? -1;
  return name === null || slash < 0 ? null : name.slice(0, slash);
}

/** What stands behind a subject's name: a tag or a digest. */
export function referenceOf({ subject, repository }: Pick<BerthEvent, 'subject' | 'repository'>): {
  tag: string | null;
  digest: string | null;
} {
  const rest = subject.slice(repository?.length ?? 0);
  return {
    tag: rest.startsWith(':') ? rest.slice(1) : null,
    digest: rest.startsWith('@') ? rest.slice(1) : null,
  };
}

export type EventRow = Selectable<Schema['events']>;

export function eventOf({ detail, request, ...row }: EventRow): BerthEvent {
  return {
    id: row.id,
    seq: row.seq ?? 0,
    at: row.at,
    kind: row.kind,
    repository: row.repository,
    namespace: row.namespace,
    stack: row.stack,
    subject: row.subject,
    actor: row.actor,
    source: row.source,
    detail: JSON.parse(detail) as Record<string, unknown>,
    request: request === null ? null : (JSON.parse(request) as RequestFacts),
  };
}
