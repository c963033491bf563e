import { type Container, containersOf } from './containers.ts';
import { Watch } from './health.ts';
import { sleep } from './pull.ts';
import type { Retirement } from './retirement.ts';
import { type Applied, failureOf, type Host, split } from './switching.ts';

export interface MonitorOptions {
  /** How long all must stay healthy. */
  watchMs: number;
  retirement: Retirement;
  warn: (warning: string) => void;
  signal: AbortSignal;
}

const LOOK_EVERY_MS = 1_000;

/**
 * Watches a deployment that was healthy: a container that gets unhealthy, restarts, ends or is removed fails it. What was not healthy when the
 * watch began, and so is not of this deployment's doing, is left out.
 *
 * @throws DeploymentFailure; EngineUnreachableError; what the signal was aborted with
 */
export async function monitor(host: Host, { deployment }: Applied, options: MonitorOptions): Promise<void> {
  const watches = new Map<string, { watch: Watch; service: (typeof deployment.services)[number] }>();
  const first = await containersOf(host.engine, host.place);
  for (const service of deployment.services) {
    const { fresh, old } = split(first, service);
    options.retirement.begin(old, service.deadlines.drain);
    for (const container of fresh) {
      if (service.endsByItself) continue;
      if (isSound(container)) watches.set(container.id, { watch: new Watch(service, container), service });
      else options.warn(`${service.name} was not healthy before this deployment`);
    }
  }
  const end = performance.now() + options.watchMs;
  for (;;) {
    const now = new Map((await containersOf(host.engine, host.place)).map((container) => [container.id, container]));
    for (const [id, { watch, service }] of watches) {
      const container = now.get(id);
      const why = await watch.judge(container);
      if (why !== undefined) throw await failureOf(host, service, container, why);
    }
    const left = end - performance.now();
    if (left <= 0) return;
    await sleep(Math.min(LOOK_EVERY_MS, left), options.signal);
  }
}

function isSound(container: Container): boolean {
  return container.running && container.health !== 'unhealthy';
}
