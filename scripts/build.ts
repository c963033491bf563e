// One binary with everything inside: `npm run build`, for this machine.
//
//   --target NAME   those of a release (targets.ts), or all: dist/berth-NAME, the bill of materials, and the sums of the files; may be there more than once
//   --out PATH      another file than dist/berth; with --target, another folder than dist
import { mkdirSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { buildPage } from './page.ts';
import { writeBill } from './sbom.ts';
import { type Target, targetsOf, writeSums } from './targets.ts';

const { values } = parseArgs({
  args: process.argv.slice(2),
  options: { target: { type: 'string', multiple: true }, out: { type: 'string' } },
});
const root = resolve(import.meta.dir, '..');
const page = join(root, 'node_modules/.cache/berth-page', `binary-${process.pid}`);
try {
  const targets = [...new Set((values.target ?? []).flatMap(targetsOf))];
  rmSync(page, { recursive: true, force: true });
  await buildPage(page);
  if (targets.length === 0) await compile(resolve(root, values.out ?? 'dist/berth'));
  else await release(resolve(root, values.out ?? 'dist'), targets);
} catch (error) {
  console.error(`build: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
} finally {
  rmSync(page, { recursive: true, force: true });
}

async function release(folder: string, targets: Target[]): Promise<void> {
  for (const target of targets) await compile(join(folder, `berth-${target.name}`), target);
  writeBill(root, join(folder, 'berth.cdx.json'));
  await writeSums(folder);
}

async function compile(out: string, target?: Target): Promise<void> {
  mkdirSync(dirname(out), { recursive: true });
  const built = await Bun.build({
    entrypoints: [resolve(root, 'src/main.ts')],
    minify: { syntax: true, whitespace: true },
    sourcemap: 'none',
    // Parsed beforehand: a third of the time to the first answer.
    bytecode: true,
    plugins: [{ name: 'page', setup: embedPage }],
    compile: {
      outfile: out,
      // A .env file in the folder it is run from is somebody else's.
      autoloadDotenv: false,
      ...(target === undefined ? {} : { target: target.bun }),
    },
    throw: false,
  });
  if (!built.success) throw new Error(built.logs.map(String).join('\n'));
  for (const message of built.logs) console.error(String(message));
  console.log(out);
}

/** `src/web-files/embedded.ts` of the binary: the page's files, which the bundler puts inside. */
async function embedPage(build: Bun.PluginBuilder): Promise<void> {
  const names: string[] = await Bun.file(join(page, 'files.json')).json();
  const imports = names.map(
    (name, index) => `import f${index} from ${JSON.stringify(join(page, `${name}.gz`))} with { type: 'file' };`,
  );
  const entries = names.map((name, index) => `${JSON.stringify(name)}: f${index}`);
  const contents = `${imports.join('\n')}\nexport const EMBEDDED = { ${entries.join(', ')} };\n`;
  build.onLoad({ filter: /[/\\]web-files[/\\]embedded\.ts$/ }, () => ({ contents, loader: 'ts' }));
}
