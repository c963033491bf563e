import type { Digest } from '../oci/digest.ts';
import type { RepositoryName } from '../oci/names.ts';
import type { ReleasesContext, Rows } from './context.ts';
import { AUTOMATION } from './deployments.ts';
import { isOwnRepository, stackById } from './find.ts';
import { imagesOfRelease, pinOf } from './releases.ts';
import { keptStable } from './stable.ts';

/*
 * What the registry must keep for releases: every image of a release that is not expired, and what any target says it runs.
 * A release expires when it is older than `keepReleaseMs` and not among the newest `keepReleases` of its stack, unless an environment runs
 * it, waits for it, or has it among its newest `keepStable` stable deployments; `expireReleases` decides that, and it is never taken back.
 */

/** Who uses a manifest: a deployment, a target that runs it, or a release that was not deployed. */
export interface ImageUser {
  namespace: string;
  stack: string;
  /** null: a release of the stack has it */
  environment: string | null;
  /** Whether a target says that it runs it. */
  running: boolean;
  /** A line, for messages. */
  text: string;
}

/** Whose stacks are looked at. */
export type StackNamespaces = 'all' | readonly string[];

/**
 * Who uses a manifest: a line each, for messages.
 *
 * @param repository only what uses it from there, by that name or a former one: others who have the same bytes are nobody's business
 */
export async function usersOf(rows: Rows, digest: Digest, repository?: RepositoryName): Promise<string[]> {
  const users = await imageUsers(rows, [digest], 'all', repository);
  return users.map((user) => user.text);
}

const MOST = 100;

/** Who uses any of these manifests, each line once, at most 100: targets first, then deployments, the newest first, then releases. */
export async function imageUsers(
  rows: Rows,
  digests: readonly Digest[],
  namespaces: StackNamespaces,
  repository?: RepositoryName,
): Promise<ImageUser[]> {
  if (digests.length === 0 || namespaces.length === 0) return [];
  const names = repository === undefined ? undefined : await namesOf(rows, repository);
  const ofThese = { digests, names };
  const users: ImageUser[] = [];
  for (const row of await runningOn(rows, ofThese)
    .$if(namespaces !== 'all', (query) => query.where('n.name', 'in', [...namespaces]))
    .select(['t.name as target', 'e.name as environment', 's.name as stack', 'n.name as namespace'])
    .orderBy('t.id')
    .limit(MOST)
    .execute()) {
    const { target, ...place } = row;
    const text = `target ${target} of ${place.namespace}/${place.stack}@${place.environment} runs it`;
    users.push({ ...place, running: true, text });
  }
  for (const row of await deployed(rows, ofThese)
    .$if(namespaces !== 'all', (query) => query.where('n.name', 'in', [...namespaces]))
    .select(['d.id', 'd.number', 'd.stable_at', 'd.status', 'e.name as environment', 'e.current_deployment_id'])
    .select(['s.name as stack', 'n.name as namespace'])
    .orderBy('d.id', 'desc')
    .limit(MOST)
    .execute()) {
    const { namespace, stack, environment } = row;
    const what =
      row.id === row.current_deployment_id
        ? 'current'
        : row.stable_at !== null
          ? 'can be rolled back to'
          : row.status.replace('_', ' ');
    const text = `deployment v${row.number} of ${namespace}/${stack}@${environment} (${what})`;
    users.push({ namespace, stack, environment, running: false, text });
  }
  for (const row of await released(rows, ofThese)
    .$if(namespaces !== 'all', (query) => query.where('n.name', 'in', [...namespaces]))
    .select(['r.number', 's.name as stack', 'n.name as namespace'])
    .orderBy('r.id', 'desc')
    .limit(MOST)
    .execute()) {
    const { number, namespace, stack } = row;
    const text = `release ${number} of ${namespace}/${stack}`;
    users.push({ namespace, stack, environment: null, running: false, text });
  }
  return [...new Map(users.map((user) => [user.text, user])).values()].slice(0, MOST);
}

/** How many deployments and targets of other namespaces than these use any of these manifests. */
export async function countUsersBeside(
  rows: Rows,
  digests: readonly Digest[],
  namespaces: StackNamespaces,
  repository: RepositoryName,
): Promise<number> {
  if (digests.length === 0 || namespaces === 'all') return 0;
  const ofThese = { digests, names: await namesOf(rows, repository) };
  const targets = await runningOn(rows, ofThese)
    .$if(namespaces.length > 0, (query) => query.where('n.name', 'not in', namespaces))
    .select((select) => select.fn.count<number | string>('t.id').distinct().as('count'))
    .executeTakeFirstOrThrow();
  const deployments = await deployed(rows, ofThese)
    .$if(namespaces.length > 0, (query) => query.where('n.name', 'not in', namespaces))
    .select((select) => select.fn.count<number | string>('d.id').distinct().as('count'))
    .executeTakeFirstOrThrow();
  return Number(targets.count) + Number(deployments.count);
}

/** Manifests, and the names of the repository that they are used from; undefined: of any. */
interface OfThese {
  digests: readonly Digest[];
  names: readonly RepositoryName[] | undefined;
}

function runningOn(rows: Rows, { digests, names }: OfThese) {
  return rows
    .selectFrom('target_images as i')
    .innerJoin('targets as t', 't.id', 'i.target_id')
    .innerJoin('environments as e', 'e.id', 't.environment_id')
    .innerJoin('stacks as s', 's.id', 'e.stack_id')
    .innerJoin('namespaces as n', 'n.id', 's.namespace_id')
    .where('i.digest', 'in', digests)
    .where((where) =>
      where.exists(
        where
          .selectFrom('release_images as own')
          .innerJoin('releases as r', 'r.id', 'own.release_id')
          .select('own.digest')
          .whereRef('r.stack_id', '=', 's.id')
          .whereRef('own.digest', '=', 'i.digest')
          .$if(names !== undefined, (query) => query.where('own.repository', 'in', names ?? [])),
      ),
    );
}

function deployed(rows: Rows, { digests, names }: OfThese) {
  return rows
    .selectFrom('release_images as i')
    .innerJoin('releases as r', 'r.id', 'i.release_id')
    .innerJoin('deployments as d', 'd.release_id', 'r.id')
    .innerJoin('environments as e', 'e.id', 'd.environment_id')
    .innerJoin('stacks as s', 's.id', 'e.stack_id')
    .innerJoin('namespaces as n', 'n.id', 's.namespace_id')
    .where('i.digest', 'in', digests)
    .where('r.expired_at', 'is', null)
    .$if(names !== undefined, (query) => query.where('i.repository', 'in', names ?? []));
}

function released(rows: Rows, { digests, names }: OfThese) {
  return rows
    .selectFrom('release_images as i')
    .innerJoin('releases as r', 'r.id', 'i.release_id')
    .innerJoin('stacks as s', 's.id', 'r.stack_id')
    .innerJoin('namespaces as n', 'n.id', 's.namespace_id')
    .where('i.digest', 'in', digests)
    .where('r.expired_at', 'is', null)
    .$if(names !== undefined, (query) => query.where('i.repository', 'in', names ?? []));
}

/** What the repository is called, and was. */
async function namesOf(rows: Rows, repository: RepositoryName): Promise<RepositoryName[]> {
  const former = await rows
    .selectFrom('repository_aliases as a')
    .innerJoin('repositories as r', 'r.id', 'a.repository_id')
    .select('a.name')
    .where('r.name', '=', repository)
    .execute();
  return [repository, ...former.map(({ name }) => name)];
}

/** Every digest for which `usersOf` is not empty. */
export async function digestsInUse(rows: Rows): Promise<Set<Digest>> {
  const released = await rows
    .selectFrom('release_images as i')
    .innerJoin('releases as r', 'r.id', 'i.release_id')
    .select('i.digest')
    .distinct()
    .where('r.expired_at', 'is', null)
    .execute();
  const running = await rows.selectFrom('target_images').select('digest').distinct().execute();
  return new Set([...released, ...running].map((row) => row.digest));
}

/** Marks releases whose images are no longer kept. @returns the ones that expired now */
export async function expireReleases(context: ReleasesContext): Promise<number> {
  const { policy } = context;
  const before = context.now() - policy.keepReleaseMs;
  return context.database.transaction(async (tx) => {
    const old = await tx
      .selectFrom('releases')
      .select(['id', 'stack_id', 'number', 'version'])
      .where('expired_at', 'is', null)
      .where('created_at', '<', before)
      .execute();
    let expired = 0;
    for (const release of old) {
      // On PostgreSQL whoever deploys it now is waited for, or waits and then finds it expired.
      if (context.database.kind === 'postgres') {
        await tx.selectFrom('releases').select('id').where('id', '=', release.id).forUpdate().execute();
      }
      if (!(await mayExpire(context, tx, release))) continue;
      await tx.updateTable('releases').set({ expired_at: context.now() }).where('id', '=', release.id).execute();
      const stack = await stackById(tx, release.stack_id);
      for (const { repository, digest } of await imagesOfRelease(tx, release.id)) {
        if (isOwnRepository(stack, repository))
          await context.images.unpin(tx, repository, pinOf(release, digest), AUTOMATION);
      }
      expired++;
    }
    return expired;
  });
}

async function mayExpire(
  context: ReleasesContext,
  rows: Rows,
  release: { id: number; stack_id: number; number: number },
): Promise<boolean> {
  const newer = await rows
    .selectFrom('releases')
    .select((select) => select.fn.countAll<number | string>().as('n'))
    .where('stack_id', '=', release.stack_id)
    .where('number', '>', release.number)
    .executeTakeFirstOrThrow();
  if (Number(newer.n) < context.policy.keepReleases) return false;
  const environments = await rows
    .selectFrom('environments')
    .select(['id', 'current_deployment_id'])
    .where('stack_id', '=', release.stack_id)
    .execute();
  for (const { id } of environments) {
    if ((await keptStable(context, rows, id)).some((kept) => kept.release_id === release.id)) return false;
  }
  const held = await rows
    .selectFrom('deployments as d')
    .innerJoin('environments as e', 'e.id', 'd.environment_id')
    .select('d.id')
    .where('d.release_id', '=', release.id)
    .where((where) =>
      where.or([
        where('d.status', 'in', ['queued', 'in_progress', 'rolling_back']),
        where('e.current_deployment_id', '=', where.ref('d.id')),
      ]),
    )
    .executeTakeFirst();
  return held === undefined;
}
