import type { Logger } from 'pino';
import type { WantedState } from '../api/agent.ts';
import { AgentCallError, type AgentClient } from '../client/agent.ts';
import { backOff, jitter, Wake } from './wake.ts';

export interface WantedSourceOptions {
  client: AgentClient;
  log: Logger;
  /** Called with each state that differs from the one before; it is asked for again when this throws. */
  onState: (state: WantedState) => Promise<void>;
  pollMs: () => number;
  signal: AbortSignal;
}

/** Asks the server what is wanted: regularly, and at once when an event says that it is worth it. */
export class WantedSource {
  #etag: string | undefined;
  readonly #wake = new Wake();

  constructor(readonly options: WantedSourceOptions) {}

  /** Both until the signal is aborted. */
  async run(): Promise<void> {
    await Promise.all([this.#poll(), this.#listen()]);
  }

  /** @throws AgentCallError; what `onState` throws */
  async fetch(): Promise<void> {
    const { client, onState, signal } = this.options;
    const found = await client.state(this.#etag, signal);
    if (found === undefined) return;
    await onState(found.state);
    this.#etag = found.etag;
  }

  async #poll(): Promise<void> {
    const { signal, pollMs, log } = this.options;
    let failures = 0;
    while (!signal.aborted) {
      try {
        await this.fetch();
        if (failures > 0) log.info('server back');
        failures = 0;
        await this.#wake.sleep(jitter(pollMs()), signal);
      } catch (error) {
        if (signal.aborted) return;
        const call = error instanceof AgentCallError ? error : undefined;
        const fields = { error: error instanceof Error ? error.message : String(error), status: call?.status };
        if (call?.refused) log.error(fields, 'the token is not good (any more); what runs is left as it is');
        else log.warn(fields, 'wanted state not fetched');
        // A refusal does not pass by itself; what an event says would be refused too.
        const wait = call?.retryAfterMs ?? (call?.refused ? jitter(pollMs()) : backOff(pollMs(), failures));
        failures++;
        await this.#wake.sleep(wait, signal);
      }
    }
  }

  async #listen(): Promise<void> {
    const { client, signal, log, pollMs } = this.options;
    let failures = 0;
    while (!signal.aborted) {
      try {
        for await (const event of client.events(signal)) {
          // What happened between two connections was not heard.
          if (event === 'open') failures = 0;
          if (event === 'open' || event === 'state') this.#wake.up();
        }
      } catch (error) {
        if (signal.aborted) return;
        log.debug({ error: error instanceof Error ? error.message : String(error) }, 'events ended');
      }
      await new Wake().sleep(backOff(pollMs(), failures++), signal);
    }
  }
}
