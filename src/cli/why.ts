import type { Command } from 'commander';
import { GC_SETTINGS, type Settings } from '../config/settings.ts';
import { type Digest, isDigest } from '../oci/digest.ts';
import { why } from '../registry/why.ts';
import { formatBytes } from './bytes.ts';
import { withData } from './data.ts';
import { addSettings, type OutputFormat, outputFormat, settingsOf, UsageError } from './usage.ts';

export function register(program: Command, finish: (code: number) => void): void {
  const command = program
    .command('why <DIGEST>')
    .summary('say what keeps a digest')
    .description(
      'Print every tag, history, index or window that keeps a manifest or blob from garbage collection.\nExit code 1 when nothing here has the digest.',
    )
    .option('--output <FORMAT>', 'text or json', 'text');
  addSettings(command, GC_SETTINGS).action(async (digest: string, options: { output: string }) => {
    if (!isDigest(digest)) throw new UsageError(`${digest}: not a sha256 or sha512 digest`);
    finish(await explainDigest(settingsOf(command), digest, outputFormat(options.output)));
  });
}

async function explainDigest(settings: Settings, digest: Digest, output: OutputFormat): Promise<number> {
  const found = await withData(settings, (registry) => why(registry, digest));
  const code = found.kind === undefined ? 1 : 0;
  if (output === 'json') {
    process.stdout.write(`${JSON.stringify(found)}\n`);
    return code;
  }
  if (found.kind === undefined) {
    process.stdout.write(`${digest} is not here\n`);
    return code;
  }
  process.stdout.write(`${digest} is a ${found.kind} of ${formatBytes(found.size ?? 0)}\n`);
  if (found.reasons.length === 0) process.stdout.write('nothing keeps it: the next garbage collection removes it\n');
  for (const { repository, root, path } of found.reasons) {
    process.stdout.write(`  ${repository} ${root}\n`);
    for (const [depth, step] of path.entries()) process.stdout.write(`  ${'  '.repeat(depth + 1)}${step}\n`);
  }
  return code;
}
