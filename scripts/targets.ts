// What a release is built for. Bun's own program for another target is a package of npm, which Bun fetches and keeps.
import { createHash } from 'node:crypto';
import { createReadStream, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Target {
  /** Bun's name of it. */
  bun: Bun.Build.CompileTarget;
  /** `berth-<name>` is the file. */
  name: string;
}

export const TARGETS: readonly Target[] = [
  { name: 'linux-x64', bun: 'bun-linux-x64' },
  { name: 'linux-arm64', bun: 'bun-linux-arm64' },
  { name: 'linux-x64-musl', bun: 'bun-linux-x64-musl' },
  { name: 'linux-arm64-musl', bun: 'bun-linux-arm64-musl' },
  { name: 'darwin-x64', bun: 'bun-darwin-x64' },
  { name: 'darwin-arm64', bun: 'bun-darwin-arm64' },
];

/** @throws naming what there is */
export function targetsOf(wish: string): Target[] {
  if (wish === 'all') return [...TARGETS];
  const found = TARGETS.find(({ name, bun }) => name === wish || bun === wish);
  if (found !== undefined) return [found];
  const names = TARGETS.map(({ name }) => name).join(', ');
  throw new Error(`--target: ${JSON.stringify(wish)} is not one of all, ${names}`);
}

/** Writes `SHA256SUMS` for the files of a release in `folder`, as `sha256sum --check` reads it. */
export async function writeSums(folder: string): Promise<void> {
  const names = readdirSync(folder)
    .filter((name) => TARGETS.some((target) => name === `berth-${target.name}`) || name === 'berth.cdx.json')
    .sort();
  const lines: string[] = [];
  for (const name of names) {
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(join(folder, name))) hash.update(chunk);
    lines.push(`${hash.digest('hex')}  ${name}\n`);
  }
  writeFileSync(join(folder, 'SHA256SUMS'), lines.join(''));
}
