// What goes on at an instance: a loop each, all at once.
import { type AgentCallError, AgentClient } from '../../src/client/agent.ts';
import { berth } from '../support/berth.ts';
import { freePort } from '../support/ports.ts';
import { eventually } from '../support/processes.ts';
import type { Random } from '../support/random.ts';
import type { Receiver } from '../webhooks/receiver.ts';
import type { Image, Operator } from './operator.ts';

const REPOSITORIES = ['alice/one', 'alice/two', 'alice/three'];
const PLACE = { namespace: 'alice', stack: 'shop', environment: 'production' };
const KEPT_BY_POLICY = 5;
const WINDOWS = ['--gc-grace', '10s', '--tag-history-window', '10s', '--upload-expiry', '10s'];

interface Parts {
  operator: Operator;
  receiver: Receiver;
  random: Random;
  data: string;
  backups: string;
}

interface Backup {
  id: string;
  /** What was acknowledged before it began and has not been touched since, by `repository:tag`. */
  kept: Map<string, Image>;
}

export class Operations {
  static readonly windows = WINDOWS;
  readonly backups: string;
  readonly counts = {
    pushes: 0,
    pulls: 0,
    deletions: 0,
    rollbacks: 0,
    retained: 0,
    deployments: 0,
    collections: 0,
    blobsCollected: 0,
    backups: 0,
    verifications: 0,
    secondStarts: 0,
    failedDeliveries: 0,
  };
  readonly #operator: Operator;
  readonly #receiver: Receiver;
  readonly #random: Random;
  readonly #data: string;
  readonly #kept = new Map<string, Image>();
  #lastBackup: Backup | undefined;
  #webhook = '';
  #target: AgentClient | undefined;

  constructor({ operator, receiver, random, data, backups }: Parts) {
    this.#operator = operator;
    this.#receiver = receiver;
    this.#random = random;
    this.#data = data;
    this.backups = backups;
  }

  /** The newest backup that was made. */
  get lastBackup(): Backup {
    if (this.#lastBackup === undefined) throw new Error('no backup was made');
    return this.#lastBackup;
  }

  async prepare(): Promise<void> {
    const { api, url } = this.#operator;
    const host = new URL(url).host;
    await this.#operator.push('alice/web', 'first', 'web first');
    await api.retention
      .set({ repository: 'alice/ci' }, { rules: [{ match: ['ci-*'], keepLast: KEPT_BY_POLICY }] })
      .catch(async () => {
        // A repository is made by its first push.
        await this.#operator.push('alice/ci', 'stays', 'ci stays');
        await api.retention.set({ repository: 'alice/ci' }, { rules: [{ match: ['ci-*'], keepLast: KEPT_BY_POLICY }] });
      });
    const made = await api.webhooks.create({ namespace: 'alice', url: this.#receiver.url, events: ['tag.push'] });
    this.#webhook = made.webhook.id;
    await api.stacks.create('alice', { name: 'shop', file: `services:\n  web:\n    image: ${host}/alice/web:first\n` });
    await api.environments.create({ namespace: 'alice', stack: 'shop' }, { name: 'production' });
    const { token } = await api.targets.enroll(PLACE, { name: 'web-1' });
    this.#target = new AgentClient(url, token);
    await this.#report({});
  }

  /** Everything for `ms`, with `others` beside it; the first that fails ends it all. */
  async run(ms: number, others: readonly (() => Promise<void>)[]): Promise<void> {
    let stopped = false;
    const until = async (step: (round: number) => Promise<void>) => {
      for (let round = 0; !stopped; round++) await step(round);
    };
    const ended = Bun.sleep(ms).then(() => {
      stopped = true;
    });
    const loops = [
      ...REPOSITORIES.map((repository) => (round: number) => this.#work(repository, round)),
      (round: number) => this.#retain(round),
      (round: number) => this.#deploy(round),
      () => this.#collect(),
      () => this.#backUp(),
      () => this.#verify(),
      () => this.#startAgain(),
      () => this.#failDelivery(),
      ...others,
    ];
    await Promise.all([ended, ...loops.map(until)]).finally(() => {
      stopped = true;
    });
  }

  async expectAcknowledged(operator: Operator): Promise<void> {
    for (const [name, image] of this.#kept) {
      const colon = name.lastIndexOf(':');
      await operator.pull(name.slice(0, colon), name.slice(colon + 1), image);
    }
  }

  /** Nothing waits, and each push was told. */
  async expectDelivered(): Promise<void> {
    const { api } = this.#operator;
    // Each failure has held all behind it up, so there may be many; as long as they become fewer all is well.
    let before = Number.POSITIVE_INFINITY;
    for (let pending = before; pending > 0; before = pending) {
      await eventually(`fewer than ${before} deliveries are to be made`, 120_000, async () => {
        pending = (await api.webhooks.get(this.#webhook)).pending;
        return pending === 0 || pending < before;
      });
      await Bun.sleep(500);
    }
    const told = new Set(this.#receiver.received.map(({ id }) => id)).size;
    if (told < this.counts.pushes) throw new Error(`${this.counts.pushes} pushes, and ${told} events of them`);
  }

  async #push(repository: string, tag: string, word: string): Promise<Image> {
    const image = await this.#operator.push(repository, tag, word);
    this.counts.pushes++;
    return image;
  }

  async #work(repository: string, round: number): Promise<void> {
    const operator = this.#operator;
    const former = await this.#push(repository, 'moving', `${repository} former ${round}`);
    const latter = await this.#push(repository, 'moving', `${repository} latter ${round}`);
    await operator.pull(repository, 'moving', latter);
    await operator.persist(async () => {
      const { digest } = await operator.api.tags.get(repository, 'moving');
      if (digest !== former.digest) await operator.api.tags.rollback(repository, 'moving', former.digest);
    });
    await operator.pull(repository, 'moving', former);
    this.counts.rollbacks++;
    await this.#push(repository, 'going', `${repository} going ${round}`);
    await operator.deleteTag(repository, 'going');
    this.counts.deletions++;
    if (round % 5 === 0) {
      const tag = `kept-${round}`;
      this.#kept.set(`${repository}:${tag}`, await this.#push(repository, tag, `${repository} ${tag}`));
    }
    const [name = '', image] = this.#random.pick([...this.#kept]);
    if (image !== undefined) await operator.pull(name.slice(0, name.lastIndexOf(':')), image.digest, image);
    this.counts.pulls += 3;
    await Bun.sleep(this.#random.int(50, 250));
  }

  async #retain(round: number): Promise<void> {
    const { api } = this.#operator;
    const newest = new Map<string, Image>();
    for (let i = 0; i < KEPT_BY_POLICY * 2; i++) {
      const tag = `ci-${round}-${i}`;
      const image = await this.#push('alice/ci', tag, `ci ${tag}`);
      if (i >= KEPT_BY_POLICY) newest.set(tag, image);
    }
    for (let more = true; more; ) {
      more = (await this.#operator.persist(() => api.retention.apply('alice/ci'))).value.more;
    }
    const { value: tags } = await this.#operator.persist(() => Array.fromAsync(api.tags.list('alice/ci')));
    const left = tags.map(({ name }) => name).filter((name) => name.startsWith('ci-'));
    if (left.join() !== [...newest.keys()].join()) throw new Error(`retention left ${left}, not ${[...newest.keys()]}`);
    for (const [tag, image] of newest) await this.#operator.pull('alice/ci', tag, image);
    this.counts.retained++;
    await Bun.sleep(1_000);
  }

  async #deploy(round: number): Promise<void> {
    const operator = this.#operator;
    const { deployments } = operator.api;
    const image = await this.#push('alice/web', `v${round}`, `web ${round}`);
    const newest = async () => (await Array.fromAsync(deployments.list(PLACE, 1)))[0]?.number ?? 0;
    const { value: before } = await operator.persist(newest);
    const { value: number } = await operator.persist(async () => {
      const there = await newest();
      return there > before ? there : (await deployments.deploy(PLACE, { images: { web: `v${round}` } })).number;
    });
    await eventually(`deployment ${number} is ordered`, 30_000, async () => {
      const fetched = await this.#asTarget((target) => target.state(undefined, new AbortController().signal));
      return fetched?.state.deployment?.number === number;
    });
    await this.#report({ deployment: { number, phase: 'switching' } });
    const services = [{ service: 'web', digest: image.digest, containers: 1, health: 'healthy' as const, restarts: 0 }];
    for (const phase of ['monitoring', 'stable'] as const) {
      await this.#report({ deployment: { number, phase }, services });
    }
    const { value: done } = await operator.persist(() => deployments.get(PLACE, number));
    if (done.status !== 'success') throw new Error(`deployment ${number} is ${done.status}`);
    this.counts.deployments++;
    await Bun.sleep(1_000);
  }

  #report(report: Partial<Parameters<AgentClient['report']>[0]>): Promise<void> {
    const body = { now: Date.now(), agentVersion: '0.1.0', engine: 'Docker Engine 26.1.5', ...report };
    return this.#asTarget((target) => target.report(body, new AbortController().signal));
  }

  /** As an agent: what got no answer at all is asked again. */
  async #asTarget<T>(ask: (target: AgentClient) => Promise<T>): Promise<T> {
    if (this.#target === undefined) throw new Error('not prepared');
    for (let tries = 0; ; tries++) {
      try {
        return await ask(this.#target);
      } catch (error) {
        const { name, status } = error as AgentCallError;
        if (name !== 'AgentCallError' || status !== undefined || tries === 100) throw error;
        await Bun.sleep(100);
      }
    }
  }

  /** A command beside `serve`. Returns what it printed. */
  async #command(args: string[]): Promise<string> {
    const { code, stdout, stderr } = await berth([...args, '--data', this.#data, '--output', 'json']);
    if (code !== 0) throw new Error(`berth ${args.join(' ')}: exit code ${code}\n${stdout}${stderr}`);
    return stdout;
  }

  async #collect(): Promise<void> {
    const { blobs } = JSON.parse(await this.#command(['gc', ...WINDOWS])) as { blobs: number };
    this.counts.collections++;
    this.counts.blobsCollected += blobs;
    await Bun.sleep(2_000);
  }

  async #backUp(): Promise<void> {
    await Bun.sleep(5_000);
    const kept = new Map(this.#kept);
    const made = JSON.parse(await this.#command(['backup', this.backups])) as { id: string; faults: unknown[] };
    if (made.faults.length > 0) throw new Error(`backup ${made.id}: ${JSON.stringify(made.faults)}`);
    this.#lastBackup = { id: made.id, kept };
    this.counts.backups++;
    const pruned = await berth(['backup', 'prune', this.backups, '--keep-last', '2']);
    if (pruned.code !== 0) throw new Error(`backup prune: ${pruned.stderr}`);
    const verified = await berth(['backup', 'verify', this.backups]);
    if (verified.code !== 0) throw new Error(`backup verify: ${verified.stdout}${verified.stderr}`);
  }

  async #verify(): Promise<void> {
    await Bun.sleep(5_000);
    await this.#command(['verify']);
    this.counts.verifications++;
  }

  /** A second server on the same data is refused, and harms nothing. */
  async #startAgain(): Promise<void> {
    await Bun.sleep(10_000);
    const port = String(await freePort());
    const { code, stderr } = await berth(['serve', '--data', this.#data, '--port', port, '--host', '127.0.0.1']);
    if (code !== 1 || !stderr.includes('in use')) throw new Error(`a second start: exit code ${code}: ${stderr}`);
    this.counts.secondStarts++;
  }

  async #failDelivery(): Promise<void> {
    await Bun.sleep(10_000);
    this.#receiver.next.push(this.#random.pick([500, 503, 'drop'] as const));
    this.counts.failedDeliveries++;
  }
}
