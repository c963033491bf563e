import type { Command } from 'commander';
import type { DeploymentInfo } from '../api/deployments.ts';
import { type Call, singleCommand } from './command-group.ts';
import { EXIT } from './exit.ts';
import { imagesText } from './image-text.ts';
import { givenEnvironment, resolveEnvironment } from './stack-name.ts';
import { printJson, printTable } from './terminal.ts';
import { countOf, noMore } from './usage.ts';

interface HistoryOptions {
  limit: string;
  stack?: string;
}

export function register(program: Command, finish: (code: number) => void): void {
  singleCommand(
    program,
    finish,
    {
      usage: 'history [ENV]',
      summary: 'the deployments of an environment',
      description:
        'The deployments of an environment, newest first. ENV is test, shop/test or alice/shop/test [BERTH_ENVIRONMENT].',
    },
    history,
    (command) =>
      command
        .option('--limit <N>', 'at most so many', '20')
        .option('--stack <STACK>', 'of which the environment is [BERTH_STACK]'),
  );
}

async function history({ client, json, options }: Call<HistoryOptions>, [given, ...rest]: string[]): Promise<number> {
  noMore(rest);
  const limit = countOf('--limit', options.limit);
  const environment = await resolveEnvironment(client, givenEnvironment(given), options.stack);
  const found = await Array.fromAsync(client.deployments.list(environment, limit));
  if (json) {
    printJson(found);
    return EXIT.ok;
  }
  printTable(
    ['NUMBER', 'RELEASE', 'STATUS', 'STABLE', 'REASON', 'WHO', 'WHEN', 'IMAGES', 'NOTE'],
    found.map((deployment) => [
      `v${deployment.number}`,
      String(deployment.release),
      deployment.status,
      deployment.stable ? 'yes' : 'no',
      deployment.reason,
      deployment.actor,
      deployment.createdAt,
      imagesText(deployment.images),
      noteOf(deployment),
    ]),
    'nothing was deployed yet',
  );
  return EXIT.ok;
}

/** What it undid, what undid it, and what is said of it. */
function noteOf({ rolledBackBy, undoes, restores, message }: DeploymentInfo): string {
  return [
    ...(restores === null ? [] : [`brings back v${restores}`]),
    ...(undoes === null ? [] : [`undoes v${undoes}`]),
    ...(rolledBackBy === null ? [] : [`rolled back by v${rolledBackBy}`]),
    ...(message === '' ? [] : [message]),
  ].join('; ');
}
