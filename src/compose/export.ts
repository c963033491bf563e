import type { ComposeFile } from './file.ts';
import { renderedTree, setImage } from './render.ts';
import { renderTree, type Tree, type TreeMap, textScalar, treeMap } from './tree.ts';
import { withDefaults } from './variables.ts';

/**
 * A compose file that works without Berth: images by digest, nothing of Berth's own, and the values of variables as their defaults.
 *
 * @param images by service: `host/repository@digest`
 */
export function exportComposeFile(
  file: ComposeFile,
  {
    images,
    variables,
    name,
  }: { images: Readonly<Record<string, string>>; variables: Readonly<Record<string, string>>; name: string },
): string {
  const value = (variable: string) => (Object.hasOwn(variables, variable) ? variables[variable] : undefined);
  const root = renderedTree(file, (service, definition) => {
    setImage(definition, images[service]);
    fillPassedThrough(definition, value);
  });
  const given = file.definition.name;
  const entries: [string, Tree][] = [['name', textScalar(typeof given === 'string' ? given : name)]];
  for (const [section, tree] of root.entries) entries.push([section, filled(tree, value)]);
  return renderTree(treeMap(entries));
}

/** `environment: [NAME]` takes the value from outside as `${NAME}` does. */
function fillPassedThrough(service: TreeMap, value: (name: string) => string | undefined): void {
  const environment = service.entries.get('environment');
  if (environment?.kind === 'map') {
    const entries = [...environment.entries].map(([name, tree]): [string, Tree] => {
      const isPassed = tree.kind === 'scalar' && tree.value === null && value(name) !== undefined;
      return [name, isPassed ? textScalar(`\${${name}}`) : tree];
    });
    service.entries.set('environment', treeMap(entries));
  } else if (environment?.kind === 'list') {
    const items = environment.items.map((item) => {
      const isPassed = item.kind === 'scalar' && !item.text.includes('=') && value(item.text) !== undefined;
      return isPassed ? textScalar(`${item.text}=\${${item.text}}`) : item;
    });
    service.entries.set('environment', { kind: 'list', items });
  }
}

function filled(tree: Tree, value: (name: string) => string | undefined): Tree {
  if (tree.kind === 'list') return { kind: 'list', items: tree.items.map((item) => filled(item, value)) };
  if (tree.kind === 'map') return treeMap([...tree.entries].map(([name, entry]) => [name, filled(entry, value)]));
  if (typeof tree.value !== 'string' || !tree.text.includes('$')) return tree;
  return { kind: 'scalar', plain: false, text: withDefaults(tree.text, value), value: withDefaults(tree.text, value) };
}
