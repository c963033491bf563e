// `npm test [-- SUITE ...]`: installs what the suites need, runs each, and ends with `N passed, N failed`.
// In CI (CI=true) a missing tool is a failure; elsewhere a suite without its tools is left out, and says so.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { install } from './bun.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const bun = `${root}/node_modules/.bin/bun`;
const ci = Boolean(process.env.CI);

/** Quick ones first. `timeout` is for one test, in seconds. */
const SUITES = {
  unit: { path: 'src', timeout: 60 },
  structure: { path: 'tests/structure', timeout: 60 },
  docs: { path: 'tests/docs', timeout: 60 },
  conformance: { path: 'tests/conformance', timeout: 60 },
  'bad-input': { path: 'tests/bad-input', timeout: 180 },
  access: { path: 'tests/access', timeout: 120 },
  cli: { path: 'tests/cli', timeout: 120 },
  oidc: { path: 'tests/oidc', timeout: 60 },
  page: { path: 'tests/page', timeout: 120 },
  doctor: { path: 'tests/doctor', timeout: 120 },
  binary: { path: 'tests/binary', timeout: 180 },
  workers: { path: 'tests/workers', timeout: 120 },
  backup: { path: 'tests/backup', timeout: 180 },
  upgrade: { path: 'tests/upgrade', timeout: 120 },
  tls: { path: 'tests/tls', timeout: 120 },
  webhooks: { path: 'tests/webhooks', timeout: 120 },
  crash: { path: 'tests/crash', timeout: 900 },
  soak: { path: 'tests/soak', timeout: 600 },
  clients: { path: 'tests/clients', timeout: 600 },
  network: { path: 'tests/network', timeout: 180 },
  proxies: { path: 'tests/proxies', timeout: 400 },
  agent: { path: 'tests/agent', timeout: 300 },
  local: { path: 'tests/local', timeout: 300 },
  import: { path: 'tests/import', timeout: 120 },
  image: { path: 'tests/image', timeout: 180 },
  ship: { path: 'tests/ship', timeout: 300 },
};

const chosen = process.argv.slice(2);
for (const name of chosen) {
  if (Object.hasOwn(SUITES, name)) continue;
  console.error(`test: no suite ${name}; there are ${Object.keys(SUITES).join(', ')}`);
  process.exit(2);
}

install();
installTools();
let passed = 0;
let failed = 0;
const failures = [];
for (const [name, suite] of Object.entries(SUITES)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue;
  if (!existsSync(`${root}/${suite.path}`)) continue;
  const started = Date.now();
  console.log(`\n=== ${name} (${suite.path})`);
  const result = await run(suite);
  passed += result.passed;
  failed += result.failed;
  if (result.failed > 0) failures.push([name, ...result.lines].join('\n  '));
  console.log(
    `=== ${name}: ${result.passed} passed, ${result.failed} failed in ${Math.round((Date.now() - started) / 1000)} s`,
  );
}
if (failures.length > 0) console.log(`\nfailed:\n${failures.join('\n')}`);
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);

function run({ path, timeout }) {
  return new Promise((resolve) => {
    const child = spawn(bun, ['test', '--timeout', String(timeout * 1000), `./${path}`], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1' },
    });
    let tail = '';
    const lines = [];
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        process.stdout.write(chunk);
        tail = (tail + chunk).slice(-4_000);
        lines.push(...(String(chunk).match(/^\(fail\) .*$/gm) ?? []));
      });
    }
    child.on('close', (code) => {
      const count = (word) => Number([...tail.matchAll(new RegExp(`^\\s*(\\d+) ${word}s?$`, 'gm'))].at(-1)?.[1] ?? 0);
      const failures = count('fail') + count('error');
      // A runner that died, or found nothing, has not passed.
      resolve({ passed: count('pass'), failed: failures === 0 && code !== 0 ? 1 : failures, lines });
    });
  });
}

function installTools() {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) {
    console.log('test: not root on Linux, so no tools are installed; suites say what they leave out');
    return;
  }
  const { status } = spawnSync('bash', [`${root}/tests/support/install-tools.sh`], { stdio: 'inherit' });
  if (status === 0) return;
  console.log('test: the tools could not all be installed');
  if (ci) process.exit(1);
}
