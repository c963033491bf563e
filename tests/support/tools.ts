// Which of the programs that a suite drives are there. On CI all of them must be; elsewhere a suite without its programs is left out, aloud.

/** Where `install-tools.sh` puts programs of a newer Debian release, beside those of this one. */
export const newerTools = '/opt/berth-test-tools';

/** Absolute path of a program, looked for in PATH and the system directories; an absolute name is taken as it is. */
export function findTool(name: string): string | undefined {
  return Bun.which(name, { PATH: `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin` }) ?? undefined;
}

/**
 * Whether a suite can run here. Every name is a program; `root` asks for user id 0.
 *
 * @throws when something is missing and `CI` is set: a suite left out there would count as passed
 */
export function requireTools(suite: string, tools: string[]): boolean {
  const missing = tools.filter((tool) => (tool === 'root' ? process.getuid?.() !== 0 : findTool(tool) === undefined));
  if (missing.length === 0) return true;
  const reason = `${suite}: not here: ${missing.join(', ')} (as root, tests/support/install-tools.sh installs them)`;
  if (process.env.CI) throw new Error(reason);
  console.error(`left out: ${reason}`);
  return false;
}

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  env?: Record<string, string>;
  cwd?: string;
  stdin?: string | Uint8Array;
  /** SIGKILL after this many ms; 120 s unless told. */
  within?: number;
}

/** Runs a program to its end and returns what it said; never throws for its exit code. */
export async function tryRun(command: string[], options: RunOptions = {}): Promise<Ran> {
  const within = options.within ?? 120_000;
  const child = Bun.spawn(command, {
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    stdin: options.stdin === undefined ? 'ignore' : Buffer.from(options.stdin),
    stdout: 'pipe',
    stderr: 'pipe',
  });
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill('SIGKILL');
  }, within);
  try {
    const [stdout, stderr, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    return { code, stdout, stderr: late ? `${stderr}\nended after ${within} ms` : stderr };
  } finally {
    clearTimeout(timer);
  }
}

/** Runs a program to its end and returns its stdout, trimmed; throws with all it said when it fails. */
export async function run(command: string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await tryRun(command, options);
  if (code !== 0) throw new Error(`${command.join(' ')}: exit code ${code}\n${stdout}${stderr}`);
  return stdout.trim();
}
