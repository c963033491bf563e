// One binary with everything inside: `bun run build [--target bun-linux-arm64] [--out FILE]`.
import { mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  args: process.argv.slice(2),
  options: { target: { type: 'string' }, out: { type: 'string', default: 'dist/berth' } },
});
const root = resolve(import.meta.dir, '..');
const out = resolve(root, values.out);
mkdirSync(dirname(out), { recursive: true });
const built = await Bun.build({
  entrypoints: [resolve(root, 'src/main.ts')],
  minify: { syntax: true, whitespace: true },
  sourcemap: 'none',
  // Parsed beforehand: a third of the time to the first answer.
  bytecode: true,
  compile: {
    outfile: out,
    // A .env file in the folder it is run from is somebody else's.
    autoloadDotenv: false,
    ...(values.target === undefined ? {} : { target: values.target as Bun.Build.CompileTarget }),
  },
});
for (const message of built.logs) console.error(String(message));
if (!built.success) process.exit(1);
console.log(out);
