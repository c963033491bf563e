import type { StackInfo } from '../api/stacks.ts';
import type { EnvironmentName } from '../client/environments.ts';
import type { ManagementClient } from '../client/management.ts';
import type { StackName } from '../client/stacks.ts';
import { plainName } from './names.ts';
import { safe } from './terminal.ts';
import { CommandError, UsageError } from './usage.ts';

/** `alice/shop` */
export function stackText({ namespace, stack }: StackName): string {
  return `${namespace}/${stack}`;
}

/** `alice/shop test` */
export function environmentText(name: EnvironmentName): string {
  return `${stackText(name)} ${name.environment}`;
}

/** The stack of `--stack` or BERTH_STACK. */
export function givenStack(option: string | undefined): string | undefined {
  return option ?? (process.env.BERTH_STACK || undefined);
}

/** The environment on the command line, or that of BERTH_ENVIRONMENT. @throws UsageError */
export function givenEnvironment(argument: string | undefined): string {
  const text = argument ?? (process.env.BERTH_ENVIRONMENT || undefined);
  if (text !== undefined) return text;
  throw new UsageError('ENV: give the environment, as in shop/test, or set BERTH_ENVIRONMENT');
}

/**
 * `alice/shop` as it is; `shop` as the only stack of that name that the caller may read, else the caller's own.
 *
 * @throws UsageError for what is no name, CommandError where there is none or more than one
 */
export async function resolveStack(client: ManagementClient, text: string): Promise<StackName> {
  const parts = partsOf('STACK', text, 2, 'shop or alice/shop');
  const [first = '', second] = parts;
  if (second !== undefined) return { namespace: first, stack: second };
  const found = (await visibleStacks(client)).filter(({ stack }) => stack === first);
  const [only] = found;
  if (only !== undefined && found.length === 1) return { namespace: only.namespace, stack: only.stack };
  if (only === undefined) {
    throw new CommandError(
      `STACK: there is no stack ${first} that you may read; berth stack list shows those that there are`,
    );
  }
  const own = await ownNamespace(client);
  const mine = found.find(({ namespace }) => namespace === own);
  if (mine !== undefined) return mine;
  throw new CommandError(`STACK: ${first} may be ${choices(found.map(stackText))}; give one of them`);
}

/**
 * A stack that is to be made: `shop` is in the caller's own namespace.
 *
 * @throws UsageError for what is no name, CommandError for `shop` of nobody
 */
export async function newStackName(client: ManagementClient, text: string): Promise<StackName> {
  const [first = '', second] = partsOf('NAME', text, 2, 'shop or alice/shop');
  if (second !== undefined) return { namespace: first, stack: second };
  const own = await ownNamespace(client);
  if (own !== undefined) return { namespace: own, stack: first };
  throw new CommandError(`NAME: ${first} has no namespace: log in with berth login, or give one, as in alice/${first}`);
}

/**
 * `alice/shop/test`, `shop/test`, `shop@test`; `test` of the stack of `--stack` or BERTH_STACK, else of the only stack that
 * has such an environment.
 *
 * @throws UsageError for what is no name, CommandError where there is none or more than one
 */
export async function resolveEnvironment(
  client: ManagementClient,
  text: string,
  stackOption: string | undefined,
): Promise<EnvironmentName> {
  const { stack, environment } = splitEnvironment(text);
  const given = stack ?? givenStack(stackOption);
  if (given !== undefined) return { ...(await resolveStack(client, given)), environment };
  const found = (await visibleStacks(client)).filter(({ environments }) => environments.includes(environment));
  const [only] = found;
  if (only !== undefined && found.length === 1) {
    return { namespace: only.namespace, stack: only.stack, environment };
  }
  if (only === undefined) {
    throw new CommandError(
      `ENV: no stack that you may read has an environment ${environment}; berth status shows those that there are`,
    );
  }
  const names = found.map((name) => `${stackText(name)}/${environment}`);
  throw new CommandError(`ENV: ${environment} may be ${choices(names)}; give one of them, or --stack`);
}

/**
 * A stack, or one of a stack's services or repositories: then `service` says which.
 *
 * @param within the stack that it is, or whose service it is; any without it
 * @throws UsageError, CommandError
 */
export async function resolveStackOrService(
  client: ManagementClient,
  text: string,
  within: string | undefined,
): Promise<StackName & { service: string | null }> {
  const name = partsOf('STACK', text, 2, 'shop, alice/shop or one of its services').join('/');
  const all = (await visibleStacks(client)).filter((entry) => within === undefined || isNamed(entry, within));
  if (all.some((entry) => isNamed(entry, name))) return { ...(await resolveStack(client, name)), service: null };
  const found = all.flatMap(({ namespace, stack, services }) => {
    const service = services.find((one) => one.name === name || one.repository === name);
    return service === undefined ? [] : [{ namespace, stack, service: service.name }];
  });
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  if (only === undefined) {
    const where = within === undefined ? 'that you may read' : `in ${within}`;
    throw new CommandError(`STACK: there is no stack or service ${name} ${where}`);
  }
  throw new CommandError(`STACK: ${name} is a service of ${choices(found.map(stackText))}; give one of them`);
}

function isNamed(name: StackName, text: string): boolean {
  return name.stack === text || stackText(name) === text;
}

/** What stands before the environment is left as it is, for `resolveStack`. */
export function splitEnvironment(text: string): { stack: string | undefined; environment: string } {
  const cut = text.includes('@') ? text.lastIndexOf('@') : text.lastIndexOf('/');
  const stack = cut < 0 ? undefined : text.slice(0, cut);
  return { stack, environment: plainName('ENV', text.slice(cut + 1)) };
}

/** An environment of the same stack. @throws UsageError */
export function siblingEnvironment(flag: string, { namespace, stack }: StackName, text: string): string {
  const { stack: given, environment } = splitEnvironment(text);
  if (given === undefined || given === stack || given === `${namespace}/${stack}`) return environment;
  throw new UsageError(`${flag}: ${JSON.stringify(text)} is of another stack than ${namespace}/${stack}`);
}

type VisibleStack = StackName & Pick<StackInfo, 'environments' | 'services'>;

async function visibleStacks(client: ManagementClient): Promise<VisibleStack[]> {
  const all = await Array.fromAsync(client.stacks.list());
  return all.map(({ name, environments, services }) => ({ ...stackOf(name), environments, services }));
}

/** `alice/shop` of an answer. */
export function stackOf(name: string): StackName {
  const [namespace = '', stack = ''] = name.split('/');
  return { namespace, stack };
}

/** The user's own, or that of which it is a robot; undefined for nobody. */
async function ownNamespace(client: ManagementClient): Promise<string | undefined> {
  const caller = await client.instance.caller();
  return caller.kind === 'anonymous' ? undefined : caller.name.split('+')[0];
}

function partsOf(what: string, text: string, most: number, example: string): string[] {
  const parts = text.split('/');
  if (parts.length > most) throw new UsageError(`${what}: ${JSON.stringify(text)} is not ${example}`);
  return parts.map((part) => plainName(what, part));
}

function choices(names: readonly string[]): string {
  return names.slice(0, 10).map(safe).join(' or ') + (names.length > 10 ? ` or ${names.length - 10} more` : '');
}
