import { openTarget } from '../backup/open-target.ts';
import type { BackupSchedule } from '../backup/schedule.ts';
import { ConfigError } from '../config/load.ts';
import { flagOf, type SettingName, type Settings, variableOf } from '../config/settings.ts';

type BackupSettings = Pick<
  Settings,
  'backupTo' | 'backupInterval' | 'backupAt' | 'backupKeepLast' | 'backupKeepWithin' | 's3Endpoint'
>;

/** The backups that this `serve` is to make by itself. */
export interface BackupPlan {
  /** As the operator named it. */
  to: string;
  /** As `BackupTarget.name` has it: under this they are written down. */
  target: string;
  schedule: BackupSchedule;
  keepLast: number | undefined;
  /** In ms. */
  keepWithin: number | undefined;
}

/** undefined when it is to make none. @throws BackupError for a target that cannot be one, ConfigError */
export function backupPlan(
  settings: BackupSettings,
  environment: Record<string, string | undefined>,
): BackupPlan | undefined {
  const { backupTo, backupInterval, backupAt, backupKeepLast, backupKeepWithin } = settings;
  if (backupTo === undefined) {
    for (const name of ['backupAt', 'backupKeepLast', 'backupKeepWithin'] as const) {
      if (settings[name] === undefined) continue;
      throw new ConfigError(
        `${named(name)} is for backups of serve: give ${named('backupTo')}, a folder or s3://bucket/prefix, as well`,
      );
    }
    return undefined;
  }
  const { name: target } = openTarget(backupTo, environment, settings.s3Endpoint);
  if (backupAt === undefined && backupInterval === 0) return undefined;
  return {
    to: backupTo,
    target,
    schedule: backupAt === undefined ? { everyMs: backupInterval } : { at: backupAt },
    keepLast: backupKeepLast,
    keepWithin: backupKeepWithin,
  };
}

function named(name: SettingName): string {
  return `${flagOf(name)} (${variableOf(name)})`;
}
