// Everything that is checked without running Berth: types, format and lint, import directions.
import { spawnSync } from 'node:child_process';
import { bun, install } from './bun.mjs';

install();
const steps = [
  ['types', () => spawnSync('node_modules/.bin/tsc', ['--noEmit'], { stdio: 'inherit' })],
  ['format and lint', () => spawnSync('node_modules/.bin/biome', ['check', '.'], { stdio: 'inherit' })],
  ['import directions', () => bun(['test', 'tests/structure'])],
];
let failed = 0;
for (const [name, run] of steps) {
  console.error(`check: ${name}`);
  if (run().status !== 0) failed++;
}
process.exit(failed === 0 ? 0 : 1);
