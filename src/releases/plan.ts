import { type ComposeService, parseComposeFile } from '../compose/file.ts';
import { healthOf, replacementOf } from '../compose/strategy.ts';
import { variablesOf } from '../compose/variables.ts';
import type { ReleasesContext, Rows } from './context.ts';
import {
  activeTargets,
  type DeploymentRow,
  deploymentById,
  findEnvironment,
  findStack,
  isOnline,
  type StackRow,
  stackName,
} from './find.ts';
import { choicesOf, type Wanted, type Wish } from './intent.ts';
import { refusalsOf } from './policy.ts';
import {
  type DescribedImage,
  describedImage,
  describedImages,
  prepareRelease,
  releaseWithContent,
} from './releases.ts';
import { stackFileText, type Viewpoint } from './stacks.ts';
import { diffVariables, storedVariables } from './variables.ts';

/** What a wish would do. */
export interface Plan {
  stack: string;
  environment: string;
  release: number | null;
  configVersion: number;
  restores: number | null;
  changes: PlanChange[];
  variables: { added: string[]; changed: string[]; removed: string[] };
  targets: { name: string; online: boolean }[];
  bytes: number;
  warnings: string[];
  refusals: string[];
}

export interface PlanChange {
  service: string;
  change: 'add' | 'replace' | 'remove' | 'none';
  from: DescribedImage | null;
  to: DescribedImage | null;
  order: 'start-first' | 'stop-first' | null;
  why: string;
  health: string;
}

/** Changes nothing. @throws OciError as `startDeployment`, but for what it would refuse */
export async function planDeployment(
  context: ReleasesContext,
  place: { namespace: string; stack: string; environment: string },
  wish: Wish,
  view: Viewpoint,
): Promise<Plan> {
  const { read } = context.database;
  const stack = await findStack(read, place.namespace, place.stack);
  const environment = await findEnvironment(read, stack, place.environment);
  const wanted = await choicesOf(context, stack, environment, wish, view);
  const target = await contentOf(context, stack, wanted);
  const current = await deploymentById(read, environment.current_deployment_id);
  const before = current === undefined ? undefined : await contentOfDeployment(read, stack, current);
  const configVersion =
    wish.kind === 'rollback' && !wish.keepConfig && wanted.restores !== undefined
      ? wanted.restores.config_version
      : environment.config_version;
  const changes = changesOf(before, target);
  const release = target.release ?? undefined;
  return {
    stack: stackName(stack),
    environment: environment.name,
    release: release?.number ?? null,
    configVersion,
    restores: wanted.restores?.number ?? null,
    changes,
    variables: await diffVariables(context, read, environment.id, current?.config_version ?? 0, configVersion),
    targets: (await activeTargets(read, environment.id)).map((row) => ({
      name: row.name,
      online: isOnline(context, row),
    })),
    bytes: await bytesOf(context, changes),
    warnings: await warningsOf(context, environment.id, configVersion, target),
    refusals: await refusalsOf(read, stack, environment, wish, { ...wanted, release }),
  };
}

interface Content {
  release: Wanted['release'] | undefined;
  file: string;
  images: DescribedImage[];
}

async function contentOf(context: ReleasesContext, stack: StackRow, wanted: Wanted): Promise<Content> {
  const { read } = context.database;
  if (wanted.release !== undefined) {
    return {
      release: wanted.release,
      file: await stackFileText(read, stack, wanted.release.file),
      images: await describedImages(read, wanted.release.id),
    };
  }
  const prepared = await prepareRelease(context, stack, wanted.images ?? []);
  return {
    release: await releaseWithContent(read, stack.id, prepared.content),
    file: await stackFileText(read, stack),
    images: prepared.images.map(describedImage),
  };
}

async function contentOfDeployment(rows: Rows, stack: StackRow, deployment: DeploymentRow): Promise<Content> {
  const release = await rows
    .selectFrom('releases')
    .selectAll()
    .where('id', '=', deployment.release_id)
    .executeTakeFirstOrThrow();
  return {
    release,
    file: await stackFileText(rows, stack, release.file),
    images: await describedImages(rows, release.id),
  };
}

function changesOf(before: Content | undefined, after: Content): PlanChange[] {
  const old = before === undefined ? undefined : parseComposeFile(before.file);
  const file = parseComposeFile(after.file);
  const changes: PlanChange[] = [];
  for (const [name, service] of file.services) {
    const from = before?.images.find((image) => image.service === name) ?? null;
    const to = after.images.find((image) => image.service === name) ?? null;
    const former = old?.services.get(name);
    const change =
      former === undefined
        ? 'add'
        : from?.digest === to?.digest && sameDefinition(former, service)
          ? 'none'
          : 'replace';
    const replacement = change === 'replace' && !service.migration ? replacementOf(service) : undefined;
    changes.push({
      service: name,
      change,
      from,
      to,
      order: replacement?.order ?? null,
      why: service.migration ? 'runs once, before the others' : (replacement?.why ?? ''),
      health: service.migration ? 'ends with 0' : healthOf(file, service).line,
    });
  }
  for (const name of old?.services.keys() ?? []) {
    if (file.services.has(name)) continue;
    const from = before?.images.find((image) => image.service === name) ?? null;
    changes.push({
      service: name,
      change: 'remove',
      from,
      to: null,
      order: null,
      why: 'the file has it no more',
      health: '',
    });
  }
  return changes;
}

function sameDefinition(a: ComposeService, b: ComposeService): boolean {
  return JSON.stringify({ ...a.definition, image: '' }) === JSON.stringify({ ...b.definition, image: '' });
}

async function bytesOf(context: ReleasesContext, changes: readonly PlanChange[]): Promise<number> {
  const images = new Map<string, number>();
  for (const { change, to } of changes) {
    if ((change !== 'add' && change !== 'replace') || to === null || images.has(to.digest)) continue;
    images.set(to.digest, (await context.images.describe(to.repository, to.digest)).bytes);
  }
  return [...images.values()].reduce((sum, bytes) => sum + bytes, 0);
}

async function warningsOf(
  context: ReleasesContext,
  environmentId: number,
  configVersion: number,
  content: Content,
): Promise<string[]> {
  const file = parseComposeFile(content.file);
  const known = await storedVariables(context.database.read, environmentId, configVersion);
  const warnings: string[] = [];
  for (const { name, hasDefault, required } of variablesOf(file)) {
    if (known[name] !== undefined || hasDefault) continue;
    warnings.push(
      required
        ? `the compose file needs the variable ${name}, which is not set: berth config set ${name}=…`
        : `the variable ${name} is not set: it will be empty`,
    );
  }
  for (const service of file.services.values()) {
    const health = healthOf(file, service);
    if (health.kind === 'running') {
      warnings.push(`service ${service.name} has no health check: ${health.line}`);
    }
  }
  return warnings;
}
