import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { chooseBackup, listBackups } from '../backup/catalog.ts';
import { createBackup } from '../backup/create.ts';
import { BackupError, type BackupManifest } from '../backup/format.ts';
import { pruneBackups } from '../backup/prune.ts';
import { recordBackup, refuseEmptied } from '../backup/runs.ts';
import type { BackupTarget } from '../backup/target.ts';
import { verifyBackups } from '../backup/verify-backup.ts';
import { readSecretKey, secretKeyPath } from '../config/secret-key.ts';
import { DATA_SETTINGS, type Settings } from '../config/settings.ts';
import { failpoint } from '../workers/failpoint.ts';
import { backupTarget, shortTime } from './backup-target.ts';
import { formatBytes } from './bytes.ts';
import { withData } from './data.ts';
import { EXIT } from './exit.ts';
import { createProgress } from './progress.ts';
import { addSettings, countOf, durationOf, type OutputFormat, outputFormat, settingsOf, UsageError } from './usage.ts';

const OUTPUT = ['--output <FORMAT>', 'text or json', 'text'] as const;

export function register(program: Command, finish: (code: number) => void): void {
  const command = program
    .command('backup')
    .summary('copy everything to a folder or a bucket, while berth serve runs')
    .description(
      'Copy the database and what is new of the blobs to TARGET: a folder, or s3://bucket/prefix. May run beside berth serve, on the\nsame --data. Exit code 1, and a list, when the registry itself has lost something.',
    )
    .argument('<target>')
    .option('--include-secret-key', 'put the key that opens the secrets of environments into the backup')
    .option(...OUTPUT)
    // How serve starts it, for a run that is written down already.
    .addOption(new Option('--run <ID>').hideHelp());
  addSettings(command, [...DATA_SETTINGS, 'secretKeyFile', 's3Endpoint']).action(
    async (target: string, options: CreateFlags) => {
      const settings = settingsOf(command);
      finish(await create(settings, backupTarget(target, settings), options, outputFormat(options.output)));
    },
  );

  const list = command
    .command('list')
    .argument('<target>')
    .description('The backups in TARGET, oldest first.')
    .option(...OUTPUT);
  addSettings(list, ['s3Endpoint']).action(async (target: string, options: { output: string }) => {
    await listAll(backupTarget(target, settingsOf(list)), outputFormat(options.output));
    finish(0);
  });

  const prune = command
    .command('prune')
    .argument('<target>')
    .description('Remove backups that no rule keeps, and then the blobs that no backup names. Not while a backup runs.')
    .option('--keep-last <N>', 'keep the newest N')
    .option('--keep-within <DURATION>', 'keep those that are not older, such as 30d')
    .option('--dry-run', 'change nothing; print what would go')
    .option(...OUTPUT);
  addSettings(prune, ['s3Endpoint']).action(async (target: string, options: PruneFlags) => {
    await pruneAll(backupTarget(target, settingsOf(prune)), options, outputFormat(options.output));
    finish(0);
  });

  const verify = command
    .command('verify')
    .argument('<target>')
    .description(
      'Read back what backups name and compare it with its hashes. Exit code 1, and a list, when something is wrong.',
    )
    .option('--backup <ID>', 'this backup alone')
    .option(...OUTPUT);
  addSettings(verify, ['s3Endpoint']).action(async (target: string, options: { backup?: string; output: string }) => {
    finish(await verifyAll(backupTarget(target, settingsOf(verify)), options.backup, outputFormat(options.output)));
  });
}

interface CreateFlags {
  includeSecretKey?: boolean;
  output: string;
  run?: string;
}

async function create(
  settings: Settings,
  target: BackupTarget,
  { includeSecretKey = false, run }: CreateFlags,
  output: OutputFormat,
): Promise<number> {
  const path = secretKeyPath({ ...settings, data: resolve(settings.data) });
  const secretKey = existsSync(path) ? readSecretKey(path).key : undefined;
  if (includeSecretKey && secretKey === undefined) {
    throw new UsageError(`--include-secret-key: there is no ${path}; say where it is with --secret-key-file`);
  }
  const progress = createProgress();
  const { signal, ignore } = stopSignal(target);
  const manifest = await withData(settings, (registry) =>
    recordBackup(registry, target.name, { run, startedBy: 'command line', signal }, async () => {
      if (run !== undefined) await refuseEmptied(registry, target);
      return createBackup(registry, target, {
        secretKey,
        includeSecretKey,
        onProgress: (step, done, total) => progress.update(step, done, total),
        onStep: failpoint(process.env.BERTH_FAILPOINT),
        signal,
      });
    }),
  ).finally(() => {
    ignore();
    progress.stop();
  });
  const code = manifest.faults.length === 0 ? 0 : 1;
  if (output === 'json') {
    process.stdout.write(`${JSON.stringify(shown(manifest))}\n`);
    return code;
  }
  for (const { digest, detail } of manifest.faults) {
    process.stdout.write(`not in the backup: ${digest}: ${detail}; berth verify says what needs it\n`);
  }
  const { blobs, dump } = manifest;
  const seconds = Math.round((manifest.finishedAt - manifest.at) / 100) / 10;
  process.stdout.write(
    `backup ${manifest.id}: ${blobs.count} blob(s) (${formatBytes(blobs.bytes)}), of which ${blobs.copied} (${formatBytes(blobs.copiedBytes)}) were new; ${dump.rows} row(s) in ${formatBytes(dump.size)}; ${seconds} s\n`,
  );
  if (manifest.secretKey.fingerprint !== null && !includeSecretKey) {
    process.stdout.write(
      `The key of secrets, ${path}, is not in it: keep a copy elsewhere (fingerprint ${manifest.secretKey.fingerprint}).\n`,
    );
  }
  return code;
}

/** Aborted by the first SIGTERM or SIGINT; the second ends the process at once. */
function stopSignal({ name }: BackupTarget): { signal: AbortSignal; ignore: () => void } {
  const controller = new AbortController();
  const stop = () => {
    if (controller.signal.aborted) process.exit(EXIT.interrupted);
    controller.abort(new BackupError(`${name}: stopped; the next backup goes on from what is copied`));
  };
  const signals = ['SIGTERM', 'SIGINT'] as const;
  for (const each of signals) process.on(each, stop);
  return {
    signal: controller.signal,
    ignore: () => {
      for (const each of signals) process.off(each, stop);
    },
  };
}

/** Without the secret key. */
function shown({ secretKey, ...manifest }: BackupManifest) {
  return {
    ...manifest,
    at: new Date(manifest.at).toISOString(),
    finishedAt: new Date(manifest.finishedAt).toISOString(),
    secretKey: { fingerprint: secretKey.fingerprint, included: secretKey.key !== null },
  };
}

async function listAll(target: BackupTarget, output: OutputFormat): Promise<void> {
  const backups = await listBackups(target);
  if (output === 'json') {
    process.stdout.write(`${JSON.stringify(backups.map(shown))}\n`);
    return;
  }
  for (const { id, at, berth, schema, database, blobs, faults } of backups) {
    const lost = faults.length === 0 ? '' : `, without ${faults.length} that the registry had lost`;
    process.stdout.write(
      `${id}  ${shortTime(at)}  Berth ${berth}, schema ${schema}, ${database}  ${blobs.count} blob(s), ${formatBytes(blobs.bytes)}${lost}\n`,
    );
  }
}

interface PruneFlags {
  keepLast?: string;
  keepWithin?: string;
  dryRun?: boolean;
  output: string;
}

async function pruneAll(target: BackupTarget, flags: PruneFlags, output: OutputFormat): Promise<void> {
  const { keepLast, keepWithin, dryRun = false } = flags;
  if (keepLast === undefined && keepWithin === undefined) {
    throw new UsageError('say what is kept: --keep-last N, --keep-within 30d, or both');
  }
  const progress = createProgress();
  const result = await pruneBackups(
    target,
    {
      last: keepLast === undefined ? undefined : countOf('--keep-last', keepLast),
      within: keepWithin === undefined ? undefined : durationOf('--keep-within', keepWithin),
    },
    { now: Date.now, dryRun, onProgress: (step, done) => progress.update(step, done) },
  ).finally(() => progress.stop());
  if (output === 'json') {
    process.stdout.write(`${JSON.stringify({ dryRun, ...result })}\n`);
    return;
  }
  const verb = dryRun ? 'would remove' : 'removed';
  for (const id of result.removed) process.stdout.write(`${verb} ${id}\n`);
  process.stdout.write(
    `${verb} ${result.removed.length} backup(s) and ${result.blobs} blob(s) (${formatBytes(result.bytes)}), kept ${result.kept.length} backup(s)\n`,
  );
}

async function verifyAll(target: BackupTarget, id: string | undefined, output: OutputFormat): Promise<number> {
  const backups = id === undefined ? await listBackups(target) : [await chooseBackup(target, { id })];
  const progress = createProgress();
  const result = await verifyBackups(target, backups, (done, total) => progress.update('bytes', done, total)).finally(
    () => progress.stop(),
  );
  const code = result.faults.length === 0 ? 0 : 1;
  if (output === 'json') {
    process.stdout.write(`${JSON.stringify(result)}\n`);
    return code;
  }
  for (const { backup, digest, detail } of result.faults) {
    process.stdout.write(`${backup}${digest === null ? '' : ` ${digest}`}: ${detail}\n`);
  }
  process.stdout.write(
    `${code === 0 ? 'all is well' : `${result.faults.length} fault(s)`}: ${result.backups} backup(s), ${result.blobs} blob(s) (${formatBytes(result.bytes)})\n`,
  );
  return code;
}
