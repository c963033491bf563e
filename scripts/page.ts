// Builds the page: `bun scripts/page.ts OUT`. Every file is written gzipped; `files.json` says what they are.
import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import tailwind from 'bun-plugin-tailwind';

const root = resolve(import.meta.dir, '..');

/** Writes the page's files below `out`, all of them or nothing. @throws with the bundler's messages */
export async function buildPage(out: string): Promise<void> {
  const half = `${out}.${process.pid}`;
  try {
    const built = await Bun.build({
      entrypoints: [join(root, 'src/web/index.html')],
      target: 'browser',
      minify: true,
      splitting: true,
      publicPath: '/assets/',
      define: { 'process.env.NODE_ENV': '"production"' },
      plugins: [tailwind],
      naming: { entry: '[name].[ext]', chunk: '[name]-[hash].[ext]', asset: '[name]-[hash].[ext]' },
    });
    mkdirSync(half, { recursive: true });
    const names: string[] = [];
    for (const output of built.outputs) {
      const name = basename(output.path);
      const bytes = new Uint8Array(await output.arrayBuffer());
      await Bun.write(join(half, `${name}.gz`), Bun.gzipSync(bytes, { level: 9 }));
      names.push(name);
    }
    await Bun.write(join(half, 'files.json'), JSON.stringify(names));
    try {
      renameSync(half, out);
    } catch (error) {
      // Another process was quicker.
      if (!readdirSync(out).includes('files.json')) throw error;
    }
  } finally {
    rmSync(half, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  const out = process.argv[2];
  if (out === undefined) {
    console.error('page: give the folder to write to');
    process.exit(2);
  }
  await buildPage(resolve(out));
}
