import type { Command } from 'commander';
import type { EnvironmentName } from '../client/environments.ts';
import type { ManagementClient } from '../client/management.ts';
import { addBeginOptions, type BeginOptions, beginDeployment, type Wanted, wordsOf } from './begin-deployment.ts';
import { releaseNumber } from './choices.ts';
import { type Call, singleCommand } from './command-group.ts';
import { confirmed } from './confirm.ts';
import { EXIT } from './exit.ts';
import { planLines } from './plan-text.ts';
import {
  givenStack,
  resolveEnvironment,
  resolveStackOrService,
  siblingEnvironment,
  splitEnvironment,
  stackText,
} from './stack-name.ts';
import { note } from './terminal.ts';
import { noMore, UsageError } from './usage.ts';

interface PromoteOptions extends BeginOptions {
  to: string;
  from?: string;
  release?: string;
  yes?: boolean;
}

export function register(program: Command, finish: (code: number) => void): void {
  singleCommand(
    program,
    finish,
    {
      usage: 'promote [STACK]',
      summary: 'take what runs in one environment to the next',
      description:
        'Take the release that runs in one environment to another: the same digests, with the variables of the other. Shows the plan first, and asks on a terminal. STACK may be the name of one of its services; the whole release goes.',
    },
    promote,
    (command) =>
      addBeginOptions(
        command
          .requiredOption('--to <ENV>', 'where it goes to')
          .option('--from <ENV>', 'where it runs; the environment before --to without it')
          .option('--release <N>', 'the number or the version of a release, and not what runs in --from')
          .option('--yes', 'do not ask'),
      ),
  );
}

async function promote(call: Call<PromoteOptions>, args: string[]): Promise<number> {
  const { client, options } = call;
  const [given, ...rest] = wordsOf(args, options);
  noMore(rest);
  const environment = await destination(client, given, options);
  const { from, release, force = false } = options;
  const wanted: Wanted = {
    kind: 'promote',
    force,
    ...(from === undefined ? {} : { from: siblingEnvironment('--from', environment, from) }),
    ...(release === undefined ? {} : { release: await releaseNumber(client, environment, '--release', release) }),
  };
  if (!options.dryRun) {
    const plan = await client.environments.plan(environment, wanted);
    for (const line of planLines(plan)) note(line);
    if (plan.refusals.length > 0) return EXIT.refused;
    if (!options.yes && process.stdin.isTTY && !(await confirmed('Promote it?'))) {
      note('nothing was changed');
      return EXIT.error;
    }
  }
  return beginDeployment(call, environment, wanted);
}

async function destination(
  client: ManagementClient,
  given: string | undefined,
  { to, stack: option }: PromoteOptions,
): Promise<EnvironmentName> {
  if (given === undefined) return resolveEnvironment(client, to, option);
  const { stack: ofTo, environment } = splitEnvironment(to);
  const { service, ...name } = await resolveStackOrService(client, given, ofTo ?? givenStack(option));
  if (service !== null) note(`${service} is a service of ${stackText(name)}; the whole release goes`);
  if (ofTo !== undefined && ofTo !== name.stack && ofTo !== stackText(name)) {
    throw new UsageError(`--to: ${JSON.stringify(to)} is of another stack than ${stackText(name)}`);
  }
  return { ...name, environment };
}
