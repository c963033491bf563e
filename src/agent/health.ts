import type { Probe } from '../compose/settings.ts';
import type { Container } from './containers.ts';
import type { PreparedService } from './prepared.ts';

/** Unhealthy: it will not get healthy any more. */
export type Verdict = { kind: 'healthy' } | { kind: 'waiting'; why: string } | { kind: 'unhealthy'; why: string };

const HEALTHY: Verdict = { kind: 'healthy' };
/** So often may a container end and be started again by its engine before that counts as a loop. */
const MOST_RESTARTS = 3;
/** An engine takes a moment to start a container again. */
const ENDED_FOR_MS = 1_500;

/** What says that the container is healthy, or the lack of it. */
export function gateOf(service: PreparedService, container: Container): 'probe' | 'check' | 'time' {
  if (service.health.kind === 'probe') return 'probe';
  return container.health === undefined ? 'time' : 'check';
}

/** Judges one new container again and again until it is healthy or can't become so. */
export class HealthGate {
  readonly #began: number;
  readonly #firstRestarts: number;
  #endedAt: number | undefined;
  #running: { startedAt: string; since: number } | undefined;
  #probe: Prober | undefined;

  constructor(
    readonly service: PreparedService,
    container: Container,
    readonly now: () => number = () => performance.now(),
  ) {
    this.#began = now();
    this.#firstRestarts = container.restarts;
  }

  /** @param container as it is now; undefined when it is gone */
  async judge(container: Container | undefined): Promise<Verdict> {
    const { service } = this;
    if (container === undefined) return unhealthy('its container was removed');
    const ended = this.#judgeEnd(container);
    if (ended !== undefined) return ended;
    const verdict = container.running ? await this.#judgeRunning(container) : waiting('it has not started yet');
    const { healthyDeadline } = service.deadlines;
    if (verdict.kind === 'waiting' && this.now() - this.#began > healthyDeadline) {
      return unhealthy(`not healthy within ${seconds(healthyDeadline)}: ${verdict.why}`);
    }
    return verdict;
  }

  #judgeEnd(container: Container): Verdict | undefined {
    const { exitCode } = container;
    if (container.restarts - this.#firstRestarts >= MOST_RESTARTS) {
      return unhealthy(`it ends again and again, with exit code ${exitCode}`);
    }
    const ended = !container.running && !container.restarting && container.inspected.State.Status !== 'created';
    if (!ended) {
      this.#endedAt = undefined;
      return container.startError === '' || container.running ? undefined : unhealthy(container.startError);
    }
    if (this.service.endsByItself && exitCode === 0) return HEALTHY;
    this.#endedAt ??= this.now();
    if (container.restartedByEngine && this.now() - this.#endedAt < ENDED_FOR_MS) return waiting('it ended');
    return unhealthy(`it ended with exit code ${exitCode}`);
  }

  async #judgeRunning(container: Container): Promise<Verdict> {
    const { service } = this;
    if (service.endsByItself) return waiting('it has not ended yet');
    if (this.#running?.startedAt !== container.startedAt) {
      this.#running = { startedAt: container.startedAt, since: this.now() };
      this.#probe = undefined;
    }
    if (service.health.kind === 'probe') {
      this.#probe ??= new Prober(service.health, FIRST_PROBES_MS);
      return this.#probe.answer(container, this.now());
    }
    if (container.health === 'healthy') return HEALTHY;
    if (container.health === 'unhealthy')
      return unhealthy(`its health check fails: ${firstLine(container.healthOutput)}`);
    if (container.health !== undefined) return waiting('its health check has not passed yet');
    const { minHealthyTime } = service.deadlines;
    const ran = Math.max(this.now() - this.#running.since, Date.now() - Date.parse(container.startedAt));
    return ran >= minHealthyTime ? HEALTHY : waiting(`it has not run for ${seconds(minHealthyTime)} yet`);
  }
}

const FIRST_PROBES_MS = 200;

/** Asks a container by HTTP, at most once in the interval, and remembers its answer meanwhile. */
class Prober {
  #askedAt: number | undefined;
  #verdict: Verdict = waiting('its probe has not been sent yet');

  constructor(
    readonly probe: Probe,
    readonly everyMs: number,
  ) {}

  async answer(container: Container, now: number): Promise<Verdict> {
    if (this.#askedAt !== undefined && now - this.#askedAt < this.everyMs) return this.#verdict;
    this.#askedAt = now;
    const why = await probe(this.probe, container);
    this.#verdict = why === undefined ? HEALTHY : waiting(`its probe ${why}`);
    return this.#verdict;
  }
}

/** @returns what is wrong, undefined when it answers with 2xx or 3xx */
export async function probe({ port, path, timeout }: Probe, container: Container): Promise<string | undefined> {
  const [address] = container.addresses;
  if (address === undefined) return 'has no address: the container is in no network';
  const host = address.includes(':') ? `[${address}]` : address;
  try {
    const response = await fetch(`http://${host}:${port}${path}`, {
      redirect: 'manual',
      signal: AbortSignal.timeout(timeout),
      headers: { 'User-Agent': 'berth-agent', Connection: 'close' },
      keepalive: false,
    });
    await response.body?.cancel();
    return response.status >= 200 && response.status < 400 ? undefined : `GET ${path} answers ${response.status}`;
  } catch (error) {
    return `GET ${path} on port ${port}: ${error instanceof Error ? error.message : 'no answer'}`;
  }
}

const PROBES_IN_A_ROW = 3;

/** Watches a container that was healthy: unhealthy, restarted or gone is the end of it. */
export class Watch {
  readonly #startedAt: string;
  readonly #restarts: number;
  #failed = 0;
  #askedAt = Number.NEGATIVE_INFINITY;

  constructor(
    readonly service: PreparedService,
    container: Container,
  ) {
    this.#startedAt = container.startedAt;
    this.#restarts = container.restarts;
  }

  /** @returns what is wrong */
  async judge(container: Container | undefined): Promise<string | undefined> {
    const { service } = this;
    if (container === undefined) return 'its container was removed';
    if (service.endsByItself) return undefined;
    if (container.restarts > this.#restarts || container.restarting || container.startedAt !== this.#startedAt) {
      return `its container restarted${container.running ? '' : `, with exit code ${container.exitCode}`}`;
    }
    if (!container.running) return `its container ended with exit code ${container.exitCode}`;
    if (container.health === 'unhealthy') return `its health check fails: ${firstLine(container.healthOutput)}`;
    if (service.health.kind !== 'probe') return undefined;
    const now = performance.now();
    if (now - this.#askedAt < service.health.interval) return undefined;
    this.#askedAt = now;
    const why = await probe(service.health, container);
    this.#failed = why === undefined ? 0 : this.#failed + 1;
    return why !== undefined && this.#failed >= PROBES_IN_A_ROW ? `its probe ${why}` : undefined;
  }
}

function waiting(why: string): Verdict {
  return { kind: 'waiting', why };
}

function unhealthy(why: string): Verdict {
  return { kind: 'unhealthy', why };
}

function seconds(ms: number): string {
  return `${ms / 1000} s`;
}

function firstLine(text: string): string {
  return text.trim().split('\n', 1)[0]?.slice(0, 300) || 'no output';
}
