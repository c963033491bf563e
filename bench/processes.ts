// What the bench asks of the operating system: run a command, walk a process tree, read its memory and CPU time.
import { readdirSync, readFileSync } from 'node:fs';

export interface CommandResult {
  stdout: string;
  stderr: string;
  /** Wall time from the spawn to the end, in ms. */
  elapsed: number;
}

/** Runs a command to its end. Throws with its output when it exits with anything but 0. */
export async function run(
  command: string[],
  options: { env?: Record<string, string>; cwd?: string; timeout?: number; input?: string } = {},
): Promise<CommandResult> {
  const started = performance.now();
  const child = Bun.spawn(command, {
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    stdin: options.input === undefined ? 'ignore' : new TextEncoder().encode(options.input),
    stdout: 'pipe',
    stderr: 'pipe',
    timeout: options.timeout ?? 600_000,
  });
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  const elapsed = performance.now() - started;
  if (code !== 0) throw new Error(`${command.join(' ')} exited with ${code}:\n${stdout}${stderr}`.slice(0, 4000));
  return { stdout, stderr, elapsed };
}

/** The process and all its descendants, from /proc; a process that ends meanwhile is left out. */
export function processTree(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) continue;
    const fields = statFields(pid);
    if (fields === undefined) continue;
    const parent = Number(fields[1]);
    children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  const tree: number[] = [];
  const queue = [root];
  for (let pid = queue.shift(); pid !== undefined; pid = queue.shift()) {
    tree.push(pid);
    queue.push(...(children.get(pid) ?? []));
  }
  return tree;
}

export interface Memory {
  /** Proportional set size in bytes: a page that k processes share counts 1/k in each, so a sum counts it once. */
  pss: number;
  /** Resident set size in bytes: a shared page counts in full in every process. */
  rss: number;
  processes: number;
}

/** Memory of a process and its descendants, summed. */
export function memoryOf(root: number): Memory {
  const total: Memory = { pss: 0, rss: 0, processes: 0 };
  for (const pid of processTree(root)) {
    const rollup = read(`/proc/${pid}/smaps_rollup`);
    const pss = /^Pss:\s+(\d+) kB/m.exec(rollup)?.[1];
    const rss = /^Rss:\s+(\d+) kB/m.exec(rollup)?.[1];
    if (pss === undefined || rss === undefined) continue;
    total.pss += Number(pss) * 1024;
    total.rss += Number(rss) * 1024;
    total.processes++;
  }
  return total;
}

/** CPU seconds (user and system) that a process and its living descendants have used so far. */
export function cpuSecondsOf(root: number): number {
  let ticks = 0;
  for (const pid of processTree(root)) {
    const fields = statFields(pid);
    ticks += Number(fields?.[11] ?? 0) + Number(fields?.[12] ?? 0);
  }
  return ticks / 100; // USER_HZ is 100 on every Linux platform that Bun runs on
}

/** Ends a process tree: SIGTERM to its root, SIGKILL to all that is left after `grace` ms. */
export async function endTree(child: Bun.Subprocess, grace: number): Promise<void> {
  const tree = processTree(child.pid);
  child.kill('SIGTERM');
  const ended = await Promise.race([child.exited.then(() => true), Bun.sleep(grace).then(() => false)]);
  if (!ended) killAll([...tree, ...processTree(child.pid)]);
  await child.exited;
}

/** SIGKILL to everything that this process has started, for a bench that is interrupted. */
export function killDescendants(): void {
  killAll(processTree(process.pid).filter((pid) => pid !== process.pid));
}

function killAll(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // already gone
    }
  }
}

/** Fields of /proc/PID/stat from the state on; the name before it may hold spaces and parentheses. */
function statFields(pid: number): string[] | undefined {
  const stat = read(`/proc/${pid}/stat`);
  if (stat === '') return undefined;
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // the process has ended
  }
}
