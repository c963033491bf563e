import type { Command } from 'commander';
import type { CacheWish } from '../api/caches.ts';
import { formatDuration } from '../config/duration.ts';
import { type Call, commandGroup } from './command-group.ts';
import { plainName, repositoryName } from './names.ts';
import { printJson, printTable, report } from './terminal.ts';
import { durationOf, UsageError } from './usage.ts';

interface SetOptions {
  upstream: string;
  remotePrefix?: string;
  freshFor?: string;
  visibility?: string;
}

export function register(program: Command, finish: (code: number) => void): void {
  const add = commandGroup(program, finish, {
    name: 'cache',
    summary: 'fetch what is pulled below a prefix from another registry',
    description:
      'Prefixes whose repositories are those of another registry: what is pulled there is fetched, kept and served.\nFor administrators.',
  });
  add('set <PREFIX>', 'make a prefix a cache, or change it', set, (command) =>
    command
      .requiredOption('--upstream <NAME>', 'whose; see berth upstream list')
      .option('--remote-prefix <PREFIX>', "what stands in place of the prefix in the upstream's names")
      .option('--fresh-for <DURATION>', 'how long a tag is served without asking the upstream (default: 1h)')
      .option('--visibility <VISIBILITY>', 'of what pulls make: private (default) or public, which everyone may pull'),
  );
  add('list', 'the caches', list);
  add('remove <PREFIX>', 'make a prefix an ordinary one again; what was fetched stays', remove);
}

async function set({ client, json, options }: Call<SetOptions>, given: string): Promise<void> {
  const prefix = repositoryName(given, 'PREFIX');
  const { remotePrefix, freshFor, visibility } = options;
  const wish: CacheWish = {
    upstream: plainName('--upstream', options.upstream),
    ...(remotePrefix === undefined ? {} : { remotePrefix: repositoryName(remotePrefix, '--remote-prefix') }),
    ...(freshFor === undefined ? {} : { freshSeconds: Math.round(durationOf('--fresh-for', freshFor) / 1_000) }),
    ...(visibility === undefined ? {} : { visibility: visibilityOf(visibility) }),
  };
  const cache = await client.caches.set(prefix, wish);
  report(json, cache, `${prefix} is a cache of ${cache.address}: pull ${prefix}/NAME for its ${remoteName(cache)}`);
}

async function list({ client, json }: Call): Promise<void> {
  const caches = await client.caches.list();
  if (json) return printJson(caches);
  printTable(
    ['PREFIX', 'UPSTREAM', 'ADDRESS', 'REMOTE PREFIX', 'FRESH FOR', 'VISIBILITY', 'REPOSITORIES'],
    caches.map((cache) => [
      cache.prefix,
      cache.upstream,
      cache.address,
      cache.remotePrefix,
      formatDuration(cache.freshSeconds * 1_000),
      cache.visibility,
      String(cache.repositories),
    ]),
    'no caches',
  );
}

async function remove({ client, json }: Call, given: string): Promise<void> {
  const prefix = repositoryName(given, 'PREFIX');
  await client.caches.remove(prefix);
  report(json, { removed: prefix }, `${prefix} is no cache any more; what was fetched stays`);
}

function visibilityOf(text: string): 'private' | 'public' {
  if (text === 'private' || text === 'public') return text;
  throw new UsageError(`--visibility: ${JSON.stringify(text)} is neither private nor public`);
}

function remoteName({ remotePrefix }: { remotePrefix: string }): string {
  return remotePrefix === '' ? 'NAME' : `${remotePrefix}/NAME`;
}
