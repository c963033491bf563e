// One server for all the tests of a file.
import { afterAll, beforeAll } from 'bun:test';
import { type BerthOptions, type RunningBerth, startBerth } from './berth.ts';
import { Registry } from './registry.ts';
import type { Answer } from './wire.ts';

export interface Served {
  readonly registry: Registry;
  readonly berth: RunningBerth;
}

/** Starts a server before the tests of the file (or the describe block) and ends it after them. */
export function serve(options: BerthOptions = {}, observe: Observer = noServerError): Served {
  let running: Served | undefined;
  beforeAll(async () => {
    const berth = await startBerth(options);
    running = { berth, registry: new Registry(berth.port, observe) };
  }, 60_000);
  afterAll(async () => {
    running?.registry.close();
    await running?.berth.stop();
  }, 60_000);
  const started = () => {
    if (running === undefined) throw new Error('the server has not started');
    return running;
  };
  return {
    get registry() {
      return started().registry;
    },
    get berth() {
      return started().berth;
    },
  };
}

export type Observer = (method: string, path: string, answer: Answer) => void;

/** What no request, however wrong, may be answered with. */
export function noServerError(method: string, path: string, answer: Answer): void {
  const text = answer.text().slice(0, 2000);
  const fault = answer.status >= 500 ? 'a server error' : /^\s+at .+:\d+:\d+/m.test(text) ? 'a stack trace' : undefined;
  if (fault !== undefined) throw new Error(`${fault}: ${method} ${path.slice(0, 200)} → ${answer.status} ${text}`);
}
