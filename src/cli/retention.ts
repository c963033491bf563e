import type { Command } from 'commander';
import type { RetentionInfo, RetentionPolicyInfo, RetentionTag } from '../api/retention.ts';
import type { RetentionPlace, RetentionPolicyInput } from '../client/retention.ts';
import { parseAge } from '../oci/age.ts';
import { type Call, commandGroup } from './command-group.ts';
import { plainName, repositoryName } from './names.ts';
import { policyFile } from './retention-file.ts';
import { note, print, printJson, printTable, report, safe } from './terminal.ts';
import { CommandError, collected, countOf, UsageError } from './usage.ts';

interface PolicyOptions {
  match?: string[];
  keepLast?: string;
  pushedWithin?: string;
  pulledWithin?: string;
  always?: boolean;
  untagged?: string;
  file?: string;
}

const PLACE = 'alice/app; /app for one without a slash; alice for all repositories of hers; nothing for the instance';

export function register(program: Command, finish: (code: number) => void): void {
  const add = commandGroup(program, finish, {
    name: 'retention',
    summary: 'say which tags stay, and which go by themselves',
    description: `Retention policies. PLACE is ${PLACE}. REPOSITORY is alice/app, or /app.`,
  });
  const policy = (command: Command) =>
    command
      .option('--match <PATTERN>', 'tags that it is about, such as "v*"; may be given more than once', collected)
      .option('--keep-last <N>', 'keep so many of them, those that were set last')
      .option('--pushed-within <AGE>', 'keep those that were set since, as in 30d')
      .option('--pulled-within <AGE>', 'keep those that were pulled since')
      .option('--always', 'keep all of them')
      .option('--untagged <AGE>', 'keep for a rollback so long what no tag names any more')
      .option('--file <FILE>', 'a policy of several rules, as YAML or JSON; - for standard input');

  add('show [PLACE]', 'the policy of a place, and the one that holds there', show);
  add('set [PLACE]', 'set a policy, of one rule or as --file says, in place of the one before', set, policy);
  add('remove [PLACE]', 'remove the policy of a place; the next one outwards holds then', remove);
  add(
    'preview <REPOSITORY>',
    'say which tags would go, and why, by the policy that holds or by the one that is given; changes nothing',
    preview,
    (command) => policy(command).option('--all', 'also those that stay, and why'),
  );
  add(
    'apply <REPOSITORY>',
    'remove now what the policy that holds does not keep; garbage collection does so by itself',
    apply,
    (command) => command.option('--dry-run', 'change nothing; print what would go, and why'),
  );
  add('log <REPOSITORY>', 'tags that a policy removed, and why, newest first', log, (command) =>
    command.option('--limit <N>', 'at most so many', '50'),
  );
}

async function show({ client, json }: Call, given?: string): Promise<void> {
  const found = await client.retention.get(placeOf(given));
  if (json) printJson(found);
  else showPolicy(found);
}

async function set({ client, json, options }: Call<PolicyOptions>, given?: string): Promise<void> {
  const policy = await policyOf(options);
  if (policy === undefined) throw new UsageError('give a policy: --match with what it keeps, --untagged or --file');
  const now = await client.retention.set(placeOf(given), policy);
  if (json) return printJson(now);
  showPolicy(now);
  note('berth retention preview REPOSITORY says which tags go by it.');
}

async function remove({ client, json }: Call, given?: string): Promise<void> {
  await client.retention.remove(placeOf(given));
  const removed = given ?? 'instance';
  report(json, { removed }, `removed the retention policy of ${removed}`);
}

async function preview(
  { client, json, options }: Call<PolicyOptions & { all?: boolean }>,
  name: string,
): Promise<void> {
  const repository = inRepository(name);
  const policy = await policyOf(options);
  const tags: RetentionTag[] = [];
  let counts = { tags: 0, removed: 0, kept: 0, immutable: 0, inUse: 0 };
  const decision = options.all === true ? undefined : 'remove';
  for await (const page of client.retention.previewAll(repository, policy, decision)) {
    ({ counts } = page);
    tags.push(...page.tags);
  }
  if (json) return printJson({ counts, tags });
  printTable(
    ['TAG', 'SET', 'PULLED', 'DECISION', 'WHY'],
    tags.map(({ tag, pushedAt, pulledAt, decision, why }) => [tag, pushedAt, pulledAt, decision, why]),
    'no tag would go',
  );
  const { removed, kept, immutable, inUse } = counts;
  note(`${removed} of ${counts.tags} tag(s) would go; ${kept} stay, ${immutable} of them immutable, ${inUse} in use`);
}

async function apply(call: Call<{ dryRun?: boolean }>, name: string): Promise<void> {
  const { client, json, options } = call;
  const repository = inRepository(name);
  if (options.dryRun === true) return preview({ ...call, options: {} }, name);
  const { holds } = await client.retention.get({ repository });
  if (holds === null)
    throw new CommandError(`no retention policy holds in ${repository}; set one: berth retention set`);
  let removed = 0;
  for (let more = true; more; ) {
    const applied = await client.retention.apply(repository);
    removed += applied.removed;
    // What others hold on to meanwhile stays; asking again would not change it.
    more = applied.more && applied.removed > 0;
  }
  report(json, { removed }, `removed ${removed} tag(s); berth retention log ${name} says why`);
}

async function log({ client, json, options }: Call<{ limit: string }>, name: string): Promise<void> {
  const limit = countOf('--limit', options.limit);
  const found = await Array.fromAsync(client.retention.removals(inRepository(name), limit));
  if (json) return printJson(found);
  printTable(
    ['WHEN', 'TAG', 'DIGEST', 'WHY'],
    found.map(({ at, tag, digest, why }) => [at, tag, digest, why]),
    'nothing was removed in the last 90 days',
  );
}

function placeOf(given: string | undefined): RetentionPlace {
  if (given === undefined) return 'instance';
  return given.includes('/') ? { repository: inRepository(given) } : { namespace: plainName('PLACE', given) };
}

function inRepository(given: string): string {
  return repositoryName(given.replace(/^\//, ''), 'REPOSITORY');
}

/** undefined when none of the flags is there. @throws UsageError */
async function policyOf(options: PolicyOptions): Promise<RetentionPolicyInput | undefined> {
  const { file, match, untagged } = options;
  const conditions = {
    ...(options.keepLast === undefined ? {} : { keepLast: countOf('--keep-last', options.keepLast) }),
    ...(options.pushedWithin === undefined ? {} : { pushedWithin: ageOf('--pushed-within', options.pushedWithin) }),
    ...(options.pulledWithin === undefined ? {} : { pulledWithin: ageOf('--pulled-within', options.pulledWithin) }),
    ...(options.always === true ? { always: true as const } : {}),
  };
  const any = Object.keys(conditions).length > 0;
  if (file !== undefined) {
    if (match !== undefined || any || untagged !== undefined) {
      throw new UsageError('--file: holds the whole policy; leave out the other flags');
    }
    return policyFile(file);
  }
  if (match !== undefined && !any) {
    throw new UsageError('--match: say what to keep of it: --keep-last, --pushed-within, --pulled-within or --always');
  }
  if (any && match === undefined) throw new UsageError('--match: say which tags, as in --match "*" for all');
  if (match === undefined && untagged === undefined) return undefined;
  return {
    rules: match === undefined ? [] : [{ match, ...conditions }],
    ...(untagged === undefined ? {} : { untagged: { after: ageOf('--untagged', untagged) } }),
  };
}

function ageOf(flag: string, text: string): string {
  if (parseAge(text) !== undefined) return text;
  throw new UsageError(`${flag}: ${JSON.stringify(text)} is not a duration such as 12h, 30d or 8w`);
}

function showPolicy({ holds, own, from, updatedAt, updatedBy }: RetentionInfo): void {
  if (holds === null) {
    note('no retention policy holds: no tag goes by itself');
    return;
  }
  const whose = own === null ? `, of the ${from}` : '';
  print(`policy${whose}, set ${updatedAt} by ${safe(updatedBy ?? '')}`);
  for (const line of policyLines(holds)) print(`  ${line}`);
}

function policyLines({ rules, untagged }: RetentionPolicyInfo): string[] {
  const lines = rules.map((rule, index) => {
    const keeps = [
      ...(rule.always === true ? ['all'] : []),
      ...(rule.keepLast === undefined ? [] : [`the last ${rule.keepLast}`]),
      ...(rule.pushedWithin === undefined ? [] : [`set within ${rule.pushedWithin}`]),
      ...(rule.pulledWithin === undefined ? [] : [`used within ${rule.pulledWithin}`]),
    ];
    return `rule ${index + 1}: of ${rule.match.join(' ')} keep ${keeps.join(', or ')}`;
  });
  if (untagged !== undefined) lines.push(`what no tag names any more: for ${untagged.after}`);
  return lines;
}
