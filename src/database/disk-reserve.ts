import { randomFillSync } from 'node:crypto';
import { closeSync, ftruncateSync, openSync, statfsSync, statSync, truncateSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

const MEGABYTE = 1024 * 1024;
const MOST_BYTES = 4 * MEGABYTE;
/** Of a small disk it is this part. */
const PART = 32;
/** It is given away in so many pieces: others who write to the disk get a piece, not all of it. */
const PIECES = 4;
const BLOCK = 64 * 1024;
/** How long it counts as whole after a look at it: uploads ask for each piece that comes. */
const LOOK_MS = 50;

/**
 * Room on the disk of a database, kept by a file that holds nothing: on a full disk even a deletion needs some, for the log of the
 * database (docs/decisions/0031-full-disk.md). Whoever needs it makes the file smaller. While it is not whole, every process that
 * shares the disk refuses what grows, so that nothing of Berth takes the room that a deletion was given.
 */
export class DiskReserve {
  #wholeUntil = 0;

  constructor(private readonly path: string) {}

  /** Gives a piece of it to the disk. False when there is none left. */
  spend(): boolean {
    const size = this.#size();
    if (size === undefined || size === 0) return false;
    this.#wholeUntil = 0;
    try {
      truncateSync(this.path, Math.max(0, size - Math.ceil(this.#wanted() / PIECES)));
      return true;
    } catch {
      return false;
    }
  }

  /** Whether it is there in full, or was never made. Tries to make it so when there is room for it. */
  isWhole(): boolean {
    const now = performance.now();
    if (now < this.#wholeUntil) return true;
    const size = this.#size();
    if (size !== undefined && !this.#fill(size, this.#wanted())) return false;
    this.#wholeUntil = now + LOOK_MS;
    return true;
  }

  /** Makes it, if there is room for it. */
  make(): void {
    const size = this.#size() ?? 0;
    this.#fill(size, this.#wanted());
  }

  #size(): number | undefined {
    return statSync(this.path, { throwIfNoEntry: false })?.size;
  }

  #wanted(): number {
    const { bsize, blocks } = statfsSync(dirname(this.path));
    return Math.floor(Math.min(MOST_BYTES, (bsize * blocks) / PART) / BLOCK) * BLOCK;
  }

  /** Only where as much again stays free: else the next push would meet the end of the disk. */
  #fill(size: number, wanted: number): boolean {
    if (size >= wanted) return true;
    const { bsize, bavail } = statfsSync(dirname(this.path));
    if (bsize * bavail < wanted - size + wanted) return false;
    // A filesystem that compresses would keep no room for zeros.
    const block = randomFillSync(new Uint8Array(BLOCK));
    let file: number | undefined;
    try {
      file = openSync(this.path, size === 0 ? 'w' : 'r+', 0o600);
      for (let at = size; at < wanted; ) at += writeSync(file, block, 0, Math.min(BLOCK, wanted - at), at);
      return true;
    } catch {
      if (file !== undefined) truncated(file, size);
      return false;
    } finally {
      if (file !== undefined) closeSync(file);
    }
  }
}

function truncated(file: number, size: number): void {
  try {
    ftruncateSync(file, size);
  } catch {
    // A disk that is read-only meanwhile: what was written stays, and is counted.
  }
}
