/** Backups of this instance. */
export interface BackupsSchema {
  backup_runs: BackupRunTable;
}

/** A backup, by the schedule or by hand. A `running` one whose `holder_until` is past has lost its process. */
interface BackupRunTable {
  id: string;
  /** As `BackupTarget.name` has it. */
  target: string;
  started_by: string;
  state: 'running' | 'done' | 'failed';
  started_at: number;
  finished_at: number | null;
  /** What went wrong, of a failed one. */
  error: string | null;
  /** JSON: what was copied. */
  result: string | null;
  holder_until: number;
}
