// Starts the real `berth serve` as a child process for a test, and ends it.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './ports.ts';

const root = new URL('../..', import.meta.url).pathname;

export interface BerthOptions {
  /** Flags after `serve`; `--port`, `--data` and `--anonymous push` are given unless they stand here. */
  args?: string[];
  env?: Record<string, string>;
  /** A data directory to use and keep; without it a temporary one is made and removed by `stop`. */
  data?: string;
  port?: number;
  /** How long to wait for /readyz, in ms. */
  readyWithin?: number;
  /** It is to answer over https: the authority that its certificate is from, and what is shown to it, in PEM form. */
  tls?: { ca?: string; cert?: string; key?: string; rejectUnauthorized?: false };
}

export interface RunningBerth {
  /** `http://127.0.0.1:PORT`, or https */
  url: string;
  /** `127.0.0.1:PORT`, as clients name a registry */
  host: string;
  port: number;
  data: string;
  /** The process id of the supervisor (`berth serve`); its workers are its children. */
  pid: number;
  /** All that the server has written (banner and JSON log lines) so far. */
  output: () => string;
  exited: Promise<number>;
  /** SIGTERM, waits for the end, removes a temporary data directory. Returns the exit code. */
  stop: () => Promise<number>;
  /** SIGKILL to the supervisor and every worker at once; keeps the data directory. */
  kill: () => Promise<void>;
}

/** Runs `bin/berth ARGS` to its end. */
export async function berth(
  args: string[],
  options: { env?: Record<string, string>; stdin?: string } = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = Bun.spawn([join(root, 'bin/berth'), ...args], {
    env: { ...process.env, NO_COLOR: '1', ...options.env },
    stdin: options.stdin === undefined ? 'ignore' : Buffer.from(options.stdin),
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, stdout, stderr };
}

/** Starts `berth serve` and resolves when /readyz answers 200; throws with its output when it ends first. */
export async function startBerth(options: BerthOptions = {}): Promise<RunningBerth> {
  const port = options.port ?? (await freePort());
  const temporary = options.data === undefined;
  const data = options.data ?? mkdtempSync(join(tmpdir(), 'berth-test-'));
  const args = options.args ?? [];
  const given = (flag: string) => args.some((arg) => arg === flag || arg.startsWith(`${flag}=`));
  const command = [join(root, 'bin/berth'), 'serve', '--port', String(port), '--data', data];
  if (!given('--anonymous')) command.push('--anonymous', 'push');
  if (!given('--host')) command.push('--host', '127.0.0.1');
  const child = Bun.spawn([...command, ...args], {
    env: { ...process.env, NO_COLOR: '1', ...options.env },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  });
  let output = '';
  const drain = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) output = (output + decoder.decode(chunk, { stream: true })).slice(-4_000_000);
  };
  const drained = Promise.all([drain(child.stdout), drain(child.stderr)]);
  const { tls } = options;
  const url = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`;
  let ended = false;
  // What it said last comes through the pipes after its end is known; a worker that outlives it keeps them open.
  const exited = child.exited.then(async (code) => {
    ended = true;
    await Promise.race([drained, Bun.sleep(2_000)]);
    return code;
  });
  const running: RunningBerth = {
    url,
    host: `127.0.0.1:${port}`,
    port,
    data,
    pid: child.pid,
    output: () => output,
    exited,
    async stop() {
      child.kill('SIGTERM');
      const code = await exited;
      if (temporary) rmSync(data, { recursive: true, force: true });
      return code;
    },
    async kill() {
      for (const pid of [child.pid, ...childrenOf(child.pid)]) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // already gone
        }
      }
      await exited;
    },
  };
  const deadline = Date.now() + (options.readyWithin ?? 40_000);
  while (Date.now() < deadline) {
    if (ended) break;
    try {
      const response = await fetch(`${url}/readyz`, tls === undefined ? {} : { tls });
      await response.arrayBuffer();
      // The banner comes when every worker serves; a killed predecessor's workers may still answer.
      if (response.status === 200 && output.includes('Berth serves')) return running;
    } catch {
      // not listening yet
    }
    await Bun.sleep(20);
  }
  if (!ended) await running.kill();
  if (temporary) rmSync(data, { recursive: true, force: true });
  throw new Error(`berth serve did not get ready:\n${output}`);
}

function childrenOf(pid: number): number[] {
  const { stdout } = Bun.spawnSync(['ps', '-o', 'pid=', '--ppid', String(pid)]);
  return stdout.toString().split(/\s+/).filter(Boolean).map(Number);
}
