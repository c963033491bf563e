import type { Command } from 'commander';
import type { MirrorInfo } from '../api/mirrors.ts';
import type { ManagementClient } from '../client/management.ts';
import { formatDuration, parseDuration } from '../config/duration.ts';
import { formatBytes, parseBytes } from './bytes.ts';
import { type Call, commandGroup } from './command-group.ts';
import { confirmName } from './confirm.ts';
import { plainName, repositoryName } from './names.ts';
import { note, print, printFields, printJson, printTable, report, safe } from './terminal.ts';
import { CommandError, UsageError } from './usage.ts';

interface WishOptions {
  upstream?: string;
  from?: string;
  tags?: string;
  every?: string;
  limitRate?: string;
  referrers: boolean;
}

const WAIT_EVERY_MS = 500;

export function register(program: Command, finish: (code: number) => void): void {
  const add = commandGroup(program, finish, {
    name: 'mirror',
    summary: 'let repositories follow those of other registries',
    description:
      'Mirrors: a repository here that is kept like one of another registry (berth upstream), copied as often as is said. For administrators.',
  });
  const wishes = (command: Command) =>
    command
      .option('--tags <PATTERNS>', "only such tags, comma-separated, as in '1.*,latest'; '' takes every tag")
      .option('--every <DURATION>', 'how often it is copied, such as 30m, 6h or 1d; default: 6h')
      .option('--limit-rate <SIZE>', 'bytes a second, such as 5MB; none takes the limit away');
  add('create <NAME>', 'let a repository follow another; it is made where there is none', create, (command) =>
    wishes(
      command
        .requiredOption('--upstream <NAME>', 'the registry, by its name of berth upstream')
        .requiredOption('--from <NAME>', 'what the repository is called there, such as library/nginx'),
    ).option('--no-referrers', 'leave out signatures and what else has an image as its subject'),
  );
  add('list', 'the mirrors, and how their last runs went', list);
  add('show <NAME>', 'a mirror: what its last run copied, or why it failed, and when the next is', show);
  add('run <NAME>', 'copy it now', run, (command) => command.option('--wait', 'until it is over, and say how it went'));
  add('edit <NAME>', 'change what is given; it is copied so at once', edit, (command) =>
    wishes(command)
      .option('--upstream <NAME>', 'another registry')
      .option('--from <NAME>', 'another repository there')
      .option('--referrers', 'bring signatures and what else has an image as its subject')
      .option('--no-referrers', 'leave them out'),
  );
  add('delete <NAME>', 'follow no more; the repository stays; asks', remove, (command) =>
    command.option('--yes', 'do not ask'),
  );
}

async function create(
  { client, json, options }: Call<WishOptions & { upstream: string; from: string }>,
  given: string,
): Promise<void> {
  const repository = repositoryName(given, 'NAME');
  const mirror = await client.mirrors.create({
    repository,
    upstream: plainName('--upstream', options.upstream),
    from: repositoryName(options.from, '--from'),
    referrers: options.referrers,
    ...wishesOf(options),
  });
  report(json, mirror, `${repository} follows ${mirror.from} of ${mirror.upstream}, ${everyText(mirror)}`);
  if (!json) note(`it is being copied; see berth mirror show ${repository}`);
}

async function list({ client, json }: Call): Promise<void> {
  const mirrors = await client.mirrors.list();
  if (json) return printJson(mirrors);
  printTable(
    ['NAME', 'UPSTREAM', 'FROM', 'TAGS', 'EVERY', 'STATE', 'LAST SUCCESS', 'NEXT'],
    mirrors.map((mirror) => [
      mirror.repository,
      mirror.upstream,
      mirror.from,
      mirror.tags.join(', ') || 'all',
      formatDuration(mirror.everySeconds * 1_000),
      stateOf(mirror),
      mirror.lastSuccessAt,
      mirror.running ? 'now' : mirror.nextAt,
    ]),
    'no mirrors',
  );
}

async function show({ client, json }: Call, given: string): Promise<void> {
  const mirror = await client.mirrors.get(repositoryName(given, 'NAME'));
  if (json) return printJson(mirror);
  const { lastRun } = mirror;
  printFields({
    name: mirror.repository,
    follows: `${mirror.from} of ${mirror.upstream}`,
    tags: mirror.tags.join(', ') || 'all',
    referrers: mirror.referrers ? 'come along' : 'left out',
    every: formatDuration(mirror.everySeconds * 1_000),
    limit: mirror.bytesPerSecond === null ? null : `${formatBytes(mirror.bytesPerSecond)} a second`,
    state: stateOf(mirror),
    next: mirror.running ? 'now' : mirror.nextAt,
    'last run': lastRun === null ? null : `${lastRun.outcome}, ended ${lastRun.finishedAt}`,
    'last success': mirror.lastSuccessAt,
    'failures in a row': mirror.failures === 0 ? null : String(mirror.failures),
    'made by': mirror.createdBy,
    created: mirror.createdAt,
  });
  if (lastRun !== null) tell(lastRun, print);
}

async function run({ client, json, options }: Call<{ wait?: boolean }>, given: string): Promise<void> {
  const repository = repositoryName(given, 'NAME');
  const number = await client.mirrors.run(repository);
  if (!options.wait) return report(json, { repository, number }, `${repository} is to be copied`);
  const { lastRun } = await endOf(client, repository, number);
  if (json) printJson(lastRun);
  else if (lastRun !== null) tell(lastRun, lastRun.outcome === 'done' ? print : note);
  if (lastRun?.outcome !== 'done') throw new CommandError(`${repository}: the run failed`);
}

/** The server goes on with it whether or not somebody waits. */
async function endOf(client: ManagementClient, repository: string, number: number): Promise<MirrorInfo> {
  for (;;) {
    const mirror = await client.mirrors.get(repository);
    if (mirror.served >= number) return mirror;
    await Bun.sleep(WAIT_EVERY_MS);
  }
}

async function edit({ client, json, options }: Call<Partial<WishOptions>>, given: string): Promise<void> {
  const repository = repositoryName(given, 'NAME');
  const { upstream, from, referrers } = options;
  const change = {
    ...(upstream === undefined ? {} : { upstream: plainName('--upstream', upstream) }),
    ...(from === undefined ? {} : { from: repositoryName(from, '--from') }),
    ...(referrers === undefined ? {} : { referrers }),
    ...wishesOf(options),
  };
  if (Object.keys(change).length === 0) {
    throw new UsageError(
      'nothing to change: give --upstream, --from, --tags, --every, --limit-rate or --[no-]referrers',
    );
  }
  const mirror = await client.mirrors.change(repository, change);
  report(json, mirror, `changed ${repository}; it is being copied so`);
}

async function remove({ client, json, options }: Call<{ yes?: boolean }>, given: string): Promise<void> {
  const repository = repositoryName(given, 'NAME');
  await confirmName('mirror', repository, options.yes);
  await client.mirrors.delete(repository);
  report(json, { deleted: repository }, `${repository} follows no other any more; it stays as it is`);
}

function wishesOf({ tags, every, limitRate }: Partial<WishOptions>) {
  return {
    ...(tags === undefined
      ? {}
      : {
          tags: tags
            .split(',')
            .map((tag) => tag.trim())
            .filter(Boolean),
        }),
    ...(every === undefined ? {} : { everySeconds: secondsOf(every) }),
    ...(limitRate === undefined
      ? {}
      : { bytesPerSecond: limitRate === 'none' ? null : parseBytes('--limit-rate', limitRate) }),
  };
}

function secondsOf(text: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined && ms >= 60_000) return Math.round(ms / 1_000);
  throw new UsageError(`--every: ${JSON.stringify(text)} is not a duration of a minute or more, such as 30m, 6h or 1d`);
}

function stateOf({ running, lastRun, failures }: MirrorInfo): string {
  if (running) return 'running';
  if (lastRun === null) return 'not copied yet';
  return failures > 0 ? 'failing' : 'good';
}

function everyText({ everySeconds }: MirrorInfo): string {
  return `every ${formatDuration(everySeconds * 1_000)}`;
}

function tell({ report: found, outcome }: NonNullable<MirrorInfo['lastRun']>, line: (text: string) => void): void {
  for (const { subject, why } of found.kept) line(`kept: ${safe(subject)}: ${safe(why)}`);
  for (const { subject, why } of found.failed) line(`failed: ${safe(subject)}: ${safe(why)}`);
  if (found.stopped !== null) line(`stopped: ${safe(found.stopped)}`);
  const present = found.tagsPresent === 0 ? '' : `; ${found.tagsPresent} tag(s) there already`;
  line(
    `${outcome}: ${found.tags} tag(s), ${found.manifests} manifest(s) and ${found.blobs} blob(s) (${formatBytes(found.bytes)}) in ${found.seconds} s${present}`,
  );
}
