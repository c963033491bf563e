import type { Command } from 'commander';
import type { DeploymentInfo, EnvironmentStatus, RunningService, TargetInfo } from '../api/deployments.ts';
import type { ManagementClient } from '../client/management.ts';
import { formatBytes } from './bytes.ts';
import { type Call, singleCommand } from './command-group.ts';
import { EXIT } from './exit.ts';
import { imageText, shortDigest } from './image-text.ts';
import { resolveEnvironment, resolveStack, stackOf } from './stack-name.ts';
import { note, print, printFields, printJson, printTable } from './terminal.ts';
import { noMore } from './usage.ts';

interface StatusOptions {
  stack?: string;
}

/** Without an environment at most so many are asked for. */
const MOST = 100;

export function register(program: Command, finish: (code: number) => void): void {
  singleCommand(
    program,
    finish,
    {
      usage: 'status [ENV]',
      summary: 'what is to run, and what really runs',
      description:
        'What is to run in an environment, and what really runs on its targets. Without an environment, all that you may read. ENV is test, shop/test or alice/shop/test [BERTH_ENVIRONMENT].',
    },
    status,
    (command) => command.option('--stack <STACK>', 'of which the environment is [BERTH_STACK]'),
  );
}

async function status({ client, json, options }: Call<StatusOptions>, [given, ...rest]: string[]): Promise<number> {
  noMore(rest);
  const text = given ?? (process.env.BERTH_ENVIRONMENT || undefined);
  if (text === undefined) await overview(client, json, options.stack);
  else {
    const found = await client.environments.status(await resolveEnvironment(client, text, options.stack));
    if (json) printJson(found);
    else show(found);
  }
  return EXIT.ok;
}

async function overview(client: ManagementClient, json: boolean, stack: string | undefined): Promise<void> {
  const stacks =
    stack === undefined
      ? await Array.fromAsync(client.stacks.list())
      : [await client.stacks.get(await resolveStack(client, stack))];
  const names = stacks.flatMap(({ name, environments }) =>
    environments.map((environment) => ({ ...stackOf(name), environment })),
  );
  const found: EnvironmentStatus[] = [];
  for (const name of names.slice(0, MOST)) found.push(await client.environments.status(name));
  if (names.length > MOST) note(`the first ${MOST} of ${names.length} environments; give one, or --stack`);
  if (json) return printJson(found);
  printTable(
    ['STACK', 'ENVIRONMENT', 'DEPLOYMENT', 'RELEASE', 'STATUS', 'TARGETS', 'HOLD'],
    found.map(({ stack: of, environment, current, targets, hold }) => [
      of,
      environment,
      current === null ? null : `v${current.number}`,
      current === null ? null : String(current.release),
      current === null ? null : statusText(current),
      `${targets.filter(({ online }) => online).length} of ${targets.length} online`,
      hold === null ? null : `by ${hold.by}${hold.reason === '' ? '' : `: ${hold.reason}`}`,
    ]),
    'no environments; berth stack create makes a stack, berth env create where it runs',
  );
}

function show({ stack, environment, current, queued, rollback, hold, lock, targets }: EnvironmentStatus): void {
  printFields({
    environment: `${stack} ${environment}`,
    deployment:
      current === null ? 'none yet' : `v${current.number}, release ${current.release}, ${statusText(current)}`,
    ...(current === null
      ? {}
      : { begun: `${current.createdAt} by ${current.actor} (${current.reason})`, message: current.message }),
    ...(queued === null ? {} : { queued: `v${queued.number}, release ${queued.release}, by ${queued.actor}` }),
    ...(rollback === null ? {} : { 'an undo brings': `v${rollback}` }),
    hold: hold === null ? null : `by ${hold.by} since ${hold.at}${hold.reason === '' ? '' : `: ${hold.reason}`}`,
    lock: lock === null ? null : `${lock.holder} since ${lock.since}, until ${lock.until}`,
  });
  print('');
  printTable(
    ['TARGET', 'STATE', 'DEPLOYMENT', 'PHASE', 'LAST SEEN', 'AGENT', 'ENGINE', 'ERROR'],
    targets.map((target) => [
      target.name,
      stateOf(target),
      target.deployment === null ? null : `v${target.deployment}`,
      phaseText(target, current),
      target.lastSeenAt ?? 'never',
      target.agentVersion,
      target.engine,
      target.error,
    ]),
    'no targets: berth target enroll makes one',
  );
  if (targets.length === 0) return;
  print('');
  printTable(
    ['TARGET', 'SERVICE', 'WANTED', 'RUNS', 'HEALTH', 'CONTAINERS', 'RESTARTS', 'REPORTED'],
    targets.flatMap((target) => serviceRows(target, current)),
    'nothing is known of what runs',
  );
}

function statusText({ status, stable }: DeploymentInfo): string {
  return stable ? `${status}, stable` : status;
}

function stateOf({ online, revokedAt }: TargetInfo): string {
  if (revokedAt !== null) return 'revoked';
  return online ? 'online' : 'offline';
}

function phaseText({ name, phase }: TargetInfo, current: DeploymentInfo | null): string | null {
  const pull = current?.targets.find(({ target }) => target === name)?.pull;
  if (phase !== 'pulling' || !pull || pull.total === 0) return phase;
  return `pulling ${formatBytes(pull.bytes)} of ${formatBytes(pull.total)}`;
}

/** Services that are wanted, and those that run though they are not. */
function serviceRows({ name, services, reportedAt }: TargetInfo, current: DeploymentInfo | null): (string | null)[][] {
  const images = current?.images ?? [];
  if (services === null) {
    return images.map((image) => [name, image.service, imageText(image), 'unknown', 'unknown', null, null, reportedAt]);
  }
  const running = new Map(services.map((service) => [service.service, service]));
  const wanted = new Map(images.map((image) => [image.service, image]));
  return [...new Set([...wanted.keys(), ...running.keys()])].map((service) => {
    const image = wanted.get(service);
    const found = running.get(service);
    const last =
      found === undefined ? ['none', null, null] : [found.health, String(found.containers), String(found.restarts)];
    return [name, service, image === undefined ? null : imageText(image), runsText(found, image), ...last, reportedAt];
  });
}

function runsText(found: RunningService | undefined, image: DeploymentInfo['images'][number] | undefined): string {
  if (found === undefined) return 'nothing';
  if (found.digest === null) return image === undefined ? 'of another registry' : 'not pulled by digest';
  if (image === undefined) return `@${shortDigest(found.digest)}`;
  return found.digest === image.digest ? imageText(image) : `@${shortDigest(found.digest)}, not what is wanted`;
}
