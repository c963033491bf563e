import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { GC_SETTINGS, type Settings } from '../config/settings.ts';
import { isRepositoryName, parseRepositoryName, type RepositoryName } from '../oci/names.ts';
import { type ExportSelection, exportImages } from '../upstreams/exporter.ts';
import { createLayout } from '../upstreams/layout-writer.ts';
import { parseRegistryAddress, type RegistryAddress } from '../upstreams/registry-address.ts';
import { exportToRegistry } from '../upstreams/registry-export.ts';
import { RegistryPush } from '../upstreams/registry-push.ts';
import { formatBytes } from './bytes.ts';
import { withData } from './data.ts';
import { EXIT } from './exit.ts';
import { imageName } from './image-name.ts';
import { createProgress } from './progress.ts';
import { readSecret } from './read-secret.ts';
import { print, printJson } from './terminal.ts';
import { addSettings, countOf, type OutputFormat, outputFormat, settingsOf, UsageError } from './usage.ts';

interface ExportFlags {
  to: string;
  username?: string;
  passwordStdin?: boolean;
  ca?: string;
  jobs: string;
  referrers: boolean;
  output: string;
}

const MOST_JOBS = 64;

export function register(program: Command, finish: (code: number) => void): void {
  const command = program
    .command('export <NAME...>')
    .summary('write images to an OCI layout, or push them to another registry')
    .description(
      'Write images (NAME:TAG or NAME@DIGEST) or every tag of repositories (NAME) to an OCI layout, or push them to another registry, byte for\nbyte. Reads --data, also while berth serve runs. What is there already is not written or sent again.',
    )
    .requiredOption(
      '--to <PLACE>',
      'a folder; a file that ends in .tar; or a registry: https://HOST keeps the names, https://HOST/NAME is the name there, https://HOST/PREFIX/ goes before the names',
    )
    .option('--username <NAME>', 'log in at the registry; the password is asked for')
    .option('--password-stdin', 'read the password from standard input')
    .option('--ca <FILE>', 'certificates (PEM) of the authority that the registry has its own from')
    .option('--jobs <NUMBER>', 'blobs that are sent to a registry at once', '4')
    .option('--no-referrers', 'leave out signatures and what else has an image as its subject')
    .option('--output <FORMAT>', 'text or json', 'text');
  addSettings(command, GC_SETTINGS).action(async (names: string[], flags: ExportFlags) => {
    const output = outputFormat(flags.output);
    const selections = names.map((name) => imageName(name));
    const settings = settingsOf(command);
    if (/^https?:\/\//.test(flags.to)) await toRegistry(settings, selections, flags, output);
    else await toLayout(settings, selections, flags, output);
    finish(EXIT.ok);
  });
}

async function toLayout(
  settings: Settings,
  selections: readonly ExportSelection[],
  flags: ExportFlags,
  output: OutputFormat,
): Promise<void> {
  for (const flag of ['username', 'passwordStdin', 'ca'] as const) {
    if (flags[flag] !== undefined)
      throw new UsageError(
        `--to: ${JSON.stringify(flags.to)} is a file or a folder, which takes no log-in; a registry begins with https://`,
      );
  }
  const path = resolve(flags.to);
  const progress = createProgress();
  const result = await withData(settings, async (registry) => {
    const layout = await createLayout(path);
    try {
      return await exportImages(registry, selections, layout, {
        referrers: flags.referrers,
        onImage: (subject, digest) => {
          if (output === 'text') print(`exported ${subject} ${digest}`);
        },
        onProgress: (bytes) => progress.update('bytes', bytes),
      });
    } catch (error) {
      await layout.abandon();
      throw error;
    }
  }).finally(() => progress.stop());
  if (output === 'json') return printJson({ to: path, ...result });
  print(
    `exported ${result.images} image(s), ${result.manifests} manifest(s) and ${result.blobs} blob(s) (${formatBytes(result.bytes)}) to ${path}`,
  );
}

async function toRegistry(
  settings: Settings,
  selections: readonly ExportSelection[],
  flags: ExportFlags,
  output: OutputFormat,
): Promise<void> {
  const { address, rename } = destinationOf(flags.to, selections);
  const { username, passwordStdin, ca } = flags;
  if (passwordStdin && username === undefined) throw new UsageError('--password-stdin: needs --username');
  const jobs = countOf('--jobs', flags.jobs);
  if (jobs > MOST_JOBS) throw new UsageError(`--jobs: more than ${MOST_JOBS}`);
  const credentials =
    username === undefined ? undefined : { username, password: await readSecret('Password: ', passwordStdin ?? false) };
  const registry = new RegistryPush({ address, credentials, ca: ca === undefined ? undefined : certificates(ca) });
  const progress = createProgress();
  const result = await withData(settings, (context) =>
    exportToRegistry(context, selections, registry, {
      referrers: flags.referrers,
      jobs,
      rename,
      onImage: (subject, digest) => {
        if (output === 'text') print(`exported ${subject} ${digest}`);
      },
      onProgress: (bytes) => progress.update('bytes', bytes),
    }),
  ).finally(() => progress.stop());
  if (output === 'json') return printJson({ to: address.shown, ...result });
  const { blobs, manifests, manifestsPresent } = result;
  const rest = [
    ...(blobs.mounted === 0 ? [] : [`${blobs.mounted} mounted there`]),
    ...(blobs.present === 0 ? [] : [`${blobs.present} there already`]),
  ].map((text) => `, ${text}`);
  print(
    `exported ${result.images} image(s) to ${address.shown}: ${manifests} manifest(s), ${manifestsPresent} there already; blobs: ${blobs.sent} sent (${formatBytes(result.bytesSent)})${rest.join('')}`,
  );
}

/** @throws UsageError */
function destinationOf(
  text: string,
  selections: readonly ExportSelection[],
): { address: RegistryAddress; rename: (name: RepositoryName) => RepositoryName } {
  const [, origin = '', path = ''] = /^(https?:\/\/[^/]*)\/?(.*)$/.exec(text) ?? [];
  const address = registryAddress(origin);
  if (path === '') return { address, rename: (name) => name };
  const name = path.replace(/\/$/, '');
  if (!isRepositoryName(name)) throw new UsageError(`--to: ${JSON.stringify(name)} is no name for a repository`);
  if (path.endsWith('/')) return { address, rename: (given) => parseRepositoryName(`${name}/${given}`) };
  if (new Set(selections.map((selection) => selection.name)).size > 1) {
    throw new UsageError(
      `--to: ${text} is one repository, and several are exported; write ${text}/ to put ${name}/ before their names`,
    );
  }
  return { address, rename: () => name };
}

function registryAddress(text: string): RegistryAddress {
  try {
    return parseRegistryAddress(text);
  } catch (error) {
    throw new UsageError(`--to: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function certificates(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(`--ca: cannot read ${path}: ${error instanceof Error ? error.message : 'unknown error'}`);
  }
}
