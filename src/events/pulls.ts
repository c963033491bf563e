import type { Actor, EventsContext, RequestFacts } from './context.ts';
import { isAskedFor, recordEvent } from './recording.ts';

/** Pulls between two flushes; what comes beyond is not told. */
const MOST_NOTES = 1_000;

export interface Pull {
  /** `alice/app:1.0` or `alice/app@sha256:…` */
  subject: string;
  digest: string;
  mediaType: string;
  size: number;
  actor: Actor & { request?: RequestFacts | undefined };
  at: number;
}

/**
 * Pulls, for webhooks that ask for them. A pull is noted in memory and waits for nothing, and so pulls are the one kind of event that is not
 * certain: what is noted when the process is killed is lost, and of very many some.
 */
export class PullEvents {
  #wanted = false;
  #notes: Pull[] = [];

  note(pull: () => Pull): void {
    if (this.#wanted && this.#notes.length < MOST_NOTES) this.#notes.push(pull());
  }

  /** Writes down what was noted, and finds out whether anybody asks. */
  async flush({ database }: Pick<EventsContext, 'database'>): Promise<void> {
    this.#wanted = await isAskedFor(database.read, 'manifest.pull');
    const notes = this.#notes;
    this.#notes = [];
    if (notes.length === 0) return;
    await database.relaxedTransaction(async (tx) => {
      for (const { at, actor, subject, digest, mediaType, size } of notes) {
        await recordEvent(tx, at, actor, { action: 'manifest.pull', subject, facts: { digest, mediaType, size } });
      }
    });
  }
}
