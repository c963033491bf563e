import { createHash } from 'node:crypto';
import type { Transaction } from 'kysely';
import type { Schema } from '../database/schema.ts';
import type { Digest } from '../oci/digest.ts';
import { OciError } from '../oci/errors.ts';
import type { RepositoryName } from '../oci/names.ts';
import type { Actor, PinnedTag, ReleasesContext, Rows } from './context.ts';
import {
  deploymentById,
  findEnvironment,
  findRelease,
  findStack,
  isOwnRepository,
  type ReleaseRow,
  type StackRow,
  stackName,
} from './find.ts';
import { chooseImages, fileImage, type ReleaseImage } from './resolution.ts';
import type { Viewpoint } from './stacks.ts';

/** An image of a release, with what its annotations say of where it came from. */
export interface DescribedImage {
  service: string;
  repository: RepositoryName;
  digest: Digest;
  tag: string | null;
  revision: string | null;
  source: string | null;
  version: string | null;
  created: string | null;
}

/** Times are ms since 1970. */
export interface Release {
  number: number;
  version: string | null;
  file: Digest;
  images: DescribedImage[];
  notes: string;
  createdBy: string;
  createdAt: number;
  revoked: { environment: string | null; by: string; at: number; reason: string }[];
  expiredAt: number | null;
}

/** Everything that a release is made of, found and described; nothing is written yet. */
export interface PreparedRelease {
  file: Digest;
  content: string;
  images: (ReleaseImage & { annotations: string })[];
}

/** Makes a release of what the references name now. The same content is one release. @throws OciError as `chooseImages`, and NAME_TAKEN */
export async function createRelease(
  context: ReleasesContext,
  namespace: string,
  name: string,
  wanted: {
    images?: Readonly<Record<string, string>> | undefined;
    from?: string | undefined;
    version?: string | undefined;
    notes?: string | undefined;
  },
  view: Viewpoint,
  actor: Actor,
): Promise<Release> {
  const { read } = context.database;
  const stack = await findStack(read, namespace, name);
  const running = wanted.from === undefined ? new Map() : await runningImages(context, stack, wanted.from);
  const images = await chooseImages(
    context,
    stack,
    wanted.images ?? {},
    async (service) => running.get(service.service) ?? fileImage(context, service),
    view,
  );
  const prepared = await prepareRelease(context, stack, images);
  const number = await context.database.transaction(async (tx) => {
    const found = await findStack(tx, namespace, name);
    const release = await insertRelease(context, tx, found, prepared, { ...wanted, actor });
    return release.number;
  });
  return getRelease(context, namespace, name, number);
}

/** What an environment is to run, by service. @throws OciError NOT_FOUND, CONFLICT when nothing was deployed there */
export async function runningImages(
  context: ReleasesContext,
  stack: StackRow,
  environment: string,
): Promise<Map<string, ReleaseImage>> {
  const { read } = context.database;
  const row = await findEnvironment(read, stack, environment);
  const current = await deploymentById(read, row.current_deployment_id);
  if (current === undefined) {
    throw new OciError('CONFLICT', `environment: nothing was deployed to ${stackName(stack)}@${environment} yet`);
  }
  return new Map((await imagesOfRelease(read, current.release_id)).map((image) => [image.service, image]));
}

export async function imagesOfRelease(rows: Rows, releaseId: number): Promise<ReleaseImage[]> {
  return rows
    .selectFrom('release_images')
    .select(['service', 'repository', 'digest', 'tag'])
    .where('release_id', '=', releaseId)
    .orderBy('service')
    .execute();
}

/** Reads what is shown of the images; takes longer than a transaction may. */
export async function prepareRelease(
  context: ReleasesContext,
  stack: StackRow,
  images: readonly ReleaseImage[],
): Promise<PreparedRelease> {
  const described = [];
  for (const image of images) {
    const { annotations } = await context.images.describe(image.repository, image.digest);
    described.push({ ...image, annotations: JSON.stringify(shownAnnotations(annotations)) });
  }
  return { file: stack.file, content: contentOf(stack.file, images), images: described };
}

/**
 * Writes a release, or finds the one that has the same content, and keeps its images from garbage collection.
 *
 * @throws OciError MANIFEST_UNKNOWN for an image that went meanwhile, NAME_TAKEN for a version that another release has
 */
export async function insertRelease(
  context: ReleasesContext,
  tx: Transaction<Schema>,
  stack: StackRow,
  prepared: PreparedRelease,
  wanted: { version?: string | undefined; notes?: string | undefined; actor: Actor },
): Promise<ReleaseRow> {
  for (const { service, repository, digest } of prepared.images) {
    if (await context.images.hold(tx, repository, digest)) continue;
    throw new OciError('MANIFEST_UNKNOWN', `images: service ${service}: ${repository}@${digest} was just deleted`);
  }
  // On PostgreSQL others who make a release of this stack wait here, so that one content is one release.
  if (context.database.kind === 'postgres') {
    await tx.selectFrom('stacks').select('id').where('id', '=', stack.id).forUpdate().execute();
  }
  const same = await releaseWithContent(tx, stack.id, prepared.content);
  if (same !== undefined && (wanted.version === undefined || same.version === wanted.version)) return same;
  const named = wanted.version === undefined ? undefined : await releaseOfVersion(tx, stack.id, wanted.version);
  if (named?.content === prepared.content && named.expired_at === null) return named;
  const { next_release: next } = await tx
    .updateTable('stacks')
    .set((set) => ({ next_release: set('next_release', '+', 1) }))
    .where('id', '=', stack.id)
    .returning('next_release')
    .executeTakeFirstOrThrow();
  if (wanted.version !== undefined) await requireFreeVersion(tx, stack, wanted.version);
  const release = await tx
    .insertInto('releases')
    .values({
      stack_id: stack.id,
      number: next - 1,
      version: wanted.version ?? null,
      file: prepared.file,
      content: prepared.content,
      notes: wanted.notes ?? '',
      created_by: wanted.actor.name,
      created_at: context.now(),
      expired_at: null,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  for (const { service, repository, digest, tag, annotations } of prepared.images) {
    await tx
      .insertInto('release_images')
      .values({ release_id: release.id, service, repository, digest, tag, annotations })
      .execute();
    if (isOwnRepository(stack, repository)) {
      await context.images.pin(tx, repository, pinOf(release, digest), wanted.actor);
    }
  }
  await context.record(tx, wanted.actor, {
    action: 'release.create',
    subject: `${stackName(stack)}#${release.number}`,
    detail: { images: Object.fromEntries(prepared.images.map(({ service, digest }) => [service, digest])) },
  });
  return release;
}

/** The immutable tag by which plain Docker finds a release. */
export function pinOf(release: Pick<ReleaseRow, 'number' | 'version'>, digest: Digest): PinnedTag {
  return { tag: `release-${release.version ?? release.number}`, pattern: 'release-*', digest };
}

/** The newest one that is not expired. */
export function releaseWithContent(rows: Rows, stackId: number, content: string): Promise<ReleaseRow | undefined> {
  return rows
    .selectFrom('releases')
    .selectAll()
    .where('stack_id', '=', stackId)
    .where('content', '=', content)
    .where('expired_at', 'is', null)
    .orderBy('number', 'desc')
    .limit(1)
    .executeTakeFirst();
}

/** Newest first. @throws OciError NOT_FOUND */
export async function listReleases(
  context: ReleasesContext,
  namespace: string,
  name: string,
  page: { before?: number | undefined; limit: number },
): Promise<{ releases: Release[]; more: boolean }> {
  const { read } = context.database;
  const stack = await findStack(read, namespace, name);
  const rows = await read
    .selectFrom('releases')
    .selectAll()
    .where('stack_id', '=', stack.id)
    .where('number', '<', page.before ?? 2_147_483_647)
    .orderBy('number', 'desc')
    .limit(page.limit + 1)
    .execute();
  const releases = [];
  for (const row of rows.slice(0, page.limit)) releases.push(await describeRelease(read, row));
  return { releases, more: rows.length > page.limit };
}

/** @throws OciError NOT_FOUND */
export async function getRelease(
  context: ReleasesContext,
  namespace: string,
  name: string,
  number: number,
): Promise<Release> {
  const { read } = context.database;
  return describeRelease(read, await findRelease(read, await findStack(read, namespace, name), number));
}

export interface ReleaseDiff {
  from: number;
  to: number;
  fileChanged: boolean;
  images: { service: string; from: DescribedImage | null; to: DescribedImage | null; changed: boolean }[];
}

/** @throws OciError NOT_FOUND */
export async function diffReleases(
  context: ReleasesContext,
  namespace: string,
  name: string,
  from: number,
  to: number,
): Promise<ReleaseDiff> {
  const before = await getRelease(context, namespace, name, from);
  const after = await getRelease(context, namespace, name, to);
  const services = [...new Set([...before.images, ...after.images].map((image) => image.service))].sort();
  return {
    from,
    to,
    fileChanged: before.file !== after.file,
    images: services.map((service) => {
      const old = before.images.find((image) => image.service === service) ?? null;
      const now = after.images.find((image) => image.service === service) ?? null;
      return { service, from: old, to: now, changed: old?.digest !== now?.digest };
    }),
  };
}

export async function describedImages(rows: Rows, releaseId: number): Promise<DescribedImage[]> {
  const images = await rows
    .selectFrom('release_images')
    .selectAll()
    .where('release_id', '=', releaseId)
    .orderBy('service')
    .execute();
  return images.map(describedImage);
}

/** @param image its annotations are those of `PreparedRelease`, and of the table */
export function describedImage(image: ReleaseImage & { annotations: string }): DescribedImage {
  const { service, repository, digest, tag, annotations } = image;
  return { service, repository, digest, tag, ...(JSON.parse(annotations) as Shown) };
}

async function describeRelease(rows: Rows, release: ReleaseRow): Promise<Release> {
  const revocations = await rows
    .selectFrom('release_revocations as v')
    .leftJoin('environments as e', 'e.id', 'v.environment_id')
    .select(['e.name', 'v.revoked_by', 'v.revoked_at', 'v.reason'])
    .where('v.release_id', '=', release.id)
    .orderBy('v.revoked_at')
    .execute();
  return {
    number: release.number,
    version: release.version,
    file: release.file,
    images: await describedImages(rows, release.id),
    notes: release.notes,
    createdBy: release.created_by,
    createdAt: release.created_at,
    revoked: revocations.map((row) => ({
      environment: row.name,
      by: row.revoked_by,
      at: row.revoked_at,
      reason: row.reason,
    })),
    expiredAt: release.expired_at,
  };
}

function releaseOfVersion(rows: Rows, stackId: number, version: string): Promise<ReleaseRow | undefined> {
  return rows
    .selectFrom('releases')
    .selectAll()
    .where('stack_id', '=', stackId)
    .where('version', '=', version)
    .executeTakeFirst();
}

async function requireFreeVersion(tx: Transaction<Schema>, stack: StackRow, version: string): Promise<void> {
  const taken = await releaseOfVersion(tx, stack.id, version);
  if (taken === undefined) return;
  throw new OciError(
    'NAME_TAKEN',
    `version: ${version} is release ${taken.number} of ${stackName(stack)}, with another content`,
  );
}

function contentOf(file: Digest, images: readonly ReleaseImage[]): string {
  const hash = createHash('sha256').update(file);
  const sorted = [...images].sort((a, b) => (a.service < b.service ? -1 : 1));
  for (const { service, repository, digest } of sorted) hash.update(`\n${service} ${repository}@${digest}`);
  return hash.digest('hex');
}

interface Shown {
  revision: string | null;
  source: string | null;
  version: string | null;
  created: string | null;
}

/** OCI Image 1.1 "Annotations", and the older `org.label-schema`. */
function shownAnnotations(annotations: Readonly<Record<string, string>>): Shown {
  const of = (name: string, older: string) =>
    annotations[`org.opencontainers.image.${name}`] ?? annotations[`org.label-schema.${older}`] ?? null;
  const clipped = (text: string | null) => (text === null ? null : text.slice(0, 500));
  return {
    revision: clipped(of('revision', 'vcs-ref')),
    source: clipped(of('source', 'vcs-url')),
    version: clipped(of('version', 'version')),
    created: clipped(of('created', 'build-date')),
  };
}
