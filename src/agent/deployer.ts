import type { Logger } from 'pino';
import type { WantedDeployment, WantedState } from '../api/agent.ts';
import { bringUp } from './bring-up.ts';
import { EngineUnreachableError } from './engine.ts';
import {
  asFailure,
  DeploymentFailure,
  messageOf,
  redact,
  StoppedError,
  SupersededError,
  withdrawn,
} from './failure.ts';
import { removeMigrations, runMigrations } from './migration.ts';
import { monitor } from './monitor.ts';
import { prepare } from './prepared.ts';
import { type Attempt, BEFORE_SWITCHING, ENDS, type Progress } from './progress.ts';
import { prune } from './prune.ts';
import { type Pulled, pullImages, sleep } from './pull.ts';
import type { RegistryLogin } from './registry-login.ts';
import { Retirement } from './retirement.ts';
import { revertTarget } from './revert-target.ts';
import type { StateDirectory } from './state-directory.ts';
import { type Applied, type Host, type SwitchOptions, switchTo } from './switching.ts';

export interface DeployerOptions {
  directory: StateDirectory;
  host: Host;
  login: RegistryLogin;
  progress: Progress;
  log: Logger;
  wanted: () => WantedState | undefined;
  /** Called after each change that the server may want to know, and with what a pull has brought. */
  onChange: (attempt: Attempt, pull?: Pulled) => Promise<void> | void;
  /** For tests that kill the agent at a step. */
  onStep: (step: string) => void;
  /** Aborted with StoppedError when the agent is to end. */
  signal: AbortSignal;
}

const FIRST_WAIT_MS = 250;
const MOST_WAIT_MS = 5_000;
/** So often may the engine go away within one phase before that counts as a failure. */
const MOST_ENGINE_LOSSES = 20;

/** Does what `state-machine.md` says. */
export class Deployer {
  #progress: Progress;
  #newer = new AbortController();
  #losses = 0;
  /** By number; a deployment never changes. */
  readonly #loaded = new Map<number, Applied>();
  readonly #retirement: Retirement;

  constructor(readonly options: DeployerOptions) {
    this.#progress = options.progress;
    this.#retirement = new Retirement(options.host.engine, options.log, options.onStep);
  }

  get progress(): Progress {
    return this.#progress;
  }

  /** To be called whenever the wanted state changed. */
  wantedChanged(): void {
    const { attempt } = this.#progress;
    if (this.#next() !== undefined) this.#newer.abort(new SupersededError('a newer deployment is wanted'));
    else if (attempt?.phase === 'pulling' && this.#isWithdrawn(attempt)) this.#newer.abort(withdrawn());
  }

  /** Starts what is to run and has ended: after a start of the host, or of the engine. Needs neither server nor registry. */
  async bringUp(): Promise<void> {
    const { serving, mixed } = this.#progress;
    if (serving === null || mixed) return;
    const applied = await this.#load(serving);
    if (applied === undefined) return;
    await bringUp(this.options.host, applied, this.#retirement, this.options);
  }

  /** To be called first, and when the engine was away: waits for it, and brings up. @throws StoppedError */
  async engineReturned(): Promise<void> {
    await this.#engineBack(0);
  }

  /** Goes on until nothing is to be done. @throws StoppedError */
  async run(): Promise<void> {
    for (;;) {
      this.options.signal.throwIfAborted();
      const { attempt } = this.#progress;
      const next = this.#next();
      try {
        if (next !== undefined && attempt?.phase !== 'reverting') await this.#begin(next);
        else if (attempt === null || ENDS.includes(attempt.phase)) return;
        else await this.#step(attempt);
      } catch (error) {
        await this.#handle(error, attempt);
      }
    }
  }

  /** Old containers that may still serve are left to the next start. */
  async halt(): Promise<void> {
    await this.#retirement.halt();
  }

  /** The deployment to begin with, when there is one. */
  #next(): WantedDeployment | undefined {
    const wanted = this.options.wanted();
    const { attempt, failed } = this.#progress;
    const next = wanted?.deployment;
    if (wanted === undefined || next === null || next === undefined) return undefined;
    if (attempt !== null && next.number <= attempt.number) return undefined;
    return failed.includes(next.number) || wanted.failed.includes(next.number) ? undefined : next;
  }

  /** Cancelled, or failed on another target: what was not begun to be switched is not switched any more. */
  #isWithdrawn({ number }: Attempt): boolean {
    const wanted = this.options.wanted();
    return wanted !== undefined && (wanted.deployment?.number !== number || wanted.failed.includes(number));
  }

  async #begin(next: WantedDeployment): Promise<void> {
    const { directory, log, wanted } = this.options;
    this.#newer = new AbortController();
    this.#losses = 0;
    await this.#retirement.halt();
    const { serving, attempt } = this.#progress;
    const base = serving ?? attempt?.base ?? null;
    const fresh: Attempt = { number: next.number, phase: 'pulling', migrated: false, base, touched: [], warnings: [] };
    log.info({ deployment: next.number, before: attempt?.number, base }, 'deployment begins');
    try {
      await directory.writeDeployment(next);
      const stable = wanted()?.stable;
      if (stable && (await directory.readDeployment(stable.number)) === undefined)
        await directory.writeDeployment(stable);
      await this.#save({ attempt: fresh });
    } catch (error) {
      // Nothing can be kept: it must not be begun.
      this.#progress = { ...this.#progress, attempt: fresh };
      throw error;
    }
  }

  #step(attempt: Attempt): Promise<void> {
    this.options.onStep(attempt.phase);
    switch (attempt.phase) {
      case 'pending':
      case 'pulling':
        return this.#pull(attempt);
      case 'pulled':
        return this.#afterPull(attempt);
      case 'migrating':
        return this.#migrate(attempt);
      case 'switching':
        return this.#switch(attempt);
      case 'monitoring':
        return this.#monitor(attempt);
      case 'reverting':
        return this.#revert(attempt);
      case 'stable':
      case 'reverted':
      case 'failed':
      case 'revert-failed':
        return Promise.resolve();
    }
  }

  async #pull(attempt: Attempt): Promise<void> {
    const { host, login, onChange, signal } = this.options;
    const { deployment } = await this.#mustLoad(attempt.number);
    await pullImages(deployment.images, {
      engine: host.engine,
      login,
      progressWithinMs: Math.max(...deployment.services.map(({ deadlines }) => deadlines.progressDeadline)),
      onProgress: (pulled) => void onChange(attempt, pulled),
      signal: AbortSignal.any([signal, this.#newer.signal]),
    });
    await this.#advance(attempt, { phase: 'pulled' });
  }

  async #afterPull(attempt: Attempt): Promise<void> {
    const { deployment } = await this.#mustLoad(attempt.number);
    if (this.#isWithdrawn(attempt)) throw withdrawn();
    if (deployment.migrations.length > 0 && !attempt.migrated) await this.#advance(attempt, { phase: 'migrating' });
    else await this.#beginSwitch(attempt);
  }

  async #migrate(attempt: Attempt): Promise<void> {
    const { host, log } = this.options;
    const applied = await this.#mustLoad(attempt.number);
    await runMigrations(host, applied, this.#switchOptions(attempt, { mixes: true }));
    log.info({ deployment: attempt.number }, 'migrations done');
    await this.#beginSwitch({ ...this.#current(attempt), migrated: true });
    await removeMigrations(host);
  }

  async #beginSwitch(attempt: Attempt): Promise<void> {
    await this.#advance(attempt, { phase: 'switching', touched: [] }, { mixed: true, serving: null });
  }

  async #switch(attempt: Attempt): Promise<void> {
    const applied = await this.#mustLoad(attempt.number);
    await switchTo(this.options.host, applied, this.#switchOptions(attempt));
    await this.#advance(this.#current(attempt), { phase: 'monitoring' }, { mixed: false, serving: attempt.number });
  }

  async #monitor(attempt: Attempt): Promise<void> {
    const { host, log, signal, wanted } = this.options;
    const applied = await this.#mustLoad(attempt.number);
    await monitor(host, applied, {
      watchMs: wanted()?.timings.watchMs ?? 60_000,
      retirement: this.#retirement,
      warn: (warning) => this.#warn(attempt.number, warning),
      signal: AbortSignal.any([signal, this.#newer.signal]),
    });
    await this.#retirement.finish();
    await this.#advance(this.#current(attempt), { phase: 'stable' }, { stable: attempt.number });
    try {
      await prune(this.options, this.#progress);
    } catch (error) {
      log.warn({ error: String(error) }, 'old images not removed');
    }
  }

  async #revert(attempt: Attempt): Promise<void> {
    const { host, login, signal } = this.options;
    const to = attempt.revertedTo;
    const applied = to === undefined ? undefined : await this.#load(to);
    if (to === undefined || applied === undefined) {
      throw new DeploymentFailure(`the files of deployment ${to} are not here`, 'place');
    }
    await pullImages(applied.deployment.images, {
      engine: host.engine,
      login,
      progressWithinMs: 30_000,
      onProgress: () => {},
      signal,
    });
    await switchTo(host, applied, { ...this.#switchOptions(attempt), superseded: () => false });
    await this.#retirement.finish();
    const stable = to === attempt.base && to !== this.options.wanted()?.stable?.number ? this.#progress.stable : to;
    await this.#advance(this.#current(attempt), { phase: 'reverted' }, { mixed: false, serving: to, stable });
  }

  async #handle(error: unknown, attempt: Attempt | null): Promise<void> {
    const { signal, log } = this.options;
    if (signal.aborted || error instanceof StoppedError) throw signal.aborted ? signal.reason : error;
    if (error instanceof SupersededError) {
      // What was newer may be wanted no more.
      if (this.#next() === undefined) this.#newer = new AbortController();
      return;
    }
    if (error instanceof EngineUnreachableError && ++this.#losses <= MOST_ENGINE_LOSSES) {
      log.warn({ error: error.message }, 'engine away');
      await this.#engineBack(FIRST_WAIT_MS);
      return;
    }
    const current = this.#progress.attempt ?? attempt;
    if (current === null) throw error;
    await this.#fail(current, error);
  }

  async #engineBack(firstWaitMs: number): Promise<void> {
    const { host, log, signal } = this.options;
    for (let tries = 0; ; tries++) {
      await sleep(Math.min(MOST_WAIT_MS, firstWaitMs * 2 ** Math.min(tries, 10)), signal);
      try {
        await host.engine.ping();
        await this.bringUp();
        return;
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof EngineUnreachableError)) {
          log.error({ error: messageOf(error) }, 'what is to run was not brought up');
          return;
        }
        if (tries === 0) log.warn({ error: error.message }, 'waiting for the engine');
        firstWaitMs = FIRST_WAIT_MS;
      }
    }
  }

  async #fail(attempt: Attempt, error: unknown): Promise<void> {
    const { log } = this.options;
    const { number, phase } = attempt;
    const failure = asFailure(error);
    const variables = (await this.#load(number).catch(() => undefined))?.deployment.variables ?? {};
    const message = redact(failure.message, variables).slice(0, 1_500);
    log.warn({ deployment: number, phase, blame: failure.blame, error: message }, 'deployment failed');
    const end = failure.log === undefined ? {} : { log: redact(failure.log, variables).slice(-20_000) };
    if (phase === 'reverting') {
      const error = `${attempt.error ?? 'failed'}; then deployment ${attempt.revertedTo} did not come back: ${message}`;
      // What the release itself said comes first: the way back failed only because of it.
      const both = [attempt.log, `--- deployment ${attempt.revertedTo} did not come back:`, end.log];
      const log = both
        .filter((part) => part !== undefined)
        .join('\n')
        .slice(-20_000);
      await this.#settle(attempt, { phase: 'revert-failed', error: error.slice(0, 2_000), log });
      return;
    }
    const what = { error: message, blame: failure.blame, ...end };
    const failed = [...new Set([...this.#progress.failed, number])];
    const { mixed, serving } = this.#progress;
    if (BEFORE_SWITCHING.includes(phase) && !mixed) {
      const next: Partial<Attempt> =
        serving === null ? { phase: 'failed' } : { phase: 'reverted', revertedTo: serving };
      await this.#settle(attempt, { ...what, ...next }, { failed });
      try {
        await removeMigrations(this.options.host);
        await this.bringUp();
      } catch (error) {
        log.warn({ error: messageOf(error) }, 'the deployment before was not looked after');
      }
      return;
    }
    const load = (number: number) => this.#load(number);
    const to = await revertTarget(attempt, this.#progress, { ...this.options, load });
    const next: Partial<Attempt> =
      to === undefined ? { phase: 'failed' } : { phase: 'reverting', revertedTo: to, touched: [] };
    await this.#settle(attempt, { ...what, ...next }, { failed, mixed: true, serving: null });
    await this.#retirement.halt();
  }

  #switchOptions(attempt: Attempt, { mixes = false } = {}): SwitchOptions {
    const { number, touched } = attempt;
    return {
      retirement: this.#retirement,
      touched,
      touch: async (service) => {
        const now = this.#current(attempt);
        const all = [...new Set([...now.touched, service])];
        await this.#save({ attempt: { ...now, touched: all }, ...(mixes ? { mixed: true } : {}) });
      },
      superseded: () => this.#next() !== undefined,
      warn: (warning) => this.#warn(number, warning),
      onStep: this.options.onStep,
      signal: this.options.signal,
    };
  }

  /** Kept in memory, and on the disk with the next change. */
  #warn(number: number, warning: string): void {
    const { attempt } = this.#progress;
    if (attempt?.number !== number || attempt.warnings.includes(warning) || attempt.warnings.length >= 50) return;
    this.options.log.warn({ deployment: number, warning }, 'deployment warning');
    const warned = { ...attempt, warnings: [...attempt.warnings, warning.slice(0, 500)] };
    this.#progress = { ...this.#progress, attempt: warned };
  }

  #current(attempt: Attempt): Attempt {
    const now = this.#progress.attempt;
    return now?.number === attempt.number ? now : attempt;
  }

  async #advance(attempt: Attempt, change: Partial<Attempt>, rest: Partial<Progress> = {}): Promise<void> {
    await this.#save({ attempt: { ...attempt, ...change }, ...rest });
  }

  /** The disk may be full; a failure goes its way all the same. */
  async #settle(attempt: Attempt, change: Partial<Attempt>, rest: Partial<Progress> = {}): Promise<void> {
    const next = { ...this.#current(attempt), ...change };
    try {
      await this.#save({ attempt: next, ...rest });
    } catch (error) {
      this.options.log.error({ error: messageOf(error) }, 'progress not written');
      this.#progress = { ...this.#progress, ...rest, attempt: next };
      await this.options.onChange(next);
    }
  }

  async #save(change: Partial<Progress>): Promise<void> {
    const before = this.#progress.attempt;
    const next = { ...this.#progress, ...change };
    await this.options.directory.writeProgress(next);
    this.#progress = next;
    if (next.attempt === null || (before?.phase === next.attempt.phase && before.number === next.attempt.number))
      return;
    const { number, phase, revertedTo } = next.attempt;
    this.options.log.info({ deployment: number, phase, revertedTo }, 'phase');
    await this.options.onChange(next.attempt);
  }

  async #mustLoad(number: number): Promise<Applied> {
    const applied = await this.#load(number);
    if (applied === undefined) throw new DeploymentFailure(`the files of deployment ${number} are not here`, 'place');
    return applied;
  }

  async #load(number: number): Promise<Applied | undefined> {
    const { directory, host, login } = this.options;
    const known = this.#loaded.get(number);
    if (known !== undefined) return known;
    const wanted = await directory.readDeployment(number);
    if (wanted === undefined) return undefined;
    const deployment = prepare(wanted, host.place, login.registry);
    const applied = { deployment, file: await directory.writePrepared(deployment) };
    return this.#loaded.set(number, applied).get(number);
  }
}
