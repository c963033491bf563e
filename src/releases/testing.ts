import { audit } from '../accounts/audit.ts';
import { insertUser } from '../accounts/users.ts';
import type { DatabasePlace } from '../database/test-databases.ts';
import type { Digest } from '../oci/digest.ts';
import { OciError } from '../oci/errors.ts';
import type { RegistryContext } from '../registry/context.ts';
import { collect, named, openTestRegistry, pushImage, type TestRegistry } from '../registry/testing.ts';
import { openReleases } from '../server.ts';
import { endLeases } from './conductor.ts';
import type { ReleasesContext } from './context.ts';
import { startDeployment } from './deploy.ts';
import { type Deployment, type EnvironmentStatus, environmentStatus, getDeployment } from './deployments.ts';
import { createEnvironment } from './environments.ts';
import { findEnvironment, findStack } from './find.ts';
import type { Wish } from './intent.ts';
import type { RunningService } from './measure.ts';
import { digestsInUse, usersOf } from './roots.ts';
import { createStack, type Viewpoint } from './stacks.ts';
import { enrollTarget, type Report, takeReport } from './targets.ts';
import { followPushes, tagMoved } from './triggers.ts';
import { targetSeen, type WantedState, wantedState } from './wanted.ts';

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const DAY = 86_400 * SECOND;
export const ALICE = { name: 'alice', source: '192.0.2.7' };
/** Reads everything. */
export const VIEW: Viewpoint = { hosts: ['registry.example.com'], mayRead: async () => true };

/** One service that is followed, and one that is not. */
export const SHOP = `services:
  web:
    image: alice/web:latest
    depends_on: [api]
  api:
    image: alice/api:latest
`;

export type Place = { namespace: string; stack: string; environment: string };

/** Releases over a real registry: an empty database with the user alice, and a clock that a test can move. */
export class TestReleases {
  constructor(
    readonly context: ReleasesContext,
    readonly registry: RegistryContext,
    readonly parts: TestRegistry,
    readonly another: () => ReleasesContext,
  ) {}

  advance(ms: number): void {
    this.parts.advance(ms);
  }

  /** Pushes an image whose bytes are made from `seed`. Nobody has followed it yet. */
  async push(repository: string, seed: string, tag = 'latest'): Promise<Digest> {
    return (await pushImage(this.registry, repository, seed, tag)).digest;
  }

  /** As a process does now and then. */
  async tick(): Promise<void> {
    await followPushes(this.context);
    await endLeases(this.context);
  }

  /** The stack alice/shop, with a first image for each service. */
  async shop(file: string = SHOP): Promise<{ web: Digest; api: Digest }> {
    const web = await this.push('alice/web', 'web 1');
    const api = await this.push('alice/api', 'api 1');
    await createStack(this.context, 'alice', { name: 'shop', file }, VIEW, ALICE);
    return { web, api };
  }

  /** An environment of alice/shop with targets that were heard of. */
  async environment(
    name: string,
    options: Parameters<typeof createEnvironment>[3] extends infer E ? Omit<E & object, 'name'> : never = {},
    targets: readonly string[] = ['one'],
  ): Promise<TestTarget[]> {
    await createEnvironment(this.context, 'alice', 'shop', { ...options, name }, ALICE);
    const made = [];
    for (const target of targets) made.push(await this.target(name, target));
    return made;
  }

  async target(environment: string, name: string): Promise<TestTarget> {
    await enrollTarget(this.context, 'alice', 'shop', environment, name, ALICE);
    const { read } = this.context.database;
    const place = await findEnvironment(read, await findStack(read, 'alice', 'shop'), environment);
    const { id } = await read
      .selectFrom('targets')
      .select('id')
      .where('environment_id', '=', place.id)
      .where('name', '=', name)
      .executeTakeFirstOrThrow();
    const target = new TestTarget(this, id);
    await target.asks();
    return target;
  }

  place(environment: string): Place {
    return { namespace: 'alice', stack: 'shop', environment };
  }

  wish(environment: string, wish: Wish, context: ReleasesContext = this.context): Promise<Deployment> {
    return startDeployment(context, this.place(environment), wish, VIEW, ALICE);
  }

  deploy(
    environment: string,
    wish: { release?: number; images?: Record<string, string>; force?: boolean } = {},
  ): Promise<Deployment> {
    return this.wish(environment, { kind: 'deploy', force: false, ...wish });
  }

  rollback(
    environment: string,
    wish: { to?: number; keepConfig?: boolean; reason?: string; force?: boolean } = {},
  ): Promise<Deployment> {
    return this.wish(environment, { kind: 'rollback', keepConfig: false, reason: '', force: false, ...wish });
  }

  promote(environment: string, wish: { from?: string; release?: number; force?: boolean } = {}): Promise<Deployment> {
    return this.wish(environment, { kind: 'promote', force: false, ...wish });
  }

  deployment(environment: string, number: number): Promise<Deployment> {
    return getDeployment(this.context, 'alice', 'shop', environment, number);
  }

  async status(environment: string): Promise<EnvironmentStatus> {
    const { read } = this.context.database;
    const stack = await findStack(read, 'alice', 'shop');
    return environmentStatus(this.context, stack, await findEnvironment(read, stack, environment));
  }

  /** Status by number, oldest first: `v1 success`, with `stable` when it was. */
  async history(environment: string): Promise<string[]> {
    const { read } = this.context.database;
    const place = await findEnvironment(read, await findStack(read, 'alice', 'shop'), environment);
    const rows = await read
      .selectFrom('deployments')
      .select(['number', 'status', 'stable_at', 'reason'])
      .where('environment_id', '=', place.id)
      .orderBy('number')
      .execute();
    return rows.map((row) => `v${row.number} ${row.reason} ${row.stable_at === null ? row.status : 'stable'}`);
  }

  /** Deploys these images and lets every target run them through the watch. */
  async release(environment: string, targets: readonly TestTarget[], seed: string): Promise<Deployment> {
    const digest = await this.push('alice/web', seed, `tag-${seed.replaceAll(' ', '-')}`);
    const { number } = await this.deploy(environment, { images: { web: digest } });
    await this.settle(targets);
    return this.deployment(environment, number);
  }

  /** Every target does what it is to do, until nothing more comes of it. */
  async settle(targets: readonly TestTarget[]): Promise<void> {
    for (const target of targets) await target.runs('monitoring');
    for (const target of targets) await target.runs('stable');
  }

  /** A real collection, when every grace window is over. */
  async collectGarbage(): Promise<void> {
    this.advance(2 * DAY);
    await collect(this.registry);
  }

  async isThere(repository: string, digest: Digest): Promise<boolean> {
    return (await this.context.images.find(named(repository), digest)) !== undefined;
  }
}

/** A server that a test speaks for. */
export class TestTarget {
  constructor(
    readonly releases: TestReleases,
    readonly id: number,
  ) {}

  async asks(): Promise<WantedState> {
    await targetSeen(this.releases.context, this.id, '192.0.2.9');
    const state = await wantedState(this.releases.context, this.id);
    if (state === undefined) throw new Error('the target is revoked');
    return state;
  }

  says(report: Omit<Report, 'now'>): Promise<void> {
    const { context } = this.releases;
    return takeReport(context, this.id, { now: context.now(), ...report }, '192.0.2.9');
  }

  /** Says a phase of the deployment that it is to run; from `monitoring` on also that its engine shows the images. */
  async runs(
    phase: NonNullable<Report['deployment']>['phase'],
    rest: Partial<Report['deployment'] & { services: RunningService[] | null }> = {},
  ): Promise<number> {
    const { deployment } = await this.asks();
    if (deployment === null) throw new Error('nothing is wanted of the target');
    const { services, ...word } = rest;
    const isUp = phase === 'monitoring' || phase === 'stable';
    await this.says({
      deployment: { ...word, number: deployment.number, phase },
      ...(services !== undefined ? { services } : isUp ? { services: inventoryOf(deployment) } : {}),
    });
    return deployment.number;
  }

  /** The deployment did not come up, and what ran before serves again. */
  async reverts(error = 'web: unhealthy', blame: 'release' | 'place' = 'release'): Promise<void> {
    await this.runs('reverted', { error, blame });
  }
}

/** What an engine shows when all of it runs. */
export function inventoryOf(deployment: NonNullable<WantedState['deployment']>): RunningService[] {
  return Object.entries(deployment.images).map(([service, { digest }]) => ({
    service,
    digest,
    containers: 1,
    health: 'healthy',
    restarts: 0,
  }));
}

/** The composition of `server.ts` with a test's clock. */
export async function openTestReleases(place: DatabasePlace): Promise<TestReleases> {
  const parts = await openTestRegistry(place);
  const { now, newId } = parts.context;
  const compose = (base: RegistryContext): RegistryContext => ({
    ...base,
    usersOf,
    digestsInUse: () => digestsInUse(base.database.read),
    record: (tx, actor, entry) => audit(tx, now(), actor, entry),
    tagMoved: (tx, moved) => tagMoved({ now }, tx, moved),
  });
  const key = new Uint8Array(32).fill(7);
  const open = (base: RegistryContext) =>
    openReleases(base, key, {
      targetAway: 45 * SECOND,
      deployLease: 90 * SECOND,
      agentPoll: 30 * SECOND,
      agentReport: 15 * SECOND,
    });
  const registry = compose(parts.context);
  const accounts = { database: registry.database, now, newId, policy: { anonymous: 'none', signUp: 'open' } } as const;
  await registry.database.transaction((tx) =>
    insertUser(
      tx,
      accounts,
      { username: 'alice', administrator: false },
      { name: 'root', source: '' },
      { adopt: false },
    ),
  );
  return new TestReleases(open(registry), registry, parts, () => open(compose(parts.anotherProcess('p2'))));
}

/** The code of the OciError that `work` ends with, and its message; `done` when it succeeds. */
export async function refusalOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'done';
  } catch (error) {
    if (error instanceof OciError) return `${error.code} ${error.message}`;
    throw error;
  }
}
