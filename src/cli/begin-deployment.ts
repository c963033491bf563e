import type { Command } from 'commander';
import type { z } from 'zod';
import type { DeploymentInfo, Plan, planBody } from '../api/deployments.ts';
import type { EnvironmentName } from '../client/environments.ts';
import { ApiError } from '../client/errors.ts';
import type { ManagementClient } from '../client/management.ts';
import type { Call } from './command-group.ts';
import { WAIT_FOR, type WaitFor } from './deployment-outcome.ts';
import { EXIT } from './exit.ts';
import { planLines } from './plan-text.ts';
import { note, print, printJson, report, safe } from './terminal.ts';
import { durationOf } from './usage.ts';
import { watchDeployment } from './watch-deployment.ts';

/** What is asked for: a deploy, a promotion or a rollback. */
export type Wanted = z.input<typeof planBody>;

/** The flags of the commands that begin a deployment. */
export interface BeginOptions {
  stack?: string;
  wait?: string | true;
  timeout: string;
  lockTimeout?: string;
  dryRun?: boolean;
  force?: boolean;
}

const LOCK_EVERY_MS = 1_000;

export function addBeginOptions(command: Command): Command {
  return command
    .option('--wait [STATE]', `wait until it is ${WAIT_FOR.join(' or ')}; healthy without a word`)
    .option('--timeout <DURATION>', 'wait so long at most, then end with exit code 124', '10m')
    .option('--lock-timeout <DURATION>', 'try so long while somebody else holds the environment')
    .option('--dry-run', 'say what would change, and change nothing')
    .option('--force', 'also where a policy refuses it; needs the role admin')
    .option('--stack <STACK>', 'of which the environment is [BERTH_STACK]');
}

/**
 * The words of the command line without its flags: what was taken for the state of `--wait` may be the first of them.
 */
export function wordsOf(args: readonly string[], { wait }: { wait?: string | true }): string[] {
  return typeof wait !== 'string' || isWaitFor(wait) ? [...args] : [wait, ...args];
}

/** @returns the exit code @throws UsageError, ApiError, CommandError */
export async function beginDeployment(
  { client, json, options }: Call<BeginOptions>,
  environment: EnvironmentName,
  wanted: Wanted,
): Promise<number> {
  const timeoutMs = durationOf('--timeout', options.timeout);
  const lockMs = options.lockTimeout === undefined ? 0 : durationOf('--lock-timeout', options.lockTimeout);
  if (options.dryRun) return showPlan(await client.environments.plan(environment, wanted), json);
  const begun = await whenUnlocked(lockMs, () => begin(client, environment, wanted));
  const { number, release, status, stack } = begun;
  if (options.wait === undefined) {
    report(json, begun, `v${number} of ${safe(stack)} ${safe(begun.environment)}: release ${release}, ${status}`);
    return EXIT.ok;
  }
  const until = typeof options.wait === 'string' && isWaitFor(options.wait) ? options.wait : 'healthy';
  const { code, deployment } = await watchDeployment(client, environment, begun, { until, timeoutMs, json });
  if (json) printJson(deployment);
  return code;
}

/** A plan as data. @returns the exit code: whether it would be refused */
export function showPlan(plan: Plan, json: boolean): number {
  if (json) printJson(plan);
  else for (const line of planLines(plan)) print(line);
  return plan.refusals.length === 0 ? EXIT.ok : EXIT.refused;
}

function begin(client: ManagementClient, environment: EnvironmentName, wanted: Wanted): Promise<DeploymentInfo> {
  switch (wanted.kind) {
    case 'deploy': {
      const { kind, ...body } = wanted;
      return client.deployments.deploy(environment, body);
    }
    case 'promote': {
      const { kind, ...body } = wanted;
      return client.deployments.promote(environment, body);
    }
    case 'rollback': {
      const { kind, ...body } = wanted;
      return client.deployments.rollback(environment, body);
    }
  }
}

/** Tries again while the environment is held, for `ms` at most. @throws ApiError LOCKED after that */
async function whenUnlocked<T>(ms: number, work: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + ms;
  let said = '';
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const locked = error instanceof ApiError && error.code === 'LOCKED';
      const left = deadline - performance.now();
      if (!locked || left <= 0) throw error;
      const line = `waiting: ${safe(error.message)}`;
      if (line !== said) note(line);
      said = line;
      await Bun.sleep(Math.min(LOCK_EVERY_MS, left));
    }
  }
}

function isWaitFor(text: string): text is WaitFor {
  return WAIT_FOR.some((state) => state === text);
}
