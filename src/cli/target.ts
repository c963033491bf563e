import type { Command } from 'commander';
import type { TargetInfo } from '../api/deployments.ts';
import type { EnvironmentName } from '../client/environments.ts';
import type { ManagementClient } from '../client/management.ts';
import { type Call, commandGroup } from './command-group.ts';
import { plainName } from './names.ts';
import { environmentText, resolveStack } from './stack-name.ts';
import { note, print, printJson, printTable, report, safe } from './terminal.ts';

interface EnrollOptions {
  name?: string;
}

export function register(program: Command, finish: (code: number) => void): void {
  const add = commandGroup(program, finish, {
    name: 'target',
    summary: 'enroll, list and revoke servers that run an environment',
    description: 'Targets: servers that run an environment. They ask; no port is opened. STACK is shop or alice/shop.',
  });
  add(
    'enroll <STACK> <ENV>',
    'print the berth agent line to run on the server; its token is shown this once',
    enroll,
    (command) => command.option('--name <NAME>', 'of the target; target-1, target-2, … without it'),
  );
  add('list <STACK> [ENV]', 'the targets of an environment, or of all of a stack', list);
  add('revoke <STACK> <ENV> <NAME>', "end a target's token; what runs on it stays", revoke);
}

async function enroll({ client, json, options }: Call<EnrollOptions>, stack: string, env: string): Promise<void> {
  const { name: wanted } = options;
  const body = wanted === undefined ? {} : { name: plainName('--name', wanted) };
  const name = await environmentOf(client, stack, env);
  const enrolled = await client.targets.enroll(name, body);
  if (json) return printJson(enrolled);
  note(`${safe(enrolled.target.name)} is a target of ${environmentText(name)} now. Run this on the server, once:`);
  print(enrolled.command);
  note('this is the only time that its token is shown');
  if (/\/\/(localhost|127\.|\[::1\])/.test(enrolled.command)) {
    note('on another machine, put the address by which it reaches this registry after --server');
  }
}

async function list({ client, json }: Call, stack: string, env: string | undefined): Promise<void> {
  const name = await resolveStack(client, stack);
  const names =
    env === undefined
      ? (await client.environments.list(name)).map((environment) => environment.name)
      : [plainName('ENV', env)];
  const found: (TargetInfo & { environment: string })[] = [];
  for (const environment of names) {
    const targets = await client.targets.list({ ...name, environment });
    found.push(...targets.map((target) => ({ environment, ...target })));
  }
  if (json) return printJson(found);
  printTable(
    [
      'ENVIRONMENT',
      'NAME',
      'STATE',
      'DEPLOYMENT',
      'PHASE',
      'LAST SEEN',
      'ADDRESS',
      'AGENT',
      'ENGINE',
      'CLOCK',
      'ERROR',
    ],
    found.map((target) => [
      target.environment,
      target.name,
      target.revokedAt !== null ? 'revoked' : target.online ? 'online' : 'offline',
      target.deployment === null ? null : `v${target.deployment}`,
      target.phase,
      target.lastSeenAt ?? 'never',
      target.address,
      target.agentVersion,
      target.engine,
      clockText(target.clockSkewMs),
      target.error,
    ]),
    'no targets',
  );
}

async function revoke({ client, json }: Call, stack: string, env: string, target: string): Promise<void> {
  const name = await environmentOf(client, stack, env);
  await client.targets.revoke(name, plainName('NAME', target));
  report(json, { revoked: target }, `revoked ${target} of ${environmentText(name)}`);
  if (!json) note('what runs on it stays');
}

async function environmentOf(client: ManagementClient, stack: string, env: string): Promise<EnvironmentName> {
  const environment = plainName('ENV', env);
  return { ...(await resolveStack(client, stack)), environment };
}

/** Less than this is the time that a report takes. */
const SKEW_SHOWN_MS = 2_000;

function clockText(skewMs: number | null): string | null {
  if (skewMs === null) return null;
  if (Math.abs(skewMs) < SKEW_SHOWN_MS) return 'right';
  return `${Math.round(Math.abs(skewMs) / 1_000)} s ${skewMs > 0 ? 'ahead' : 'behind'}`;
}
