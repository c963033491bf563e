import { OciError } from '../oci/errors.ts';
import type { FoundImage, ReleasesContext, Rows } from './context.ts';
import {
  type DeploymentRow,
  deploymentById,
  type EnvironmentRow,
  findEnvironment,
  findRelease,
  findStack,
  stackName,
} from './find.ts';
import { type DescribedImage, describedImage, imagesOfRelease, prepareRelease } from './releases.ts';
import { chooseImages, fileImage } from './resolution.ts';
import { stackFileText, type Viewpoint } from './stacks.ts';
import { storedVariables } from './variables.ts';

/** Versions of a stack's services for a laptop. Secrets are named, not given. */
export interface ResolvedSet {
  stack: string;
  environment: string | null;
  release: number | null;
  deployment: number | null;
  file: string;
  images: DescribedImage[];
  variables: Record<string, string>;
  secrets: string[];
}

/** What serves there: while another is on its way, or when it failed, the one before. */
async function runningDeployment(rows: Rows, environment: EnvironmentRow): Promise<DeploymentRow | undefined> {
  const good = await rows
    .selectFrom('deployments')
    .selectAll()
    .where('environment_id', '=', environment.id)
    .where('status', '=', 'success')
    .orderBy('number', 'desc')
    .executeTakeFirst();
  return good ?? deploymentById(rows, environment.current_deployment_id);
}

/** What an environment runs, or a release has, or the compose file names, with other images for some services. @throws OciError as `chooseImages` */
export async function resolveSet(
  context: ReleasesContext,
  namespace: string,
  name: string,
  wanted: {
    environment?: string | undefined;
    release?: number | undefined;
    images?: Readonly<Record<string, string>> | undefined;
  },
  view: Viewpoint,
): Promise<ResolvedSet> {
  const { read } = context.database;
  const stack = await findStack(read, namespace, name);
  if (wanted.environment !== undefined && wanted.release !== undefined) {
    throw new OciError('BODY_INVALID', 'release: give an environment or a release, not both');
  }
  const environment =
    wanted.environment === undefined ? undefined : await findEnvironment(read, stack, wanted.environment);
  const current = environment && (await runningDeployment(read, environment));
  if (environment !== undefined && current === undefined) {
    throw new OciError('CONFLICT', `environment: nothing was deployed to ${stackName(stack)}@${environment.name} yet`);
  }
  const release =
    wanted.release !== undefined
      ? await findRelease(read, stack, wanted.release)
      : current &&
        (await read.selectFrom('releases').selectAll().where('id', '=', current.release_id).executeTakeFirstOrThrow());
  const base = release === undefined ? [] : await imagesOfRelease(read, release.id);
  // The file's services may differ from the release's: those of the release's own file count.
  const images = await chooseImages(
    context,
    stack,
    wanted.images ?? {},
    async (service): Promise<FoundImage | undefined> =>
      base.find((image) => image.service === service.service) ?? fileImage(context, service),
    view,
  );
  for (const { service, repository } of images) {
    if (await view.mayRead(repository)) continue;
    throw new OciError('DENIED', `images: service ${service}: you may not read ${repository}`);
  }
  const prepared = await prepareRelease(context, stack, images);
  const stored =
    environment === undefined || current === undefined
      ? {}
      : await storedVariables(read, environment.id, current.config_version);
  return {
    stack: stackName(stack),
    environment: environment?.name ?? null,
    release: release?.number ?? null,
    deployment: current?.number ?? null,
    file: await stackFileText(read, stack, release?.file ?? stack.file),
    images: prepared.images.map(describedImage),
    variables: Object.fromEntries(
      Object.entries(stored).flatMap(([key, kept]) => ('value' in kept ? [[key, kept.value]] : [])),
    ),
    secrets: Object.entries(stored).flatMap(([key, kept]) => ('secret' in kept ? [key] : [])),
  };
}
