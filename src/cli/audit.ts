import type { Command } from 'commander';
import type { AuditLineInfo } from '../api/audit.ts';
import type { AuditFilter } from '../client/audit.ts';
import { addServerOptions, connect, type ServerOptions } from './connect.ts';
import { pastMoment } from './moment.ts';
import { plainName } from './names.ts';
import { print, safe } from './terminal.ts';
import { countOf, oneOf } from './usage.ts';

interface AuditOptions extends ServerOptions {
  namespace?: string;
  actor?: string;
  action?: string;
  subject?: string;
  outcome?: string;
  since?: string;
  until?: string;
  limit: string;
}

export function register(program: Command, finish: (code: number) => void): void {
  const command = program
    .command('audit')
    .summary('who did what, from where and when')
    .description(
      'Who did what, from where and when; newest first. --output json writes JSON lines.\nFor administrators; with --namespace for the owner of one.',
    )
    .option('--namespace <NAME>', "of this user's or organization's things alone")
    .option('--actor <NAME>', 'done by this user or robot')
    .option('--action <ACTION>', 'of this kind, as in token.create, or a group of them, as in token.*')
    .option('--subject <NAME>', 'done to this; alice/app also takes its tags')
    .option('--outcome <OUTCOME>', 'done or refused')
    .option('--since <WHEN>', 'not older than, as in 24h, or a time')
    .option('--until <WHEN>', 'older than, as in 24h, or a time')
    .option('--limit <N>', 'at most so many lines, or all', '100');
  addServerOptions(command).action(async (options: AuditOptions) => {
    await audit(options);
    finish(0);
  });
}

async function audit(options: AuditOptions): Promise<void> {
  const limit = options.limit === 'all' ? undefined : countOf('--limit', options.limit);
  const namespace = options.namespace === undefined ? undefined : plainName('--namespace', options.namespace);
  const filter = filterOf(options);
  const { client, json } = connect(options);
  const lines =
    namespace === undefined ? client.audit.list(filter, limit) : client.audit.ofNamespace(namespace, filter, limit);
  for await (const line of lines) print(json ? JSON.stringify(line) : describe(line));
}

function filterOf({ actor, action, subject, outcome, since, until }: AuditOptions): AuditFilter {
  return {
    actor,
    action,
    subject,
    outcome: outcome === undefined ? undefined : oneOf('--outcome', outcome, ['done', 'refused']),
    since: since === undefined ? undefined : pastMoment('--since', since),
    until: until === undefined ? undefined : pastMoment('--until', until),
  };
}

function describe({ at, actor, source, action, subject, outcome, detail }: AuditLineInfo): string {
  const refused = outcome === 'refused' ? '  (refused)' : '';
  const more = detail === null ? '' : `  ${JSON.stringify(detail)}`;
  return safe(`${at}  ${action.padEnd(18)}  ${subject}  by ${actor} from ${source}${refused}${more}`);
}
