import { parseImage } from '../../compose/images.ts';
import { shortDigest } from '../image-text.ts';
import { printTable } from '../terminal.ts';
import { containersOf, standingOf } from './containers.ts';
import type { Docker } from './docker.ts';
import type { LocalSet } from './set.ts';

export interface ServiceRow {
  service: string;
  tag: string | null;
  digest: string;
  addresses: string[];
  state: string;
}

/** How the services of a set stand on this machine now. */
export async function rowsOf(docker: Docker, set: LocalSet, host: string): Promise<ServiceRow[]> {
  const containers = await containersOf(docker, set.project);
  return set.images.map(({ service, tag, digest, migration }) => {
    const own = containers.filter((container) => container.service === service);
    const states = [...new Set(own.map((container) => standingOf(container, true).text))];
    const addresses = own.flatMap(({ published }) => published.map((port) => addressOf(port, host)));
    return {
      service,
      tag,
      digest,
      addresses: [...new Set(addresses)],
      state: states.join(', ') || (migration ? 'done' : 'not running'),
    };
  });
}

/** What no browser opens. */
const NOT_HTTP = new Set([
  '22',
  '53',
  '1433',
  '1521',
  '1883',
  '3306',
  '4222',
  '5432',
  '5672',
  '6379',
  '9042',
  '11211',
  '27017',
]);

function addressOf({ address, port, target }: { address: string; port: number; target: string }, host: string): string {
  const name = address === '' || address.startsWith('127.') ? host : address.includes(':') ? `[${address}]` : address;
  const [own = '', protocol] = target.split('/');
  if (protocol !== 'tcp') return `${name}:${port}/${protocol}`;
  return NOT_HTTP.has(own) ? `${name}:${port}` : `http://${name}:${port}`;
}

export function printRows(rows: readonly ServiceRow[]): void {
  printTable(
    ['SERVICE', 'TAG', 'DIGEST', 'ADDRESS', 'STATE'],
    rows.map(({ service, tag, digest, addresses, state }) => [
      service,
      tag,
      shortDigest(digest),
      addresses.join(' '),
      state,
    ]),
    'no services',
  );
}

/** The sets of this machine, one a line. */
export function printSets(sets: readonly LocalSet[]): void {
  printTable(
    ['SET', 'STACK', 'FROM', 'STARTED'],
    sets.map(({ project, stack, environment, release, startedAt }) => [
      project,
      stack,
      environment ?? (release === null ? null : `release ${release}`),
      startedAt,
    ]),
    'nothing runs here that berth up started',
  );
}

/** The tag and digest in the name of an image of another registry. */
export function pinnedImage(text: string): { tag: string | null; digest: string } {
  const image = parseImage(text);
  return { tag: image?.tag ?? null, digest: image?.digest ?? '' };
}
