import type { Command } from 'commander';
import type { EventInfo } from '../api/events.ts';
import type { EventFilter } from '../client/events.ts';
import { addServerOptions, connect, type ServerOptions } from './connect.ts';
import { pastMoment } from './moment.ts';
import { plainName, repositoryName } from './names.ts';
import { note, print, safe } from './terminal.ts';
import { countOf } from './usage.ts';

interface EventsOptions extends ServerOptions {
  follow?: boolean;
  repository?: string;
  namespace?: string;
  stack?: string;
  kind?: string;
  since?: string;
  limit: string;
}

export function register(program: Command, finish: (code: number) => void): void {
  const command = program
    .command('events')
    .summary('what happened, and what happens now')
    .description(
      'What happened to what you may read, oldest first. --output json writes JSON lines.\nWith -f it goes on with what happens; a lost connection is made anew, and no event is missed or shown twice.',
    )
    .option('-f, --follow', 'go on with what happens')
    .option('--repository <NAME>', 'of this repository alone')
    .option('--namespace <NAME>', "of this user's or organization's things alone")
    .option('--stack <NAME>', 'of this stack alone, as in alice/shop')
    .option('--kind <KINDS>', 'of these kinds, as in tag.push, or groups, as in deployment.*; comma-separated')
    .option('--since <WHEN>', 'not older than, as in 24h, or a time; default: 24h, with -f from now on')
    .option('--limit <N>', 'at most so many, or all', '1000');
  addServerOptions(command).action(async (options: EventsOptions) => {
    await events(options);
    finish(0);
  });
}

async function events(options: EventsOptions): Promise<void> {
  const filter = filterOf(options);
  const limit = options.limit === 'all' ? undefined : countOf('--limit', options.limit);
  const { client, json } = connect(options);
  const show = (event: EventInfo) => print(json ? JSON.stringify(event) : describe(event));
  if (!options.follow) {
    for await (const event of client.events.list(filter, limit)) show(event);
    return;
  }
  const ended = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ended.abort());
  const onLost = (error: Error) => note(`connection lost (${error.message}); trying again`);
  for await (const event of client.events.follow(filter, { signal: ended.signal, onLost })) show(event);
}

function filterOf({ follow, repository, namespace, stack, kind, since }: EventsOptions): EventFilter {
  const from = since ?? (follow ? undefined : '24h');
  return {
    repository: repository === undefined ? undefined : repositoryName(repository, '--repository'),
    namespace: namespace === undefined ? undefined : plainName('--namespace', namespace),
    stack: stack === undefined ? undefined : repositoryName(stack, '--stack'),
    kind,
    since: from === undefined ? undefined : pastMoment('--since', from),
  };
}

function describe({ at, kind, subject, actor, data }: EventInfo): string {
  const { digest, message } = data;
  const more = typeof message === 'string' && message !== '' ? `  ${message}` : '';
  const what = typeof digest === 'string' && !subject.includes('@') ? `${subject}  ${digest}` : subject;
  return safe(`${at}  ${kind.padEnd(22)}  ${what}  by ${actor}${more}`);
}
