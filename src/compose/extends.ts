import { invalid } from './definition.ts';
import { type Tree, type TreeMap, treeEntry, treeMap } from './tree.ts';

const DEEPEST = 20;

/**
 * A service with what it takes by `extends` from others of the same file, near enough to judge it by and for a laptop: mappings are merged,
 * lists joined, the service's own values win. On a server `docker compose` reads `extends` itself.
 *
 * @throws OciError BODY_INVALID when it extends a service that is not there, or itself
 */
export function applyExtends(services: TreeMap, name: string): TreeMap {
  return extended(services, name, 0);
}

function extended(services: TreeMap, name: string, depth: number): TreeMap {
  const definition = services.entries.get(name);
  if (definition?.kind !== 'map') throw invalid(`services.${name}: not a mapping`);
  const field = definition.entries.get('extends');
  const service = field?.kind === 'map' ? field.entries.get('service') : field;
  const isElsewhere = treeEntry(field, 'file') !== undefined;
  if (service?.kind !== 'scalar' || isElsewhere) return definition;
  const target = service.text;
  if (depth > DEEPEST) throw invalid(`services.${name}.extends: a cycle, or deeper than ${DEEPEST}`);
  if (!services.entries.has(target)) {
    throw invalid(`services.${name}.extends: there is no service ${JSON.stringify(target)}`);
  }
  const base = treeMap(extended(services, target, depth + 1).entries);
  // As in compose, what a service depends on is not taken along.
  for (const own of ['depends_on', 'extends']) base.entries.delete(own);
  return merged(base, definition);
}

function merged(base: TreeMap, own: TreeMap): TreeMap {
  const result = treeMap(base.entries);
  for (const [name, value] of own.entries) {
    const before = base.entries.get(name);
    result.entries.set(name, before === undefined ? value : both(before, value));
  }
  return result;
}

function both(base: Tree, own: Tree): Tree {
  if (base.kind === 'list' && own.kind === 'list') return { kind: 'list', items: [...base.items, ...own.items] };
  return base.kind === 'map' && own.kind === 'map' ? merged(base, own) : own;
}
