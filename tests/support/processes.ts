// The processes of a running `berth serve`, as the system shows them.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { RunningBerth } from './berth.ts';

/** Process ids of the workers; a collection that runs inside `serve` is not among them. */
export function workersOf(supervisor: number): number[] {
  const { stdout } = Bun.spawnSync(['ps', '-o', 'pid=,args=', '-ww', '--ppid', String(supervisor)]);
  return stdout
    .toString()
    .split('\n')
    .filter((line) => / worker$/.test(line.trimEnd()))
    .map((line) => Number.parseInt(line, 10));
}

/** The process among `pids` that has a file open whose path contains `part`. */
export function holderOf(part: string, pids: number[]): number | undefined {
  return pids.find((pid) => {
    try {
      return readdirSync(`/proc/${pid}/fd`).some((fd) => readlinkOrNothing(`/proc/${pid}/fd/${fd}`).includes(part));
    } catch {
      return false;
    }
  });
}

function readlinkOrNothing(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    // closed meanwhile
    return '';
  }
}

/** Whether a process runs; one that has ended and that nobody has waited for does not. */
export function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return !['Z', 'X'].includes(stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3));
  } catch {
    return false;
  }
}

/** Resolves when `holds` does; throws, naming `what`, when it has not within `ms`. */
export async function eventually(what: string, ms: number, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + ms;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`);
    await Bun.sleep(20);
  }
}

/** All workers serve, and signals are attended to: /readyz answers as soon as the first worker does. */
export function started(berth: RunningBerth): Promise<void> {
  return eventually('the banner of berth serve', 20_000, () => berth.output().includes('Berth serves'));
}
