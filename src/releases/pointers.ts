import type { Transaction } from 'kysely';
import type { Schema } from '../database/schema.ts';
import type { ReleasesContext } from './context.ts';
import { AUTOMATION } from './deployments.ts';
import { type DeploymentRow, type EnvironmentRow, environmentsOf, isOwnRepository, stackById } from './find.ts';
import { imagesOfRelease } from './releases.ts';

/*
 * Tags that follow deployments, for plain Docker: `env-<environment>` is what runs there, `stable` the last stable one of the last environment
 * in the order, `release-<number or version>` a release and never moved (`releases.ts`). They are ordinary tags with a history.
 */

export async function pointEnvironment(
  context: ReleasesContext,
  tx: Transaction<Schema>,
  environment: EnvironmentRow,
  deployment: DeploymentRow,
): Promise<void> {
  await point(context, tx, environment, deployment, `env-${environment.name}`);
}

export async function pointStable(
  context: ReleasesContext,
  tx: Transaction<Schema>,
  environment: EnvironmentRow,
  deployment: DeploymentRow,
): Promise<void> {
  const last = (await environmentsOf(tx, environment.stack_id)).at(-1);
  if (last?.id === environment.id) await point(context, tx, environment, deployment, 'stable');
}

async function point(
  context: ReleasesContext,
  tx: Transaction<Schema>,
  environment: EnvironmentRow,
  deployment: DeploymentRow,
  tag: string,
): Promise<void> {
  const stack = await stackById(tx, environment.stack_id);
  for (const { repository, digest } of await imagesOfRelease(tx, deployment.release_id)) {
    if (isOwnRepository(stack, repository)) await context.images.point(tx, repository, tag, digest, AUTOMATION);
  }
}
