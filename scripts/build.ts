// One binary with everything inside: `bun run build [--target bun-linux-arm64] [--out FILE]`.
import { mkdirSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { buildPage } from './page.ts';

const { values } = parseArgs({
  args: process.argv.slice(2),
  options: { target: { type: 'string' }, out: { type: 'string', default: 'dist/berth' } },
});
const root = resolve(import.meta.dir, '..');
const out = resolve(root, values.out);
mkdirSync(dirname(out), { recursive: true });
const page = join(root, 'node_modules/.cache/berth-page', `binary-${process.pid}`);
rmSync(page, { recursive: true, force: true });
await buildPage(page);
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
    ...(values.target === undefined ? {} : { target: values.target as Bun.Build.CompileTarget }),
  },
});
rmSync(page, { recursive: true, force: true });
for (const message of built.logs) console.error(String(message));
if (!built.success) process.exit(1);
console.log(out);

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
