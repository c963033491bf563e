// The frame of the conformance tests: a live server, and tests named by the section they hold.
import { test } from 'bun:test';
import type { BerthOptions } from '../support/berth.ts';
import { type Served, serve as serveBerth } from '../support/serve.ts';
import { checkAnswer } from './invariants.ts';
import { type RequirementId, requirements } from './requirements.ts';

/** A test of one requirement; `detail` tells several tests of the same one apart. */
export function spec(id: RequirementId, detail: string, run: () => Promise<void>): void {
  const [section, level, requirement] = requirements[id];
  test(`${section} · ${level}: ${requirement} · ${detail}`, run, 30_000);
}

/** A server for the tests of the file; every answer of it is held against `checkAnswer`. */
export function serve(options: BerthOptions = {}): Served {
  return serveBerth(options, checkAnswer);
}
