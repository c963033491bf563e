// `bun run bench`: docker-registry and Berth in turn on the same work, and whether the bars hold.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, tmpdir, totalmem } from 'node:os';
import { dirname, resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { createBench, type Row } from './bench.ts';
import { judge, type Measurement } from './measurement.ts';
import { killDescendants, run } from './processes.ts';
import { blobGet } from './rows/blob-get.ts';
import { blobUpload } from './rows/blob-upload.ts';
import { deploy } from './rows/deploy.ts';
import { garbageCollection } from './rows/garbage-collection.ts';
import { image } from './rows/image.ts';
import { lists } from './rows/lists.ts';
import { manifest } from './rows/manifest.ts';
import { start } from './rows/start.ts';
import { uploadMemory } from './rows/upload-memory.ts';
import { renderNotes, renderTable } from './table.ts';

const rows: readonly Row[] = [
  manifest,
  blobGet,
  blobUpload,
  image,
  lists,
  start,
  uploadMemory,
  garbageCollection,
  deploy,
];
const checkout = new URL('../bin/berth', import.meta.url).pathname;
const results = new URL('results/latest.json', import.meta.url).pathname;

const program = new Command('bench')
  .description('Runs Debian’s docker-registry and Berth in turn on the same work and prints how they compare.')
  .option('--rows <keys>', `which rows, by comma: ${rows.map((row) => row.key).join(', ')}`, chooseRows, [...rows])
  .option('--runs <n>', 'how many pairs to measure', positive, 5)
  .option(
    '--quick',
    'smaller data, shorter loads, one pair: shows that the bench works, not how fast anything is',
    false,
  )
  .option('--out <file>', 'where to write the JSON', results)
  .option('--scratch <dir>', 'where the servers keep their data; needs 40 GB', tmpdir())
  .option('--berth <command>', 'the `berth` to measure, such as a compiled binary', checkout)
  .option('--no-registry-log', 'turn off docker-registry’s access log, which is on as Debian ships it')
  .parse();

interface Options {
  rows: Row[];
  runs: number;
  quick: boolean;
  out: string;
  scratch: string;
  berth: string;
  registryLog: boolean;
}

process.exit(await main(program.opts<Options>()));

async function main(options: Options): Promise<number> {
  const bench = createBench(
    {
      runs: options.quick ? 1 : options.runs,
      quick: options.quick,
      registryLog: options.registryLog,
      berth: resolve(options.berth),
      say: (message) => console.error(`  ${message}`),
    },
    options.scratch,
  );
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      killDescendants();
      bench.close();
      process.exit(130);
    });
  }
  const measurements: Measurement[] = [];
  const failures: string[] = [];
  try {
    const machine = await describeMachine();
    for (const row of options.rows) {
      console.error(`${row.key}: ${row.title}`);
      try {
        measurements.push(...(await row.run(bench)));
      } catch (error) {
        failures.push(`${row.key}: ${error instanceof Error ? error.message : String(error)}`);
        console.error(`  failed: ${failures.at(-1)}`);
      }
    }
    const report = {
      at: new Date().toISOString(),
      quick: options.quick,
      runs: bench.runs,
      registryLog: options.registryLog,
      machine,
      rows: measurements.map((measurement) => ({ ...measurement, verdict: judge(measurement) })),
      failures,
    };
    mkdirSync(dirname(resolve(options.out)), { recursive: true });
    writeFileSync(resolve(options.out), `${JSON.stringify(report, null, 2)}\n`);
    console.log(`${renderTable(measurements)}\n\n${renderNotes(measurements)}`);
    if (options.quick) console.log('\n--quick: these figures show that the bench works and nothing else.');
    for (const failure of failures) console.log(`\nFAILED ${failure}`);
    console.error(`written to ${options.out}`);
  } finally {
    bench.close();
  }
  return failures.length === 0 ? 0 : 1;
}

async function describeMachine(): Promise<Record<string, string>> {
  const firstLine = async (command: string[]) => {
    try {
      const { stdout, stderr } = await run(command, { timeout: 10_000 });
      return (stdout + stderr).trim().split('\n')[0] ?? '';
    } catch (error) {
      return `not found: ${command[0]} (${error instanceof Error ? error.message.split('\n')[0] : ''})`;
    }
  };
  return {
    cpu: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}`,
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    kernel: release(),
    system: /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'unknown',
    bun: Bun.version,
    'docker-registry': await firstLine(['docker-registry', '--version']),
    nginx: await firstLine(['nginx', '-v']),
    skopeo: await firstLine(['skopeo', '--version']),
    berth: await firstLine(['git', '-C', dirname(import.meta.dir), 'describe', '--always', '--dirty']),
  };
}

function chooseRows(keys: string): Row[] {
  return keys.split(',').map((key) => {
    const row = rows.find((candidate) => candidate.key === key.trim());
    if (row === undefined) throw new InvalidArgumentError(`no row is called ${key}`);
    return row;
  });
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('must be a whole number above 0');
  return value;
}
