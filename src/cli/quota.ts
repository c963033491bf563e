import type { Command } from 'commander';
import type { NamespaceUsageInfo } from '../api/quotas.ts';
import { formatBytes, parseBytes } from './bytes.ts';
import { type Call, commandGroup } from './command-group.ts';
import { plainName } from './names.ts';
import { printFields, printJson, printTable, report } from './terminal.ts';

export function register(program: Command, finish: (code: number) => void): void {
  const add = commandGroup(program, finish, {
    name: 'quota',
    summary: 'say how much namespaces may hold',
    description:
      'How many bytes users and organizations hold and may hold: each blob and manifest counts once, in however many of their\nrepositories it is. For administrators; `berth quota show` also for the owner. _ stands for names without a namespace.',
  });
  add('list', 'what each namespace holds and may hold', list);
  add('show <NAMESPACE>', 'what a namespace holds and may hold', show);
  add('set <NAMESPACE> <SIZE>', 'let a namespace hold so much, as in 10GiB; what is there already stays', set);
  add('remove <NAMESPACE>', "take a namespace's own quota away, so that the default holds", remove);
  add(
    'default [SIZE]',
    'show, or set, the quota of every namespace without one of its own; none takes it away',
    byDefault,
  );
}

async function list({ client, json }: Call): Promise<void> {
  const found = await Array.fromAsync(client.quotas.list());
  if (json) return printJson(found);
  printTable(
    ['NAMESPACE', 'HOLDS', 'MAY HOLD', 'FULL'],
    found.map((usage) => [usage.namespace, formatBytes(usage.used), quotaText(usage), fullness(usage)]),
    'nothing is stored, and there are no quotas',
  );
}

async function show({ client, json }: Call, given: string): Promise<void> {
  const namespace = namespaceName(given);
  // An administrator may ask for any, an owner for the own one.
  const usage = namespace === '_' ? await client.quotas.get(namespace) : await client.quotas.usage(namespace);
  if (json) return printJson(usage);
  printFields({
    namespace: usage.namespace,
    holds: `${formatBytes(usage.used)} (${usage.used} bytes)`,
    'may hold': quotaText(usage),
    full: fullness(usage) || null,
  });
}

async function set({ client, json }: Call, given: string, size: string): Promise<void> {
  const bytes = parseBytes('SIZE', size);
  const usage = await client.quotas.set(namespaceName(given), bytes);
  const over =
    usage.used > bytes ? `; it holds ${formatBytes(usage.used)}, so nothing can be pushed until enough is gone` : '';
  report(json, usage, `${usage.namespace} may hold ${formatBytes(bytes)}${over}`);
}

async function remove({ client, json }: Call, given: string): Promise<void> {
  const namespace = namespaceName(given);
  await client.quotas.remove(namespace);
  report(json, { removed: namespace }, `${namespace} has no quota of its own any more`);
}

async function byDefault({ client, json }: Call, size: string | undefined): Promise<void> {
  const given = size === undefined ? undefined : size === 'none' ? null : parseBytes('SIZE', size);
  const { bytes } = given === undefined ? await client.quotas.default() : await client.quotas.setDefault(given);
  report(
    json,
    { bytes },
    bytes === null ? 'no default: as much as the disk takes' : `by default ${formatBytes(bytes)}`,
  );
}

function namespaceName(text: string): string {
  return text === '_' ? text : plainName('NAMESPACE', text);
}

function quotaText({ quota, fromDefault }: NamespaceUsageInfo): string {
  return quota === null ? 'no limit' : `${formatBytes(quota)}${fromDefault ? ' (default)' : ''}`;
}

function fullness({ used, quota }: NamespaceUsageInfo): string {
  return quota === null ? '' : quota === 0 ? '100 %' : `${Math.round((used / quota) * 100)} %`;
}
