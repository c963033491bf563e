import type { Logger } from 'pino';
import type { WantedState } from '../api/agent.ts';
import { LABELS } from './labels.ts';
import type { Progress } from './progress.ts';
import type { RegistryLogin } from './registry-login.ts';
import type { StateDirectory } from './state-directory.ts';
import type { Host } from './switching.ts';

/** Files of so many deployments stay in any case; they are small. */
const KEPT_DEPLOYMENTS = 20;

export interface PruneOptions {
  directory: StateDirectory;
  host: Host;
  login: RegistryLogin;
  log: Logger;
  wanted: () => WantedState | undefined;
}

/**
 * Removes images that no deployment on this host may need: only such as deployments of this environment have brought here, by digest, and only
 * digests that neither the running, nor the stable, nor the newest deployment has and that the server does not want kept. Repositories that
 * another environment's containers use are left to its own agent.
 */
export async function prune({ directory, host, login, log, wanted }: PruneOptions, progress: Progress): Promise<void> {
  const state = wanted();
  // Without the server's word nothing is known of what it wants kept.
  if (state === undefined) return;
  const { attempt, serving, stable, failed } = progress;
  const needed = new Set([
    attempt?.number,
    attempt?.base,
    serving,
    stable,
    state.stable?.number,
    state.deployment?.number,
  ]);
  const keep = new Set<string>(state.keep);
  const repositories = new Set<string>();
  const numbers = directory.deployments();
  for (const number of numbers) {
    const deployment = await directory.readDeployment(number);
    for (const { repository, digest } of Object.values(deployment?.images ?? {})) {
      repositories.add(`${login.registry}/${repository}`);
      if (needed.has(number) && (number === attempt?.number || !failed.includes(number))) keep.add(digest);
    }
  }
  const used = await imagesInUse(host);
  for (const image of await host.engine.images()) {
    for (const reference of image.RepoDigests ?? []) {
      const [name = '', digest = ''] = reference.split('@');
      if (!repositories.has(name) || keep.has(digest) || used.images.has(reference) || used.foreign.has(name)) continue;
      if (await host.engine.removeImage(reference)) log.info({ image: reference }, 'old image removed');
    }
  }
  for (const number of numbers.slice(0, -KEPT_DEPLOYMENTS)) {
    if (!needed.has(number)) await directory.removeDeployment(number);
  }
}

/** Images of all containers that Berth looks after on this engine, and the repositories of those that are not of this place. */
async function imagesInUse({ engine, place }: Host): Promise<{ images: Set<string>; foreign: Set<string> }> {
  const images = new Set<string>();
  const foreign = new Set<string>();
  for (const { Config: config } of await engine.containers([`${LABELS.managed}=true`])) {
    images.add(config.Image);
    const labels = config.Labels ?? {};
    const own = labels[LABELS.stack] === place.stack && labels[LABELS.environment] === place.environment;
    if (!own) foreign.add(config.Image.split('@')[0] ?? config.Image);
  }
  return { images, foreign };
}
