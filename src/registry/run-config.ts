import { platformText } from './image-config.ts';
import { labelsOf } from './image-documents.ts';
import type { Descriptor } from './image-facts.ts';
import { momentOf, objectOf, textOf, textsOf } from './json-values.ts';

/** How an image is run (OCI Image 1.1 "Image Configuration", and Docker's). Lists are cut at 1,000 entries. */
export interface RunConfig {
  platform: string | null;
  /** ISO 8601 */
  createdAt: string | null;
  author: string | null;
  user: string | null;
  workingDirectory: string | null;
  entrypoint: string[];
  command: string[];
  environment: { name: string; value: string }[];
  /** `80/tcp` */
  ports: string[];
  volumes: string[];
  labels: Record<string, string>;
  stopSignal: string | null;
  healthcheck: string[] | null;
}

/** A layer with what made it, or a step that made none. */
export interface ImageLayer {
  digest: string | null;
  mediaType: string | null;
  size: number;
  /** '' when it is not said. */
  command: string;
  /** ISO 8601 */
  createdAt: string | null;
}

const MOST_ENTRIES = 1_000;
/** Docker makes at most 127 layers. */
const MOST_LAYERS = 1_000;

/** What a config says. Somebody pushed it, so each of its values may be anything. */
export function runConfigOf(document: Record<string, unknown>): RunConfig {
  const run = objectOf(document.config);
  const healthcheck = textsOf(objectOf(run.Healthcheck).Test, MOST_ENTRIES);
  return {
    platform: platformText(document),
    createdAt: momentOf(document.created),
    author: textOf(document.author),
    user: textOf(run.User),
    workingDirectory: textOf(run.WorkingDir),
    entrypoint: textsOf(run.Entrypoint, MOST_ENTRIES),
    command: textsOf(run.Cmd, MOST_ENTRIES),
    environment: textsOf(run.Env, MOST_ENTRIES).map(variableOf),
    ports: keysOf(run.ExposedPorts),
    volumes: keysOf(run.Volumes),
    labels: labelsOf(document),
    stopSignal: textOf(run.StopSignal),
    healthcheck: healthcheck.length === 0 ? null : healthcheck,
  };
}

/**
 * Layers with the steps that made them, the base first. A config's history and a manifest's layers are bound by their order alone: a history
 * that claims more layers than there are says nothing about any, and layers behind its end are without a step.
 *
 * @param config undefined for an artifact, whose parts have no steps
 * @param sizes of what is stored; a layer that lives elsewhere is as large as the manifest says
 */
export function layersOf(
  layers: readonly Descriptor[],
  config: Record<string, unknown> | undefined,
  sizes: ReadonlyMap<string, number>,
): ImageLayer[] {
  const layerOf = (layer: Descriptor | undefined): Pick<ImageLayer, 'digest' | 'mediaType' | 'size'> => {
    if (layer === undefined) return { digest: null, mediaType: null, size: 0 };
    return { digest: layer.digest, mediaType: layer.mediaType, size: sizes.get(layer.digest) ?? layer.size };
  };
  const history = Array.isArray(config?.history) ? config.history : [];
  const steps = history.slice(0, MOST_LAYERS).map(stepOf);
  const filled = steps.filter((step) => !step.empty).length;
  let next = 0;
  const found: ImageLayer[] = [];
  for (const { command, createdAt, empty } of filled > layers.length ? [] : steps) {
    found.push({ ...layerOf(empty ? undefined : layers[next++]), command, createdAt });
  }
  for (const layer of layers.slice(next)) found.push({ ...layerOf(layer), command: '', createdAt: null });
  return found.slice(0, MOST_LAYERS);
}

function stepOf(value: unknown): { command: string; createdAt: string | null; empty: boolean } {
  const step = objectOf(value);
  return {
    command: textOf(step.created_by) ?? textOf(step.comment) ?? '',
    createdAt: momentOf(step.created),
    empty: step.empty_layer === true,
  };
}

function variableOf(text: string): { name: string; value: string } {
  const equals = text.indexOf('=');
  if (equals < 0) return { name: text, value: '' };
  return { name: text.slice(0, equals), value: text.slice(equals + 1) };
}

function keysOf(value: unknown): string[] {
  return Object.keys(objectOf(value)).slice(0, MOST_ENTRIES);
}
