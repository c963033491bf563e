import type { Digest } from '../../oci/digest.ts';
import type { RunningService } from '../measure.ts';
import type { Report } from '../targets.ts';
import { inventoryOf, type TestReleases, type TestTarget } from '../testing.ts';
import { targetSeen, type WantedDeployment, type WantedState, wantedState } from '../wanted.ts';

type Phase = NonNullable<Report['deployment']>['phase'];

interface Attempt {
  number: number;
  phase: Phase;
  base: number | null;
  revertedTo?: number;
  error?: string;
}

/** What becomes of an image on a server: it never comes up, fails in the watch, or does not come back in a revert. */
export type Fate = 'unhealthy' | 'fails-later' | 'no-way-back';

/** A server that behaves as `src/agent/state-machine.md` says, one phase a step; its network may fail. */
export class ModelAgent {
  isOnline = true;
  running: RunningService[] = [];
  /** What the server has taken, and what it may hear once more. */
  taken: RunningService[] | null = null;
  /** What it had taken before that: it may have judged by either in the step that brought the last. */
  takenBefore: RunningService[] | null = null;
  readonly #late: NonNullable<Report['deployment']>[] = [];
  readonly #files = new Map<number, WantedDeployment>();
  readonly #pulled = new Set<string>();
  readonly #failed = new Set<number>();
  #wanted: WantedState | undefined;
  #attempt: Attempt | null = null;
  #serving: number | null = null;
  #stable: number | null = null;

  constructor(
    readonly name: string,
    readonly environment: string,
    readonly releases: TestReleases,
    readonly target: TestTarget,
    readonly fates: ReadonlyMap<string, Fate>,
  ) {}

  /** @param network whether the server hears it, and whether the answer comes back */
  async step(network: 'good' | 'lost' | 'blind'): Promise<void> {
    if (!this.isOnline) return;
    const { context } = this.releases;
    if (network !== 'lost') {
      await targetSeen(context, this.target.id, '192.0.2.9');
      this.#wanted = await wantedState(context, this.target.id);
    }
    await this.#work();
    const { attempt } = this;
    const word =
      attempt === null
        ? undefined
        : {
            number: attempt.number,
            phase: attempt.phase,
            ...(attempt.error === undefined ? {} : { error: attempt.error, blame: 'release' as const }),
            ...(attempt.revertedTo === undefined ? {} : { revertedTo: attempt.revertedTo }),
          };
    if (word !== undefined) this.#late.push(word);
    if (network === 'lost') return;
    const services = network === 'blind' ? null : this.running;
    await this.target.says({ ...(word === undefined ? {} : { deployment: word }), services });
    this.takenBefore = this.taken;
    this.taken = services;
  }

  /** One of the words that were said long ago arrives once more. */
  async echo(choose: (count: number) => number): Promise<void> {
    const word = this.#late[choose(this.#late.length)];
    if (word !== undefined && this.isOnline) await this.target.says({ deployment: word });
  }

  get attempt(): Attempt | null {
    return this.#attempt;
  }

  get isBusy(): boolean {
    return this.#attempt !== null && !['stable', 'reverted', 'failed', 'revert-failed'].includes(this.#attempt.phase);
  }

  async #work(): Promise<void> {
    const next = this.#wanted?.deployment ?? undefined;
    const attempt = this.#attempt;
    const isNew =
      next !== undefined &&
      next.number > (attempt?.number ?? 0) &&
      !this.#failed.has(next.number) &&
      this.#wanted?.failed.includes(next.number) === false;
    if (isNew && attempt?.phase !== 'reverting') {
      const base = this.#serving ?? attempt?.base ?? null;
      this.#files.set(next.number, next);
      const { stable } = this.#wanted ?? {};
      if (stable) this.#files.set(stable.number, stable);
      this.#attempt = { number: next.number, phase: 'pulling', base };
      return;
    }
    if (attempt === null) return;
    const file = this.#files.get(attempt.number);
    if (file === undefined) throw new Error(`${this.name}: no file of v${attempt.number}`);
    switch (attempt.phase) {
      case 'pulling':
        await this.#pull(file, `v${attempt.number}`);
        attempt.phase = 'pulled';
        return;
      case 'pulled':
        attempt.phase = 'switching';
        this.#serving = null;
        return;
      case 'switching':
        if (this.#hasFate(file, 'unhealthy')) return this.#fail(attempt, 'web: unhealthy');
        this.running = inventoryOf(file);
        this.#serving = attempt.number;
        attempt.phase = 'monitoring';
        return;
      case 'monitoring':
        if (this.#hasFate(file, 'fails-later')) return this.#fail(attempt, 'web: unhealthy in the watch');
        attempt.phase = 'stable';
        this.#stable = attempt.number;
        return;
      case 'reverting': {
        const old = this.#files.get(attempt.revertedTo ?? 0);
        if (old === undefined || this.#hasFate(file, 'no-way-back')) {
          attempt.phase = 'revert-failed';
          this.running = inventoryOf(file).map((service) => ({ ...service, health: 'unhealthy' }));
          return;
        }
        await this.#pull(old, `v${old.number} to go back to`);
        this.running = inventoryOf(old);
        this.#serving = old.number;
        attempt.phase = 'reverted';
        return;
      }
    }
  }

  #fail(attempt: Attempt, error: string): void {
    this.#failed.add(attempt.number);
    this.#serving = null;
    attempt.error = error;
    const never = new Set([...this.#failed, ...(this.#wanted?.failed ?? [])]);
    const candidates = [this.#wanted?.stable?.number, this.#stable, attempt.base].filter(
      (number): number is number => number !== undefined && number !== null && !never.has(number),
    );
    const to = candidates.slice(0, 2).sort((a, b) => b - a)[0] ?? candidates[0];
    if (to === undefined) {
      attempt.phase = 'failed';
      this.running = this.running.map((service) => ({ ...service, health: 'stopped' }));
      return;
    }
    attempt.revertedTo = to;
    attempt.phase = 'reverting';
  }

  /** What is wanted or stable is always there to be pulled. */
  async #pull(file: WantedDeployment, what: string): Promise<void> {
    for (const { repository, digest } of Object.values(file.images)) {
      if (this.#pulled.has(digest)) continue;
      if (!(await this.releases.isThere(repository, digest as Digest))) {
        throw new Error(
          `${this.environment}/${this.name}: ${repository}@${digest} of ${what} is gone from the registry`,
        );
      }
      this.#pulled.add(digest);
    }
  }

  #hasFate(file: WantedDeployment, fate: Fate): boolean {
    return Object.values(file.images).some(({ digest }) => this.fates.get(digest) === fate);
  }
}
