import { invalid, isYes, listOf, record, section } from './definition.ts';
import { applyExtends } from './extends.ts';
import { mountsOf } from './mounts.ts';
import { checkFileSettings, checkServiceSettings } from './settings.ts';
import { parseTree, type TreeMap, treeValue } from './tree.ts';

/** A compose file as it was given. Variables are not put in: `definition` holds `${TAG:-latest}` as it stands there. */
export type ComposeFile = {
  text: string;
  /** The whole file with aliases and merges written out; for `render.ts`. */
  root: TreeMap;
  definition: Record<string, unknown>;
  /** Without those that only a profile starts, save migrations. In the order of the file. */
  services: ReadonlyMap<string, ComposeService>;
  /** Services that only a profile starts: Berth runs none of them. */
  profiled: readonly string[];
};

export type ComposeService = {
  name: string;
  image: string | undefined;
  /** With what it takes by `extends` from another service of the file. */
  definition: Record<string, unknown>;
  /** What must be there before it: `depends_on`, `links`, `volumes_from`, `network_mode: service:…` and the like. */
  dependsOn: string[];
  /** `x-berth: { migrate: true }`: runs once before the others and must end with 0. */
  migration: boolean;
};

const TOP_LEVEL = new Set([
  'version',
  'name',
  'services',
  'networks',
  'volumes',
  'secrets',
  'configs',
  'include',
  'models',
]);
const SERVICE_NAME = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,99}$/;
const MOST_SERVICES = 200;

/**
 * Reads a compose file: its YAML, its services and what they depend on. What a target can't have is for {@link checkComposeFile}.
 *
 * @throws OciError BODY_INVALID; the message begins with `file: ` and names the place
 */
export function parseComposeFile(text: string): ComposeFile {
  const root = parseTree(text);
  if (root.kind !== 'map') throw invalid('not a mapping with "services"');
  for (const name of root.entries.keys()) {
    if (!TOP_LEVEL.has(name) && !name.startsWith('x-'))
      throw invalid(`${name}: not known at the top of a compose file`);
  }
  const definition = record(treeValue(root));
  for (const name of ['networks', 'volumes', 'secrets', 'configs']) {
    if (definition[name] !== undefined && definition[name] !== null) section(definition[name], name);
  }
  const services = root.entries.get('services');
  if (services?.kind !== 'map') throw invalid('services: not a mapping');
  const names = [...services.entries.keys()];
  if (names.length === 0) throw invalid('services: there is none');
  if (names.length > MOST_SERVICES) throw invalid(`services: more than ${MOST_SERVICES}`);
  const read = names.map((name) => {
    if (!SERVICE_NAME.test(name)) throw invalid(`services.${name}: a name is at most 100 of [a-zA-Z0-9._-]`);
    return readService(name, record(treeValue(applyExtends(services, name))));
  });
  const profiled = read.filter(({ definition, migration }) => !migration && listOf(definition.profiles).length > 0);
  const file = {
    text,
    root,
    definition,
    services: new Map(read.filter((service) => !profiled.includes(service)).map((service) => [service.name, service])),
    profiled: profiled.map(({ name }) => name),
  };
  if (file.services.size === 0) throw invalid('services: all of them have "profiles", so nothing would start');
  for (const service of file.services.values()) checkDependencies(service, file.services);
  serviceOrder(file);
  return file;
}

function checkDependencies(service: ComposeService, services: ReadonlyMap<string, ComposeService>): void {
  const conditions = record(service.definition.depends_on);
  for (const needed of service.dependsOn) {
    if (services.has(needed) || record(conditions[needed]).required === false) continue;
    throw invalid(`services.${service.name}: depends on ${JSON.stringify(needed)}, which the file does not start`);
  }
}

/**
 * Refuses what a server that gets nothing but this file can't have: other files, what is built there, paths beside the file.
 *
 * @throws OciError BODY_INVALID that names the place and what to do
 */
export function checkComposeFile(file: ComposeFile): void {
  if (file.definition.include !== undefined) throw invalid(`include: ${ONE_FILE}`);
  checkFileSettings(file.definition['x-berth']);
  for (const service of file.services.values()) checkService(service);
  for (const kind of ['configs', 'secrets']) {
    for (const [name, value] of Object.entries(record(file.definition[kind]))) {
      const entry = record(value);
      if (entry.file !== undefined) {
        throw invalid(
          `${kind}.${name}.file: a server has no such file; give it as a variable (\`environment: NAME\`)${kind === 'configs' ? ' or write it here (`content: …`)' : ''}`,
        );
      }
      if (isYes(entry.external) || record(entry.external).name !== undefined) {
        throw invalid(
          `${kind}.${name}.external: docker compose knows it in a swarm alone; give it as a variable (\`environment: NAME\`)`,
        );
      }
    }
  }
}

const ONE_FILE = 'Berth keeps one file; `docker compose config --no-interpolate` writes all of them into one';

function checkService({ name, definition, image, migration }: ComposeService): void {
  const where = `services.${name}`;
  if (record(definition.extends).file !== undefined) throw invalid(`${where}.extends.file: ${ONE_FILE}`);
  for (const field of ['env_file', 'label_file']) {
    if (definition[field] !== undefined && definition[field] !== null) {
      throw invalid(
        `${where}.${field}: a server has no such file; set variables with \`berth config set\` and name them under environment`,
      );
    }
  }
  if (image === undefined) {
    const advice = 'CI builds and pushes it, and the file names what was pushed (`image: NAMESPACE/NAME:TAG`)';
    throw invalid(
      `${where}.image: missing${definition.build === undefined ? '' : ': a server builds nothing'}; ${advice}`,
    );
  }
  if (definition.provider !== undefined) throw invalid(`${where}.provider: a server runs containers alone`);
  for (const mount of mountsOf(definition)) {
    if (mount.kind === 'bind' && /^(?:\.|~)/.test(mount.source)) {
      throw invalid(
        `${where}.volumes: ${mount.source} is beside the file, and a server has the file alone; use a named volume, an absolute path, or put it into the image`,
      );
    }
  }
  const test = record(definition.healthcheck).test;
  if (test === 'NONE') {
    throw invalid(
      `${where}.healthcheck.test: "NONE" as a text runs a command of that name; write \`disable: true\` or \`["NONE"]\``,
    );
  }
  checkServiceSettings(definition['x-berth'], where, migration);
}

/** The services, each after what it depends on; else in the order of the file. @throws OciError BODY_INVALID on a cycle */
export function serviceOrder(file: Pick<ComposeFile, 'services' | 'profiled'>): string[] {
  const order = new Set<string>();
  const visit = (name: string, above: readonly string[]) => {
    if (order.has(name)) return;
    if (above.includes(name)) {
      throw invalid(`services.${name}.depends_on: a cycle: ${[...above.slice(above.indexOf(name)), name].join(' → ')}`);
    }
    for (const needed of file.services.get(name)?.dependsOn ?? []) {
      if (file.services.has(needed)) visit(needed, [...above, name]);
    }
    order.add(name);
  };
  for (const name of file.services.keys()) visit(name, []);
  return [...order];
}

function readService(name: string, definition: Record<string, unknown>): ComposeService {
  const where = `services.${name}`;
  const image = definition.image ?? undefined;
  if (image !== undefined && (typeof image !== 'string' || image.trim() === ''))
    throw invalid(`${where}.image: not a text`);
  const berth = definition['x-berth'] ?? {};
  const own = section(berth, `${where}.x-berth`);
  if (own.migrate !== undefined && typeof own.migrate !== 'boolean') {
    throw invalid(`${where}.x-berth.migrate: true or false, not ${JSON.stringify(own.migrate)}`);
  }
  return { name, image, definition, dependsOn: dependenciesOf(definition), migration: own.migrate === true };
}

function dependenciesOf(definition: Record<string, unknown>): string[] {
  const needed = new Set<string>();
  const dependsOn = definition.depends_on;
  for (const name of Array.isArray(dependsOn) ? listOf(dependsOn) : Object.keys(record(dependsOn))) needed.add(name);
  for (const link of listOf(definition.links)) needed.add(link.split(':', 1)[0] ?? link);
  for (const from of listOf(definition.volumes_from)) {
    if (!from.startsWith('container:')) needed.add(from.split(':', 1)[0] ?? from);
  }
  for (const field of ['network_mode', 'pid', 'ipc', 'uts']) {
    const value = definition[field];
    if (typeof value === 'string' && value.startsWith('service:')) needed.add(value.slice('service:'.length));
  }
  return [...needed];
}
