import type { z } from 'zod';
import type { ResolvedSet, resolveBody } from '../../api/releases.ts';
import type { ManagementClient } from '../../client/management.ts';
import { releaseNumber } from '../choices.ts';
import { resolveStack, stackText } from '../stack-name.ts';
import { UsageError } from '../usage.ts';

/** `shop@test`, `alice/shop@7`, `shop` in its parts. */
export interface Wanted {
  stack: string;
  /** An environment, the number of a release or its version. */
  from: string | undefined;
}

/** @throws UsageError */
export function parseWanted(text: string): Wanted {
  const at = text.lastIndexOf('@');
  const stack = at < 0 ? text : text.slice(0, at);
  const from = at < 0 ? undefined : text.slice(at + 1);
  if (stack === '' || from === '') {
    throw new UsageError(`STACK: ${JSON.stringify(text)} is not a stack, as in shop@test, alice/shop@7 or shop`);
  }
  return { stack, from };
}

/** What tells two sets of a stack apart: --name, else the environment or the release. @throws UsageError */
export function setName({ from }: Wanted, given: string | undefined): string {
  const name = given ?? from ?? 'local';
  if (/^[a-z0-9][a-z0-9._-]{0,39}$/.test(name)) return name;
  throw new UsageError(
    `${given === undefined ? 'STACK' : '--name'}: ${JSON.stringify(name)} is not at most 40 lower-case letters, digits, "-" and "."`,
  );
}

/** Asks the server what that is at this moment. @throws UsageError, CommandError */
export async function resolveWanted(
  client: ManagementClient,
  { stack, from }: Wanted,
  images: Record<string, string>,
): Promise<ResolvedSet> {
  const name = await resolveStack(client, stack);
  const body: z.input<typeof resolveBody> = { images };
  if (from !== undefined) {
    const { environments } = await client.stacks.get(name);
    if (environments.includes(from)) body.environment = from;
    else if (/^\d/.test(from)) body.release = await releaseNumber(client, name, 'STACK', from);
    else {
      const known = environments.length === 0 ? 'it has none' : `it has ${environments.join(', ')}`;
      throw new UsageError(`STACK: ${stackText(name)} has no environment ${JSON.stringify(from)}; ${known}`);
    }
  }
  return client.stacks.resolve(name, body);
}
