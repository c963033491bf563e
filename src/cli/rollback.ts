import type { Command } from 'commander';
import { addBeginOptions, type BeginOptions, beginDeployment, wordsOf } from './begin-deployment.ts';
import { deploymentNumber } from './choices.ts';
import { type Call, singleCommand } from './command-group.ts';
import { givenEnvironment, resolveEnvironment } from './stack-name.ts';
import { noMore } from './usage.ts';

interface RollbackOptions extends BeginOptions {
  to?: string;
  keepConfig?: boolean;
  reason?: string;
}

export function register(program: Command, finish: (code: number) => void): void {
  singleCommand(
    program,
    finish,
    {
      usage: 'rollback [ENV]',
      summary: 'go back to the last stable deployment',
      description:
        'Go back to the last stable deployment before the current one: its images, its compose file and its variables, as a new deployment. No automation brings back the release that is left. ENV is test, shop/test or alice/shop/test [BERTH_ENVIRONMENT].',
    },
    rollback,
    (command) =>
      addBeginOptions(
        command
          .option('--to <vN>', 'a deployment of the history')
          .option('--keep-config', 'leave the variables as they are now')
          .option('--reason <TEXT>', 'why, for the history'),
      ),
  );
}

async function rollback(call: Call<RollbackOptions>, args: string[]): Promise<number> {
  const { client, options } = call;
  const [given, ...rest] = wordsOf(args, options);
  noMore(rest);
  const { to, keepConfig = false, reason = '', force = false } = options;
  const number = to === undefined ? {} : { to: deploymentNumber('--to', to) };
  const environment = await resolveEnvironment(client, givenEnvironment(given), options.stack);
  return beginDeployment(call, environment, { kind: 'rollback', keepConfig, reason, force, ...number });
}
