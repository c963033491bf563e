import { invalid, isYes, record } from './definition.ts';
import { applyExtends } from './extends.ts';
import type { ComposeFile } from './file.ts';
import { mountsOf } from './mounts.ts';
import { type HostPort, hostPortsOf, readPort } from './ports.ts';
import { addLabels, FIXED_LABELS, renderedTree, setImage } from './render.ts';
import { renderTree, type Tree, type TreeMap, treeEntry, treeMap, treeOf, treeValue } from './tree.ts';
import { interpolate } from './variables.ts';

/** The services of a set: those that are named and all that they depend on; every one without names. @throws OciError BODY_INVALID */
export function servicesOf(file: ComposeFile, only: readonly string[] = []): Set<string> {
  const chosen = new Set<string>();
  const add = (name: string) => {
    if (chosen.has(name)) return;
    chosen.add(name);
    for (const needed of file.services.get(name)?.dependsOn ?? []) if (file.services.has(needed)) add(needed);
  };
  for (const name of only.length === 0 ? file.services.keys() : only) {
    if (!file.services.has(name)) {
      throw invalid(`services: there is no ${JSON.stringify(name)}; there are ${[...file.services.keys()].join(', ')}`);
    }
    add(name);
  }
  return chosen;
}

/** The ports of the host that a set asks for. */
export function hostPorts(
  file: ComposeFile,
  services: ReadonlySet<string>,
  value: (name: string) => string | undefined,
): HostPort[] {
  const found = new Map<string, HostPort>();
  for (const service of file.services.values()) {
    const { ports } = service.definition;
    for (const entry of services.has(service.name) && Array.isArray(ports) ? ports : []) {
      for (const port of portsOfEntry(service.name, entry, value)) found.set(port.key, port);
    }
  }
  return [...found.values()];
}

function portsOfEntry(service: string, entry: unknown, value: (name: string) => string | undefined): HostPort[] {
  return hostPortsOf(
    service,
    readPort(entry, (text) => interpolate(text, value)),
  );
}

export interface LocalSet {
  services: ReadonlySet<string>;
  /** By service: `host/repository@digest`. */
  images: Readonly<Record<string, string>>;
  labels: Readonly<Record<string, string>>;
  /** By {@link HostPort.key}: the port of this machine. */
  ports: ReadonlyMap<string, number>;
  value: (name: string) => string | undefined;
}

/**
 * The file of a set that runs beside others on one machine: nothing in it has a name or an address that two sets would fight for. What
 * the person should know of that is in `notes`.
 *
 * Migrations are in it, but nothing depends on them: who starts the set runs them first.
 */
export function localComposeFile(file: ComposeFile, set: LocalSet): { text: string; notes: string[] } {
  const notes: string[] = [];
  const definitions = file.root.entries.get('services');
  const root = renderedTree(file, (name, service) => {
    if (definitions?.kind === 'map' && service.entries.has('extends')) {
      const { entries } = applyExtends(definitions, name);
      for (const [field, value] of entries) if (!DROPPED.has(field)) service.entries.set(field, value);
      service.entries.delete('extends');
    }
    setImage(service, set.images[name]);
    addLabels(service, { ...FIXED_LABELS, ...set.labels, 'io.berth.service': name });
    if (set.services.has(name)) separate(name, service, file, set, notes);
  });
  const services = treeEntry(root, 'services');
  if (services?.kind === 'map') {
    for (const name of [...services.entries.keys()]) if (!set.services.has(name)) services.entries.delete(name);
  }
  separateTopLevel(root, notes);
  return { text: renderTree(root), notes };
}

/** What `renderedTree` has taken out of a service already. */
const DROPPED = new Set(['extends', 'build', 'x-berth', 'pull_policy', 'develop', 'profiles', 'labels']);

function separate(name: string, service: TreeMap, file: ComposeFile, set: LocalSet, notes: string[]): void {
  service.entries.delete('container_name');
  if (service.entries.delete('external_links')) notes.push(`${name}: external_links are left out`);
  const ports = service.entries.get('ports');
  if (ports?.kind === 'list') {
    service.entries.set('ports', { kind: 'list', items: ports.items.flatMap((entry) => localPorts(name, entry, set)) });
  }
  const definition = record(treeValue(service));
  const mode = definition.network_mode;
  if (mode === 'host' || String(mode).startsWith('container:')) {
    notes.push(`${name}: its network is ${mode}, which all sets on this machine have in common`);
  }
  for (const { kind, source } of mountsOf(definition)) {
    if (kind === 'bind')
      notes.push(`${name}: ${source} is of this machine, and all sets that mount it have it in common`);
  }
  dropAddresses(service);
  dropMigrations(service, file);
}

/** The engine's own choice of a port stays; any other becomes the one that was found for it. */
function localPorts(service: string, entry: Tree, set: LocalSet): Tree[] {
  const plain = treeValue(entry);
  const found = portsOfEntry(service, plain, set.value);
  if (found.length === 0) return [entry];
  const { published: _published, target: _target, host_ip: _address, protocol: _protocol, ...others } = record(plain);
  return found.map(({ key, address, target, protocol, wanted }) =>
    treeOf({
      target,
      published: String(set.ports.get(key) ?? wanted[0]),
      ...(address === '' ? {} : { host_ip: address }),
      protocol,
      ...others,
    }),
  );
}

function dropAddresses(service: TreeMap): void {
  const networks = service.entries.get('networks');
  if (networks?.kind !== 'map') return;
  const kept = treeMap(networks.entries);
  for (const [network, value] of kept.entries) {
    if (value.kind !== 'map') continue;
    const options = treeMap(value.entries);
    for (const field of ['ipv4_address', 'ipv6_address', 'mac_address', 'link_local_ips'])
      options.entries.delete(field);
    kept.entries.set(network, options);
  }
  service.entries.set('networks', kept);
}

function dropMigrations(service: TreeMap, file: ComposeFile): void {
  const needed = service.entries.get('depends_on');
  const stays = (name: string) => file.services.get(name)?.migration !== true;
  if (needed?.kind === 'map') {
    service.entries.set('depends_on', treeMap([...needed.entries].filter(([name]) => stays(name))));
  } else if (needed?.kind === 'list') {
    const items = needed.items.filter((item) => item.kind !== 'scalar' || stays(item.text));
    service.entries.set('depends_on', { kind: 'list', items });
  }
}

function separateTopLevel(root: TreeMap, notes: string[]): void {
  for (const section of ['volumes', 'networks', 'configs', 'secrets']) {
    const found = root.entries.get(section);
    if (found?.kind !== 'map') continue;
    const kept = treeMap();
    for (const [name, value] of found.entries) kept.entries.set(name, ownResource(section, name, value, notes));
    root.entries.set(section, kept);
  }
}

function ownResource(section: string, name: string, value: Tree, notes: string[]): Tree {
  if (value.kind !== 'map') return value;
  const { external } = record(treeValue(value));
  if (isYes(external) || typeof external === 'object') {
    notes.push(`${section}.${name}: is outside of the file; this set has its own, which is empty`);
    return treeMap();
  }
  const resource = treeMap(value.entries);
  resource.entries.delete('name');
  if (section === 'networks' && resource.entries.delete('ipam')) {
    notes.push(`networks.${name}: the engine chooses its addresses, so that sets do not clash`);
  }
  const device = record(record(treeValue(value)).driver_opts).device;
  if (section === 'volumes' && typeof device === 'string') {
    notes.push(`volumes.${name}: ${device} is of this machine, and all sets that mount it have it in common`);
  }
  return resource;
}
