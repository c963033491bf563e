import type { z } from 'zod';
import { type EventInfo, type eventFilter, eventInfo, type eventOrder, eventPage } from '../api/events.ts';
import type { Connection } from './connection.ts';
import { ApiError, ServerUnreachableError } from './errors.ts';
import { withQuery } from './path.ts';

export type EventFilter = z.input<typeof eventFilter>;

const FIRST_PAUSE_MS = 250;
const MOST_PAUSE_MS = 5_000;
/** A server sends a sign of life more often than that. */
const SILENT_FOR_MS = 45_000;

export interface FollowOptions {
  signal: AbortSignal;
  /** Told of a lost connection, once until it is back. */
  onLost?: (error: Error) => void;
}

export class EventsClient {
  constructor(readonly connection: Connection) {}

  /** Oldest first, or newest. */
  list(filter: EventFilter, limit?: number, order: z.infer<typeof eventOrder> = 'oldest'): AsyncIterable<EventInfo> {
    const query = order === 'oldest' ? filter : { ...filter, order };
    const options = limit === undefined ? { query } : { query, limit };
    return this.connection.list(eventPage, '/api/v1/events', (page) => page.events, options);
  }

  /**
   * Events as they happen, each once; with `since` also those from then on. A lost connection is made anew and goes on after the last
   * event, without an end until the signal.
   *
   * @throws ApiError when the server refuses, ServerUnreachableError when it can't be reached at first
   */
  async *follow(filter: EventFilter, { signal, onLost }: FollowOptions): AsyncIterable<EventInfo> {
    let last: string | undefined;
    let pause = FIRST_PAUSE_MS;
    let lost = false;
    while (!signal.aborted) {
      const silence = new AbortController();
      const ended = AbortSignal.any([signal, silence.signal]);
      let timer = setTimeout(() => silence.abort(), SILENT_FOR_MS);
      try {
        const headers = { Accept: 'text/event-stream', ...(last === undefined ? {} : { 'Last-Event-ID': last }) };
        const body = await this.connection.stream(withQuery('/api/v1/events/stream', filter), headers, ended);
        for await (const message of messagesOf(body)) {
          clearTimeout(timer);
          timer = setTimeout(() => silence.abort(), SILENT_FOR_MS);
          if (message.data !== '') {
            const event = eventInfo.parse(JSON.parse(message.data));
            last = message.id ?? last;
            yield event;
          } else last = message.id ?? last;
          pause = FIRST_PAUSE_MS;
          lost = false;
        }
        // It ends now and then, so that who asks is looked at anew.
        continue;
      } catch (error) {
        if (signal.aborted) return;
        if (isFinal(error) || (last === undefined && error instanceof ServerUnreachableError)) throw error;
        if (!lost && error instanceof Error) onLost?.(error);
        lost = true;
      } finally {
        clearTimeout(timer);
        silence.abort();
      }
      await pauseFor(pause, signal);
      pause = Math.min(pause * 2, MOST_PAUSE_MS);
    }
  }
}

/** A server that starts or stops is no refusal. */
function isFinal(error: unknown): boolean {
  return error instanceof ApiError && error.status < 500 && error.status !== 429;
}

function pauseFor(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}

interface Message {
  id: string | undefined;
  data: string;
}

/** HTML "Server-sent events", as this server writes them. What was cut off is left out. */
async function* messagesOf(body: ReadableStream<Uint8Array>): AsyncIterable<Message> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true });
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      yield messageOf(text.slice(0, end));
      text = text.slice(end + 2);
    }
  }
}

function messageOf(block: string): Message {
  const fields = block.split('\n');
  const of = (name: string) => fields.find((field) => field.startsWith(`${name}: `))?.slice(name.length + 2);
  return { id: of('id'), data: of('data') ?? '' };
}
