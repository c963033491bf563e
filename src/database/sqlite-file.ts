import { statSync } from 'node:fs';
import { DatabaseUnavailableError } from './database.ts';

const SUFFIXES = ['', '-wal', '-shm'];

/**
 * The files of an open SQLite database, as they were when it was opened. SQLite goes on with a file that was removed or replaced,
 * and nobody would find again what it writes there.
 */
export class SqliteFile {
  readonly #inodes: readonly (number | undefined)[];

  /** @param path of a database that is open and has been read, so that its log is there */
  constructor(private readonly path: string) {
    this.#inodes = this.#found();
  }

  /** @throws DatabaseUnavailableError when what is written would not be found again */
  requireInPlace(): void {
    const found = this.#found();
    if (found.every((inode, i) => inode === this.#inodes[i])) return;
    throw new DatabaseUnavailableError(
      `${this.path} was removed or replaced while it was open: put it back with its -wal and -shm files, or stop berth serve and bring back a backup with berth restore`,
    );
  }

  #found(): (number | undefined)[] {
    return SUFFIXES.map((suffix) => statSync(this.path + suffix, { throwIfNoEntry: false })?.ino);
  }
}
