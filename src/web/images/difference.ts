import type { ImageConfig, ImageInfo } from '../../api/images.ts';

/** What of an image may differ; `run` is how it is run, `about` what it says of itself. */
export const DIFFERENCE_GROUPS = ['run', 'environment', 'ports', 'volumes', 'labels', 'annotations', 'about'] as const;
export type DifferenceGroup = (typeof DIFFERENCE_GROUPS)[number];

export interface Difference {
  group: DifferenceGroup;
  /** Of `run` and `about` the property's name, else what the image calls it. */
  name: string;
  kind: 'added' | 'removed' | 'changed';
  from: string | null;
  to: string | null;
}

type Side = Pick<ImageInfo, 'config' | 'annotations' | 'revision' | 'source' | 'version'>;

/** What the second image has that the first has not, has no more, or has otherwise; in the order of the groups. */
export function differencesOf(from: Side, to: Side): Difference[] {
  const fields = (side: Side): Record<DifferenceGroup, Map<string, string>> => ({
    run: runOf(side.config),
    environment: new Map((side.config?.environment ?? []).map(({ name, value }) => [name, value])),
    ports: new Map((side.config?.ports ?? []).map((port) => [port, port])),
    volumes: new Map((side.config?.volumes ?? []).map((volume) => [volume, volume])),
    labels: own(side.config?.labels ?? {}),
    annotations: own(side.annotations),
    about: present({ version: side.version, revision: side.revision, source: side.source }),
  });
  const ours = fields(from);
  const theirs = fields(to);
  return DIFFERENCE_GROUPS.flatMap((group) => differing(group, ours[group], theirs[group]));
}

const OF_ABOUT = /^org\.opencontainers\.image\.(version|revision|source)$/;

/** Without those that `about` says. */
function own(values: Readonly<Record<string, string>>): Map<string, string> {
  return new Map(Object.entries(values).filter(([name]) => !OF_ABOUT.test(name)));
}

function runOf(config: ImageConfig | null): Map<string, string> {
  if (config === null) return new Map();
  return present({
    platform: config.platform,
    entrypoint: execForm(config.entrypoint),
    command: execForm(config.command),
    workingDirectory: config.workingDirectory,
    user: config.user,
    stopSignal: config.stopSignal,
    healthcheck: config.healthcheck === null ? null : execForm(config.healthcheck),
    author: config.author,
  });
}

/** As a Dockerfile writes it: `["nginx", "-g", "daemon off;"]`; null for nothing. */
export function execForm(words: readonly string[]): string | null {
  return words.length === 0 ? null : `[${words.map((word) => JSON.stringify(word)).join(', ')}]`;
}

function present(values: Record<string, string | null>): Map<string, string> {
  return new Map(
    Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== null && entry[1] !== ''),
  );
}

function differing(
  group: DifferenceGroup,
  from: ReadonlyMap<string, string>,
  to: ReadonlyMap<string, string>,
): Difference[] {
  const names = [...new Set([...from.keys(), ...to.keys()])];
  // What the image named itself has no order of its own.
  if (group !== 'run' && group !== 'about') names.sort();
  return names.flatMap((name) => {
    const before = from.get(name) ?? null;
    const after = to.get(name) ?? null;
    if (before === after) return [];
    const kind = before === null ? 'added' : after === null ? 'removed' : 'changed';
    return [{ group, name, kind, from: before, to: after }];
  });
}
