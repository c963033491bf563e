import type { Command } from 'commander';
import { type Call, singleCommand } from './command-group.ts';
import { EXIT } from './exit.ts';
import { environmentText, givenEnvironment, resolveEnvironment } from './stack-name.ts';
import { report } from './terminal.ts';
import { noMore } from './usage.ts';

export function register(program: Command, finish: (code: number) => void): void {
  singleCommand(
    program,
    finish,
    {
      usage: 'resume [ENV]',
      summary: 'end a hold',
      description:
        'Let automation deploy to an environment again. ENV is test, shop/test or alice/shop/test [BERTH_ENVIRONMENT].',
    },
    resume,
    (command) => command.option('--stack <STACK>', 'of which the environment is [BERTH_STACK]'),
  );
}

async function resume({ client, json, options }: Call<{ stack?: string }>, words: string[]): Promise<number> {
  const [given, ...rest] = words;
  noMore(rest);
  const environment = await resolveEnvironment(client, givenEnvironment(given), options.stack);
  const resumed = await client.environments.resume(environment);
  report(json, resumed, `${environmentText(environment)} is no longer on hold`);
  return EXIT.ok;
}
