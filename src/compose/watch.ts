import { record } from './definition.ts';
import type { ComposeFile } from './file.ts';
import { readDuration } from './settings.ts';

const DEFAULT_MS = 60_000;

/** How long healthy containers are watched before their deployment is called stable: `x-berth: { watch: 60s }` of the file. In ms. */
export function watchOf(file: ComposeFile): number {
  const { watch } = record(file.definition['x-berth']);
  return watch === undefined ? DEFAULT_MS : readDuration(watch, 'x-berth.watch');
}
