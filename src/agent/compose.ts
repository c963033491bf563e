import type { Place } from './labels.ts';

/** What `docker compose` said; `output` is the end of both streams together. */
export interface ComposeResult {
  code: number;
  output: string;
}

export interface ComposeOptions {
  /** As in `docker`, and `compose` after it. */
  command: readonly string[];
  /** Variables of the agent's own environment that docker needs; see `dockerEnvironment`. */
  environment: Readonly<Record<string, string>>;
  /** An empty directory that is always the same, for what compose reads relative to it. */
  projectDirectory: string;
  /** A descriptor that the program inherits: the lock is held until it has ended too, even when the agent is killed. */
  lock: number | undefined;
  /** Ends a program that runs: the agent has been asked to stop some time ago. */
  signal: AbortSignal;
}

const WITHIN_MS = 15 * 60_000;
/** What a program that was asked to end may still take. */
const ENDS_WITHIN_MS = 5_000;
const MOST_OUTPUT = 32_768;

/** Runs `docker compose` for one place. */
export class Compose {
  constructor(
    readonly place: Place,
    readonly options: ComposeOptions,
  ) {}

  /**
   * @param file the compose file's path
   * @param variables of the environment; they come through the program's own environment, and nowhere else
   */
  async run(
    args: readonly string[],
    { file, variables }: { file: string; variables: Readonly<Record<string, string>> },
  ): Promise<ComposeResult> {
    const { command, environment, projectDirectory, lock, signal } = this.options;
    const own = ['--project-name', this.place.project, '--project-directory', projectDirectory, '--file', file];
    const child = Bun.spawn([...command, 'compose', '--ansi', 'never', ...own, ...args], {
      cwd: projectDirectory,
      env: { ...variables, ...environment },
      // A session of its own: Ctrl-C on the agent's terminal is not for it.
      detached: true,
      stdio: lock === undefined ? ['ignore', 'pipe', 'pipe'] : ['ignore', 'pipe', 'pipe', lock],
    });
    let force: ReturnType<typeof setTimeout> | undefined;
    const end = () => {
      child.kill('SIGTERM');
      force ??= setTimeout(() => child.kill('SIGKILL'), ENDS_WITHIN_MS);
    };
    const late = setTimeout(end, WITHIN_MS);
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    try {
      let output = '';
      const drain = async (stream: ReadableStream<Uint8Array>) => {
        const decoder = new TextDecoder();
        for await (const chunk of stream)
          output = (output + decoder.decode(chunk, { stream: true })).slice(-MOST_OUTPUT);
      };
      const [code] = await Promise.all([child.exited, drain(child.stdout), drain(child.stderr)]);
      return { code, output };
    } finally {
      clearTimeout(late);
      clearTimeout(force);
      signal.removeEventListener('abort', end);
    }
  }
}

/** What of this process's environment `docker compose` gets: how to find programs, the engine, the registries' log-ins. */
export function dockerEnvironment(environment: Record<string, string | undefined>): Record<string, string> {
  const names = ['PATH', 'HOME', 'TMPDIR', 'XDG_RUNTIME_DIR', 'SSL_CERT_FILE', 'SSL_CERT_DIR'];
  const docker = ['HOST', 'CONFIG', 'TLS_VERIFY', 'CERT_PATH', 'API_VERSION'].map((name) => `DOCKER_${name}`);
  return Object.fromEntries(
    [...names, ...docker].flatMap((name) => {
      const value = environment[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

/** The lines of compose's output that tell what went wrong, as one. */
export function composeError(output: string): string {
  const lines = output
    .split('\n')
    .map((line) => line.trim())
    .filter(
      (line) =>
        line !== '' &&
        !/^(?:Container|Network|Volume|Image) .* (?:Creating|Created|Starting|Started|Running|Recreate|Recreated|Stopping|Stopped|Removing|Removed|Waiting|Healthy)$/.test(
          line,
        ),
    );
  return (
    lines.findLast((line) => /error|failed|invalid|cannot|can't|no such|denied/i.test(line)) ??
    lines.at(-1) ??
    'docker compose failed'
  ).slice(0, 1_000);
}
