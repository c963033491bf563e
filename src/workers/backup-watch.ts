import { takeDueBackup } from '../backup/runs.ts';
import { periodOf } from '../backup/schedule.ts';
import type { RegistryContext } from '../registry/context.ts';
import type { BackupPlan } from './backup-plan.ts';

const LOOK_EVERY_MS = 2_000;

/** Looks every few seconds whether a backup is due, and has it made. @returns ends it */
export function watchBackups(
  context: Pick<RegistryContext, 'database' | 'now' | 'newId'>,
  plan: BackupPlan,
  start: (run: string) => void,
  log: { error(fields: object, message: string): void },
): () => void {
  const everyMs = Math.min(LOOK_EVERY_MS, Math.max(100, periodOf(plan.schedule) / 4));
  let looking = false;
  let failing = false;
  const look = async () => {
    if (looking) return;
    looking = true;
    try {
      const run = await takeDueBackup(context, plan.target, plan.schedule);
      failing = false;
      if (run !== undefined) start(run);
    } catch (error) {
      // Once, not at each look, while the database is gone or full.
      if (!failing) log.error({ err: error }, 'whether a backup is due could not be looked up; trying again');
      failing = true;
    } finally {
      looking = false;
    }
  };
  const timer = setInterval(() => void look(), everyMs);
  return () => clearInterval(timer);
}
