import type { Command } from 'commander';
import { parseDigest } from '../oci/digest.ts';
import { addServerOptions, connect, type ServerOptions } from './connect.ts';
import { checked, taggedName } from './names.ts';
import { print, printJson, report, safe } from './terminal.ts';
import { countOf, UsageError } from './usage.ts';

interface TagOptions extends ServerOptions {
  to?: string;
  limit?: string;
}

export function register(program: Command, finish: (code: number) => void): void {
  const tag = program
    .command('tag')
    .summary('list tags, show their history, undo a change, delete')
    .description('Tags and their history.');
  const add = (usage: string, description: string) => addServerOptions(tag.command(usage).description(description));

  add('list <REPOSITORY>', 'every tag, its digest and when it was set').action(
    async (repository: string, options: TagOptions) => {
      await list(taggedName(repository).name, options);
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
  add('delete <REPOSITORY:TAG>', 'delete the tag; rollback brings it back as long as its history is kept').action(
    async (repository: string, options: TagOptions) => {
      await remove(withTag(repository), options);
      finish(0);
    },
  );
  add(
    'immutable <REPOSITORY> [PATTERN...]',
    'show the patterns of tags that never move, or set them; "" for none',
  ).action(async (repository: string, patterns: string[], options: TagOptions) => {
    await immutable(taggedName(repository).name, patterns, options);
    finish(0);
  });
}

async function list(repository: string, options: TagOptions): Promise<void> {
  const { client, json } = connect(options);
  const tags = [];
  for await (const found of client.tags.list(repository)) {
    if (json) tags.push(found);
    else print(`${found.name.padEnd(24)}  ${found.digest}  ${found.updatedAt}`);
  }
  if (json) printJson(tags);
}

async function history({ name, tag }: { name: string; tag: string }, options: TagOptions): Promise<void> {
  const limit = countOf('--limit', options.limit ?? '');
  const { client, json } = connect(options);
  const entries = [];
  for await (const entry of client.tags.history(name, tag, limit)) {
    if (json) entries.push(entry);
    else {
      const target = entry.digest === null ? '(deleted)'.padEnd(71) : entry.digest;
      const gone = entry.digest !== null && !entry.available ? '  (manifest gone)' : '';
      print(
        `${entry.at}  ${entry.action.padEnd(8)}  ${target}  ${safe(entry.actor)}${entry.source === '' ? '' : ` from ${safe(entry.source)}`}${gone}`,
      );
    }
  }
  if (json) printJson(entries);
}

async function rollback({ name, tag }: { name: string; tag: string }, options: TagOptions): Promise<void> {
  const to = options.to === undefined ? undefined : checked('--to', () => parseDigest(options.to ?? ''));
  const { client, json } = connect(options);
  const result = await client.tags.rollback(name, tag, to);
  report(json, result, `${name}:${tag} is ${result.digest} again (it was ${result.previous ?? 'deleted'})`);
}

async function remove({ name, tag }: { name: string; tag: string }, options: TagOptions): Promise<void> {
  const { client, json } = connect(options);
  await client.tags.delete(name, tag);
  const deleted = `${name}:${tag}`;
  report(json, { deleted }, `deleted ${deleted}; berth tag rollback ${deleted} brings it back`);
}

async function immutable(name: string, patterns: string[], options: TagOptions): Promise<void> {
  const { client, json } = connect(options);
  const set = patterns.filter((pattern) => pattern !== '');
  const result = patterns.length === 0 ? await client.tags.immutable(name) : await client.tags.setImmutable(name, set);
  report(json, { patterns: result }, result.length === 0 ? 'no tag is immutable' : result.join('\n'));
}

function withTag(text: string): { name: string; tag: string } {
  const { name, tag } = taggedName(text);
  if (tag === undefined) throw new UsageError(`${text}: give the tag too, as in ${text}:latest`);
  return { name, tag };
}
