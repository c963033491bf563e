import { existsSync } from 'node:fs';
import { note } from '../terminal.ts';
import { CommandError } from '../usage.ts';
import { type Docker, lastLine } from './docker.ts';
import type { LocalSet, Sets } from './set.ts';
import { compose } from './start.ts';

const WITHIN_MS = 5 * 60_000;

/**
 * Stops and removes a set: containers, networks, volumes (unless they are to stay), and the images that came with it and that nothing
 * else uses. May be run again after a failure.
 *
 * @returns references of images that were removed
 * @throws CommandError when compose fails; what is left is then still known
 */
export async function removeSet(
  docker: Docker,
  sets: Sets,
  set: LocalSet,
  { keepVolumes }: { keepVolumes: boolean },
): Promise<string[]> {
  const path = sets.composeFile(set.project);
  const args = ['down', '--remove-orphans', '--timeout', '10', ...(keepVolumes ? [] : ['--volumes'])];
  if (existsSync(path)) {
    const variables = sets.variables(set.project);
    const { code, stderr } = await compose({ docker, project: set.project, path, variables }, args, WITHIN_MS);
    if (code !== 0) throw new CommandError(`${set.project} could not be removed: ${lastLine(stderr)}`);
  }
  if (!keepVolumes) await removeVolumes(docker, set.project);
  const removed = await removeImages(docker, sets, set, set.pulled);
  sets.remove(set.project);
  return removed;
}

/** Those too that an earlier version of the compose file had. */
async function removeVolumes(docker: Docker, project: string): Promise<void> {
  const filter = ['--filter', `label=com.docker.compose.project=${project}`];
  const names = (await docker.output(['volume', 'ls', '--quiet', ...filter])).split('\n').filter(Boolean);
  if (names.length > 0) await docker.output(['volume', 'rm', ...names]);
}

/** Images that came with a set and that it has no more use for. One that another set uses is that set's from now on. */
export async function removeImages(
  docker: Docker,
  sets: Sets,
  set: LocalSet,
  references: readonly string[],
): Promise<string[]> {
  const removed: string[] = [];
  for (const reference of references) {
    const heir = sets
      .list()
      .find(({ project, images }) => project !== set.project && images.some((image) => image.reference === reference));
    if (heir !== undefined) {
      if (!heir.pulled.includes(reference)) sets.save({ ...heir, pulled: [...heir.pulled, reference] });
      continue;
    }
    // A container of somebody else keeps it: docker refuses without --force.
    const { code } = await docker.run(['image', 'rm', reference]);
    if (code === 0) removed.push(reference);
    else note(`${reference} stays: something else uses it`);
  }
  return removed;
}
