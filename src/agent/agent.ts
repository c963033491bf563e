import type { Logger } from 'pino';
import pkg from '../../package.json' with { type: 'json' };
import type { DeploymentReport, WantedState } from '../api/agent.ts';
import { AgentClient } from '../client/agent.ts';
import type { ClientTls } from '../client/client-tls.ts';
import { Compose, dockerEnvironment } from './compose.ts';
import { Deployer } from './deployer.ts';
import { Engine } from './engine.ts';
import { engineAddress } from './engine-address.ts';
import { StoppedError } from './failure.ts';
import { Inventory } from './inventory.ts';
import type { Place } from './labels.ts';
import type { Attempt, Progress } from './progress.ts';
import type { Pulled } from './pull.ts';
import { RegistryLogin } from './registry-login.ts';
import { Reporter } from './reporter.ts';
import { StateDirectory, StateDirectoryError } from './state-directory.ts';
import { Systemd } from './systemd.ts';
import { Wake } from './wake.ts';
import { WantedSource } from './wanted-source.ts';

export interface AgentOptions {
  /** `https://berth.example.com` */
  server: string;
  /** What of TLS is not the system's. */
  tls?: ClientTls;
  token: string;
  /** The host of images, as docker names it, with its port. */
  registry: string;
  /** The state directory. */
  state: string;
  /** Ends when nothing is left to be done. */
  once: boolean;
  environment: Record<string, string | undefined>;
  log: Logger;
  onStep: (step: string) => void;
  /** Aborted when the agent is to end. */
  stop: AbortSignal;
}

const DEFAULT_POLL_MS = 30_000;
const DEFAULT_REPORT_MS = 60_000;
/** What a `docker compose` that runs may take once the agent is to stop. */
const COMPOSE_ENDS_WITHIN_MS = 20_000;
const LAST_REPORT_WITHIN_MS = 2_000;
const ONCE_REPORTED_WITHIN_MS = 60_000;

/**
 * Looks after one environment on this host until `stop`; see `state-machine.md`.
 *
 * @returns the phase that the newest deployment has reached
 * @throws StateDirectoryError, TypeError for an address that can't be used
 */
export async function runAgent(options: AgentOptions): Promise<Attempt['phase'] | undefined> {
  const agent = new Agent(options, await StateDirectory.open(options.state));
  try {
    return await agent.run();
  } finally {
    agent.close();
  }
}

class Agent {
  readonly #options: AgentOptions;
  readonly #directory: StateDirectory;
  readonly #engine: Engine;
  readonly #systemd: Systemd;
  readonly #reporter: Reporter;
  readonly #source: WantedSource;
  /** Aborted with the reason why everything ends. */
  readonly #end = new AbortController();
  readonly #wake = new Wake();
  #wanted: WantedState | undefined;
  #fetched = false;
  #deployer: Deployer | undefined;
  #engineReturned = false;
  /** What the pull of the newest deployment has brought. */
  #pulled: { number: number; pull: Pulled } | undefined;

  constructor(options: AgentOptions, directory: StateDirectory) {
    const { server, tls, token, environment, log } = options;
    this.#options = options;
    this.#directory = directory;
    this.#engine = new Engine(engineAddress(environment));
    this.#systemd = new Systemd(environment);
    const signal = this.#end.signal;
    const client = new AgentClient(server, token, `berth-agent/${pkg.version}`, tls);
    const timings = () => this.#wanted?.timings;
    this.#reporter = new Reporter({
      client,
      log,
      agentVersion: pkg.version,
      everyMs: () => timings()?.reportMs ?? DEFAULT_REPORT_MS,
      signal,
    });
    this.#source = new WantedSource({
      client,
      log,
      onState: (state) => this.#take(state),
      pollMs: () => timings()?.pollMs ?? DEFAULT_POLL_MS,
      signal,
    });
  }

  async run(): Promise<Attempt['phase'] | undefined> {
    const { stop, log } = this.#options;
    const end = () => this.#end.abort(new StoppedError('the agent is to stop'));
    stop.addEventListener('abort', end, { once: true });
    if (stop.aborted) end();
    this.#wanted = await this.#directory.readWanted();
    const loops = [this.#source.run(), this.#deploy()];
    try {
      await Promise.race([this.#ended(), ...loops]);
    } catch (error) {
      if (!(error instanceof StoppedError)) {
        log.fatal({ error: error instanceof Error ? error.stack : String(error) }, 'agent failed');
        throw error;
      }
    } finally {
      this.#systemd.stopping();
      end();
      await Promise.allSettled(loops);
      await this.#deployer?.halt();
    }
    log.info('agent ends; containers stay');
    return this.#deployer?.progress.attempt?.phase;
  }

  close(): void {
    this.#systemd.close();
    this.#directory.close();
  }

  #ended(): Promise<never> {
    const { signal } = this.#end;
    return new Promise((_, reject) => {
      if (signal.aborted) reject(signal.reason);
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
  }

  /** A wanted state of the server. Kept on the disk before anything is done about it. */
  async #take(state: WantedState): Promise<void> {
    const { log } = this.#options;
    const known = this.#deployer?.progress ?? (await this.#directory.readProgress());
    if (known !== undefined && !isOf(state, known)) {
      const error = new StateDirectoryError(
        `--state: ${this.#options.state} belongs to ${known.stack} in ${known.environment}, and the token to ${state.stack} in ${state.environment}; give each its own directory`,
      );
      this.#end.abort(error);
      throw error;
    }
    try {
      await this.#directory.writeWanted(state);
    } catch (error) {
      // A full disk: what is on it is older, no worse.
      log.error({ error: String(error) }, 'wanted state not written');
    }
    this.#wanted = state;
    this.#fetched = true;
    log.info(
      {
        deployment: state.deployment?.number ?? null,
        stable: state.stable?.number ?? null,
        skewMs: Date.now() - state.now,
      },
      'wanted state',
    );
    this.#deployer?.wantedChanged();
    this.#wake.up();
  }

  async #deploy(): Promise<void> {
    const { signal } = this.#end;
    const progress = (await this.#directory.readProgress()) ?? (await this.#firstProgress());
    const place: Place = { stack: progress.stack, environment: progress.environment, project: progress.project };
    const inventory = new Inventory({
      engine: this.#engine,
      place,
      log: this.#options.log,
      onServices: (services, engine) => this.#reporter.set({ services, ...(engine === undefined ? {} : { engine }) }),
      onEngineBack: () => {
        this.#engineReturned = true;
        this.#wake.up();
      },
      signal,
    });
    const deployer = this.#newDeployer(progress, place, inventory);
    this.#deployer = deployer;
    if (progress.attempt !== null) this.#reporter.set({ deployment: reportOf(progress.attempt) });
    await inventory.refresh();
    this.#systemd.ready(() => true);
    const loops = [this.#reporter.run(), inventory.run(), this.#work(deployer)];
    try {
      await Promise.race(loops);
    } finally {
      this.#end.abort(new StoppedError('the agent is to stop'));
      await Promise.allSettled(loops);
      if (!this.#reporter.isCurrent) {
        await this.#reporter.send(AbortSignal.timeout(LAST_REPORT_WITHIN_MS)).catch(() => {
          // The next start says it.
        });
      }
    }
  }

  async #work(deployer: Deployer): Promise<void> {
    const { signal } = this.#end;
    await deployer.engineReturned();
    for (;;) {
      await deployer.run();
      this.#status(deployer.progress);
      if (this.#options.once && this.#fetched) return this.#reported();
      await this.#wake.sleep(DEFAULT_REPORT_MS, signal);
      signal.throwIfAborted();
      if (this.#engineReturned) {
        this.#engineReturned = false;
        await deployer.engineReturned();
      }
    }
  }

  /** Resolves when the server knows all, or won't hear it. */
  async #reported(): Promise<void> {
    const { signal } = this.#end;
    const deadline = performance.now() + ONCE_REPORTED_WITHIN_MS;
    while (!this.#reporter.isCurrent && performance.now() < deadline) await new Wake().sleep(50, signal);
  }

  /** Before the server has said for which environment this is, nothing can be done. */
  async #firstProgress(): Promise<Progress> {
    const { signal } = this.#end;
    this.#systemd.ready(() => true);
    while (this.#wanted === undefined) {
      await this.#wake.sleep(DEFAULT_POLL_MS, signal);
      signal.throwIfAborted();
    }
    const { stack, environment, project } = this.#wanted;
    return { stack, environment, project, attempt: null, serving: null, mixed: false, stable: null, failed: [] };
  }

  #newDeployer(progress: Progress, place: Place, inventory: Inventory): Deployer {
    const { registry, token, environment, log, onStep } = this.#options;
    const hard = new AbortController();
    this.#end.signal.addEventListener('abort', () => setTimeout(() => hard.abort(), COMPOSE_ENDS_WITHIN_MS).unref(), {
      once: true,
    });
    const docker = Bun.which('docker', { PATH: environment.PATH ?? '' }) ?? 'docker';
    const compose = new Compose(place, {
      command: [docker],
      environment: { ...dockerEnvironment(environment), DOCKER_HOST: this.#engine.address.name },
      projectDirectory: this.#directory.projectDirectory,
      lock: this.#directory.lock,
      signal: hard.signal,
    });
    return new Deployer({
      directory: this.#directory,
      host: { engine: this.#engine, compose, place },
      login: new RegistryLogin(registry, token, environment),
      progress,
      log,
      wanted: () => this.#wanted,
      onChange: async (attempt, pull) => {
        this.#status(this.#deployer?.progress);
        // What runs is to be known with the phase that says so.
        if (pull === undefined && attempt.phase !== 'pulling' && attempt.phase !== 'pulled') await inventory.refresh();
        if (pull !== undefined) this.#pulled = { number: attempt.number, pull };
        const known = this.#pulled?.number === attempt.number ? this.#pulled.pull : undefined;
        this.#reporter.set({ deployment: reportOf(attempt, known) });
      },
      onStep,
      signal: this.#end.signal,
    });
  }

  #status(progress: Progress | undefined): void {
    const attempt = progress?.attempt;
    this.#systemd.status(attempt ? `deployment ${attempt.number}: ${attempt.phase}` : 'nothing deployed yet');
  }
}

function isOf(state: WantedState, known: Place): boolean {
  return state.stack === known.stack && state.environment === known.environment && state.project === known.project;
}

function reportOf(attempt: Attempt, pull?: Pulled): DeploymentReport {
  const { number, phase, warnings, error, log, blame, revertedTo } = attempt;
  return {
    number,
    phase,
    ...(pull === undefined ? {} : { pull: { bytes: pull.bytes, total: pull.total } }),
    ...(warnings.length === 0 ? {} : { warnings }),
    ...(error === undefined ? {} : { error: error.slice(0, 2_000) }),
    ...(log === undefined ? {} : { log: log.slice(-20_000) }),
    ...(blame === undefined ? {} : { blame }),
    ...(revertedTo === undefined ? {} : { revertedTo }),
  };
}
