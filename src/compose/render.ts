import { invalid } from './definition.ts';
import type { ComposeFile } from './file.ts';
import { renderTree, type Tree, type TreeMap, textScalar, treeMap } from './tree.ts';

/** On every container that Berth starts. The second keeps a Watchtower on the same host from changing it. */
export const FIXED_LABELS = { 'io.berth.managed': 'true', 'com.centurylinklabs.watchtower.enable': 'false' } as const;

/**
 * The file that runs: images by digest, labels of Berth's own on every service, and nothing that only Berth or a build needs. The same
 * input gives the same bytes.
 *
 * @param images by service: `host/repository@digest`; a service that is not in it keeps the image of the file
 * @param labels are put on every service, beside {@link FIXED_LABELS} and `io.berth.service`
 */
export function renderComposeFile(
  file: ComposeFile,
  { images, labels }: { images: Readonly<Record<string, string>>; labels: Readonly<Record<string, string>> },
): string {
  for (const name of Object.keys(images)) {
    if (!file.services.has(name)) throw invalid(`services.${name}: there is no such service`);
  }
  return renderTree(
    renderedTree(file, (name, service) => {
      setImage(service, images[name]);
      addLabels(service, { ...FIXED_LABELS, ...labels, 'io.berth.service': name });
    }),
  );
}

/** A copy of the file without what a target has no use for, each service changed by `change`. */
export function renderedTree(file: ComposeFile, change: (name: string, service: TreeMap) => void): TreeMap {
  const services = treeMap();
  const definitions = file.root.entries.get('services');
  for (const [name, definition] of definitions?.kind === 'map' ? definitions.entries : []) {
    if (definition.kind !== 'map' || file.profiled.includes(name)) continue;
    const service = treeMap(definition.entries);
    for (const field of ['build', 'x-berth', 'pull_policy', 'develop']) service.entries.delete(field);
    change(name, service);
    services.entries.set(name, service);
  }
  const root = treeMap();
  for (const [name, value] of file.root.entries) {
    if (name === 'name' || name === 'version' || name.startsWith('x-')) continue;
    root.entries.set(name, name === 'services' ? services : value);
  }
  return root;
}

/** An undefined image leaves the one of the file. */
export function setImage(service: TreeMap, image: string | undefined): void {
  if (image !== undefined) service.entries.set('image', literal(image));
}

/** Labels in either form become a mapping; those given win. */
export function addLabels(service: TreeMap, labels: Readonly<Record<string, string>>): void {
  const before = service.entries.get('labels');
  const entries = new Map<string, Tree>(before?.kind === 'map' ? before.entries : []);
  for (const item of before?.kind === 'list' ? before.items : []) {
    const text = item.kind === 'scalar' ? item.text : '';
    const equals = text.indexOf('=');
    entries.set(equals < 0 ? text : text.slice(0, equals), textScalar(equals < 0 ? '' : text.slice(equals + 1)));
  }
  for (const [name, value] of Object.entries(labels)) entries.set(name, literal(value));
  service.entries.set('labels', treeMap(entries));
}

/** A text in which compose sees no variable. */
function literal(text: string): Tree {
  return textScalar(text.replaceAll('$', '$$$$'));
}
