import { type Command, Option } from 'commander';
import { GC_SETTINGS, type Settings } from '../config/settings.ts';
import type { GarbageItem } from '../registry/garbage/run.ts';
import { collectRecorded } from '../registry/garbage/runs.ts';
import { formatBytes } from './bytes.ts';
import { withData } from './data.ts';
import { createProgress } from './progress.ts';
import { addSettings, type OutputFormat, outputFormat, settingsOf } from './usage.ts';

export function register(program: Command, finish: (code: number) => void): void {
  const command = program
    .command('gc')
    .summary('remove what nothing names any more, also while berth serve runs')
    .description(
      'Garbage collection: removes manifests that no tag, tag history or index names, blobs that no manifest names, and\nuploads that nobody continued. May run beside berth serve, on the same --data; needs no read-only mode.',
    )
    .option('--dry-run', 'change nothing; print what would go, and why')
    .option('--output <FORMAT>', 'text or json', 'text')
    // How serve starts it: for a run that is written down already, or for its schedule.
    .addOption(new Option('--run <ID>').hideHelp())
    .addOption(new Option('--started-by <NAME>').default('command line').hideHelp());
  addSettings(command, GC_SETTINGS).action(async (options: GcOptions) => {
    await gc(settingsOf(command), options, outputFormat(options.output));
    finish(0);
  });
}

interface GcOptions {
  dryRun?: boolean;
  output: string;
  run?: string;
  startedBy: string;
}

async function gc(
  settings: Settings,
  { dryRun = false, run, startedBy }: GcOptions,
  output: OutputFormat,
): Promise<void> {
  const progress = createProgress();
  const items: GarbageItem[] = [];
  const result = await withData(settings, (registry) =>
    collectRecorded(registry, {
      dryRun,
      run,
      startedBy,
      onItem: (item) => {
        // Who asked for a run finds them where it is written down.
        if (!dryRun || run !== undefined) return;
        if (output === 'json') items.push(item);
        else process.stdout.write(`${describe(item)}\n`);
      },
      onProgress: (step, done, total) => progress.update(step, done, total),
    }),
  ).finally(() => progress.stop());
  if (output === 'json') {
    process.stdout.write(`${JSON.stringify(dryRun && run === undefined ? { ...result, items } : result)}\n`);
    return;
  }
  const verb = dryRun ? 'would remove' : 'removed';
  if (result.tags > 0) process.stdout.write(`${verb} ${result.tags} tag(s) that no retention policy keeps\n`);
  process.stdout.write(
    `${verb} ${result.manifests} manifest(s), ${result.links} blob link(s), ${result.blobs} blob(s) (${formatBytes(result.bytes)}), ${result.uploads} upload(s) in ${result.seconds} s\n`,
  );
}

function describe(item: GarbageItem): string {
  const what = item.digest ?? item.upload ?? '';
  const size = item.size === undefined ? '' : ` ${formatBytes(item.size)}`;
  return `${item.kind.padEnd(8)} ${item.repository === undefined ? '' : `${item.repository} `}${what}${size}: ${item.why}`;
}
