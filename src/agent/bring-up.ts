import type { Logger } from 'pino';
import { containersOf } from './containers.ts';
import { DeploymentFailure } from './failure.ts';
import type { Retirement } from './retirement.ts';
import { type Applied, composeUp, type Host, isGoing, split } from './switching.ts';

/**
 * Starts the containers of a deployment that are not running, as after a start of the host, and lets old ones go that were still to go.
 * Replaces and judges nothing. What can't be started is logged.
 */
export async function bringUp(
  host: Host,
  applied: Applied,
  retirement: Retirement,
  { log, signal }: { log: Logger; signal: AbortSignal },
): Promise<void> {
  const containers = await containersOf(host.engine, host.place);
  const { services, number } = applied.deployment;
  const lacking = services.filter((service) => {
    const { fresh, old } = split(containers, service);
    const going = fresh.filter((container) => isGoing(service, container)).length;
    if (going >= service.replicas) retirement.begin(old, 0);
    return going < service.replicas;
  });
  await retirement.finish();
  if (lacking.length === 0) return;
  const names = lacking.map(({ name }) => name);
  log.info({ deployment: number, services: names }, 'starting what is not running');
  try {
    await composeUp(host, applied, ['--no-deps', '--no-recreate', ...names], signal);
  } catch (error) {
    if (!(error instanceof DeploymentFailure)) throw error;
    log.error({ deployment: number, error: error.message }, 'not everything could be started');
  }
}
