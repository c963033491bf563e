import type { Database } from './database.ts';

/**
 * Tells whether what was read before still stands: `version` changes when any process commits.
 *
 * Reading it costs three system calls, so it is read once a turn of the event loop. That is exact: the requests of one
 * turn had all arrived when it began, so none of them can have been sent after a commit that it missed.
 */
export class Freshness {
  readonly #database: Database;
  #version: number | undefined;
  #checked = false;
  readonly #uncheck = () => {
    this.#checked = false;
  };

  constructor(database: Database) {
    this.#database = database;
  }

  /** undefined: the database has no such number, so nothing that may change can be cached. */
  version(): number | undefined {
    if (this.#checked) return this.#version;
    this.#version = this.#database.version();
    if (this.#version !== undefined) {
      this.#checked = true;
      setImmediate(this.#uncheck);
    }
    return this.#version;
  }
}
