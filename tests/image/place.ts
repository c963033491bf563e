import type { ServerEngine } from '../support/server-engine.ts';

/** What the tests of the image share: it is built once, and one engine runs everything. To be read inside of tests. */
export interface Place {
  /** The folder that `npm run image` wrote to. */
  readonly image: string;
  /** It knows the image as `berth`. */
  readonly engine: ServerEngine;
  /** What the test image prints, which the engine knows as `testImage`. */
  readonly prints: string;
}

/** The name of the test image in the engine. */
export const testImage = 'localhost:5000/ubuntu';
