// What every row is given: how much to do, and where to put data.
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Measurement } from './measurement.ts';

export interface BenchOptions {
  /** How many pairs to measure. */
  runs: number;
  /** Smaller data and shorter loads, to see that the bench works; its figures prove nothing. */
  quick: boolean;
  /** Whether docker-registry writes its access log, as it does when Debian starts it. */
  registryLog: boolean;
  /** The `berth` command: from the checkout, or a compiled binary. */
  berth: string;
  say: (message: string) => void;
}

export interface Bench extends BenchOptions {
  /** A new, empty directory on the disk that is measured. */
  directory: (name: string) => string;
  /** A new, empty directory in memory where the system has one, for the clients' side. */
  memoryDirectory: () => string;
  remove: (directory: string) => void;
}

export interface Row {
  key: string;
  title: string;
  run: (bench: Bench) => Promise<Measurement[]>;
}

/** The caller calls `close` at the end, which removes all directories that are left. */
export function createBench(options: BenchOptions, scratch: string): Bench & { close: () => void } {
  const root = mkdtempSync(join(scratch, 'berth-bench-'));
  const left = new Set([root]);
  let made = 0;
  const remove = (directory: string) => {
    rmSync(directory, { recursive: true, force: true });
    left.delete(directory);
  };
  return {
    ...options,
    directory(name) {
      const path = join(root, `${name}-${made++}`);
      mkdirSync(path);
      return path;
    },
    memoryDirectory() {
      const path = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : root, 'berth-bench-'));
      left.add(path);
      return path;
    },
    remove,
    close() {
      for (const directory of left) remove(directory);
    },
  };
}

/**
 * Measures the contenders in turn, A B A B …, so that whatever else the machine does in the meantime falls on all.
 * Returns each contender's values in the order of the rounds.
 */
export async function alternate<Name extends string>(
  runs: number,
  contenders: Record<Name, (round: number) => Promise<number>>,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(contenders) as Name[];
  const samples = Object.fromEntries(names.map((name): [Name, number[]] => [name, []])) as Record<Name, number[]>;
  for (let round = 0; round < runs; round++) {
    for (const name of names) samples[name].push(await contenders[name](round));
  }
  return samples;
}
