import type { Command } from 'commander';
import { addBeginOptions, type BeginOptions, beginDeployment, wordsOf } from './begin-deployment.ts';
import { environmentAndPairs, imageChoicesOf, releaseNumber } from './choices.ts';
import { type Call, singleCommand } from './command-group.ts';
import { givenEnvironment, resolveEnvironment } from './stack-name.ts';

interface DeployOptions extends BeginOptions {
  release?: string;
}

export function register(program: Command, finish: (code: number) => void): void {
  singleCommand(
    program,
    finish,
    {
      usage: 'deploy [ENV] [SERVICE=TAG...]',
      summary: 'bring images to an environment',
      description:
        'Bring images to an environment: the newest of what it tracks, else of the tags in the compose file; with --release, those of a release; with SERVICE=TAG, others for some services. ENV is test, shop/test or alice/shop/test [BERTH_ENVIRONMENT].',
    },
    deploy,
    (command) => addBeginOptions(command.option('--release <N>', 'the number or the version of a release')),
  );
}

async function deploy(call: Call<DeployOptions>, args: string[]): Promise<number> {
  const { client, options } = call;
  const { environment: given, pairs } = environmentAndPairs(wordsOf(args, options));
  const images = imageChoicesOf(pairs);
  const environment = await resolveEnvironment(client, givenEnvironment(given), options.stack);
  const { release, force = false } = options;
  return beginDeployment(call, environment, {
    kind: 'deploy',
    force,
    ...(pairs.length === 0 ? {} : { images }),
    ...(release === undefined ? {} : { release: await releaseNumber(client, environment, '--release', release) }),
  });
}
