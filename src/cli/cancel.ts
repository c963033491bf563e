import type { Command } from 'commander';
import type { EnvironmentName } from '../client/environments.ts';
import type { ManagementClient } from '../client/management.ts';
import { deploymentNumber } from './choices.ts';
import { type Call, singleCommand } from './command-group.ts';
import { EXIT } from './exit.ts';
import { environmentText, givenEnvironment, resolveEnvironment } from './stack-name.ts';
import { report } from './terminal.ts';
import { CommandError, noMore } from './usage.ts';

export function register(program: Command, finish: (code: number) => void): void {
  singleCommand(
    program,
    finish,
    {
      usage: 'cancel [ENV] [vN]',
      summary: 'stop a deployment that is not done',
      description:
        'Stop a deployment that is not done: vN, or the one that waits or is under way. ENV is test, shop/test or alice/shop/test [BERTH_ENVIRONMENT].',
    },
    cancel,
    (command) => command.option('--stack <STACK>', 'of which the environment is [BERTH_STACK]'),
  );
}

async function cancel({ client, json, options }: Call<{ stack?: string }>, words: string[]): Promise<number> {
  const [first, second, ...rest] = words;
  noMore(rest);
  const environment = await resolveEnvironment(client, givenEnvironment(first), options.stack);
  const number = second === undefined ? await underWay(client, environment) : deploymentNumber('vN', second);
  const cancelled = await client.deployments.cancel(environment, number);
  report(json, cancelled, `v${number} of ${environmentText(environment)}: ${cancelled.status}`);
  return EXIT.ok;
}

async function underWay(client: ManagementClient, environment: EnvironmentName): Promise<number> {
  const { queued, current } = await client.environments.status(environment);
  const found = queued ?? (current?.finishedAt === null ? current : null);
  if (found !== null) return found.number;
  throw new CommandError(`no deployment of ${environmentText(environment)} is under way`);
}
