import { createHash } from 'node:crypto';
import type { ComposeFile, ComposeService } from '../compose/file.ts';
import { mountsOf } from '../compose/mounts.ts';

/** What is no part of the container: `replicas` and `scale` say how many of them there are, `depends_on` when they come. */
const NOT_OF_THE_CONTAINER = new Set(['x-berth', 'build', 'pull_policy', 'develop', 'scale', 'image', 'depends_on']);
const SECTIONS = ['networks', 'volumes', 'secrets', 'configs'] as const;
const SHARED = ['network_mode', 'pid', 'ipc', 'uts'];

/**
 * What a service's containers are made from, as one hash: two deployments with the same hash need no new container. It is of the
 * service's own definition, the values of the variables in it, the networks, volumes, secrets and configs that it names, and
 * the services whose namespaces it shares. Neither the version of compose nor of Berth goes into it, so that an upgrade of
 * either leaves a database alone; whoever changes this function must keep the hashes of what is unchanged.
 *
 * @param images by service, with their digests
 */
export function definitionHash(
  file: ComposeFile,
  service: ComposeService,
  images: Readonly<Record<string, string>>,
  variables: Readonly<Record<string, string>>,
): string {
  const own = Object.entries(service.definition).filter(([name]) => !NOT_OF_THE_CONTAINER.has(name));
  const definition: Record<string, unknown> = Object.fromEntries(own);
  const deploy = mapping(definition.deploy);
  if (definition.deploy !== undefined) {
    definition.deploy = Object.fromEntries(Object.entries(deploy).filter(([name]) => name !== 'replicas'));
  }
  const used = SECTIONS.map((section) => {
    const all = mapping(file.definition[section]);
    return namesIn(section, service.definition).map((name) => [section, name, all[name] ?? null]);
  });
  const content = canonical({ definition, used, image: images[service.name] ?? service.image ?? null });
  const values = Object.entries(variables)
    .filter(([name]) => new RegExp(`(?<![A-Za-z0-9_])${name}(?![A-Za-z0-9_])`).test(content))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const shared = sharedServices(service).map((name) => {
    const other = file.services.get(name);
    return other === undefined || other === service ? name : definitionHash(file, other, images, variables);
  });
  return createHash('sha256')
    .update(JSON.stringify([1, content, values, shared]))
    .digest('hex')
    .slice(0, 32);
}

function namesIn(section: (typeof SECTIONS)[number], definition: Record<string, unknown>): string[] {
  if (section === 'volumes') {
    const mounts = mountsOf(definition).filter(({ kind, source }) => kind === 'volume' && source !== '');
    return mounts.map(({ source }) => source).sort();
  }
  const value = definition[section];
  if (section === 'networks' && value === undefined) return definition.network_mode === undefined ? ['default'] : [];
  if (!Array.isArray(value)) return Object.keys(mapping(value)).sort();
  return value
    .map((entry: unknown) => (typeof entry === 'string' ? entry : String(mapping(entry).source ?? '')))
    .sort();
}

/** Services whose containers it is tied to: when they are made anew, so must it be. No cycle is possible: the order of services refuses it. */
function sharedServices({ definition }: ComposeService): string[] {
  const names = SHARED.flatMap((field) => /^service:(.+)$/.exec(String(definition[field] ?? ''))?.[1] ?? []);
  const from = definition.volumes_from;
  const volumes = (Array.isArray(from) ? from : []).map((entry) => String(entry).split(':', 1)[0] ?? '');
  return [...names, ...volumes];
}

/** JSON with the names of every mapping in order. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

function mapping(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
}
