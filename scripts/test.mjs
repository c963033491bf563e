// `npm test [-- SUITE ...]`: installs what the suites need, runs each, and ends with `N passed, N failed`.
// In CI (CI=true) a missing tool is a failure; elsewhere a suite without its tools is left out, and says so.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { install } from './bun.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const bun = `${root}/node_modules/.bin/bun`;
const ci = Boolean(process.env.CI);

/**
 * As they begin: quick ones first, then the longest. `timeout` is for one test, in seconds. Two run at once, but of those with
 * `turns` one: they run engines with networks of their own, or build `dist/`.
 */
const SUITES = {
  structure: { path: 'tests/structure', timeout: 60 },
  docs: { path: 'tests/docs', timeout: 60 },
  unit: { path: 'src', timeout: 120 },
  clients: { path: 'tests/clients', timeout: 600, turns: true },
  page: { path: 'tests/page', timeout: 120 },
  proxies: { path: 'tests/proxies', timeout: 400, turns: true },
  backup: { path: 'tests/backup', timeout: 180 },
  upgrade: { path: 'tests/upgrade', timeout: 120 },
  ship: { path: 'tests/ship', timeout: 300, turns: true },
  crash: { path: 'tests/crash', timeout: 900 },
  access: { path: 'tests/access', timeout: 120 },
  cli: { path: 'tests/cli', timeout: 120 },
  agent: { path: 'tests/agent', timeout: 300, turns: true },
  tls: { path: 'tests/tls', timeout: 120 },
  soak: { path: 'tests/soak', timeout: 600 },
  faults: { path: 'tests/faults', timeout: 180 },
  'bad-input': { path: 'tests/bad-input', timeout: 180 },
  tutorial: { path: 'tests/tutorial', timeout: 600, turns: true },
  local: { path: 'tests/local', timeout: 300, turns: true },
  doctor: { path: 'tests/doctor', timeout: 120 },
  tracing: { path: 'tests/tracing', timeout: 120 },
  workers: { path: 'tests/workers', timeout: 120 },
  conformance: { path: 'tests/conformance', timeout: 60 },
  image: { path: 'tests/image', timeout: 180, turns: true },
  import: { path: 'tests/import', timeout: 120 },
  mirror: { path: 'tests/mirror', timeout: 180 },
  cache: { path: 'tests/cache', timeout: 180 },
  webhooks: { path: 'tests/webhooks', timeout: 120 },
  binary: { path: 'tests/binary', timeout: 180, turns: true },
  oidc: { path: 'tests/oidc', timeout: 60 },
  network: { path: 'tests/network', timeout: 180, turns: true },
};

/** How many suites run at once: BERTH_TEST_LANES, or what the machine is good for. */
const LANES = Number(process.env.BERTH_TEST_LANES) || Math.min(2, availableParallelism());

/** A test has ended. */
const RESULT = /^\((?:pass|fail|skip|todo)\) /;

/** How much of what a failed test said is said again at the end. */
const REASON_LINES = 60;

const chosen = process.argv.slice(2);
for (const name of chosen) {
  if (Object.hasOwn(SUITES, name)) continue;
  console.error(`test: no suite ${name}; there are ${Object.keys(SUITES).join(', ')}`);
  process.exit(2);
}

/** The runners that run; whoever ends this program ends them too. */
const runners = new Set();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    for (const runner of runners) runner.kill('SIGKILL');
    process.exit(1);
  });
}

install();
installTools();
const waiting = Object.entries(SUITES)
  .filter(([name, { path }]) => (chosen.length === 0 || chosen.includes(name)) && existsSync(`${root}/${path}`))
  .map(([name, suite]) => ({ name, ...suite }));
let passed = 0;
let failed = 0;
const failures = [];
await runAll();
if (failures.length > 0) console.log(`\nfailed:\n${failures.join('\n')}`);
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);

async function runAll() {
  const running = new Map();
  while (waiting.length > 0 || running.size > 0) {
    for (let next = takeNext(running); next !== undefined; next = takeNext(running)) {
      const suite = next;
      running.set(
        suite,
        runSuite(suite).finally(() => running.delete(suite)),
      );
    }
    await Promise.race(running.values());
  }
}

/** The next suite that may begin beside those that run. */
function takeNext(running) {
  if (running.size >= LANES) return undefined;
  const taken = [...running.keys()].some((suite) => suite.turns);
  const at = waiting.findIndex((suite) => !(suite.turns && taken));
  return at === -1 ? undefined : waiting.splice(at, 1)[0];
}

async function runSuite(suite) {
  const { name, path } = suite;
  const started = Date.now();
  console.log(`\n=== ${name} (${path})`);
  const result = await run(suite);
  passed += result.passed;
  failed += result.failed;
  if (result.failed > 0) {
    failures.push([name, ...[...result.reasons].flatMap(([line, said]) => [line, ...said])].join('\n  '));
  }
  const seconds = Math.round((Date.now() - started) / 1000);
  console.log(`=== ${name}: ${result.passed} passed, ${result.failed} failed in ${seconds} s`);
}

/** Runs a suite and prints what it prints, with its name before each line. */
function run({ name, path, timeout }) {
  return new Promise((resolve) => {
    const child = spawn(bun, ['test', '--timeout', String(timeout * 1000), `./${path}`], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1' },
    });
    runners.add(child);
    const counts = { pass: 0, fail: 0, error: 0 };
    /** Of each failed test, what stood before its result: why it failed. The runner says its name again at the end. */
    const reasons = new Map();
    let before = [];
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        console.log(`${name}| ${line}`);
        if (line.startsWith('(fail) ') && !reasons.has(line)) reasons.set(line, before);
        before = RESULT.test(line) ? [] : [...before, line].slice(-REASON_LINES);
        // What the runner ends with.
        const [, count, word] = /^\s*(\d+) (pass|fail|error)s?$/.exec(line) ?? [];
        if (word !== undefined) counts[word] = Number(count);
      });
    }
    child.on('close', (code) => {
      runners.delete(child);
      const failures = counts.fail + counts.error;
      // A runner that died, or found nothing, has not passed.
      resolve({ passed: counts.pass, failed: failures === 0 && code !== 0 ? 1 : failures, reasons });
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
