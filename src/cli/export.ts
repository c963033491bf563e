import { resolve } from 'node:path';
import type { Command } from 'commander';
import { GC_SETTINGS, type Settings } from '../config/settings.ts';
import { exportImages } from '../upstreams/exporter.ts';
import { createLayout } from '../upstreams/layout-writer.ts';
import { formatBytes } from './bytes.ts';
import { withData } from './data.ts';
import { EXIT } from './exit.ts';
import { imageName } from './image-name.ts';
import { createProgress } from './progress.ts';
import { print, printJson } from './terminal.ts';
import { addSettings, outputFormat, settingsOf } from './usage.ts';

interface ExportFlags {
  to: string;
  referrers: boolean;
  output: string;
}

export function register(program: Command, finish: (code: number) => void): void {
  const command = program
    .command('export <NAME...>')
    .summary('write images to an OCI layout')
    .description(
      'Write images (NAME:TAG or NAME@DIGEST) or every tag of repositories (NAME) to an OCI layout, byte for byte. Reads --data, also while berth\nserve runs. skopeo, podman, buildah and berth import read it.',
    )
    .requiredOption('--to <PATH>', 'a folder, or a file that ends in .tar')
    .option('--no-referrers', 'leave out signatures and what else has an image as its subject')
    .option('--output <FORMAT>', 'text or json', 'text');
  addSettings(command, GC_SETTINGS).action(async (names: string[], flags: ExportFlags) => {
    await run(settingsOf(command), names, flags);
    finish(EXIT.ok);
  });
}

async function run(settings: Settings, names: readonly string[], flags: ExportFlags): Promise<void> {
  const output = outputFormat(flags.output);
  const selections = names.map((name) => imageName(name));
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
