import type { Transaction } from 'kysely';
import type { Schema } from '../database/schema.ts';
import { OciError } from '../oci/errors.ts';
import type { RepositoryName } from '../oci/names.ts';
import type { Actor, ReleasesContext, Rows } from './context.ts';
import { queueDeployment, queuedDeployment } from './deployments.ts';
import {
  deploymentById,
  type EnvironmentRow,
  isOwnRepository,
  lockEnvironment,
  type StackRow,
  stackById,
} from './find.ts';
import { advance } from './progress.ts';
import { imagesOfRelease, insertRelease, prepareRelease, releaseWithContent } from './releases.ts';
import { requestDeployment } from './requests.ts';
import { fileImage, type ReleaseImage, servicesOf, trackedImage, trackingOf, tracks } from './resolution.ts';
import { culpritsOf, revocationOf } from './revocations.ts';

/*
 * Deploy on push. The push writes down, in its own transaction, which environments follow the tag that it moved; any process then
 * looks at those. So no push is lost with a process, and looking twice changes nothing.
 */

/** Called in the transaction that moves a tag. */
export async function tagMoved(
  context: Pick<ReleasesContext, 'now'>,
  tx: Transaction<Schema>,
  moved: { repository: RepositoryName; tag: string; actor: Actor },
): Promise<void> {
  const rows = await tx
    .selectFrom('stack_services as s')
    .innerJoin('environments as e', 'e.stack_id', 's.stack_id')
    .select(['s.service', 'e.id', 'e.track'])
    .where('s.repository', '=', moved.repository)
    .where('e.deploy_on_push', '=', 1)
    .execute();
  for (const row of rows) {
    const tracking = trackingOf(row)[row.service];
    if (tracking === undefined || !tracks(tracking, moved.tag)) continue;
    await requestDeployment(context, tx, row.id, moved.actor, `${moved.repository}:${moved.tag}`);
  }
}

/** Looks at every environment that something was pushed for. @returns how many deployments were made */
export async function followPushes(context: ReleasesContext): Promise<number> {
  const waiting = await context.database.read.selectFrom('environment_triggers').selectAll().limit(100).execute();
  let made = 0;
  for (const trigger of waiting) if (await follow(context, trigger)) made++;
  return made;
}

interface Trigger {
  environment_id: number;
  requested_at: number;
  actor: string;
  cause: string;
}

async function follow(context: ReleasesContext, trigger: Trigger): Promise<boolean> {
  const { read } = context.database;
  const environment = await read
    .selectFrom('environments')
    .selectAll()
    .where('id', '=', trigger.environment_id)
    .executeTakeFirst();
  if (environment === undefined) return false;
  const stack = await stackById(read, environment.stack_id);
  const images = await followedImages(context, read, stack, environment);
  const prepared = images === undefined ? undefined : await prepareRelease(context, stack, images);
  const actor = { name: trigger.actor, source: '' };
  return context.database
    .transaction(async (tx) => {
      const row = await lockEnvironment(context, tx, environment.id);
      if (row === undefined || !(await takeTrigger(tx, trigger))) return false;
      if (prepared === undefined || row.deploy_on_push === 0 || row.held_at !== null) return false;
      const same = await releaseWithContent(tx, stack.id, prepared.content);
      if (same !== undefined) {
        if ((await revocationOf(tx, same.id, row.id)) !== undefined) return false;
        const current = await deploymentById(tx, row.current_deployment_id);
        const latest = (await queuedDeployment(tx, row.id)) ?? current;
        // What is wanted already, and what was wanted already and then failed.
        if (latest?.release_id === same.id && latest.config_version === row.config_version) return false;
      }
      const release = await insertRelease(context, tx, stack, prepared, { notes: trigger.cause, actor });
      await queueDeployment(context, tx, stack, row, {
        releaseId: release.id,
        configVersion: row.config_version,
        reason: 'push',
        actor,
      });
      await advance(context, tx, row.id);
      return true;
    })
    .catch((error: unknown) => {
      // An image that was deleted between two reads: its own deletion is nothing that is followed.
      if (error instanceof OciError && error.code === 'MANIFEST_UNKNOWN') return false;
      throw error;
    });
}

/** False when another process was faster, or there was another push since. */
async function takeTrigger(tx: Transaction<Schema>, trigger: Trigger): Promise<boolean> {
  const { numDeletedRows } = await tx
    .deleteFrom('environment_triggers')
    .where('environment_id', '=', trigger.environment_id)
    .where('requested_at', '=', trigger.requested_at)
    .where('cause', '=', trigger.cause)
    .executeTakeFirst();
  return numDeletedRows > 0n;
}

/**
 * What an environment would run now: what it tracks, unless it was rolled back there, for the rest what it runs, and for what it never ran the tag of the compose file.
 *
 * @returns undefined while an image is missing: there is nothing whole to deploy yet
 */
export async function followedImages(
  context: ReleasesContext,
  rows: Rows,
  stack: StackRow,
  environment: EnvironmentRow,
): Promise<ReleaseImage[] | undefined> {
  const current = await deploymentById(rows, environment.current_deployment_id);
  const running = current === undefined ? [] : await imagesOfRelease(rows, current.release_id);
  const tracking = trackingOf(environment);
  const culprits = await culpritsOf(rows, environment.id);
  const images: ReleaseImage[] = [];
  for (const service of await servicesOf(rows, stack.id)) {
    if (!(await mayFollow(rows, stack, service.repository))) return undefined;
    const tracked = tracking[service.service];
    const runs = running.find((image) => image.service === service.service && image.repository === service.repository);
    const followed = tracked === undefined ? runs : await trackedImage(context, service, tracked);
    const wanted = followed ?? (tracked === undefined ? await fileImage(context, service) : undefined);
    // What was rolled back does not come again with another service's push.
    const found = wanted !== undefined && culprits.has(wanted.digest) ? runs : wanted;
    if (found === undefined) return undefined;
    images.push({ ...found, service: service.service });
  }
  return images;
}

/** Of another namespace only what is public: nobody is asked who could be let in there. */
async function mayFollow(rows: Rows, stack: StackRow, repository: RepositoryName): Promise<boolean> {
  if (isOwnRepository(stack, repository)) return true;
  const row = await rows
    .selectFrom('repositories')
    .select('visibility')
    .where('name', '=', repository)
    .executeTakeFirst();
  return row?.visibility === 'public';
}
