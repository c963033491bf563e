// Choices that a seed repeats. Timing is not among them: a seed makes a failing run likely again, not certain.
import { randomBytes } from 'node:crypto';

export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** In [0, 1). mulberry32. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number, both ends included. */
  int(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1));
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(from: readonly T[]): T {
    const picked = from[this.int(0, from.length - 1)];
    if (picked === undefined) throw new Error('nothing to pick from');
    return picked;
  }

  /** A generator of its own, for something that runs beside others. */
  fork(): Random {
    return new Random(this.int(0, 2 ** 31));
  }
}

/** The seed of this run: BERTH_SEED, or a new one. Printed, so that a run can be repeated. */
export function seedOf(suite: string): number {
  const seed = Number(process.env.BERTH_SEED ?? randomBytes(4).readUInt32BE());
  console.error(`${suite}: BERTH_SEED=${seed}`);
  return seed;
}
