import type { Command } from 'commander';
import { DATA_SETTINGS, type Settings } from '../config/settings.ts';
import { verify } from '../registry/verify.ts';
import { formatBytes } from './bytes.ts';
import { withData } from './data.ts';
import { createProgress } from './progress.ts';
import { addSettings, type OutputFormat, outputFormat, settingsOf } from './usage.ts';

export function register(program: Command, finish: (code: number) => void): void {
  const command = program
    .command('verify')
    .summary('re-hash everything that is stored')
    .description(
      'Read back every blob and manifest, compare with its digest, and check what manifests and tags name.\nExit code 1, and a list, when something is wrong.',
    )
    .option('--output <FORMAT>', 'text or json', 'text');
  addSettings(command, DATA_SETTINGS).action(async (options: { output: string }) => {
    finish(await verifyData(settingsOf(command), outputFormat(options.output)));
  });
}

async function verifyData(settings: Settings, output: OutputFormat): Promise<number> {
  const progress = createProgress();
  const result = await withData(settings, (registry) =>
    verify(registry, (done, total) => progress.update('bytes', done, total)),
  ).finally(() => progress.stop());
  const code = result.faults.length === 0 ? 0 : 1;
  if (output === 'json') {
    process.stdout.write(`${JSON.stringify(result)}\n`);
    return code;
  }
  for (const { kind, digest, repository, detail } of result.faults) {
    process.stdout.write(`${kind} ${repository === undefined ? '' : `${repository} `}${digest}: ${detail}\n`);
  }
  const walked = `${result.blobs} blob(s) (${formatBytes(result.bytes)}), ${result.manifests} manifest(s), ${result.references} reference(s), ${result.tags} tag(s)`;
  const orphans = result.orphans === 0 ? '' : `; ${result.orphans} orphan(s) for garbage collection`;
  process.stdout.write(`${code === 0 ? 'all is well' : `${result.faults.length} fault(s)`}: ${walked}${orphans}\n`);
  return code;
}
