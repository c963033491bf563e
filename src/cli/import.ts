import { readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { GC_SETTINGS, type Settings } from '../config/settings.ts';
import { isRepositoryName, isTag, parseRepositoryName, type RepositoryName, type Tag } from '../oci/names.ts';
import type { ImportResult } from '../upstreams/import-report.ts';
import type { ImportSource } from '../upstreams/import-source.ts';
import { importImages } from '../upstreams/importer.ts';
import { openLayout } from '../upstreams/layout-source.ts';
import { parseRegistryAddress } from '../upstreams/registry-address.ts';
import { RegistryClient } from '../upstreams/registry-client.ts';
import { RegistrySource } from '../upstreams/registry-source.ts';
import { StorageFolderSource } from '../upstreams/storage-folder-source.ts';
import { formatBytes } from './bytes.ts';
import { withData } from './data.ts';
import { EXIT } from './exit.ts';
import { imageName } from './image-name.ts';
import { createProgress } from './progress.ts';
import { readSecret } from './read-secret.ts';
import { note, print, printJson, safe } from './terminal.ts';
import { addSettings, collected, countOf, outputFormat, settingsOf, UsageError } from './usage.ts';

interface ImportFlags {
  to?: string;
  jobs: string;
  dryRun?: boolean;
  verify?: boolean;
  referrers: boolean;
  output: string;
}

interface RegistryFlags extends ImportFlags {
  all?: boolean;
  match?: string[];
  tags?: string[];
  username?: string;
  passwordStdin?: boolean;
  ca?: string;
}

interface FolderFlags extends ImportFlags {
  match?: string[];
  tags?: string[];
  untagged?: boolean;
  history?: boolean;
}

interface LayoutFlags extends ImportFlags {
  tag?: string;
}

type Finish = (code: number) => void;

export function register(program: Command, finish: Finish): void {
  const group = program
    .command('import')
    .summary('bring images from another registry, its folder, or an OCI layout')
    .description(
      'Bring images into the registry, with every digest unchanged. Works on --data, also while berth serve runs. What is there already is skipped:\nrun it again to go on after an interruption, or to catch up.',
    );
  fromRegistry(group, finish);
  fromFolder(group, finish);
  fromLayout(group, finish);
}

function fromRegistry(group: Command, finish: Finish): void {
  const command = shared(
    group
      .command('registry <ADDRESS> [NAME...]')
      .summary('from another registry, over the network')
      .description(
        'From a registry such as https://old.example.com:5000, docker.io or ghcr.io: the repositories that are named (NAME, NAME:TAG or NAME@DIGEST),\nor those of its catalog. Plain HTTP when the address begins with http://.',
      ),
    '<PREFIX>',
    'put it before every name: old makes old/team/app of team/app',
  )
    .option('--all', 'every repository of its catalog')
    .option('--match <PATTERN>', 'repositories of its catalog, such as team/*; may be there more than once', collected)
    .option('--tags <PATTERN>', 'only such tags, as v*; may be there more than once', collected)
    .option('--username <NAME>', 'log in there; the password is asked for')
    .option('--password-stdin', 'read the password from standard input')
    .option('--ca <FILE>', 'certificates (PEM) of the authority that it has its own from');
  command.action(async (address: string, names: string[], flags: RegistryFlags) => {
    const named = names.map((name) => imageName(name));
    const matching = flags.all ? ['*'] : flags.match;
    if (named.length === 0 && matching === undefined) {
      throw new UsageError('name the repositories, or ask for those of its catalog with --all or --match');
    }
    if (flags.passwordStdin && flags.username === undefined) throw new UsageError('--password-stdin: needs --username');
    const where = registryAddress(address);
    const { username } = flags;
    const credentials =
      username === undefined
        ? undefined
        : { username, password: await readSecret('Password: ', flags.passwordStdin ?? false) };
    const client = new RegistryClient({
      address: where,
      credentials,
      ca: flags.ca === undefined ? undefined : certificates(flags.ca),
    });
    const selection = { named, matching, tags: flags.tags ?? [], rename: renaming(flags.to) };
    await run(settingsOf(command), flags, finish, (signal) => new RegistrySource(client, { ...selection, signal }));
  });
}

function fromFolder(group: Command, finish: Finish): void {
  const command = shared(
    group
      .command('folder <FOLDER>')
      .summary('from the storage folder of registry, without copying where that is possible')
      .description(
        'From the folder in which registry (docker run registry) keeps its images, such as /var/lib/registry; registry may run meanwhile. On the same\nfilesystem blobs are hard-linked and take no space.',
      ),
    '<PREFIX>',
    'put it before every name: old makes old/team/app of team/app',
  )
    .option('--match <PATTERN>', 'only such repositories, as team/*; may be there more than once', collected)
    .option('--tags <PATTERN>', 'only such tags, as v*; may be there more than once', collected)
    .option('--untagged', 'also manifests without a tag; garbage collection removes them after its window')
    .option('--history', 'also what tags named before, so that they can be rolled back')
    .option('--no-verify', 'do not read the files: compare their sizes alone');
  command.action(async (folder: string, flags: FolderFlags) => {
    const selection = {
      repositories: flags.match ?? [],
      tags: flags.tags ?? [],
      untagged: flags.untagged ?? false,
      history: flags.history ?? false,
      rename: renaming(flags.to),
    };
    await run(settingsOf(command), flags, finish, () => new StorageFolderSource(resolve(folder), selection));
  });
}

function fromLayout(group: Command, finish: Finish): void {
  const command = shared(
    group
      .command('oci <PATH>')
      .summary('from an OCI layout, or what docker save wrote')
      .description(
        'From an OCI layout: a folder, or a .tar of one, as docker save, docker buildx, skopeo, podman and berth export write them.',
      ),
    '<NAME>',
    'the repository, instead of the one that the layout names',
  ).option('--tag <TAG>', 'the tag, when the layout holds one image');
  command.action(async (path: string, flags: LayoutFlags) => {
    const to = flags.to === undefined ? undefined : repository('--to', flags.to);
    const layout = await openLayout(resolve(path), { to, tag: flags.tag === undefined ? undefined : tagOf(flags.tag) });
    await run(settingsOf(command), flags, finish, () => layout);
  });
}

function shared(command: Command, to: string, toHelp: string): Command {
  command
    .option(`--to ${to}`, toHelp)
    .option('--jobs <NUMBER>', 'images and blobs at once', '4')
    .option('--no-referrers', 'leave out signatures and what else has an image as its subject')
    .option('--dry-run', 'change nothing; say what would come')
    .option('--output <FORMAT>', 'text or json', 'text');
  // It decides, as for a push, whether a repository that is made is public.
  return addSettings(command, [...GC_SETTINGS, 'anonymous']);
}

async function run(
  settings: Settings,
  flags: ImportFlags,
  finish: Finish,
  open: (signal: AbortSignal) => ImportSource,
): Promise<void> {
  const output = outputFormat(flags.output);
  const jobs = countOf('--jobs', flags.jobs);
  if (jobs > MOST_JOBS) throw new UsageError(`--jobs: more than ${MOST_JOBS}`);
  const dryRun = flags.dryRun ?? false;
  refuseForeignRoot(settings.data);
  const progress = createProgress();
  const stop = new AbortController();
  const source = open(stop.signal);
  const interrupt = () => stop.abort(new Interrupted());
  process.once('SIGINT', interrupt);
  try {
    const result = await withData(settings, (registry) =>
      importImages(registry, source, {
        jobs,
        dryRun,
        verify: flags.verify ?? true,
        referrers: flags.referrers,
        signal: stop.signal,
        onImage: (subject, digest, outcome) => {
          if (output === 'text' && outcome === 'imported')
            print(`${dryRun ? 'would import' : 'imported'} ${safe(subject)} ${digest}`);
        },
        onProgress: (done, total) => progress.update('bytes', done, total),
      }),
    ).finally(() => progress.stop());
    if (output === 'json') printJson(result);
    else tell(result);
    finish(result.faults.length === 0 && result.stopped === undefined ? EXIT.ok : EXIT.error);
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    note('interrupted; run it again, it goes on where it ended');
    finish(EXIT.interrupted);
  } finally {
    process.off('SIGINT', interrupt);
  }
}

class Interrupted extends Error {}

const MOST_JOBS = 64;

function tell(result: ImportResult): void {
  for (const { subject, why } of result.notes) note(`left out: ${safe(subject)}: ${safe(why)}`);
  for (const { subject, why } of result.faults) note(`failed: ${safe(subject)}: ${safe(why)}`);
  if (result.stopped !== undefined) note(`stopped: ${safe(result.stopped)}`);
  const { blobs } = result;
  const moved = [
    `${blobs.copied} copied (${formatBytes(result.bytesCopied)})`,
    ...(blobs.linked === 0 ? [] : [`${blobs.linked} linked (${formatBytes(result.bytesLinked)})`]),
    ...(blobs.mounted === 0 ? [] : [`${blobs.mounted} in other repositories already`]),
    ...(blobs.present === 0 ? [] : [`${blobs.present} there already`]),
  ].join(', ');
  const verb = result.dryRun ? 'would import' : 'imported';
  print(
    `${verb} ${result.tags} tag(s) and ${result.manifests} manifest(s) of ${result.repositories} repositor${result.repositories === 1 ? 'y' : 'ies'} in ${result.seconds} s; blobs: ${moved}; ${result.tagsPresent} tag(s) there already; ${result.faults.length} failed`,
  );
}

/** What root writes into somebody else's data, their server could not change any more. */
function refuseForeignRoot(data: string): void {
  if (process.getuid?.() !== 0) return;
  const uid = ownerOf(join(resolve(data), 'blobs'));
  if (uid === undefined || uid === 0) return;
  throw new UsageError(
    `--data: ${resolve(data)} belongs to user ${uid}; run it as that user, such as with sudo -u '#${uid}', or its server can't use what is imported`,
  );
}

function ownerOf(path: string): number | undefined {
  try {
    return statSync(path).uid;
  } catch {
    return undefined;
  }
}

function registryAddress(text: string) {
  try {
    return parseRegistryAddress(text);
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function certificates(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(`--ca: cannot read ${path}: ${error instanceof Error ? error.message : 'unknown error'}`);
  }
}

function renaming(prefix: string | undefined): (name: RepositoryName) => RepositoryName {
  if (prefix === undefined) return (name) => name;
  const before = repository('--to', prefix.replace(/\/$/, ''));
  return (name) => parseRepositoryName(`${before}/${name}`);
}

function repository(flag: string, text: string): RepositoryName {
  if (isRepositoryName(text)) return text;
  throw new UsageError(`${flag}: ${JSON.stringify(text)} is no name for a repository`);
}

function tagOf(text: string): Tag {
  if (isTag(text)) return text;
  throw new UsageError(`--tag: ${JSON.stringify(text)} is no tag`);
}
