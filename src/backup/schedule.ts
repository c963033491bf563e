/** When backups are made by themselves: so long after the last one, or each day at a time of the server's clock. */
export type BackupSchedule = { everyMs: number } | { at: string };

const DAY_MS = 86_400_000;
const RETRY_MS = 60_000;
const MOST_RETRY_MS = 3_600_000;

/** What is known of the backups to a target. Times are ms since 1970. */
export interface BackupHistory {
  /** When the last one that ended well began. */
  success: number | undefined;
  /** How many have failed since. */
  failures: number;
  /** When the last of these ended. */
  failedAt: number | undefined;
}

/**
 * When the next backup is due, in ms since 1970; 0 for at once, as the first one is. After a failure it is tried again in a minute, then after
 * twice as long each time, up to an hour; never later than the schedule would have it.
 */
export function nextBackup(schedule: BackupSchedule, { success, failures, failedAt }: BackupHistory): number {
  const due = success === undefined ? 0 : after(schedule, success);
  if (failures === 0 || failedAt === undefined) return due;
  const pause = Math.min(RETRY_MS * 2 ** Math.min(failures - 1, 10), MOST_RETRY_MS, periodOf(schedule));
  return Math.max(due, failedAt + pause);
}

/** From one backup to the next, in ms. */
export function periodOf(schedule: BackupSchedule): number {
  return 'at' in schedule ? DAY_MS : schedule.everyMs;
}

function after(schedule: BackupSchedule, success: number): number {
  if (!('at' in schedule)) return success + schedule.everyMs;
  const [hour = 0, minute = 0] = schedule.at.split(':').map(Number);
  const next = new Date(success);
  next.setHours(hour, minute, 0, 0);
  if (next.getTime() <= success) {
    // The clock's own day, which is not always of 24 hours; the hour anew, since this day may have lacked it.
    next.setDate(next.getDate() + 1);
    next.setHours(hour, minute, 0, 0);
  }
  return next.getTime();
}
