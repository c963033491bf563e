import type { WantedDeployment } from '../api/agent.ts';
import { type ComposeFile, type ComposeService, parseComposeFile, serviceOrder } from '../compose/file.ts';
import { addLabels, renderedTree, setImage } from '../compose/render.ts';
import {
  type Deadlines,
  deadlinesOf,
  type Health,
  healthOf,
  type Replacement,
  replacementOf,
} from '../compose/strategy.ts';
import { renderTree } from '../compose/tree.ts';
import { interpolate } from '../compose/variables.ts';
import { definitionHash } from './definition-hash.ts';
import { LABELS, type Place, placeLabels } from './labels.ts';

/** A service of a deployment as it is to run here. */
export interface PreparedService {
  name: string;
  /** With its digest. */
  image: string;
  /** What its containers are made from; they bear it as a label. */
  hash: string;
  replicas: number;
  replacement: Replacement;
  /** Whether the file asks for start-first by its name. */
  startFirstAsked: boolean;
  health: Health;
  deadlines: Deadlines;
  /** It ends by itself with 0: another service waits for `service_completed_successfully`. */
  endsByItself: boolean;
  /** A service after it needs it healthy, rather than started. */
  neededHealthy: boolean;
  /** All services that must be there before it. */
  needs: string[];
}

/** A deployment with all that applying it needs, and nothing to be asked of anybody. */
export interface PreparedDeployment {
  number: number;
  /** The compose file that runs. */
  text: string;
  variables: Record<string, string>;
  /** In the order of what they depend on; migrations are not in it. */
  services: PreparedService[];
  migrations: PreparedService[];
  /** Every image, once. */
  images: string[];
}

/**
 * @param registry the host of the images that the deployment names by repository: `berth.example.com`
 * @throws OciError BODY_INVALID for a file that this Berth can't read
 */
export function prepare(wanted: WantedDeployment, place: Place, registry: string): PreparedDeployment {
  const file = parseComposeFile(wanted.file);
  const images = Object.fromEntries(
    Object.entries(wanted.images)
      .filter(([service]) => file.services.has(service))
      .map(([service, { repository, digest }]) => [service, `${registry}/${repository}@${digest}`]),
  );
  const hashes = new Map(
    [...file.services.values()].map((service) => [
      service.name,
      definitionHash(file, service, images, wanted.variables),
    ]),
  );
  const text = renderTree(
    renderedTree(file, (name, service) => {
      setImage(service, images[name]);
      // The order is the agent's own. Compose 2.26 counts it to what a container is made from, and leaves it out with --no-deps.
      service.entries.delete('depends_on');
      addLabels(service, {
        ...placeLabels(place),
        [LABELS.service]: name,
        [LABELS.hash]: hashes.get(name) ?? '',
      });
    }),
  );
  const value = (name: string) => wanted.variables[name];
  const services = serviceOrder(file).flatMap((name) => {
    const service = file.services.get(name);
    if (service === undefined) return [];
    const image = images[name] ?? interpolate(service.image ?? '', value).trim();
    return [
      { ...prepareService(file, service, image, value), hash: hashes.get(name) ?? '', migration: service.migration },
    ];
  });
  return {
    number: wanted.number,
    text,
    variables: wanted.variables,
    services: services.filter(({ migration }) => !migration),
    migrations: services.filter(({ migration }) => migration),
    images: [...new Set(services.map(({ image }) => image))],
  };
}

function prepareService(
  file: ComposeFile,
  service: ComposeService,
  image: string,
  value: (name: string) => string | undefined,
): Omit<PreparedService, 'hash'> {
  const conditions = [...file.services.values()].map(
    ({ definition }) => mapping(mapping(definition.depends_on)[service.name]).condition,
  );
  const deploy = mapping(service.definition.deploy);
  const replicas = Number(interpolate(String(deploy.replicas ?? service.definition.scale ?? 1), value));
  return {
    name: service.name,
    image,
    replicas: Number.isInteger(replicas) && replicas >= 0 ? replicas : 1,
    replacement: replacementOf(service),
    startFirstAsked: mapping(deploy.update_config).order === 'start-first',
    health: healthOf(file, service),
    deadlines: deadlinesOf(file, service),
    endsByItself: conditions.includes('service_completed_successfully'),
    neededHealthy: conditions.includes('service_healthy'),
    needs: [...needsOf(file, service)],
  };
}

function needsOf(file: ComposeFile, service: ComposeService, found = new Set<string>()): Set<string> {
  for (const name of service.dependsOn) {
    const needed = file.services.get(name);
    if (needed === undefined || found.has(name)) continue;
    found.add(name);
    needsOf(file, needed, found);
  }
  return found;
}

function mapping(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
}
