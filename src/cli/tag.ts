import type { Command } from 'commander';
import { ManagementClient } from '../client/management.ts';
import { parseDigest } from '../oci/digest.ts';
import { OciError } from '../oci/errors.ts';
import { parseRepositoryName, parseTag } from '../oci/names.ts';
import { outputFormat, UsageError } from './usage.ts';

interface TagOptions {
  server: string;
  output: string;
  to?: string;
  limit?: string;
}

export function register(program: Command, finish: (code: number) => void): void {
  const tag = program
    .command('tag')
    .summary('list tags, show their history, undo a change')
    .description('Tags and their history.');
  const add = (usage: string, description: string) =>
    tag
      .command(usage)
      .description(description)
      .option('--server <URL>', 'the registry [BERTH_SERVER]', process.env.BERTH_SERVER ?? 'http://localhost:5000')
      .option('--output <FORMAT>', 'text or json', 'text');

  add('list <REPOSITORY>', 'every tag, its digest and when it was set').action(
    async (repository: string, options: TagOptions) => {
      await list(named(repository).name, options);
      finish(0);
    },
  );
  add('history <REPOSITORY:TAG>', 'what the tag pointed at, newest first, and who changed it')
    .option('--limit <N>', 'at most so many entries', '50')
    .action(async (repository: string, options: TagOptions) => {
      await history(withTag(repository), options);
      finish(0);
    });
  add('rollback <REPOSITORY:TAG>', 'point the tag where it did before its last push, or at --to')
    .option('--to <DIGEST>', 'a digest of the history')
    .action(async (repository: string, options: TagOptions) => {
      await rollback(withTag(repository), options);
      finish(0);
    });
  add(
    'immutable <REPOSITORY> [PATTERN...]',
    'show the patterns of tags that never move, or set them; "" for none',
  ).action(async (repository: string, patterns: string[], options: TagOptions) => {
    await immutable(named(repository).name, patterns, options);
    finish(0);
  });
}

async function list(repository: string, options: TagOptions): Promise<void> {
  const json = outputFormat(options.output) === 'json';
  const tags = [];
  for await (const found of new ManagementClient(options.server).tags(repository)) {
    if (json) tags.push(found);
    else print(`${found.name.padEnd(24)}  ${found.digest}  ${found.updatedAt}`);
  }
  if (json) print(JSON.stringify(tags, null, 2));
}

async function history({ name, tag }: { name: string; tag: string }, options: TagOptions): Promise<void> {
  const json = outputFormat(options.output) === 'json';
  if (!/^[1-9]\d{0,6}$/.test(options.limit ?? ''))
    throw new UsageError(`--limit: ${options.limit} is not a number above 0`);
  const entries = [];
  for await (const entry of new ManagementClient(options.server).history(name, tag, Number(options.limit))) {
    if (json) entries.push(entry);
    else {
      const target = entry.digest === null ? '(deleted)'.padEnd(71) : entry.digest;
      const gone = entry.digest !== null && !entry.available ? '  (manifest gone)' : '';
      print(`${entry.at}  ${entry.action.padEnd(8)}  ${target}  ${entry.actor} from ${entry.source}${gone}`);
    }
  }
  if (json) print(JSON.stringify(entries, null, 2));
}

async function rollback({ name, tag }: { name: string; tag: string }, options: TagOptions): Promise<void> {
  const json = outputFormat(options.output) === 'json';
  const to = options.to === undefined ? undefined : checked('--to', () => parseDigest(options.to ?? ''));
  const result = await new ManagementClient(options.server).rollback(name, tag, to);
  if (json) print(JSON.stringify(result, null, 2));
  else print(`${name}:${tag} is ${result.digest} again (it was ${result.previous ?? 'deleted'})`);
}

async function immutable(name: string, patterns: string[], options: TagOptions): Promise<void> {
  const json = outputFormat(options.output) === 'json';
  const client = new ManagementClient(options.server);
  const set = patterns.filter((pattern) => pattern !== '');
  const result = patterns.length === 0 ? await client.immutableTags(name) : await client.setImmutableTags(name, set);
  if (json) print(JSON.stringify({ patterns: result }, null, 2));
  else print(result.length === 0 ? 'no tag is immutable' : result.join('\n'));
}

/** `alice/app:1.0` or `alice/app`. @throws UsageError */
function named(text: string): { name: string; tag: string | undefined } {
  const colon = text.lastIndexOf(':');
  const split = colon > text.lastIndexOf('/') ? colon : text.length;
  const tag = split === text.length ? undefined : checked('tag', () => parseTag(text.slice(split + 1)));
  return { name: checked('repository', () => parseRepositoryName(text.slice(0, split))), tag };
}

function withTag(text: string): { name: string; tag: string } {
  const { name, tag } = named(text);
  if (tag === undefined) throw new UsageError(`${text}: give the tag too, as in ${text}:latest`);
  return { name, tag };
}

function checked<T>(what: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new UsageError(`${what}: ${error instanceof OciError ? error.message : 'not usable'}`);
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
