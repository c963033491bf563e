import { OciError } from '../oci/errors.ts';
import type { FoundImage, ReleasesContext, Rows } from './context.ts';
import {
  type DeploymentRow,
  deploymentById,
  type EnvironmentRow,
  environmentName,
  environmentsOf,
  findDeployment,
  findEnvironment,
  findRelease,
  type ReleaseRow,
  type StackRow,
} from './find.ts';
import { imagesOfRelease } from './releases.ts';
import { chooseImages, fileImage, type ReleaseImage, trackedImage, trackingOf } from './resolution.ts';
import { stableBefore } from './stable.ts';
import type { Viewpoint } from './stacks.ts';

/** What a person asks for. */
export type Wish =
  | {
      kind: 'deploy';
      release?: number | undefined;
      images?: Readonly<Record<string, string>> | undefined;
      force: boolean;
    }
  | { kind: 'promote'; from?: string | undefined; release?: number | undefined; force: boolean }
  | { kind: 'rollback'; to?: number | undefined; keepConfig: boolean; reason: string; force: boolean };

/** What that comes to: a release that is there, or the images of one that may have to be made. */
export interface Wanted {
  release?: ReleaseRow | undefined;
  images?: ReleaseImage[];
  /** Of a rollback. */
  restores?: DeploymentRow;
  /** Of a promotion: where the release runs now. */
  from?: EnvironmentRow;
}

/** @throws OciError NOT_FOUND, CONFLICT when there is nothing to promote or to go back to; as `chooseImages` */
export async function choicesOf(
  context: ReleasesContext,
  stack: StackRow,
  environment: EnvironmentRow,
  wish: Wish,
  view: Viewpoint,
): Promise<Wanted> {
  const { read } = context.database;
  switch (wish.kind) {
    case 'deploy':
      if (wish.release !== undefined) {
        if (wish.images !== undefined && Object.keys(wish.images).length > 0) {
          throw new OciError('BODY_INVALID', 'images: a release has its own images; give the one or the other');
        }
        return { release: await findRelease(read, stack, wish.release) };
      }
      return { images: await deployedImages(context, stack, environment, wish.images ?? {}, view) };
    case 'promote':
      return promoted(read, stack, environment, wish);
    case 'rollback':
      return restored(read, stack, environment, wish);
  }
}

/** The chosen ones; of the rest what is tracked, else what runs, else what the compose file names. */
async function deployedImages(
  context: ReleasesContext,
  stack: StackRow,
  environment: EnvironmentRow,
  choices: Readonly<Record<string, string>>,
  view: Viewpoint,
): Promise<ReleaseImage[]> {
  const { read } = context.database;
  const current = await deploymentById(read, environment.current_deployment_id);
  const running = current === undefined ? [] : await imagesOfRelease(read, current.release_id);
  const tracking = trackingOf(environment);
  return chooseImages(
    context,
    stack,
    choices,
    async (service): Promise<FoundImage | undefined> => {
      const tracked = tracking[service.service];
      if (tracked !== undefined) return trackedImage(context, service, tracked);
      const runs = running.find(
        (image) => image.service === service.service && image.repository === service.repository,
      );
      const isChosen = Object.keys(choices).length > 0;
      return isChosen && runs !== undefined ? runs : fileImage(context, service);
    },
    view,
  );
}

async function promoted(
  rows: Rows,
  stack: StackRow,
  environment: EnvironmentRow,
  wish: Extract<Wish, { kind: 'promote' }>,
): Promise<Wanted> {
  const from =
    wish.from === undefined
      ? await environmentBefore(rows, stack, environment)
      : await findEnvironment(rows, stack, wish.from);
  if (from?.id === environment.id) {
    throw new OciError(
      'BODY_INVALID',
      `from: is ${environment.name} itself; name the environment that the release comes from`,
    );
  }
  if (wish.release !== undefined) {
    return { release: await findRelease(rows, stack, wish.release), ...(from === undefined ? {} : { from }) };
  }
  if (from === undefined) {
    throw new OciError(
      'CONFLICT',
      `environment: ${environmentName(stack, environment)} is the first in the order; give "from" or a release`,
    );
  }
  const current = await deploymentById(rows, from.current_deployment_id);
  if (current === undefined) {
    throw new OciError('CONFLICT', `from: nothing was deployed to ${environmentName(stack, from)} yet`);
  }
  const release = await rows
    .selectFrom('releases')
    .selectAll()
    .where('id', '=', current.release_id)
    .executeTakeFirstOrThrow();
  return { release, from };
}

/** What a rollback brings back. @throws OciError NOT_FOUND, CONFLICT */
export async function restored(
  rows: Rows,
  stack: StackRow,
  environment: EnvironmentRow,
  wish: Extract<Wish, { kind: 'rollback' }>,
): Promise<Wanted> {
  const current = await deploymentById(rows, environment.current_deployment_id);
  if (current === undefined) {
    throw new OciError('CONFLICT', `environment: nothing was deployed to ${environmentName(stack, environment)} yet`);
  }
  const restores =
    wish.to === undefined ? await stableBefore(rows, current) : await findDeployment(rows, environment, wish.to);
  if (restores === undefined) {
    throw new OciError(
      'CONFLICT',
      `environment: ${environmentName(stack, environment)} has no stable deployment before v${current.number} to go back to; name one with "to"`,
    );
  }
  const release = await rows
    .selectFrom('releases')
    .selectAll()
    .where('id', '=', restores.release_id)
    .executeTakeFirstOrThrow();
  return { release, restores };
}

/** The one that promotion comes from. */
export async function environmentBefore(
  rows: Rows,
  stack: StackRow,
  environment: EnvironmentRow,
): Promise<EnvironmentRow | undefined> {
  const ordered = await environmentsOf(rows, stack.id);
  return ordered[ordered.findIndex((each) => each.id === environment.id) - 1];
}
