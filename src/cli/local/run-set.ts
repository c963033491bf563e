import type { ResolvedSet } from '../../api/releases.ts';
import { type ComposeFile, parseComposeFile } from '../../compose/file.ts';
import { hostPorts, localComposeFile, servicesOf } from '../../compose/local.ts';
import { interpolate } from '../../compose/variables.ts';
import { note, safe } from '../terminal.ts';
import { CommandError } from '../usage.ts';
import { containersOf } from './containers.ts';
import type { Docker } from './docker.ts';
import { choosePorts } from './ports.ts';
import { pullMissing, type RegistryLogin } from './pull.ts';
import { removeImages } from './remove.ts';
import { type ImageOfSet, type LocalSet, projectName, type Sets } from './set.ts';
import { PortTakenError, type Startable, startSet, waitForSet } from './start.ts';
import { pinnedImage } from './table.ts';
import { collectVariables, lookup, type Sources } from './variables.ts';

export interface RunOptions {
  docker: Docker;
  sets: Sets;
  resolved: ResolvedSet;
  /** What the set is called beside the stack's name. */
  name: string;
  only: readonly string[];
  /** The registry's name in images. */
  registry: string;
  login: () => Promise<RegistryLogin | undefined>;
  sources: Sources;
  wait: boolean;
  timeoutMs: number;
}

/** How often a port that was taken between the choice and the start is chosen anew. */
const TRIES = 4;

/**
 * Brings a set up, or up to date when it is there already.
 *
 * @returns the set, and whether all of it was ready in time
 * @throws CommandError, OciError
 */
export async function runSet(options: RunOptions): Promise<{ set: LocalSet; ready: boolean }> {
  const { docker, sets, resolved, name, only, registry, sources } = options;
  const file = parseComposeFile(resolved.file);
  const services = servicesOf(file, only);
  const project = projectName(resolved.stack, name);
  const before = sets.find(project);
  if (before !== undefined && before.stack !== resolved.stack) {
    throw new CommandError(`${project} is a set of ${before.stack} already; give this one another name with --name`);
  }
  const value = lookup(sources);
  const images = imagesOf(file, services, resolved, registry, value);
  const references = Object.fromEntries(images.map(({ service, reference }) => [service, reference]));
  const labels = { 'io.berth.stack': resolved.stack, 'io.berth.local': name };
  const render = (ports: ReadonlyMap<string, number>) =>
    localComposeFile(file, { services, images: references, labels, ports, value });
  // Before anything is pulled: what is missing is known now.
  const first = render(new Map());
  const variables = collectVariables(parseComposeFile(first.text), sources, note);
  for (const line of first.notes) note(`note: ${safe(line)}`);
  let set: LocalSet = {
    project,
    name,
    stack: resolved.stack,
    environment: resolved.environment,
    release: resolved.release,
    images,
    ports: before?.ports ?? {},
    pulled: before?.pulled ?? [],
    startedAt: new Date().toISOString(),
  };
  const pulled: string[] = [];
  try {
    const all = images.map(({ reference }) => reference);
    await pullMissing(all, pulled, { docker, registry, login: options.login });
  } finally {
    set = { ...set, pulled: [...new Set([...set.pulled, ...pulled])] };
    // Whatever comes next, berth down knows of them.
    if (pulled.length > 0) sets.save(before === undefined ? set : { ...before, pulled: set.pulled });
  }
  const deadline = performance.now() + options.timeoutMs;
  const taken = new Set<number>();
  const migrated = new Set<string>();
  for (let tries = 1; ; tries++) {
    const ports = await portsFor(options, file, services, project, set.ports, taken);
    const { text } = render(ports);
    set = { ...set, ports: Object.fromEntries(ports) };
    sets.save(set, { file: text, variables });
    const startable = {
      docker,
      project,
      path: sets.composeFile(project),
      file,
      services,
      variables,
      migrated,
    };
    try {
      const ready = await startAndWait(startable, deadline, options.wait);
      return { set: await withoutReplaced(docker, sets, set), ready };
    } catch (error) {
      if (!(error instanceof PortTakenError)) throw error;
      if (tries === TRIES) throw new CommandError(`${error.message} by something else, and so were others before it`);
      taken.add(error.port);
    }
  }
}

async function startAndWait(set: Startable, deadline: number, wait: boolean): Promise<boolean> {
  if (!(await startSet(set, deadline))) return false;
  return !wait || (await waitForSet(set, deadline));
}

/** By service, what runs: of this registry by the resolved digest, else as the file pins it. */
function imagesOf(
  file: ComposeFile,
  services: ReadonlySet<string>,
  resolved: ResolvedSet,
  registry: string,
  value: (name: string) => string | undefined,
): ImageOfSet[] {
  return [...services].map((service) => {
    const migration = file.services.get(service)?.migration ?? false;
    const found = resolved.images.find((image) => image.service === service);
    if (found !== undefined) {
      const { repository, digest, tag } = found;
      return { service, reference: `${registry}/${repository}@${digest}`, tag, digest, migration };
    }
    const text = interpolate(file.services.get(service)?.image ?? '', value, `file: services.${service}.image`);
    return { service, reference: text, ...pinnedImage(text), migration };
  });
}

async function portsFor(
  { docker, sets, sources }: RunOptions,
  file: ComposeFile,
  services: ReadonlySet<string>,
  project: string,
  before: Readonly<Record<string, number>>,
  taken: ReadonlySet<number>,
): Promise<Map<string, number>> {
  const held = new Set<number>();
  const others = new Set(taken);
  for (const container of await containersOf(docker)) {
    for (const { port } of container.published) (container.project === project ? held : others).add(port);
  }
  for (const set of sets.list())
    if (set.project !== project) for (const port of Object.values(set.ports)) others.add(port);
  const wanted = hostPorts(file, services, lookup(sources));
  const chosen = await choosePorts({ wanted, before, held, taken: others });
  for (const { key, wanted: preferred } of wanted) {
    const port = chosen.get(key);
    if (port !== undefined && port !== before[key] && !preferred.includes(port)) {
      note(`port ${preferred[0]} is taken: ${key.split(' ', 1)[0]} has ${port} instead`);
    }
  }
  return chosen;
}

/** Images that an earlier version of the set was started with go, once nothing runs them. */
async function withoutReplaced(docker: Docker, sets: Sets, set: LocalSet): Promise<LocalSet> {
  const used = new Set(set.images.map(({ reference }) => reference));
  const replaced = set.pulled.filter((reference) => !used.has(reference));
  if (replaced.length === 0) return set;
  await removeImages(docker, sets, set, replaced);
  const left = { ...set, pulled: set.pulled.filter((reference) => used.has(reference)) };
  sets.save(left);
  return left;
}
