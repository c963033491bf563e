import type { z } from 'zod';
import { type EventInfo, type eventFilter, eventPage, eventQuery, eventStreamQuery } from '../../api/events.ts';
import type { BerthEvent } from '../../events/context.ts';
import type { Courier } from '../../events/courier.ts';
import { describeEvent } from '../../events/description.ts';
import { kindsOf, WANTED_KINDS } from '../../events/kinds.ts';
import { type EventFilter, listEvents, newestEvent, type Viewer } from '../../events/list.ts';
import { OciError } from '../../oci/errors.ts';
import type { BerthRequest } from '../request.ts';
import { type ApiRoute, apiRoute, iso, limitOf, numberCursor } from './route.ts';

/** Shorter than what proxies wait for a byte. */
const BEAT_EVERY_MS = 15_000;
/** A change of rights is seen so soon, … */
const VIEWER_MS = 5_000;
/** … and an end of the credential: the client comes again, and goes on where it was. */
const STREAM_MS = 60_000;
const STREAM_PAGE = 100;

export const EVENT_ROUTES: readonly ApiRoute[] = [
  apiRoute({
    method: 'GET',
    path: '/api/v1/events',
    access: 'read',
    summary: 'What happened to what the caller may read, oldest or newest first',
    chapter: 'webhooks',
    query: eventQuery,
    answer: eventPage,
    async handler({ courier }, request, { query }) {
      const cursor = numberCursor(request);
      const limit = limitOf(request);
      const page = query.order === 'newest' ? { before: cursor, limit } : { after: cursor ?? 0, limit };
      const { events, more } = await listEvents(courier.context, await viewerOf(request), filterOf(query), page);
      return { events: events.map(eventInfoOf), next: more ? String(events.at(-1)?.seq) : null };
    },
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/events/stream',
    access: 'read',
    summary:
      'Server-sent events: the same as it happens. Goes on after Last-Event-ID; ends after a minute, for the client to come again',
    chapter: 'webhooks',
    query: eventStreamQuery,
    async handler({ courier }, request, { query }) {
      const after = lastEventId(request) ?? numberCursor(request) ?? (await startOf(courier, query));
      const stream = eventStream(courier, request, filterOf(query), after);
      return new Response(stream, {
        headers: { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store', 'X-Accel-Buffering': 'no' },
      });
    },
  }),
];

/** With `since` from the beginning, else from now on. */
async function startOf(courier: Courier, { since }: { since?: string | undefined }): Promise<number> {
  return since === undefined ? newestEvent(courier.context) : 0;
}

function lastEventId(request: BerthRequest): number | undefined {
  const text = request.header('last-event-id');
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** Reads on as the client takes it, so that one that takes slowly holds nothing here. */
function eventStream(
  courier: Courier,
  request: BerthRequest,
  filter: EventFilter,
  start: number,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const ends = performance.now() + STREAM_MS;
  let after = start;
  let viewer: { is: Viewer; until: number } | undefined;
  let wake = () => {};
  let woken = true;
  const unsubscribe = courier.subscribe(() => {
    woken = true;
    wake();
  });
  const next = async (): Promise<string | undefined> => {
    const beat = performance.now() + BEAT_EVERY_MS;
    for (;;) {
      const now = performance.now();
      if (courier.stopping || now >= ends) return undefined;
      if (woken) {
        woken = false;
        if (viewer === undefined || viewer.until < now)
          viewer = { is: await viewerOf(request), until: now + VIEWER_MS };
        const newest = await newestEvent(courier.context);
        const page = { after, limit: STREAM_PAGE };
        const { events, more } = await listEvents(courier.context, viewer.is, filter, page);
        if (more) woken = true;
        const last = events.at(-1)?.seq;
        // What was looked through is not looked through again after a lost connection.
        after = more ? (last ?? after) : Math.max(newest, last ?? 0, after);
        if (events.length > 0) return events.map(textOf).join('') + (more ? '' : `id: ${after}\n\n`);
        continue;
      }
      if (now >= beat) return `id: ${after}\n: beat\n\n`;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(beat, ends) - now);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  };
  return new ReadableStream(
    {
      start(controller) {
        controller.enqueue(encoder.encode(`retry: 1000\nid: ${after}\n\n`));
      },
      async pull(controller) {
        const text = await next().catch(() => undefined);
        if (text !== undefined) return controller.enqueue(encoder.encode(text));
        unsubscribe();
        try {
          controller.close();
        } catch {
          // The client was faster.
        }
      },
      cancel() {
        unsubscribe();
        wake();
      },
    },
    { highWaterMark: 1 },
  );
}

function textOf(event: BerthEvent): string {
  return `id: ${event.seq}\nevent: ${event.kind}\ndata: ${JSON.stringify(eventInfoOf(event))}\n\n`;
}

async function viewerOf(request: BerthRequest): Promise<Viewer> {
  return { repositories: await request.readable(), stacks: await request.readableStacks() };
}

/** @throws OciError QUERY_INVALID */
function filterOf({ repository, namespace, stack, kind, since }: z.infer<typeof eventFilter>): EventFilter {
  const wanted = kind?.split(',').map((word) => word.trim());
  const wrong = wanted?.find((word) => !WANTED_KINDS.includes(word));
  if (wrong !== undefined)
    throw new OciError('QUERY_INVALID', `kind: ${JSON.stringify(wrong.slice(0, 50))} is no kind of event`);
  return {
    repository,
    namespace,
    stack,
    kinds: wanted === undefined ? undefined : kindsOf(wanted),
    since: since === undefined ? undefined : Date.parse(since),
  };
}

export function eventInfoOf(event: BerthEvent): EventInfo {
  const { subject: _, ...data } = describeEvent(event);
  return {
    id: String(event.seq),
    at: iso(event.at),
    kind: event.kind,
    actor: event.actor,
    subject: event.subject,
    repository: event.repository,
    stack: event.stack,
    data,
  };
}
