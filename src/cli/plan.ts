import type { Command } from 'commander';
import type { EnvironmentName } from '../client/environments.ts';
import { showPlan, type Wanted } from './begin-deployment.ts';
import { deploymentNumber, environmentAndPairs, imageChoicesOf, releaseNumber } from './choices.ts';
import { type Call, singleCommand } from './command-group.ts';
import { givenEnvironment, resolveEnvironment, siblingEnvironment } from './stack-name.ts';
import { UsageError } from './usage.ts';

interface PlanOptions {
  release?: string;
  promoteFrom?: string;
  rollback?: boolean;
  to?: string;
  keepConfig?: boolean;
  force?: boolean;
  stack?: string;
}

export function register(program: Command, finish: (code: number) => void): void {
  singleCommand(
    program,
    finish,
    {
      usage: 'plan [ENV] [SERVICE=TAG...]',
      summary: 'say what a deployment would change',
      description:
        'Say what a deployment would change, and whether it would be refused (exit code 5). Changes nothing. ENV is test, shop/test or alice/shop/test [BERTH_ENVIRONMENT].',
    },
    plan,
    (command) =>
      command
        .option('--release <N>', 'of the number or the version of a release')
        .option('--promote-from <ENV>', 'of a promotion of what runs there')
        .option('--rollback', 'of a rollback')
        .option('--to <vN>', 'with --rollback: to a deployment of the history')
        .option('--keep-config', 'with --rollback: with the variables as they are now')
        .option('--force', 'as if it were forced')
        .option('--stack <STACK>', 'of which the environment is [BERTH_STACK]'),
  );
}

async function plan({ client, json, options }: Call<PlanOptions>, args: string[]): Promise<number> {
  const { environment: given, pairs } = environmentAndPairs(args);
  checkCombination(options, pairs);
  const images = imageChoicesOf(pairs);
  const environment = await resolveEnvironment(client, givenEnvironment(given), options.stack);
  const { release } = options;
  const chosen = {
    ...(release === undefined ? {} : { release: await releaseNumber(client, environment, '--release', release) }),
    ...(pairs.length === 0 ? {} : { images }),
  };
  return showPlan(await client.environments.plan(environment, wantedOf(environment, options, chosen)), json);
}

function wantedOf(
  environment: EnvironmentName,
  { promoteFrom, rollback, to, keepConfig = false, force = false }: PlanOptions,
  chosen: { release?: number; images?: Record<string, string> },
): Wanted {
  if (rollback) {
    return { kind: 'rollback', force, keepConfig, ...(to === undefined ? {} : { to: deploymentNumber('--to', to) }) };
  }
  if (promoteFrom === undefined) return { kind: 'deploy', force, ...chosen };
  const { images: _, ...release } = chosen;
  return { kind: 'promote', force, from: siblingEnvironment('--promote-from', environment, promoteFrom), ...release };
}

function checkCombination({ rollback, to, keepConfig, promoteFrom, release }: PlanOptions, pairs: string[]): void {
  if (!rollback && (to !== undefined || keepConfig)) throw new UsageError('--to, --keep-config: need --rollback');
  if (rollback && (promoteFrom !== undefined || release !== undefined || pairs.length > 0)) {
    throw new UsageError('--rollback: takes what a deployment ran; leave out the other choices, or give --to');
  }
  if (promoteFrom !== undefined && pairs.length > 0) {
    throw new UsageError('--promote-from: takes the images that run there; leave out SERVICE=TAG');
  }
}
