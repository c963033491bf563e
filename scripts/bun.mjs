// bun.mjs FILE [ARG ...]: installs when needed, then runs FILE on the project's Bun.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

export function install() {
  const { status } = spawnSync('sh', [`${root}/scripts/install.sh`, root], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

export function bun(args, options = {}) {
  return spawnSync(`${root}/node_modules/.bin/bun`, args, { cwd: root, stdio: 'inherit', ...options });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  install();
  process.exit(bun(process.argv.slice(2)).status ?? 1);
}
