import { expect, test } from 'bun:test';
import { Random } from '../../tests/support/random.ts';
import { onEachDatabase } from '../database/test-databases.ts';
import { type Digest, isDigest } from '../oci/digest.ts';
import { OciError } from '../oci/errors.ts';
import { deleteManifest } from '../registry/manifests.ts';
import { deleteTag } from '../registry/tags.ts';
import { inventory, named, pushImage, tagged } from '../registry/testing.ts';
import { cancelDeployment, deployConfig } from './deploy.ts';
import { listDeployments } from './deployments.ts';
import { holdEnvironment, resumeEnvironment } from './environments.ts';
import { type Fate, ModelAgent } from './model/testing.ts';
import { planDeployment } from './plan.ts';
import { expireReleases } from './roots.ts';
import { listTargets } from './targets.ts';
import { ALICE, DAY, MINUTE, openTestReleases, SECOND, TestReleases, VIEW } from './testing.ts';
import { changeConfig, getConfig, listConfigVersions } from './variables.ts';

/*
 * Random sequences of what people, CI, agents and time do, with the invariants of the design checked after every step. A failure prints its
 * seed; `MODEL_SEED=7` runs that one alone.
 */

const MARKER = 'secret-marker-5f1c';
const ENVIRONMENTS = ['test', 'production'];
const KEPT = { keepStable: 3, keepReleases: 4 };

class Model {
  readonly agents: ModelAgent[] = [];
  readonly fates = new Map<string, Fate>();
  readonly closures = new Map<Digest, Digest[]>();
  readonly pushed: { repository: string; tag: string; digest: Digest }[] = [];
  readonly log: string[] = [];
  readonly seen = new Map<string, { status: string; releaseId: number }>();
  readonly highest = new Map<string, number>();
  revoked = new Set<string>();
  readonly #random: Random;

  constructor(
    readonly releases: TestReleases,
    seed: number,
  ) {
    this.#random = new Random(seed);
  }

  /** From 0 to below `count`. */
  choose(count: number): number {
    return Math.floor(this.#random.next() * count);
  }

  pick<T>(list: readonly T[]): T | undefined {
    return list[this.choose(list.length)];
  }

  async push(seed: string, fate?: Fate): Promise<void> {
    const repository = this.choose(4) === 0 ? 'alice/api' : 'alice/web';
    const tag = this.pick(['latest', 'latest', 'next']) ?? 'latest';
    const { digest, config, layer } = await pushImage(this.releases.registry, repository, seed, tag);
    this.closures.set(digest, [config, layer]);
    this.pushed.push({ repository, tag, digest });
    if (fate !== undefined) this.fates.set(digest, fate);
  }

  async open(): Promise<void> {
    const { releases } = this;
    await releases.shop();
    const track = { web: { kind: 'tag', value: 'latest' }, api: { kind: 'tag', value: 'latest' } } as const;
    const [a, b] = await releases.environment('test', { track, deployOnPush: true }, ['a', 'b']);
    const [p] = await releases.environment('production', { protected: true }, ['p']);
    if (a === undefined || b === undefined || p === undefined) throw new Error('no targets');
    this.agents.push(new ModelAgent('a', 'test', releases, a, this.fates));
    this.agents.push(new ModelAgent('b', 'test', releases, b, this.fates));
    this.agents.push(new ModelAgent('p', 'production', releases, p, this.fates));
    for (const environment of ENVIRONMENTS) await this.configure(environment, 'first');
  }

  async configure(environment: string, value: string): Promise<void> {
    const set = { TOKEN: { value: `${MARKER}-${value}`, secret: true }, LEVEL: { value, secret: false } };
    await changeConfig(this.releases.context, 'alice', 'shop', environment, { set, unset: [] }, ALICE);
  }

  async act(index: number): Promise<string> {
    const { releases } = this;
    const { context, registry } = releases;
    const environment = this.pick(ENVIRONMENTS) ?? 'test';
    const agent = this.pick(this.agents);
    if (agent === undefined) throw new Error('no agent');
    const dice = this.choose(100);
    if (dice < 18) {
      const rounds = 1 + this.choose(6);
      for (let i = 0; i < rounds; i++) for (const each of this.agents) await each.step('good');
      return `everybody steps ${rounds} times: ${JSON.stringify(this.agents.map((each) => each.attempt))}`;
    }
    if (dice < 45) {
      const network = this.pick(['good', 'good', 'good', 'good', 'lost', 'blind'] as const) ?? 'good';
      await agent.step(network);
      return `${agent.name} steps, ${network}: ${JSON.stringify(agent.attempt)}`;
    }
    if (dice < 48) {
      await agent.echo((count) => this.choose(count));
      return `${agent.name} is heard again`;
    }
    if (dice < 52) {
      agent.isOnline = !agent.isOnline;
      return `${agent.name} is ${agent.isOnline ? 'back' : 'away'}`;
    }
    if (dice < 60) {
      const fate = this.pick([undefined, undefined, undefined, 'unhealthy', 'fails-later', 'no-way-back'] as const);
      // The way back fails for what did not come up.
      await this.push(`image ${index}`, fate);
      if (fate === 'no-way-back') this.fates.set(this.pushed.at(-1)?.digest ?? '', 'unhealthy');
      return `push ${JSON.stringify(this.pushed.at(-1))} ${fate}`;
    }
    if (dice < 68) {
      await releases.tick();
      return 'tick';
    }
    if (dice < 72) return `deploy ${environment}: ${await codeOf(releases.deploy(environment, { force: true }))}`;
    if (dice < 77) return `promote: ${await codeOf(releases.promote('production'))}`;
    if (dice < 81) return `rollback ${environment}: ${await codeOf(releases.rollback(environment))}`;
    if (dice < 83) {
      const number = 1 + this.choose(this.highest.get(environment) ?? 1);
      return `cancel ${environment} v${number}: ${await codeOf(cancelDeployment(context, releases.place(environment), number, ALICE))}`;
    }
    if (dice < 85) {
      await holdEnvironment(context, 'alice', 'shop', environment, 'wait', ALICE);
      return `hold ${environment}`;
    }
    if (dice < 88) {
      await resumeEnvironment(context, 'alice', 'shop', environment, ALICE);
      return `resume ${environment}`;
    }
    if (dice < 90) {
      await this.configure(environment, `value ${index}`);
      return `config ${environment}: ${await codeOf(deployConfig(context, releases.place(environment), ALICE))}`;
    }
    const image = this.pick(this.pushed);
    if (dice < 92 && image !== undefined) {
      const name = named(image.repository);
      return `delete tag ${image.repository}:${image.tag}: ${await codeOf(deleteTag(registry, name, tagged(image.tag), {}, ALICE))}`;
    }
    if (dice < 94 && image !== undefined) {
      const used = (await registry.digestsInUse()).has(image.digest);
      const code = await codeOf(deleteManifest(registry, named(image.repository), image.digest, ALICE));
      if (used) expect(code).toBe('DENIED');
      return `delete ${image.digest}: ${code}`;
    }
    if (dice < 96) {
      for (const { repository, tag } of this.pushed) {
        await codeOf(deleteTag(registry, named(repository), tagged(tag), {}, ALICE));
      }
      if (this.choose(2) === 0) releases.advance(31 * DAY);
      const expired = await expireReleases(context);
      await releases.collectGarbage();
      return `time passes, ${expired} releases expire, every tag is gone, garbage is collected`;
    }
    const ms = this.pick([SECOND, 20 * SECOND, MINUTE, 2 * MINUTE]) ?? SECOND;
    releases.advance(ms);
    return `${ms} ms pass`;
  }

  /** The invariants of section 6 of the design. */
  async check(): Promise<void> {
    const { read } = this.releases.context.database;
    const revocations = await read.selectFrom('release_revocations').selectAll().execute();
    const environments = await read.selectFrom('environments').selectAll().execute();
    const images = await read.selectFrom('release_images').selectAll().execute();
    for (const { digest } of images) expect(isDigest(digest)).toBe(true);
    for (const environment of environments) {
      const rows = await read
        .selectFrom('deployments')
        .selectAll()
        .where('environment_id', '=', environment.id)
        .orderBy('number')
        .execute();
      const active = rows.filter((row) => row.status === 'in_progress');
      expect(active.map((row) => row.id)).toEqual(
        environment.lease_deployment_id === null ? [] : [environment.lease_deployment_id],
      );
      expect(rows.filter((row) => row.status === 'queued').length).toBeLessThanOrEqual(1);
      expect(rows.map((row) => row.number)).toEqual(rows.map((_, i) => i + 1));
      const current = rows.find((row) => row.id === environment.current_deployment_id);
      expect(current?.number ?? 0).toBeGreaterThanOrEqual(this.highest.get(`current ${environment.name}`) ?? 0);
      this.highest.set(`current ${environment.name}`, current?.number ?? 0);
      this.highest.set(environment.name, rows.length);
      for (const row of rows) {
        const key = `${environment.id}.${row.number}`;
        const before = this.seen.get(key);
        this.seen.set(key, { status: row.status, releaseId: row.release_id });
        if (row.status === 'rolling_back') {
          const undo = rows.find((each) => each.undoes === row.number && each.reason === 'auto-rollback');
          expect(undo?.id).toBe(environment.current_deployment_id ?? 0);
        }
        const isAutomatic = row.reason === 'push' || row.reason === 'auto-rollback';
        const begins = row.status === 'in_progress' && before?.status !== 'in_progress';
        if (isAutomatic && begins) {
          for (const where of [0, environment.id]) expect(this.revoked.has(`${row.release_id}.${where}`)).toBe(false);
        }
        if (row.status !== 'success' || before?.status === 'success') continue;
        if (row.id !== environment.current_deployment_id) continue;
        const wanted = images.filter((image) => image.release_id === row.release_id);
        let measured = 0;
        for (const agent of this.agents.filter((each) => each.environment === environment.name)) {
          const shows = [agent.takenBefore, agent.taken].some((services) =>
            wanted.every(({ service, digest }) =>
              services?.some((run) => run.service === service && run.digest === digest && run.health === 'healthy'),
            ),
          );
          if (shows) measured++;
          if (await this.#isOnline(agent)) expect([agent.name, shows]).toEqual([agent.name, true]);
        }
        expect(measured).toBeGreaterThan(0);
      }
    }
    this.revoked = new Set(revocations.map((row) => `${row.release_id}.${row.environment_id}`));
  }

  async #isOnline(agent: ModelAgent): Promise<boolean> {
    const { read } = this.releases.context.database;
    const row = await read
      .selectFrom('targets')
      .select('last_seen_at')
      .where('id', '=', agent.target.id)
      .executeTakeFirstOrThrow();
    return (row.last_seen_at ?? 0) > this.releases.context.now() - 45 * SECOND;
  }

  /** Everything that may be needed again is in the registry, with what it is made of. */
  async checkKept(): Promise<void> {
    const { context, registry } = this.releases;
    const { read } = context.database;
    const { manifests, files } = await inventory(registry);
    const kept = new Set<Digest>();
    const released = await read
      .selectFrom('release_images as i')
      .innerJoin('releases as r', 'r.id', 'i.release_id')
      .select('i.digest')
      .where('r.expired_at', 'is', null)
      .execute();
    for (const { digest } of released) kept.add(digest);
    for (const { digest } of await read.selectFrom('target_images').select('digest').execute()) kept.add(digest);
    for (const { id } of await read.selectFrom('environments').select('id').execute()) {
      const stable = await read
        .selectFrom('deployments as d')
        .innerJoin('release_images as i', 'i.release_id', 'd.release_id')
        .select(['d.number', 'i.digest'])
        .where('d.environment_id', '=', id)
        .where('d.stable_at', 'is not', null)
        .orderBy('d.number', 'desc')
        .execute();
      const numbers = [...new Set(stable.map((row) => row.number))].slice(0, KEPT.keepStable);
      for (const row of stable) if (numbers.includes(row.number)) kept.add(row.digest);
    }
    for (const digest of kept) {
      expect([digest, manifests.has(digest)]).toEqual([digest, true]);
      for (const part of this.closures.get(digest) ?? []) expect([part, files.has(part)]).toEqual([part, true]);
    }
  }

  async checkSecrets(): Promise<void> {
    const { context } = this.releases;
    const shown: unknown[] = [await context.database.read.selectFrom('audit_log').selectAll().execute()];
    shown.push(await context.database.read.selectFrom('config_versions').select('variables').execute());
    for (const environment of ENVIRONMENTS) {
      shown.push(await this.releases.status(environment));
      shown.push(await listDeployments(context, 'alice', 'shop', environment, { limit: 1000 }));
      shown.push(await listTargets(context, 'alice', 'shop', environment));
      shown.push(await getConfig(context, 'alice', 'shop', environment));
      shown.push(await listConfigVersions(context, 'alice', 'shop', environment));
      const wish = { kind: 'deploy', force: false } as const;
      const plan = planDeployment(context, this.releases.place(environment), wish, VIEW);
      shown.push(await plan.catch((error: unknown) => String(error)));
    }
    expect(JSON.stringify(shown)).not.toContain(MARKER);
  }

  /** Everybody is there and nothing new comes: what is wanted runs, and the status says so. */
  async quiet(): Promise<void> {
    const { context } = this.releases;
    for (const agent of this.agents) agent.isOnline = true;
    for (const environment of ENVIRONMENTS) await resumeEnvironment(context, 'alice', 'shop', environment, ALICE);
    let calm = 0;
    for (let round = 0; round < 300 && calm < 10; round++) {
      const before = JSON.stringify([...this.seen]);
      await this.releases.tick();
      for (const agent of this.agents) await agent.step('good');
      await this.check();
      // What hangs may wait for an end of its lease, or of an agent's longest deadline.
      this.releases.advance(round > 40 && round % 20 === 0 ? 61 * MINUTE : 5 * SECOND);
      calm = JSON.stringify([...this.seen]) === before && !this.agents.some((agent) => agent.isBusy) ? calm + 1 : 0;
    }
    expect(calm).toBe(10);
    expect(await context.database.read.selectFrom('environment_triggers').selectAll().execute()).toEqual([]);
    for (const environment of ENVIRONMENTS) {
      const { current, queued } = await this.releases.status(environment);
      expect(queued).toBeNull();
      expect(current?.status ?? 'success').not.toBe('in_progress');
      const targets = await listTargets(context, 'alice', 'shop', environment);
      for (const agent of this.agents.filter((each) => each.environment === environment)) {
        expect(targets.find(({ name }) => name === agent.name)?.services).toEqual(agent.running);
        if (current?.status !== 'success') continue;
        expect(current.stable).toBe(true);
        const runs = Object.fromEntries(agent.running.map(({ service, digest }) => [service, digest]));
        expect(runs).toEqual(Object.fromEntries(current.images.map(({ service, digest }) => [service, digest])));
      }
    }
  }
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'done';
  } catch (error) {
    if (error instanceof OciError && error.code !== 'UNKNOWN') return error.code;
    throw error;
  }
}

const MOST_MS = 20_000;
const wanted = process.env.MODEL_SEED;

onEachDatabase('releases under random events', (newPlace, kind) => {
  const seeds = wanted === undefined ? (kind === 'sqlite' ? [1, 2, 3, 4] : [5, 6]) : [Number(wanted)];
  const steps = kind === 'sqlite' ? 250 : 100;

  test('keep every invariant', async () => {
    const began = performance.now();
    for (const seed of seeds) {
      if (performance.now() - began > MOST_MS) break;
      const opened = await openTestReleases(await newPlace());
      const context = { ...opened.context, policy: { ...opened.context.policy, ...KEPT } };
      const model = new Model(new TestReleases(context, opened.registry, opened.parts, opened.another), seed);
      try {
        await model.open();
        for (let i = 0; i < steps && (wanted !== undefined || performance.now() - began < MOST_MS); i++) {
          const what = await model.act(i);
          model.log.push(`${i} ${what}`);
          await model.check();
          if (/garbage|delete/.test(what)) await model.checkKept();
        }
        await model.quiet();
        await model.checkKept();
        await model.checkSecrets();
      } catch (error) {
        console.error(`MODEL_SEED=${seed}, after these steps:\n${model.log.slice(-60).join('\n')}`);
        for (const environment of ENVIRONMENTS) {
          console.error(environment, await model.releases.history(environment).catch(() => []));
        }
        throw error;
      } finally {
        opened.parts.remove();
      }
    }
  }, 120_000);
});
