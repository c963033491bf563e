import type { Command } from 'commander';
import { type Call, singleCommand } from './command-group.ts';
import { EXIT } from './exit.ts';
import { environmentText, givenEnvironment, resolveEnvironment } from './stack-name.ts';
import { note, report } from './terminal.ts';
import { noMore } from './usage.ts';

interface HoldOptions {
  reason?: string;
  stack?: string;
}

export function register(program: Command, finish: (code: number) => void): void {
  singleCommand(
    program,
    finish,
    {
      usage: 'hold [ENV]',
      summary: 'let automation deploy nothing',
      description:
        'Let automation deploy nothing to an environment until berth resume. ENV is test, shop/test or alice/shop/test [BERTH_ENVIRONMENT].',
    },
    hold,
    (command) =>
      command
        .option('--reason <TEXT>', 'why, for those who wonder')
        .option('--stack <STACK>', 'of which the environment is [BERTH_STACK]'),
  );
}

async function hold({ client, json, options }: Call<HoldOptions>, [given, ...rest]: string[]): Promise<number> {
  noMore(rest);
  const environment = await resolveEnvironment(client, givenEnvironment(given), options.stack);
  const held = await client.environments.hold(environment, options.reason ?? '');
  report(json, held, `${environmentText(environment)} is on hold`);
  if (!json) note('end it with berth resume');
  return EXIT.ok;
}
