import type { Command } from 'commander';
import type { ReleaseImage, ReleaseInfo } from '../api/releases.ts';
import { imageChoicesOf, releaseNumber } from './choices.ts';
import { type Call, commandGroup } from './command-group.ts';
import { imagesText, imageText, shortDigest } from './image-text.ts';
import { plainName } from './names.ts';
import { resolveStack, siblingEnvironment, stackText } from './stack-name.ts';
import { print, printFields, printJson, printTable, report } from './terminal.ts';
import { countOf } from './usage.ts';

interface CreateOptions {
  from?: string;
  version?: string;
  notes?: string;
}

interface RevokeOptions {
  reason?: string;
  env?: string;
}

export function register(program: Command, finish: (code: number) => void): void {
  const add = commandGroup(program, finish, {
    name: 'release',
    summary: 'make, list, compare and revoke releases',
    description:
      'Releases: a compose file and the digests of its services, fixed once. STACK is shop or alice/shop, N the number or the version of a release.',
  });
  add(
    'create <STACK> [SERVICE=TAG...]',
    'make a release of tags or digests; the other services as --from runs them, else by the tags of the compose file',
    create,
    (command) =>
      command
        .option('--from <ENV>', 'an environment: what it runs now')
        .option('--version <VERSION>', 'a name for it, as in 1.4.2')
        .option('--notes <TEXT>', 'what is new'),
  );
  add('list <STACK>', 'newest first', list, (command) => command.option('--limit <N>', 'at most so many', '20'));
  add('show <STACK> <N>', 'a release', show);
  add('diff <STACK> <N> <OTHER>', 'what OTHER has that N has not', diff);
  add('revoke <STACK> <N>', 'let no automation deploy it any more', revoke, (command) =>
    command.option('--env <ENV>', 'in this environment alone').option('--reason <TEXT>', 'why'),
  );
}

async function create({ client, json, options }: Call<CreateOptions>, ...args: string[]): Promise<void> {
  const [stack = '', ...pairs] = args;
  const images = imageChoicesOf(pairs);
  const { from, version, notes } = options;
  const name = await resolveStack(client, stack);
  const made = await client.releases.create(name, {
    ...(pairs.length === 0 ? {} : { images }),
    ...(from === undefined ? {} : { from: siblingEnvironment('--from', name, from) }),
    ...(version === undefined ? {} : { version }),
    ...(notes === undefined ? {} : { notes }),
  });
  report(json, made, `release ${made.number} of ${stackText(name)}: ${imagesText(made.images)}`);
}

async function list({ client, json, options }: Call<{ limit: string }>, stack: string): Promise<void> {
  const limit = countOf('--limit', options.limit);
  const releases = await Array.fromAsync(client.releases.list(await resolveStack(client, stack), limit));
  if (json) return printJson(releases);
  printTable(
    ['NUMBER', 'VERSION', 'STATE', 'IMAGES', 'MADE BY', 'CREATED', 'NOTES'],
    releases.map((release) => [
      String(release.number),
      release.version,
      stateOf(release),
      imagesText(release.images),
      release.createdBy,
      release.createdAt,
      release.notes.split('\n', 1)[0] ?? '',
    ]),
    'no releases',
  );
}

async function show({ client, json }: Call, stack: string, given: string): Promise<void> {
  const name = await resolveStack(client, stack);
  const release = await client.releases.get(name, await releaseNumber(client, name, 'N', given));
  if (json) return printJson(release);
  printFields({
    release: `${release.number} of ${stackText(name)}`,
    version: release.version,
    state: stateOf(release),
    file: shortDigest(release.file),
    created: `${release.createdAt} by ${release.createdBy}`,
    notes: release.notes,
  });
  for (const { environment, by, at, reason } of release.revoked) {
    printFields({ revoked: `${environment ?? 'everywhere'}, by ${by} at ${at}${reason === '' ? '' : `: ${reason}`}` });
  }
  print('');
  printTable(
    ['SERVICE', 'REPOSITORY', 'TAG', 'DIGEST', 'VERSION', 'REVISION', 'SOURCE'],
    release.images.map((image) => [
      image.service,
      image.repository,
      image.tag,
      image.digest,
      image.version,
      image.revision,
      image.source,
    ]),
    'no images of this registry',
  );
}

async function diff({ client, json }: Call, stack: string, given: string, other: string): Promise<void> {
  const name = await resolveStack(client, stack);
  const from = await releaseNumber(client, name, 'N', given);
  const to = await releaseNumber(client, name, 'OTHER', other);
  const found = await client.releases.diff(name, from, to);
  if (json) return printJson(found);
  print(`compose file: ${found.fileChanged ? 'changed' : 'the same'}`);
  printTable(
    ['SERVICE', 'CHANGED', String(from), String(to), 'REVISIONS'],
    found.images.map((image) => [
      image.service,
      image.changed ? 'yes' : 'no',
      image.from === null ? null : imageText(image.from),
      image.to === null ? null : imageText(image.to),
      revisionsText(image.from, image.to),
    ]),
    'no images of this registry',
  );
}

async function revoke({ client, json, options }: Call<RevokeOptions>, stack: string, given: string): Promise<void> {
  const { reason = '', env } = options;
  const where = env === undefined ? {} : { environment: plainName('--env', env) };
  const name = await resolveStack(client, stack);
  const number = await releaseNumber(client, name, 'N', given);
  const revoked = await client.releases.revoke(name, number, { reason, ...where });
  report(
    json,
    revoked,
    `release ${number} of ${stackText(name)} is revoked ${env === undefined ? 'everywhere' : `in ${env}`}`,
  );
}

function stateOf({ expiredAt, revoked }: ReleaseInfo): string {
  if (expiredAt !== null) return 'expired';
  if (revoked.length === 0) return 'usable';
  return `revoked (${revoked.map(({ environment }) => environment ?? 'everywhere').join(', ')})`;
}

function revisionsText(from: ReleaseImage | null, to: ReleaseImage | null): string | null {
  const revisions = [from?.revision ?? null, to?.revision ?? null];
  if (revisions.every((revision) => revision === null)) return null;
  return revisions.map((revision) => revision?.slice(0, 12) ?? '?').join('..');
}
