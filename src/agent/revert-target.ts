import type { Logger } from 'pino';
import type { WantedState } from '../api/agent.ts';
import type { Attempt, Progress } from './progress.ts';
import type { StateDirectory } from './state-directory.ts';
import type { Applied, Host } from './switching.ts';

export interface RevertTargetOptions {
  directory: StateDirectory;
  host: Host;
  log: Logger;
  wanted: () => WantedState | undefined;
  load: (number: number) => Promise<Applied | undefined>;
}

/**
 * What a failed attempt goes back to: the newest deployment that was stable, here or by the server's word, and whose files and images
 * are here; else what ran when the attempt began; else one of them whose images must be pulled. undefined: there is none.
 */
export async function revertTarget(
  attempt: Attempt,
  progress: Progress,
  { directory, host, log, wanted, load }: RevertTargetOptions,
): Promise<number | undefined> {
  const state = wanted();
  const server = state?.stable ?? undefined;
  const never = new Set([...progress.failed, ...(state?.failed ?? []), attempt.number]);
  const stable = [server?.number, progress.stable].filter((number) => number !== undefined && number !== null);
  const there: number[] = [];
  for (const number of new Set([...stable.sort((a, b) => b - a), attempt.base])) {
    if (number === null || never.has(number)) continue;
    if ((await directory.readDeployment(number)) === undefined) {
      if (server?.number !== number) continue;
      await directory.writeDeployment(server);
    }
    there.push(number);
    try {
      const images = (await load(number))?.deployment.images ?? [];
      const found = await Promise.all(images.map((image) => host.engine.image(image)));
      if (found.every((image) => image !== undefined)) return number;
    } catch (error) {
      log.warn({ error: error instanceof Error ? error.message : String(error) }, 'images not looked for');
      return number;
    }
  }
  return there[0];
}
