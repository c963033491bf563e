import {
  Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Node,
  Pair,
  parseDocument,
  Scalar,
  YAMLMap,
  YAMLSeq,
} from 'yaml';
import { OciError } from '../oci/errors.ts';

/**
 * A YAML document without aliases, merges and comments. A plain scalar keeps its spelling (`0755`, `yes`, `1.10`), so what is written again
 * means the same to every reader of YAML.
 */
export type Tree = TreeMap | TreeList | TreeScalar;
export type TreeMap = { kind: 'map'; entries: Map<string, Tree> };
export type TreeList = { kind: 'list'; items: Tree[] };
/** `text` is what was written, unquoted; `value` what it means by YAML 1.2. A text in quotes or a block is a string. */
export type TreeScalar = { kind: 'scalar'; text: string; plain: boolean; value: string | number | boolean | null };

const MOST_CHARACTERS = 524_288;
/** After aliases are written out: the bound on "billion laughs". */
const MOST_NODES = 100_000;
const DEEPEST = 64;

/** @throws OciError BODY_INVALID, with the line where YAML is malformed */
export function parseTree(text: string): Tree {
  if (text.length > MOST_CHARACTERS) throw invalid(`longer than ${MOST_CHARACTERS} characters`);
  let document: Document.Parsed;
  try {
    document = parseDocument(text, {
      version: '1.2',
      schema: 'core',
      merge: false,
      uniqueKeys: true,
      logLevel: 'error',
    });
  } catch (error) {
    if (error instanceof RangeError) throw invalid('nested too deeply');
    throw error;
  }
  const [fault] = document.errors;
  if (fault !== undefined) throw invalid(fault.message.split('\n', 1)[0]?.replace(/:$/, '') ?? 'malformed');
  if (document.contents === null) throw invalid('empty');
  return new TreeReader(document).read(document.contents, '', 0);
}

class TreeReader {
  #nodes = 0;

  constructor(readonly document: Document.Parsed) {}

  read(node: unknown, where: string, depth: number): Tree {
    this.#nodes += 1;
    if (this.#nodes > MOST_NODES) throw invalid(`more than ${MOST_NODES} values once aliases are written out`);
    if (depth > DEEPEST) throw invalid(`${where}: nested more than ${DEEPEST} deep`);
    if (isAlias(node)) {
      const target = node.resolve(this.document);
      if (target === undefined) throw invalid(`${where}: no anchor is called ${node.source}`);
      return this.read(target, where, depth + 1);
    }
    if (isMap(node) || isSeq(node) || isScalar(node)) checkTag(node, where);
    if (isMap(node)) return this.#map(node.items, where, depth);
    if (isSeq(node)) {
      return { kind: 'list', items: node.items.map((item, at) => this.read(item, `${where}[${at}]`, depth + 1)) };
    }
    if (node === null) return plainScalar(null);
    if (!isScalar(node)) throw invalid(`${where}: not a value`);
    return readScalar(node);
  }

  #map(items: Pair<unknown, unknown>[], where: string, depth: number): TreeMap {
    const entries = new Map<string, Tree>();
    const merged: TreeMap[] = [];
    for (const { key, value } of items) {
      if (!isScalar(key)) throw invalid(`${where || 'the file'}: a key is not a text`);
      const name = key.source ?? String(key.value);
      if (name === '<<' && key.type === Scalar.PLAIN) {
        merged.push(...this.#merges(value, where, depth));
        continue;
      }
      entries.set(name, this.read(value, where === '' ? name : `${where}.${name}`, depth + 1));
    }
    for (const map of merged) {
      for (const [name, value] of map.entries) if (!entries.has(name)) entries.set(name, value);
    }
    return { kind: 'map', entries };
  }

  #merges(value: unknown, where: string, depth: number): TreeMap[] {
    const read = this.read(value, `${where}.<<`, depth + 1);
    const maps = read.kind === 'list' ? read.items : [read];
    return maps.map((map) => {
      if (map.kind !== 'map') throw invalid(`${where}.<<: only a mapping can be merged`);
      return map;
    });
  }
}

/** A tag that says what a plain scalar means is rare, and compose's own (`!reset`, `!override`) mean something between files alone. */
function checkTag({ tag }: { tag?: string | undefined }, where: string): void {
  if (tag !== undefined && tag !== STRING_TAG) throw invalid(`${where}: the tag ${tag} is not taken`);
}

const STRING_TAG = 'tag:yaml.org,2002:str';

function readScalar(node: Scalar): TreeScalar {
  const { value } = node;
  if (node.type !== Scalar.PLAIN || node.tag !== undefined) return textScalar(node.source ?? String(value));
  const text = node.source ?? '';
  if (value === null) return plainScalar(null);
  if (typeof value === 'boolean' || typeof value === 'number') return { kind: 'scalar', text, plain: true, value };
  return { kind: 'scalar', text, plain: true, value: text };
}

function plainScalar(value: null): TreeScalar {
  return { kind: 'scalar', text: 'null', plain: true, value };
}

/** A string, whatever it looks like. */
export function textScalar(text: string): TreeScalar {
  return { kind: 'scalar', text, plain: false, value: text };
}

export function treeMap(entries: Iterable<[string, Tree]> = []): TreeMap {
  return { kind: 'map', entries: new Map(entries) };
}

/** What a tree means, as plain values. */
export function treeValue(tree: Tree): unknown {
  if (tree.kind === 'scalar') return tree.value;
  if (tree.kind === 'list') return tree.items.map(treeValue);
  return Object.fromEntries([...tree.entries].map(([name, value]) => [name, treeValue(value)]));
}

/** Plain values as a tree; what is undefined is left out. */
export function treeOf(value: unknown): Tree {
  if (Array.isArray(value)) return { kind: 'list', items: value.map(treeOf) };
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).filter(([, entry]) => entry !== undefined);
    return treeMap(entries.map(([name, entry]) => [name, treeOf(entry)]));
  }
  if (typeof value === 'number' || typeof value === 'boolean') {
    return { kind: 'scalar', text: String(value), plain: true, value };
  }
  return typeof value === 'string' ? textScalar(value) : plainScalar(null);
}

/** The entry of a mapping, or undefined when it is none or has none. */
export function treeEntry(tree: Tree | undefined, name: string): Tree | undefined {
  return tree?.kind === 'map' ? tree.entries.get(name) : undefined;
}

/** The tree as YAML in block style: the same tree always gives the same bytes. */
export function renderTree(tree: Tree): string {
  // In this schema nothing but strings exists, so a plain text stays as it was written.
  const document = new Document(undefined, { schema: 'failsafe', version: '1.2' });
  document.contents = yamlNode(tree);
  return document.toString({ lineWidth: 0, doubleQuotedMinMultiLineLength: 1_000_000, indent: 2, indentSeq: true });
}

function yamlNode(tree: Tree): Node {
  if (tree.kind === 'list') {
    const list = new YAMLSeq();
    list.items = tree.items.map(yamlNode);
    list.flow = tree.items.length === 0;
    return list;
  }
  if (tree.kind === 'map') {
    const map = new YAMLMap();
    map.items = [...tree.entries].map(([name, value]) => new Pair(yamlScalar(name, looksPlain(name)), yamlNode(value)));
    map.flow = tree.entries.size === 0;
    return map;
  }
  return yamlScalar(tree.text, tree.plain || looksPlain(tree.text));
}

function yamlScalar(text: string, plain: boolean): Scalar {
  const scalar = new Scalar(text);
  if (plain) scalar.type = Scalar.PLAIN;
  else if (text.includes('\n')) scalar.type = Scalar.BLOCK_LITERAL;
  else scalar.type = Scalar.QUOTE_DOUBLE;
  return scalar;
}

/** A string that no version of YAML reads as anything else: quotes would only be noise. */
function looksPlain(text: string): boolean {
  return /^[A-Za-z/_][A-Za-z0-9/_.@-]*(?:[:=][A-Za-z0-9/_.@-]+)*$/.test(text) && !NOT_TEXT.test(text);
}

/** Words that YAML 1.1 or 1.2 reads as a boolean, null or a number. */
const NOT_TEXT = /^(?:true|false|yes|no|on|off|y|n|null|nan|inf)$/i;

function invalid(reason: string): OciError {
  return new OciError('BODY_INVALID', `file: ${reason}`);
}
