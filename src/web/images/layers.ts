import type { ImageLayer } from '../../api/images.ts';

/** A layer that is stored, with its place in the image. */
export interface StoredLayer extends ImageLayer {
  digest: string;
  /** From 1, the base first; steps without a layer have none. */
  number: number;
  /** 0 to 1, of all layers together. */
  share: number;
}

export type Step = StoredLayer | (ImageLayer & { digest: null; number: null; share: 0 });

/** Every step with its number and share. */
export function stepsOf(layers: readonly ImageLayer[]): Step[] {
  const total = layers.reduce((sum, { digest, size }) => sum + (digest === null ? 0 : size), 0);
  let number = 0;
  return layers.map((layer) => {
    if (layer.digest === null) return { ...layer, digest: null, number: null, share: 0 };
    number++;
    return { ...layer, digest: layer.digest, number, share: total === 0 ? 0 : layer.size / total };
  });
}

export function storedLayers(layers: readonly ImageLayer[]): StoredLayer[] {
  return stepsOf(layers).filter((step): step is StoredLayer => step.digest !== null);
}

/** How one layer stands in two images. `moved`: both have it, above layers that differ. */
export interface AlignedLayer {
  in: 'both' | 'moved' | 'from' | 'to';
  layer: StoredLayer;
}

export interface Alignment {
  rows: AlignedLayer[];
  /** Bytes, each layer once. */
  both: number;
  onlyFrom: number;
  onlyTo: number;
}

/** The layers that both have from the base on, then what only the first has, then what the second has above them. */
export function alignLayers(from: readonly ImageLayer[], to: readonly ImageLayer[]): Alignment {
  const ours = storedLayers(from);
  const theirs = storedLayers(to);
  let common = 0;
  while (common < ours.length && ours[common]?.digest === theirs[common]?.digest) common++;
  const inFrom = new Set(ours.map((layer) => layer.digest));
  const inTo = new Set(theirs.map((layer) => layer.digest));
  const rows: AlignedLayer[] = [
    ...theirs.slice(0, common).map((layer) => ({ in: 'both' as const, layer })),
    ...ours
      .slice(common)
      .filter((layer) => !inTo.has(layer.digest))
      .map((layer) => ({ in: 'from' as const, layer })),
    ...theirs
      .slice(common)
      .map((layer) => ({ in: inFrom.has(layer.digest) ? ('moved' as const) : ('to' as const), layer })),
  ];
  const bytes = (which: (row: AlignedLayer) => boolean) => {
    const sizes = new Map(rows.filter(which).map(({ layer }) => [layer.digest, layer.size]));
    return [...sizes.values()].reduce((sum, size) => sum + size, 0);
  };
  return {
    rows,
    both: bytes((row) => row.in === 'both' || row.in === 'moved'),
    onlyFrom: bytes((row) => row.in === 'from'),
    onlyTo: bytes((row) => row.in === 'to'),
  };
}

/** A step as a Dockerfile would have it, without what the builder puts around it. */
export function stepText(command: string): string {
  const text = command
    .trim()
    .replace(/\s+# buildkit$/, '')
    .replace(/^\/bin\/sh -c #\(nop\)\s+/, '');
  if (text.startsWith('RUN /bin/sh -c ')) return `RUN ${text.slice(15)}`;
  if (text.startsWith('/bin/sh -c ')) return `RUN ${text.slice(11)}`;
  return text;
}
