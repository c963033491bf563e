import type { DeploymentInfo, EnvironmentStatus } from '../api/deployments.ts';
import type { EnvironmentName } from '../client/environments.ts';
import { ApiError, ServerUnreachableError } from '../client/errors.ts';
import type { ManagementClient } from '../client/management.ts';
import { type Outcome, outcomeOf, type WaitFor } from './deployment-outcome.ts';
import { type DeploymentProgress, deploymentProgress } from './deployment-progress.ts';
import { EXIT } from './exit.ts';
import { note, print, safe } from './terminal.ts';
import { CommandError } from './usage.ts';

/** How often it is asked. */
const EVERY_MS = 300;
/** How long the server may be away. */
const AWAY_MS = 60_000;
/** Of a log that is shown. */
const LOG_LINES = 20;

export interface Watched {
  code: number;
  /** As it was seen last. */
  deployment: DeploymentInfo;
}

/**
 * Waits for a deployment, and says on standard error how far it is and how it ended. Control-C and the end of the time end
 * the waiting alone: the deployment goes on.
 *
 * @param begun as the server answered
 * @param json whether standard output is for JSON, which the caller writes; else it gets a line when all is well
 * @throws ApiError, CommandError when the server was away for a minute
 */
export async function watchDeployment(
  client: ManagementClient,
  environment: EnvironmentName,
  begun: DeploymentInfo,
  { until, timeoutMs, json }: { until: WaitFor; timeoutMs: number; json: boolean },
): Promise<Watched> {
  const progress = deploymentProgress();
  const interrupt = new AbortController();
  const stop = () => interrupt.abort();
  process.on('SIGINT', stop);
  try {
    const watch = new Watch(client, environment, progress, interrupt.signal, begun);
    const result = await watch.run(until, performance.now() + timeoutMs);
    progress.stop();
    const { deployment, rollback } = watch;
    const text = `v${deployment.number} of ${safe(deployment.stack)} ${safe(deployment.environment)}`;
    if (result === 'interrupted') {
      note(`no longer waiting; ${text} goes on (${deployment.status}): berth status shows it`);
      return { code: EXIT.interrupted, deployment };
    }
    if (result === 'timed out') {
      note(`${text} is ${deployment.status} after ${timeoutMs / 1_000} s; no longer waiting, it goes on`);
      return { code: EXIT.timedOut, deployment };
    }
    const line = `${text}: ${result.text}`;
    if (json || result.code !== EXIT.ok) note(line);
    else print(line);
    if (result.code !== EXIT.ok) await explainFailure(client, environment, deployment, rollback);
    return { code: result.code, deployment };
  } finally {
    process.off('SIGINT', stop);
    progress.stop();
  }
}

class Watch {
  #lastAnswer = performance.now();
  #away = false;
  /** What undoes it, as it was seen last. */
  rollback: DeploymentInfo | undefined;
  readonly #interrupted: Promise<undefined>;

  constructor(
    readonly client: ManagementClient,
    readonly environment: EnvironmentName,
    readonly progress: DeploymentProgress,
    readonly signal: AbortSignal,
    public deployment: DeploymentInfo,
  ) {
    this.#interrupted = new Promise((resolve) => {
      signal.addEventListener('abort', () => resolve(undefined), { once: true });
    });
  }

  /** @param deadline on the clock of `performance` */
  async run(until: WaitFor, deadline: number): Promise<Outcome | 'interrupted' | 'timed out'> {
    this.progress.show(this.deployment);
    for (;;) {
      const outcome = await this.#look(until);
      if (outcome !== undefined) return outcome;
      if (this.signal.aborted) return 'interrupted';
      if (performance.now() >= deadline) return 'timed out';
      await this.#pause(Math.min(EVERY_MS, Math.max(deadline - performance.now(), 1)));
    }
  }

  async #look(until: WaitFor): Promise<Outcome | undefined> {
    const { client, environment } = this;
    const seen = await this.#asked(() => client.deployments.get(environment, this.deployment.number));
    if (seen === undefined) return undefined;
    this.deployment = seen;
    const { rolledBackBy } = seen;
    const rollback =
      rolledBackBy === null ? undefined : await this.#asked(() => client.deployments.get(environment, rolledBackBy));
    this.rollback = rollback ?? this.rollback;
    this.progress.show(seen, ...(rollback === undefined ? [] : [rollback]));
    const replaceable = seen.status === 'success' && until === 'stable' && !seen.stable;
    const current = replaceable ? (await this.#asked(() => client.environments.get(environment)))?.current : undefined;
    return outcomeOf(seen, until, { rollback, current });
  }

  /** undefined: no answer this time, or interrupted. */
  async #asked<T>(ask: () => Promise<T>): Promise<T | undefined> {
    try {
      const answer = await Promise.race([ask(), this.#interrupted]);
      if (this.#away && answer !== undefined) this.progress.say(`${this.client.server} answers again`);
      if (answer !== undefined) this.#away = false;
      this.#lastAnswer = performance.now();
      return answer;
    } catch (error) {
      if (!isPassing(error)) throw error;
      const reason = error instanceof Error ? safe(error.message) : 'no answer';
      if (performance.now() - this.#lastAnswer > AWAY_MS) {
        throw new CommandError(`${reason}; gave up waiting after a minute, v${this.deployment.number} goes on`);
      }
      if (!this.#away) this.progress.say(`no answer, the deployment goes on; trying for a minute: ${reason}`);
      this.#away = true;
      return undefined;
    }
  }

  #pause(ms: number): Promise<unknown> {
    return Promise.race([Bun.sleep(ms), this.#interrupted]);
  }
}

/** What a server that is being restarted, or that has too much to do, answers. */
function isPassing(error: unknown): boolean {
  if (error instanceof ServerUnreachableError) return true;
  return error instanceof ApiError && (error.status >= 500 || error.status === 429);
}

/** Why, by target, with the last lines of what failed; and what serves now, as far as that is known. */
async function explainFailure(
  client: ManagementClient,
  environment: EnvironmentName,
  { number, message, targets }: DeploymentInfo,
  rollback: DeploymentInfo | undefined,
): Promise<void> {
  if (message !== '') note(`  ${safe(message)}`);
  const undone = rollback === undefined || rollback.status === 'success' ? [] : rollback.targets;
  for (const { target, phase, error, log } of [...targets, ...undone]) {
    if (error !== null) note(`  ${safe(target)} (${phase}): ${safe(error)}`);
    const lines = log === null ? [] : log.trimEnd().split('\n').slice(-LOG_LINES);
    if (lines.length > 0) note(`  the last lines of its log on ${safe(target)}:`);
    for (const line of lines) note(`    ${safe(line)}`);
  }
  let status: EnvironmentStatus;
  try {
    status = await client.environments.status(environment);
  } catch (error) {
    note(`what serves now is not known: ${error instanceof Error ? safe(error.message) : 'no answer'}`);
    return;
  }
  const { current } = status;
  if (current === null || current.number === number) return;
  const back = current.restores === null ? '' : `, which brings back v${current.restores}`;
  note(
    `now: v${current.number} (release ${current.release})${back}: ${current.status}${current.stable ? ', stable' : ''}`,
  );
}
