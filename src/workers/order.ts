import type { Settings } from '../config/settings.ts';
import type { GarbageTotals } from '../http/instruments.ts';

/** What the supervisor tells a worker first. */
export interface WorkerOrder {
  /** 1, 2, … */
  number: number;
  /** Unique for each process that was ever started; begins an upload's holder. */
  name: string;
  settings: Settings;
  /** This is the first worker of a start: it brings the data up to date before it serves. */
  first: boolean;
  /** Processes known to have ended, whose uploads may be taken over at once; '' is all that ever held one. */
  ended: string | undefined;
  /** What was collected before this worker began. */
  garbage: GarbageTotals;
}
