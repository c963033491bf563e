import type { Logger } from 'pino';
import type { RunningService } from '../api/deployments.ts';
import { findContainers, runningServices } from './containers.ts';
import type { Engine } from './engine.ts';
import { LABELS, type Place } from './labels.ts';
import { Wake } from './wake.ts';

export interface InventoryOptions {
  engine: Engine;
  place: Place;
  log: Logger;
  /** null: the engine could not be asked. */
  onServices: (services: RunningService[] | null, engine: string | undefined) => void;
  /** The engine answers again. */
  onEngineBack: () => void;
  signal: AbortSignal;
}

const EVERY_MS = 10_000;
const AWAY_EVERY_MS = 500;
/** Containers that start change many times at once. */
const GATHER_MS = 200;

/** Looks at what runs: regularly, and when the engine says that something changed. */
export class Inventory {
  #engine: string | undefined;
  #isAway = false;
  readonly #wake = new Wake();

  constructor(readonly options: InventoryOptions) {}

  async run(): Promise<void> {
    await Promise.all([this.#look(), this.#listen()]);
  }

  /** Looks now. */
  async refresh(): Promise<void> {
    const { engine, place, onServices, onEngineBack, log } = this.options;
    try {
      this.#engine ??= await engine.describe();
      const { own } = await findContainers(engine, place);
      onServices(runningServices(own), this.#engine);
    } catch (error) {
      if (!this.#isAway)
        log.warn({ error: error instanceof Error ? error.message : String(error) }, 'engine can not be asked');
      // Another version may come back.
      this.#engine = undefined;
      this.#isAway = true;
      onServices(null, undefined);
      return;
    }
    if (this.#isAway) {
      log.info('engine answers again');
      this.#isAway = false;
      onEngineBack();
    }
  }

  async #look(): Promise<void> {
    const { signal } = this.options;
    while (!signal.aborted) {
      await this.refresh();
      await this.#wake.sleep(this.#isAway ? AWAY_EVERY_MS : EVERY_MS, signal);
      if (!this.#isAway) await Bun.sleep(GATHER_MS);
    }
  }

  async #listen(): Promise<void> {
    const { engine, place, signal } = this.options;
    const labels = [`${LABELS.stack}=${place.stack}`, `${LABELS.environment}=${place.environment}`];
    while (!signal.aborted) {
      try {
        for await (const _ of engine.events(labels, signal)) this.#wake.up();
      } catch {
        if (signal.aborted) return;
      }
      // The stream ends with the engine, which may be back before the next look.
      engine.lost();
      this.#isAway = true;
      this.#wake.up();
      await new Wake().sleep(AWAY_EVERY_MS, signal);
    }
  }
}
