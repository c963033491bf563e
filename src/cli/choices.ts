import type { ReleaseInfo } from '../api/releases.ts';
import type { ManagementClient } from '../client/management.ts';
import type { StackName } from '../client/stacks.ts';
import { stackText } from './stack-name.ts';
import { CommandError, countOf, UsageError } from './usage.ts';

/** `NAME=VALUE` words by name. @throws UsageError for what is none, or for a name that is there twice */
export function pairsOf(what: string, words: readonly string[], example: string): Record<string, string> {
  const pairs: Record<string, string> = {};
  for (const word of words) {
    const cut = word.indexOf('=');
    if (cut < 1) throw new UsageError(`${what}: ${JSON.stringify(word)} is not ${example}`);
    const name = word.slice(0, cut);
    if (Object.hasOwn(pairs, name)) throw new UsageError(`${what}: ${name} is there twice`);
    pairs[name] = word.slice(cut + 1);
  }
  return pairs;
}

/** `web=1.4.2` words, for the services' images. @throws UsageError */
export function imageChoicesOf(words: readonly string[]): Record<string, string> {
  const images = pairsOf('SERVICE=TAG', words, 'SERVICE=TAG, as in web=1.4.2');
  const empty = Object.keys(images).find((service) => images[service] === '');
  if (empty !== undefined) throw new UsageError(`SERVICE=TAG: give a tag or a digest for ${empty}`);
  return images;
}

/** The environment, unless the first word is a pair already, and the pairs. */
export function environmentAndPairs(words: readonly string[]): { environment: string | undefined; pairs: string[] } {
  const [first, ...rest] = words;
  if (first === undefined || first.includes('=')) return { environment: undefined, pairs: [...words] };
  return { environment: first, pairs: rest };
}

/** `v7` or `7`. @throws UsageError */
export function deploymentNumber(flag: string, text: string): number {
  return countOf(flag, text.replace(/^v/, ''));
}

/** `7`, or the release that is called `1.4.2`. @throws UsageError, CommandError */
export async function releaseNumber(
  client: ManagementClient,
  stack: StackName,
  flag: string,
  text: string,
): Promise<number> {
  if (/^\d+$/.test(text)) return countOf(flag, text);
  return (await releaseCalled(client, stack, flag, text)).number;
}

async function releaseCalled(
  client: ManagementClient,
  stack: StackName,
  flag: string,
  version: string,
): Promise<ReleaseInfo> {
  for await (const release of client.releases.list(stack)) if (release.version === version) return release;
  throw new CommandError(
    `${flag}: ${stackText(stack)} has no release ${JSON.stringify(version)}; berth release list shows them`,
  );
}
