import semver from 'semver';
import type { Digest } from '../oci/digest.ts';
import { isDigest } from '../oci/digest.ts';
import { OciError } from '../oci/errors.ts';
import { isRepositoryName, isTag, type RepositoryName } from '../oci/names.ts';
import { matchesPattern } from '../oci/tag-pattern.ts';
import type { FoundImage, ReleasesContext, Rows } from './context.ts';
import { clip, type EnvironmentRow, type StackRow, stackName } from './find.ts';
import type { Viewpoint } from './stacks.ts';

/** What one service of a release runs. */
export interface ReleaseImage extends FoundImage {
  service: string;
}

/** What an environment follows for a service. */
export interface Tracking {
  kind: 'tag' | 'semver' | 'pattern';
  value: string;
}

/** A service of the stack's file whose image is of this registry. */
export interface StackService {
  service: string;
  repository: RepositoryName;
  reference: string;
}

export function servicesOf(rows: Rows, stackId: number): Promise<StackService[]> {
  return rows
    .selectFrom('stack_services')
    .select(['service', 'repository', 'reference'])
    .where('stack_id', '=', stackId)
    .orderBy('service')
    .execute();
}

export function trackingOf(environment: Pick<EnvironmentRow, 'track'>): Record<string, Tracking> {
  return JSON.parse(environment.track) as Record<string, Tracking>;
}

/**
 * Resolves a reference for each service, once: from here on there are only digests.
 *
 * @param choices by service: a tag, a digest, or `repository:tag` (`repository@digest`)
 * @param base what the services that are not chosen run
 * @throws OciError BODY_INVALID for a service that the stack does not have, MANIFEST_UNKNOWN for an image that is not there, DENIED
 */
export async function chooseImages(
  context: ReleasesContext,
  stack: StackRow,
  choices: Readonly<Record<string, string>>,
  base: (service: StackService) => Promise<FoundImage | undefined>,
  view: Viewpoint,
): Promise<ReleaseImage[]> {
  const services = await servicesOf(context.database.read, stack.id);
  for (const name of Object.keys(choices)) {
    if (services.some(({ service }) => service === name)) continue;
    throw new OciError(
      'BODY_INVALID',
      `images: ${stackName(stack)} has no service ${clip(name)} with an image of this registry; it has ${services.map((each) => each.service).join(', ') || 'none'}`,
    );
  }
  const images: ReleaseImage[] = [];
  for (const service of services) {
    const choice = choices[service.service];
    const ofItself = choice === undefined || isDigest(choice) || isTag(choice);
    if (ofItself) await requireReadable(view, service.service, service.repository);
    const found = choice === undefined ? await base(service) : await choose(context, service, choice, view);
    if (found === undefined) {
      const wanted = choice ?? `${service.repository}:${service.reference}`;
      throw new OciError(
        'MANIFEST_UNKNOWN',
        `images: service ${service.service}: ${clip(wanted)} is not in this registry; push it first, or choose another`,
        { service: service.service },
      );
    }
    await requireReadable(view, service.service, found.repository);
    images.push({ service: service.service, ...found });
  }
  return images;
}

/** It may have become private since the file was given. @throws OciError DENIED */
async function requireReadable(view: Viewpoint, service: string, repository: RepositoryName): Promise<void> {
  if (await view.mayRead(repository)) return;
  throw new OciError('DENIED', `images: service ${service}: you may not read its repository, or there is none`);
}

async function choose(
  context: ReleasesContext,
  service: StackService,
  choice: string,
  view: Viewpoint,
): Promise<FoundImage | undefined> {
  if (isDigest(choice)) return context.images.find(service.repository, choice);
  const named = /^(.+?)(?:@|:)((?:sha(?:256|512):[0-9a-f]+)|[A-Za-z0-9_][A-Za-z0-9._-]{0,127})$/.exec(choice);
  if (named === null) return isTag(choice) ? context.images.find(service.repository, choice) : undefined;
  const [, repository = '', reference = ''] = named;
  if (!isRepositoryName(repository)) {
    throw new OciError(
      'BODY_INVALID',
      `images: service ${service.service}: ${clip(choice)} is not a tag, a digest or repository:tag`,
    );
  }
  if (!(await view.mayRead(repository))) {
    throw new OciError('DENIED', `images: you may not read ${repository}, or there is no such repository`);
  }
  return context.images.find(repository, reference);
}

/** The image of the compose file's own tag. */
export function fileImage(context: ReleasesContext, service: StackService): Promise<FoundImage | undefined> {
  return context.images.find(service.repository, service.reference);
}

/** What an environment would run of a service by what it tracks; undefined when there is no such tag. */
export async function trackedImage(
  context: ReleasesContext,
  service: StackService,
  tracking: Tracking,
): Promise<FoundImage | undefined> {
  const { kind, value } = tracking;
  if (kind === 'tag') return context.images.find(service.repository, value);
  const tags = await context.images.tags(service.repository);
  const best = kind === 'semver' ? highest(tags, value) : newest(tags.filter(({ name }) => follows(value, name)));
  return best === undefined ? undefined : context.images.find(service.repository, best.name);
}

/** Whether a push of this tag can change what is tracked. */
export function tracks(tracking: Tracking, tag: string): boolean {
  if (tracking.kind === 'tag') return tracking.value === tag;
  if (tracking.kind === 'pattern') return follows(tracking.value, tag);
  const version = versionOf(tag);
  return version !== null && semver.satisfies(version, tracking.value);
}

/** @returns what is wrong; undefined when it can be tracked */
export function trackingFault({ kind, value }: Tracking): string | undefined {
  if (kind === 'tag') return isTag(value) ? undefined : `${JSON.stringify(clip(value))} is not a tag`;
  if (kind === 'pattern') {
    return /^[A-Za-z0-9_*?][A-Za-z0-9._*?-]*$/.test(value)
      ? undefined
      : `${JSON.stringify(clip(value))} is not a pattern of [a-zA-Z0-9._-], * and ?`;
  }
  return semver.validRange(value) === null
    ? `${JSON.stringify(clip(value))} is not a range of versions, as in ^1.4`
    : undefined;
}

interface TagRow {
  name: string;
  digest: Digest;
  updatedAt: number;
}

function highest(tags: readonly TagRow[], range: string): TagRow | undefined {
  let best: { tag: TagRow; version: semver.SemVer } | undefined;
  for (const tag of tags) {
    const version = versionOf(tag.name);
    if (version === null || !semver.satisfies(version, range)) continue;
    if (best === undefined || semver.gt(version, best.version)) best = { tag, version };
  }
  return best?.tag;
}

function newest(tags: readonly TagRow[]): TagRow | undefined {
  return tags.reduce<TagRow | undefined>(
    (best, tag) => (best === undefined || tag.updatedAt >= best.updatedAt ? tag : best),
    undefined,
  );
}

/** `1.4.2` or `v1.4.2`; a tag such as `1.4` moves, and is no version. */
function versionOf(tag: string): semver.SemVer | null {
  return semver.parse(tag.replace(/^v/, ''));
}

/** Tags of the release engine (`pointers.ts`) say what was deployed, not what is new: only a pattern that begins as they do means them. */
function follows(pattern: string, tag: string): boolean {
  if (/^[*?]/.test(pattern) && /^(?:env-.+|release-.+|stable)$/.test(tag)) return false;
  return matchesPattern(pattern, tag);
}
