import type { Command } from 'commander';
import { WEBHOOK_SHAPES, type WebhookInfo } from '../api/webhooks.ts';
import type { ManagementClient } from '../client/management.ts';
import { type Call, commandGroup } from './command-group.ts';
import { confirmName } from './confirm.ts';
import { identifier, plainName, repositoryName } from './names.ts';
import { note, print, printFields, printJson, printTable, report, safe } from './terminal.ts';
import { CommandError, countOf, oneOf, UsageError } from './usage.ts';

interface ScopeOptions {
  repository?: string;
  namespace?: string;
}

interface ChangeOptions {
  url?: string;
  shape?: string;
  events?: string;
  description?: string;
  authorizationFile?: string;
}

const TEST_WITHIN_MS = 20_000;

export function register(program: Command, finish: (code: number) => void): void {
  const add = commandGroup(program, finish, {
    name: 'webhook',
    summary: 'make, list, test and delete webhooks, see their deliveries',
    description: 'Webhooks: what happens in a repository, a namespace or the instance is sent to an address, signed.',
  });
  const scoped = (command: Command) =>
    command
      .option('--repository <NAME>', 'of this repository')
      .option('--namespace <NAME>', "of this user's or organization's namespace");
  const wishes = (command: Command) =>
    command
      .option('--shape <SHAPE>', `${WEBHOOK_SHAPES.join(', ')}; default: berth`)
      .option('--events <KINDS>', 'kinds, as in tag.push, or groups, as in deployment.*; comma-separated; default: *')
      .option('--description <TEXT>', 'what it is for')
      .option('--authorization-file <FILE>', 'file with the Authorization header to send; - reads standard input');
  add('create <URL>', 'make one; without --repository or --namespace of the instance', create, (command) =>
    wishes(scoped(command)),
  );
  add('list', 'the webhooks of a repository, a namespace, or the instance', list, scoped);
  add('show <ID>', 'a webhook', show);
  add('update <ID>', 'change what is given', update, (command) =>
    wishes(command)
      .option('--url <URL>', 'another address')
      .option('--remove-authorization', 'send none any more')
      .option('--enable', 'send again')
      .option('--disable', 'send nothing; what happens meanwhile is not kept for it'),
  );
  add('delete <ID>', 'delete one and the log of its deliveries; asks', remove, (command) =>
    command.option('--yes', 'do not ask'),
  );
  add('test <ID>', 'send a test message and say how it went', test);
  add('deliveries <ID> [DELIVERY]', 'what was sent and what waits; or all of one', deliveries, (command) =>
    command
      .option('--state <STATE>', 'pending, delivered or failed')
      .option('--limit <N>', 'at most so many, or all', '100'),
  );
  add('redeliver <ID> <DELIVERY>', 'send one again, under its webhook-id', redeliver);
  add('rotate-secret <ID>', 'a new secret; for a day the former one signs too', rotate);
}

async function create({ client, json, options }: Call<ScopeOptions & ChangeOptions>, url: string): Promise<void> {
  const made = await client.webhooks.create({ ...scopeOf(options), url, ...(await wishesOf(options)) });
  if (json) return printJson(made);
  print(`made webhook ${made.webhook.id} for ${scopeText(made.webhook)}`);
  print(`secret: ${made.secret}`);
  note('the secret is not shown again; receivers check signatures with it');
}

async function list({ client, json, options }: Call<ScopeOptions>): Promise<void> {
  const webhooks = await client.webhooks.list(scopeOf(options));
  if (json) return printJson(webhooks);
  printTable(
    ['ID', 'STATE', 'WAITING', 'SHAPE', 'EVENTS', 'URL'],
    webhooks.map((webhook) => [
      webhook.id,
      stateOf(webhook),
      String(webhook.pending),
      webhook.shape,
      webhook.events.join(','),
      webhook.url,
    ]),
    'no webhooks',
  );
}

async function show({ client, json }: Call, id: string): Promise<void> {
  const webhook = await client.webhooks.get(identifier('ID', id));
  if (json) return printJson(webhook);
  printFields({
    id: webhook.id,
    for: scopeText(webhook),
    url: webhook.url,
    shape: webhook.shape,
    events: webhook.events.join(', '),
    state: stateOf(webhook),
    reason: webhook.disabledReason,
    waiting: String(webhook.pending),
    'tried again': webhook.retryAt,
    authorization: webhook.hasAuthorization ? 'set' : null,
    description: webhook.description,
    'made by': webhook.createdBy,
    created: webhook.createdAt,
  });
}

interface UpdateOptions extends ChangeOptions {
  removeAuthorization?: boolean;
  enable?: boolean;
  disable?: boolean;
}

async function update({ client, json, options }: Call<UpdateOptions>, id: string): Promise<void> {
  const { url, removeAuthorization, enable, disable } = options;
  if (enable && disable) throw new UsageError('--disable: not together with --enable');
  const webhook = await client.webhooks.change(identifier('ID', id), {
    ...(url === undefined ? {} : { url }),
    ...(await wishesOf(options)),
    ...(removeAuthorization ? { authorization: null } : {}),
    ...(enable || disable ? { enabled: enable === true } : {}),
  });
  report(json, webhook, `changed webhook ${webhook.id}`);
}

async function remove({ client, json, options }: Call<{ yes?: boolean }>, id: string): Promise<void> {
  identifier('ID', id);
  await confirmName('webhook', id, options.yes);
  await client.webhooks.delete(id);
  report(json, { deleted: id }, `deleted webhook ${id}`);
}

async function test({ client, json }: Call, id: string): Promise<void> {
  const delivery = await client.webhooks.test(identifier('ID', id));
  const done = await doneWith(client, id, delivery);
  if (json) printJson(done);
  const [attempt] = done.log;
  if (done.state === 'delivered') {
    if (!json) print(`the receiver answered ${attempt?.status} in ${attempt?.durationMs} ms`);
    return;
  }
  if (done.state === 'failed') throw new CommandError(`the test failed: ${attempt?.error ?? 'no attempt'}`);
  throw new CommandError(`not sent within ${TEST_WITHIN_MS / 1000} s; see berth webhook deliveries ${id} ${delivery}`);
}

async function doneWith(client: ManagementClient, id: string, delivery: string) {
  const deadline = Date.now() + TEST_WITHIN_MS;
  for (;;) {
    const found = await client.webhooks.delivery(id, delivery);
    if (found.state !== 'pending' || Date.now() > deadline) return found;
    await Bun.sleep(100);
  }
}

async function deliveries(
  { client, json, options }: Call<{ state?: string; limit: string }>,
  id: string,
  delivery?: string,
): Promise<void> {
  identifier('ID', id);
  if (delivery !== undefined) return showDelivery({ client, json }, id, identifier('DELIVERY', delivery));
  const state =
    options.state === undefined ? undefined : oneOf('--state', options.state, ['pending', 'delivered', 'failed']);
  const limit = options.limit === 'all' ? undefined : countOf('--limit', options.limit);
  const found = await Array.fromAsync(client.webhooks.deliveries(id, { state }, limit));
  if (json) return printJson(found);
  printTable(
    ['ID', 'CREATED', 'STATE', 'ATTEMPTS', 'STATUS', 'EVENT', 'SUBJECT', 'ERROR'],
    found.map((one) => [
      one.id,
      one.createdAt,
      one.state,
      String(one.attempts),
      one.status === null ? null : String(one.status),
      one.kind,
      one.subject,
      one.error,
    ]),
    'no deliveries',
  );
}

async function showDelivery({ client, json }: Pick<Call, 'client' | 'json'>, id: string, delivery: string) {
  const found = await client.webhooks.delivery(id, delivery);
  if (json) return printJson(found);
  printFields({ id: found.id, event: found.kind, subject: found.subject, state: found.state, body: found.body });
  for (const { at, status, durationMs, error, headers, response } of found.log) {
    print(`\n${at}  ${status ?? 'no answer'}  ${durationMs} ms${error === null ? '' : safe(`  ${error}`)}`);
    for (const [name, value] of Object.entries(headers)) print(safe(`  > ${name}: ${value}`));
    for (const line of (response ?? '').split('\n').filter(Boolean)) print(safe(`  < ${line}`));
  }
}

async function redeliver({ client, json }: Call, id: string, delivery: string): Promise<void> {
  await client.webhooks.redeliver(identifier('ID', id), identifier('DELIVERY', delivery));
  report(json, { webhook: id, redelivered: delivery }, `${delivery} is sent again`);
}

async function rotate({ client, json }: Call, id: string): Promise<void> {
  const { secret, formerUntil } = await client.webhooks.rotateSecret(identifier('ID', id));
  report(json, { secret, formerUntil }, `secret: ${secret}`);
  if (!json) note(`the secret is not shown again; the former one signs too until ${formerUntil}`);
}

function scopeOf({ repository, namespace }: ScopeOptions): ScopeOptions {
  if (repository !== undefined && namespace !== undefined) {
    throw new UsageError('--namespace: not together with --repository');
  }
  return {
    ...(repository === undefined ? {} : { repository: repositoryName(repository, '--repository') }),
    ...(namespace === undefined ? {} : { namespace: plainName('--namespace', namespace) }),
  };
}

async function wishesOf({ shape, events, description, authorizationFile }: ChangeOptions) {
  return {
    ...(shape === undefined ? {} : { shape: oneOf('--shape', shape, WEBHOOK_SHAPES) }),
    ...(events === undefined ? {} : { events: events.split(',').map((kind) => kind.trim()) }),
    ...(description === undefined ? {} : { description }),
    ...(authorizationFile === undefined ? {} : { authorization: await authorizationOf(authorizationFile) }),
  };
}

/** Not on the command line, where others on the machine see it. @throws UsageError */
async function authorizationOf(file: string): Promise<string> {
  const text = await (file === '-' ? Bun.stdin : Bun.file(file)).text().catch(() => {
    throw new UsageError(`--authorization-file: cannot read ${file}`);
  });
  return text.trim();
}

function scopeText({ scope }: WebhookInfo): string {
  return scope.name ?? 'the instance';
}

function stateOf({ enabled, failingSince }: WebhookInfo): string {
  if (!enabled) return 'disabled';
  return failingSince === null ? 'enabled' : 'failing';
}
