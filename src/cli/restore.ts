import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { chooseBackup } from '../backup/catalog.ts';
import { type BackupManifest, keyFingerprint } from '../backup/format.ts';
import { restoreBackup } from '../backup/restore.ts';
import { markRestore, unfinishedRestoreOf, unmarkRestore } from '../backup/restore-marker.ts';
import { readSecretKey, secretKeyPath } from '../config/secret-key.ts';
import { DATA_SETTINGS, type Settings } from '../config/settings.ts';
import { openRestorePlace } from '../data-directory.ts';
import { lockData } from '../workers/data-lock.ts';
import { failpoint } from '../workers/failpoint.ts';
import { backupTarget, shortTime } from './backup-target.ts';
import { formatBytes } from './bytes.ts';
import { pastMoment } from './moment.ts';
import { createProgress } from './progress.ts';
import { addSettings, CommandError, type OutputFormat, outputFormat, settingsOf, UsageError } from './usage.ts';

/** What may be in a directory that counts as empty: the key that was put there for the restore, and a filesystem's own. */
const NO_CONTENT = new Set(['secret.key', 'lost+found']);

export function register(program: Command, finish: (code: number) => void): void {
  const command = program
    .command('restore')
    .summary('bring a backup back')
    .description(
      'Bring a backup back from SOURCE, a folder or s3://bucket/prefix, into an empty --data directory and, with --database, an empty\nPostgreSQL database: whichever database the backup was made from. Every blob is verified; then everything is, as berth verify does.',
    )
    .argument('<source>')
    .option('--backup <ID>', 'which one, or latest', 'latest')
    .option('--at <TIME>', 'the newest that is not younger: a time as in 2027-01-31T00:00:00Z, or 24h for a day ago')
    .option('--output <FORMAT>', 'text or json', 'text');
  addSettings(command, [...DATA_SETTINGS, 'secretKeyFile', 's3Endpoint']).action(
    async (source: string, flags: Flags) => {
      finish(await restore(settingsOf(command), source, flags, outputFormat(flags.output)));
    },
  );
}

interface Flags {
  backup: string;
  at?: string;
  output: string;
}

async function restore(given: Settings, source: string, flags: Flags, output: OutputFormat): Promise<number> {
  const settings = { ...given, data: resolve(given.data) };
  const { data } = settings;
  const begun = unfinishedRestoreOf(data);
  if (begun === undefined) refuseContent(data);
  const target = backupTarget(source, settings);
  const manifest = await chooseBackup(target, choiceOf(flags, begun));
  if (begun !== undefined && begun !== manifest.id) {
    throw new CommandError(
      `--data: ${data} holds a restore of backup ${begun} that did not end; restore that one, or remove the directory`,
    );
  }
  const place = await openRestorePlace(settings);
  const progress = createProgress();
  try {
    const unlock = lockData(data, `pid ${process.pid}, berth restore`);
    try {
      await markRestore(data, manifest.id);
      const result = await restoreBackup(place, target, manifest, begun !== undefined, {
        onProgress: (step, done, total) => progress.update(step, done, total),
        onStep: failpoint(process.env.BERTH_FAILPOINT),
      });
      const key = placeSecretKey(settings, manifest);
      await unmarkRestore(data);
      progress.stop();
      const { faults } = result.verified;
      if (output === 'json')
        process.stdout.write(
          `${JSON.stringify({ ...result, at: new Date(manifest.at).toISOString(), secretKey: key.state })}\n`,
        );
      else {
        for (const { kind, digest, detail } of faults) process.stdout.write(`${kind} ${digest}: ${detail}\n`);
        process.stdout.write(
          `restored backup ${manifest.id}, as it was at ${shortTime(manifest.at)}: ${result.verified.blobs} blob(s) (${formatBytes(result.verified.bytes)}), ${result.verified.manifests} manifest(s), ${result.verified.tags} tag(s); ${faults.length === 0 ? 'all is well' : `${faults.length} fault(s)`}\n`,
        );
      }
      if (key.warning !== undefined) process.stderr.write(`berth: ${key.warning}\n`);
      return faults.length === 0 ? 0 : 1;
    } finally {
      unlock();
    }
  } finally {
    progress.stop();
    await place.close();
  }
}

/** @throws CommandError */
function refuseContent(data: string): void {
  if (!existsSync(data)) return;
  const [found] = readdirSync(data).filter((name) => !NO_CONTENT.has(name));
  if (found === undefined) return;
  throw new CommandError(
    `--data: ${data} is not empty (it holds ${found}); give a directory that is empty or not there, or move this one aside first`,
  );
}

/** @throws UsageError */
function choiceOf({ backup, at }: Flags, begun: string | undefined): { id: string } | { at: number } | 'latest' {
  if (at !== undefined) {
    if (backup !== 'latest') throw new UsageError('give --backup or --at, not both');
    return { at: Date.parse(pastMoment('--at', at)) };
  }
  if (backup !== 'latest') return { id: backup };
  // What was begun is meant, also when there is a newer one by now.
  return begun === undefined ? 'latest' : { id: begun };
}

/** Puts the key of secrets in its place, or says what can't be read without it. */
function placeSecretKey(
  settings: Settings,
  { secretKey: { fingerprint, key } }: BackupManifest,
): { state: 'none' | 'placed' | 'there' | 'other' | 'missing'; warning?: string } {
  const path = secretKeyPath(settings);
  if (existsSync(path)) {
    const found = keyFingerprint(readSecretKey(path).key);
    if (fingerprint === null || found === fingerprint) return { state: 'there' };
    return {
      state: 'other',
      warning: `${path} is another key (fingerprint ${found}) than the one the backup's secrets were encrypted with (${fingerprint}): put that one there before the start, or set again what Berth keeps encrypted (secrets of environments and webhooks, keys of ACME certificates)`,
    };
  }
  if (fingerprint === null) return { state: 'none' };
  if (key !== null) {
    writeFileSync(path, `${key}\n`, { mode: 0o600, flag: 'wx' });
    return { state: 'placed' };
  }
  return {
    state: 'missing',
    warning: `the key of secrets is not in the backup: put its copy (fingerprint ${fingerprint}) at ${path}, mode 600, before berth serve starts and makes another; without it what Berth keeps encrypted (secrets of environments and webhooks, keys of ACME certificates) cannot be read and must be set again; everything else works`,
  };
}
