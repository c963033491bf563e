import type { Selectable } from 'kysely';
import type { WebhooksSchema } from '../database/webhooks-schema.ts';
import { OciError } from '../oci/errors.ts';
import { AddressRefusedError, allowedAddress } from './addresses.ts';
import { type Actor, clip, type EventsContext, type WebhookShape } from './context.ts';
import { ALL_KINDS, wants } from './kinds.ts';
import { sealedFor } from './queue.ts';
import { SHAPES } from './shapes/shapes.ts';
import { isSecret, newSecret } from './signature.ts';
import { subjectOf } from './subjects.ts';

/** What a webhook is for. */
export type Scope =
  | { kind: 'instance' }
  | { kind: 'repository'; id: number; name: string }
  | { kind: 'namespace'; id: number; name: string };

export interface Webhook {
  id: string;
  scope: { kind: Scope['kind']; name: string | null };
  description: string;
  url: string;
  shape: WebhookShape;
  events: string[];
  hasAuthorization: boolean;
  /** An administrator chose the address. */
  trusted: boolean;
  enabled: boolean;
  disabledReason: string | null;
  /** Times are ms since 1970. */
  failingSince: number | null;
  /** null: now, or when there is something. */
  retryAt: number | null;
  pending: number;
  createdBy: string;
  createdAt: number;
}

export interface WebhookWishes {
  url: string;
  shape: WebhookShape;
  events: string[];
  description: string;
  authorization: string | null;
}

/** Of one scope. */
const MOST_WEBHOOKS = 50;

/** Makes a webhook. Its secret is in the answer and sealed in the database, nowhere else. @throws OciError BODY_INVALID, DENIED */
export async function createWebhook(
  context: EventsContext,
  scope: Scope,
  wishes: WebhookWishes & { secret?: string | undefined },
  by: { actor: Actor; administrator: boolean },
): Promise<{ id: string; secret: string }> {
  await checkAddress(context, wishes.url, by.administrator);
  checkKinds(wishes.shape, wishes.events);
  if (wishes.secret !== undefined && !isSecret(wishes.secret)) {
    throw new OciError(
      'BODY_INVALID',
      'secret: is not whsec_ and the base64 of 24 to 64 bytes; leave it out to get one',
    );
  }
  const secret = wishes.secret ?? newSecret();
  const id = `whk_${context.newId()}`;
  const sealed = sealedFor(id);
  const { url, shape, events, description, authorization } = wishes;
  const row = {
    id,
    repository_id: scope.kind === 'repository' ? scope.id : null,
    namespace_id: scope.kind === 'namespace' ? scope.id : null,
    scope: scope.kind === 'instance' ? '' : scope.name,
    description,
    url,
    shape,
    kinds: JSON.stringify(events),
    secret: context.secrets.seal(secret, sealed.secret),
    former_secret: null,
    former_until: null,
    auth_header: authorization === null ? null : context.secrets.seal(authorization, sealed.authorization),
    trusted: by.administrator ? 1 : 0,
    created_by: by.actor.name,
    created_at: context.now(),
    disabled_at: null,
    disabled_reason: null,
    failing_since: null,
    lease_holder: null,
  };
  await context.database.transaction(async (tx) => {
    const { n } = await tx
      .selectFrom('webhooks')
      .select((count) => count.fn.countAll<number | string>().as('n'))
      .where('scope', '=', row.scope)
      .where('ended', '=', 0)
      .executeTakeFirstOrThrow();
    if (Number(n) >= MOST_WEBHOOKS) throw new OciError('DENIED', `there are ${MOST_WEBHOOKS} webhooks already`);
    await tx.insertInto('webhooks').values(row).execute();
    await context.record(tx, by.actor, {
      action: 'webhook.create',
      subject: subjectOf(row),
      detail: { url: withoutQuery(url), shape, events },
    });
  });
  return { id, secret };
}

/** Those of one scope, the oldest first. */
export async function listWebhooks(context: EventsContext, scope: Scope): Promise<Webhook[]> {
  let query = context.database.read.selectFrom('webhooks').select('id').where('ended', '=', 0);
  if (scope.kind === 'repository') query = query.where('repository_id', '=', scope.id);
  else if (scope.kind === 'namespace') query = query.where('namespace_id', '=', scope.id);
  else query = query.where('repository_id', 'is', null).where('namespace_id', 'is', null);
  const rows = await query.orderBy('created_at').orderBy('id').execute();
  const found = await Promise.all(rows.map(({ id }) => findWebhook(context, id)));
  return found.flatMap((webhook) => webhook ?? []);
}

export async function findWebhook(context: EventsContext, id: string): Promise<Webhook | undefined> {
  const row = await context.database.read
    .selectFrom('webhooks as w')
    .leftJoin('repositories as r', 'r.id', 'w.repository_id')
    .leftJoin('namespaces as n', 'n.id', 'w.namespace_id')
    .selectAll('w')
    .select((select) => [
      'r.name as repository',
      'n.name as namespace',
      select
        .selectFrom('webhook_deliveries as d')
        .select((count) => count.fn.countAll<number | string>().as('n'))
        .whereRef('d.webhook_id', '=', 'w.id')
        .where('d.state', '=', 'pending')
        .as('pending'),
    ])
    .where('w.id', '=', id)
    .where('w.ended', '=', 0)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const kind = row.repository_id !== null ? 'repository' : row.namespace_id !== null ? 'namespace' : 'instance';
  // Its repository has just been deleted.
  if (kind === 'repository' && row.repository === null) return undefined;
  const waits = row.failures > 0 && row.retry_at > context.now();
  return {
    id: row.id,
    scope: { kind, name: row.repository ?? row.namespace },
    description: row.description,
    url: row.url,
    shape: row.shape,
    events: JSON.parse(row.kinds) as string[],
    hasAuthorization: row.auth_header !== null,
    trusted: row.trusted === 1,
    enabled: row.disabled_at === null,
    disabledReason: row.disabled_reason,
    failingSince: row.failing_since,
    retryAt: waits ? row.retry_at : null,
    pending: Number(row.pending ?? 0),
    createdBy: row.created_by,
    createdAt: row.created_at,
  };
}

export type WebhookChange = { [Name in keyof WebhookWishes]?: WebhookWishes[Name] | undefined } & {
  enabled?: boolean | undefined;
};

/** Changes what is given. @throws OciError BODY_INVALID, NOT_FOUND */
export async function updateWebhook(
  context: EventsContext,
  id: string,
  change: WebhookChange,
  by: { actor: Actor; administrator: boolean },
): Promise<void> {
  if (change.url !== undefined) await checkAddress(context, change.url, by.administrator);
  await context.database.transaction(async (tx) => {
    const row = await tx.selectFrom('webhooks').selectAll().where('id', '=', id).executeTakeFirst();
    if (row === undefined) throw unknownWebhook(id);
    const { url = row.url, shape = row.shape, events, authorization } = change;
    const kinds = events ?? (JSON.parse(row.kinds) as string[]);
    checkKinds(shape, kinds);
    if (new URL(url).origin !== new URL(row.url).origin && row.auth_header !== null && authorization === undefined) {
      // Whoever may change the address need not know what is sent there.
      throw new OciError('BODY_INVALID', 'authorization: another server needs its own: give it, or null for none');
    }
    await tx
      .updateTable('webhooks')
      .set({
        url,
        shape,
        kinds: JSON.stringify(kinds),
        ...(change.description === undefined ? {} : { description: change.description }),
        ...(authorization === undefined
          ? {}
          : {
              auth_header:
                authorization === null ? null : context.secrets.seal(authorization, sealedFor(id).authorization),
            }),
        ...(change.url === undefined ? {} : { trusted: by.administrator ? 1 : 0, retry_at: 0, failures: 0 }),
        ...enabling(context, row, change.enabled),
      })
      .where('id', '=', id)
      .execute();
    if (shape !== row.shape) {
      await tx
        .updateTable('webhook_deliveries')
        .set({ body: null })
        .where('webhook_id', '=', id)
        .where('state', '=', 'pending')
        .where('event_id', '<>', 0)
        .execute();
    }
    const detail = {
      ...(change.url === undefined ? {} : { url: withoutQuery(url) }),
      ...(change.shape === undefined ? {} : { shape }),
      ...(events === undefined ? {} : { events }),
      ...(change.description === undefined ? {} : { description: change.description }),
      ...(authorization === undefined ? {} : { authorization: authorization === null ? 'removed' : 'set' }),
      ...(change.enabled === undefined ? {} : { enabled: change.enabled }),
    };
    await context.record(tx, by.actor, { action: 'webhook.update', subject: subjectOf(row), detail });
  });
}

function enabling(context: EventsContext, row: Selectable<WebhooksSchema['webhooks']>, enabled: boolean | undefined) {
  if (enabled === undefined || enabled === (row.disabled_at === null)) return {};
  if (enabled) return { disabled_at: null, disabled_reason: null, failing_since: null, failures: 0, retry_at: 0 };
  return { disabled_at: context.now(), disabled_reason: 'by hand' };
}

/** It goes with its deliveries. @throws OciError NOT_FOUND */
export async function deleteWebhook(context: EventsContext, id: string, actor: Actor): Promise<void> {
  await context.database.transaction(async (tx) => {
    const row = await tx.deleteFrom('webhooks').where('id', '=', id).returning(['id', 'scope']).executeTakeFirst();
    if (row === undefined) throw unknownWebhook(id);
    await context.record(tx, actor, { action: 'webhook.delete', subject: subjectOf(row) });
  });
}

/** A new secret; the former one signs beside it for a while, so that receivers can change over. @throws OciError NOT_FOUND */
export async function rotateSecret(
  context: EventsContext,
  id: string,
  actor: Actor,
): Promise<{ secret: string; formerUntil: number }> {
  const secret = newSecret();
  const formerUntil = context.now() + context.policy.overlapMs;
  await context.database.transaction(async (tx) => {
    const row = await tx
      .selectFrom('webhooks')
      .select(['id', 'scope', 'secret'])
      .where('id', '=', id)
      .executeTakeFirst();
    if (row === undefined) throw unknownWebhook(id);
    await tx
      .updateTable('webhooks')
      .set({
        secret: context.secrets.seal(secret, sealedFor(id).secret),
        former_secret: row.secret,
        former_until: formerUntil,
      })
      .where('id', '=', id)
      .execute();
    await context.record(tx, actor, {
      action: 'webhook.update',
      subject: subjectOf(row),
      detail: { secret: 'rotated' },
    });
  });
  return { secret, formerUntil };
}

export function unknownWebhook(id: string): OciError {
  return new OciError('NOT_FOUND', `webhook: no webhook ${clip(id)}`);
}

/** Some services put a secret into the address's query. */
function withoutQuery(url: string): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}

/** @throws OciError BODY_INVALID */
async function checkAddress(context: EventsContext, text: string, administrator: boolean): Promise<void> {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new OciError('BODY_INVALID', 'url: is not an address such as https://ci.example.com/hook');
  }
  if (url.username !== '' || url.password !== '') {
    throw new OciError('BODY_INVALID', 'url: holds a name or a password; give them as authorization instead');
  }
  try {
    await allowedAddress(context.addresses, url.hostname, administrator);
  } catch (error) {
    // A name that nobody knows yet may be known when there is something to send.
    if (error instanceof AddressRefusedError) throw new OciError('BODY_INVALID', `url: ${error.message}`);
  }
}

/** @throws OciError BODY_INVALID */
function checkKinds(shape: WebhookShape, kinds: readonly string[]): void {
  const { takes } = SHAPES[shape];
  const speaks = ALL_KINDS.some((kind) => wants(kinds, kind) && takes(kind));
  if (!speaks)
    throw new OciError('BODY_INVALID', `events: the shape ${shape} has no words for any of ${kinds.join(', ')}`);
}
