import type { Logger } from 'pino';
import type { AgentReport, DeploymentReport } from '../api/agent.ts';
import type { RunningService } from '../api/deployments.ts';
import { type AgentCallError, type AgentClient, AgentCallError as CallError } from '../client/agent.ts';
import { backOff, Wake } from './wake.ts';

export interface ReporterOptions {
  client: AgentClient;
  log: Logger;
  agentVersion: string;
  /** How often at least a report is sent, in ms. */
  everyMs: () => number;
  signal: AbortSignal;
}

interface Facts {
  engine?: string;
  deployment?: DeploymentReport;
  services?: RunningService[] | null;
}

const PROGRESS_EVERY_MS = 500;
const MOST_WAIT_MS = 30_000;

/**
 * Tells the server what happened and what runs: only what differs from the last report that it took, and again and again until it takes it. What
 * changes meanwhile replaces what was to be said, so that the newest phase is never lost. After a start everything is said once.
 */
export class Reporter {
  #now: Facts = {};
  #taken: Facts = {};
  #urgent = false;
  #sentAt = Number.NEGATIVE_INFINITY;
  readonly #wake = new Wake();

  constructor(readonly options: ReporterOptions) {}

  set(facts: Facts): void {
    const { deployment } = facts;
    const onlyPull =
      deployment !== undefined &&
      facts.services === undefined &&
      JSON.stringify({ ...deployment, pull: 0 }) === JSON.stringify({ ...this.#now.deployment, pull: 0 });
    this.#now = { ...this.#now, ...facts };
    if (!onlyPull) this.#urgent = true;
    this.#wake.up();
  }

  /** Whether the server has taken the newest. */
  get isCurrent(): boolean {
    return JSON.stringify(this.#now) === JSON.stringify(this.#taken);
  }

  /** Sends until the signal is aborted. */
  async run(): Promise<void> {
    const { signal, everyMs, log } = this.options;
    let failures = 0;
    while (!signal.aborted) {
      const due = this.#sentAt + (this.isCurrent ? everyMs() : this.#urgent ? 0 : PROGRESS_EVERY_MS);
      if (due > performance.now()) {
        await this.#wake.sleep(due - performance.now(), signal);
        continue;
      }
      try {
        await this.send();
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof CallError)) throw error;
        log.warn({ error: error.message, status: error.status }, 'report not taken');
        await this.#wait(error, failures++);
      }
    }
  }

  /** One report, when it differs from the last; the heartbeat otherwise. @throws AgentCallError */
  async send(signal: AbortSignal = this.options.signal): Promise<void> {
    const facts = this.#now;
    this.#urgent = false;
    this.#sentAt = performance.now();
    try {
      await this.options.client.report(this.#reportOf(facts), signal);
      this.#taken = facts;
    } catch (error) {
      this.#urgent = true;
      throw error;
    }
  }

  async #wait(error: AgentCallError, failures: number): Promise<void> {
    // A report that the server can't read would be refused for ever; what comes next may not.
    const until = performance.now() + (error.retryAfterMs ?? backOff(MOST_WAIT_MS, failures));
    while (performance.now() < until && !this.options.signal.aborted) {
      await this.#wake.sleep(until - performance.now(), this.options.signal);
    }
  }

  #reportOf(facts: Facts): AgentReport {
    const { agentVersion } = this.options;
    const taken = this.#taken;
    const isFirst = Object.keys(taken).length === 0;
    const deployment = difference(facts.deployment, taken.deployment);
    const hasServices =
      facts.services !== undefined && JSON.stringify(facts.services) !== JSON.stringify(taken.services);
    return {
      ...(isFirst ? { agentVersion } : {}),
      ...(facts.engine !== undefined && facts.engine !== taken.engine ? { engine: facts.engine } : {}),
      now: Date.now(),
      ...(deployment === undefined ? {} : { deployment }),
      ...(hasServices && facts.services !== undefined ? { services: facts.services } : {}),
    };
  }
}

function difference(
  now: DeploymentReport | undefined,
  before: DeploymentReport | undefined,
): DeploymentReport | undefined {
  if (now === undefined || before === undefined || now.number !== before.number) return now;
  const old = new Map<string, unknown>(Object.entries(before));
  const changed = Object.entries(now).filter(
    ([name, value]) => JSON.stringify(value) !== JSON.stringify(old.get(name)),
  );
  if (changed.length === 0) return undefined;
  return { ...Object.fromEntries(changed), number: now.number, phase: now.phase };
}
