import type { Command } from 'commander';
import type { EnvironmentInfo, Tracking } from '../api/stacks.ts';
import type { EnvironmentName } from '../client/environments.ts';
import type { ManagementClient } from '../client/management.ts';
import { type Call, commandGroup } from './command-group.ts';
import { confirmName } from './confirm.ts';
import { plainName } from './names.ts';
import { environmentText, resolveStack, stackText } from './stack-name.ts';
import { note, printJson, printTable, report } from './terminal.ts';
import { trackingsOf, trackingsText } from './tracking-text.ts';
import { collected, countOf, UsageError } from './usage.ts';

interface DescribingOptions {
  track?: string[];
  deployOnPush?: boolean;
  protected?: boolean;
  maxParallel?: string;
}

interface ChangeOptions extends DescribingOptions {
  untrack?: string[];
  position?: string;
}

export function register(program: Command, finish: (code: number) => void): void {
  const add = commandGroup(program, finish, {
    name: 'env',
    summary: 'make, list, change and delete environments',
    description: 'Environments: where a stack runs, in the order in which it is promoted. STACK is shop or alice/shop.',
  });
  const describing = (command: Command) =>
    command
      .option(
        '--track <SERVICE=TAG>',
        'follow a tag, semver:^1.4 or pattern:main-* for a service; may be there more than once',
        collected,
      )
      .option('--deploy-on-push', 'deploy by itself when what it tracks is pushed')
      .option('--protected', 'take only what was stable in the environment before; stay on hold after a rollback')
      .option('--max-parallel <N>', 'change so many targets at a time');

  add('create <STACK> <ENV>', 'make an environment, after those that there are', create, describing);
  add('list <STACK>', 'those of a stack, in their order', list);
  add('change <STACK> <ENV>', 'change what an environment tracks, and how it deploys', change, (command) =>
    describing(command)
      .option('--untrack <SERVICE>', 'follow nothing for a service; may be there more than once', collected)
      .option('--no-deploy-on-push', 'deploy when asked alone')
      .option('--no-protected', 'take what it is given')
      .option('--position <N>', 'its place in the order, from 1'),
  );
  add('delete <STACK> <ENV>', 'delete an environment, its targets and its history; asks', remove, (command) =>
    command.option('--yes', 'do not ask'),
  );
}

async function create({ client, json, options }: Call<DescribingOptions>, stack: string, env: string): Promise<void> {
  const name = plainName('ENV', env);
  const body = { name, ...describedBy(options), ...(options.track ? { track: trackingsOf(options.track) } : {}) };
  const of = await resolveStack(client, stack);
  const made = await client.environments.create(of, body);
  report(json, made, `made ${environmentText({ ...of, environment: made.name })}`);
  if (!json) note(`say which server runs it: berth target enroll ${stack} ${made.name}`);
}

async function list({ client, json }: Call, stack: string): Promise<void> {
  const environments = await client.environments.list(await resolveStack(client, stack));
  if (json) return printJson(environments);
  printTable(
    ['ORDER', 'NAME', 'DEPLOYMENT', 'TRACKS', 'ON PUSH', 'PROTECTED', 'PARALLEL', 'VARIABLES', 'HOLD', 'LOCK'],
    environments.map((environment) => [
      String(environment.position),
      environment.name,
      environment.current === null ? null : `v${environment.current}`,
      trackingsText(environment.track),
      environment.deployOnPush ? 'deploys' : 'nothing',
      environment.protected ? 'yes' : 'no',
      String(environment.maxParallel),
      String(environment.configVersion),
      environment.hold === null ? null : `by ${environment.hold.by}`,
      environment.lock === null ? null : environment.lock.holder,
    ]),
    'no environments',
  );
}

async function change({ client, json, options }: Call<ChangeOptions>, stack: string, env: string): Promise<void> {
  const { track = [], untrack = [], position } = options;
  const tracked = trackingsOf(track);
  const described = {
    ...describedBy(options),
    ...(position === undefined ? {} : { position: countOf('--position', position) }),
  };
  const follows = track.length > 0 || untrack.length > 0;
  if (!follows && Object.keys(described).length === 0) {
    throw new UsageError(
      'give what to change: --track, --untrack, --deploy-on-push, --protected, --max-parallel or --position',
    );
  }
  const name = { ...(await resolveStack(client, stack)), environment: plainName('ENV', env) };
  const body = follows ? { ...described, track: await retracked(client, name, tracked, untrack) } : described;
  const changed = await client.environments.change(name, body);
  report(json, changed, `changed ${environmentText(name)}${tracksText(changed)}`);
}

/** What it tracks, with the services that were named as they are wanted now. */
async function retracked(
  client: ManagementClient,
  name: EnvironmentName,
  tracked: Record<string, Tracking>,
  untrack: readonly string[],
): Promise<Record<string, Tracking>> {
  const { track } = await client.environments.get(name);
  const unknown = untrack.find((service) => !Object.hasOwn(track, service));
  if (unknown !== undefined) throw new UsageError(`--untrack: nothing is tracked for ${JSON.stringify(unknown)}`);
  return Object.fromEntries(Object.entries({ ...track, ...tracked }).filter(([service]) => !untrack.includes(service)));
}

async function remove({ client, json, options }: Call<{ yes?: boolean }>, stack: string, env: string): Promise<void> {
  const name = { ...(await resolveStack(client, stack)), environment: plainName('ENV', env) };
  const shown = `${stackText(name)}/${name.environment}`;
  await confirmName('environment', shown, options.yes);
  await client.environments.delete(name);
  report(json, { deleted: shown }, `deleted ${shown}`);
  if (!json) note('what runs on its targets stays');
}

function describedBy({ deployOnPush, protected: isProtected, maxParallel }: DescribingOptions) {
  return {
    ...(deployOnPush === undefined ? {} : { deployOnPush }),
    ...(isProtected === undefined ? {} : { protected: isProtected }),
    ...(maxParallel === undefined ? {} : { maxParallel: countOf('--max-parallel', maxParallel) }),
  };
}

function tracksText({ track }: EnvironmentInfo): string {
  const text = trackingsText(track);
  return text === '' ? ', which tracks nothing' : `, which tracks ${text}`;
}
