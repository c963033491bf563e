import type { RunningService } from '../api/deployments.ts';
import { isDigest } from '../oci/digest.ts';
import type { Engine, InspectedContainer } from './engine.ts';
import { COMPOSE_LABELS, LABELS, type Place } from './labels.ts';

/** A container of the place. */
export interface Container {
  id: string;
  name: string;
  service: string;
  hash: string;
  digest: string | null;
  /** Of a migration, or of `docker compose run`. */
  oneOff: boolean;
  createdAt: number;
  running: boolean;
  restarting: boolean;
  /** Whether the engine starts it again when it ends. */
  restartedByEngine: boolean;
  exitCode: number;
  startedAt: string;
  restarts: number;
  health: string | undefined;
  healthOutput: string;
  /** Of a start that failed. */
  startError: string;
  addresses: string[];
  /** It writes to a volume that has no name but its own. */
  anonymousVolume: boolean;
  inspected: InspectedContainer;
}

/** Other people's containers have the compose project's name. */
export class ForeignContainersError extends Error {
  override readonly name = 'ForeignContainersError';
}

/**
 * The containers of the place, oldest first.
 *
 * @throws EngineUnreachableError; ForeignContainersError when the project's name is used by what is not of this environment
 */
export async function containersOf(engine: Engine, place: Place): Promise<Container[]> {
  const { own, foreign } = await findContainers(engine, place);
  const [first] = foreign;
  if (first !== undefined) {
    throw new ForeignContainersError(
      `the container ${first.name} is of a compose project named ${place.project} too, but not of ${place.stack} in ${place.environment}; remove it, or rename its project`,
    );
  }
  return own;
}

/** The containers of the place, oldest first, and those of others that have its compose project's name. @throws EngineUnreachableError */
export async function findContainers(
  engine: Engine,
  place: Place,
): Promise<{ own: Container[]; foreign: Container[] }> {
  const found = (await engine.containers([`${COMPOSE_LABELS.project}=${place.project}`])).map(containerOf);
  const isOwn = ({ inspected }: Container) => {
    const labels = inspected.Config.Labels ?? {};
    return labels[LABELS.stack] === place.stack && labels[LABELS.environment] === place.environment;
  };
  return {
    own: found.filter(isOwn).sort((a, b) => a.createdAt - b.createdAt),
    foreign: found.filter((container) => !isOwn(container)),
  };
}

export function containerOf(inspected: InspectedContainer): Container {
  const { State: state, Config: config } = inspected;
  const labels = config.Labels ?? {};
  const digest = config.Image.split('@')[1] ?? '';
  return {
    id: inspected.Id,
    name: inspected.Name.replace(/^\//, ''),
    service: labels[COMPOSE_LABELS.service] ?? '',
    hash: labels[LABELS.hash] ?? '',
    digest: isDigest(digest) ? digest : null,
    oneOff: labels[COMPOSE_LABELS.oneOff]?.toLowerCase() === 'true',
    createdAt: Date.parse(inspected.Created),
    running: state.Running && !state.Restarting,
    restarting: state.Restarting,
    restartedByEngine: /^(?:always|unless-stopped|on-failure)$/.test(inspected.HostConfig.RestartPolicy.Name),
    exitCode: state.ExitCode,
    startedAt: state.StartedAt,
    restarts: inspected.RestartCount,
    // Podman has an empty status for a container without a health check.
    health: state.Health?.Status === '' || state.Health?.Status === 'none' ? undefined : state.Health?.Status,
    healthOutput: state.Health?.Log?.at(-1)?.Output ?? '',
    startError: state.Error,
    addresses: Object.values(inspected.NetworkSettings.Networks ?? {}).flatMap(({ IPAddress }) => IPAddress || []),
    anonymousVolume: (inspected.Mounts ?? []).some(
      ({ Type, Name, RW }) => Type === 'volume' && RW && /^[0-9a-f]{64}$/.test(Name ?? ''),
    ),
    inspected,
  };
}

/** What the server is told of what runs: by service, of the containers that run the newest digest. */
export function runningServices(containers: readonly Container[]): RunningService[] {
  const services = Map.groupBy(
    containers.filter(({ oneOff }) => !oneOff),
    ({ service }) => service,
  );
  return [...services]
    .map(([service, all]) => {
      const newest = all.at(-1)?.digest ?? null;
      const same = all.filter(({ digest }) => digest === newest);
      return {
        service,
        digest: newest,
        containers: same.length,
        health: healthOfAll(same),
        restarts: same.reduce((sum, { restarts }) => sum + restarts, 0),
      };
    })
    .sort((a, b) => (a.service < b.service ? -1 : 1));
}

function healthOfAll(containers: readonly Container[]): RunningService['health'] {
  if (containers.some(({ running }) => !running)) return 'stopped';
  if (containers.some(({ health }) => health === 'unhealthy')) return 'unhealthy';
  if (containers.some(({ health }) => health === 'starting')) return 'starting';
  return containers.every(({ health }) => health === 'healthy') ? 'healthy' : 'running';
}
