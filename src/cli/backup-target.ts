import { openTarget } from '../backup/open-target.ts';
import type { BackupTarget } from '../backup/target.ts';
import type { Settings } from '../config/settings.ts';

/** The target that a person named. @throws BackupError */
export function backupTarget(text: string, settings: Pick<Settings, 's3Endpoint'>): BackupTarget {
  return openTarget(text, process.env, settings.s3Endpoint);
}

export function shortTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
