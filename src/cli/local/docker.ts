import { z } from 'zod';
import { CommandError } from '../usage.ts';

/** What a program said. */
export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
  /** It was ended because it took too long. */
  late: boolean;
}

export interface DockerOptions {
  /** Instead of the person's own. */
  env?: Record<string, string | undefined>;
  cwd?: string;
  /** What it writes goes to standard error as it comes, bars and all on a terminal; `stdout` and `stderr` stay empty. */
  shown?: boolean;
  withinMs?: number;
}

const context = z.array(
  z.object({
    Endpoints: z.object({
      docker: z.object({ Host: z.string().default(''), SkipTLSVerify: z.boolean().default(false) }),
    }),
    TLSMaterial: z.record(z.string(), z.unknown()).nullable().default({}),
    Storage: z.object({ TLSPath: z.string().default('') }).default({ TLSPath: '' }),
  }),
);

const WITHIN_MS = 120_000;

/** The person's own `docker`, with their contexts, log-ins and plug-ins. */
export class Docker {
  constructor(readonly environment: Record<string, string | undefined>) {}

  /**
   * A docker that works: the program, its compose plug-in and an engine.
   *
   * @throws CommandError that says which of them is missing
   */
  static async open(environment: Record<string, string | undefined>): Promise<Docker> {
    if (Bun.which('docker', { PATH: environment.PATH ?? '' }) === null) {
      throw new CommandError('docker is not installed, or not in PATH: https://docs.docker.com/get-docker/');
    }
    const docker = new Docker(environment);
    const [engine, compose] = await Promise.all([
      docker.run(['version', '--format', '{{.Server.Version}}']),
      docker.run(['compose', 'version', '--short']),
    ]);
    if (compose.code !== 0) {
      throw new CommandError(
        'docker compose is missing: install its plug-in (the package docker-compose-plugin or docker-compose-v2, or Docker Desktop)',
      );
    }
    if (engine.code !== 0) throw new CommandError(engineReason(lastLine(engine.stderr)));
    return docker;
  }

  /** Never throws for its exit code. */
  async run(args: readonly string[], options: DockerOptions = {}): Promise<Ran> {
    const child = Bun.spawn(['docker', ...args], {
      env: options.env ?? this.environment,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      stdin: 'ignore',
      // Standard output is for the command's own data.
      stdout: options.shown ? 2 : 'pipe',
      stderr: 'pipe',
    });
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill('SIGTERM');
    }, options.withinMs ?? WITHIN_MS);
    try {
      const [stdout, stderr, code] = await Promise.all([
        child.stdout instanceof ReadableStream ? new Response(child.stdout).text() : '',
        new Response(child.stderr).text(),
        child.exited,
      ]);
      return { code, stdout: stdout.trim(), stderr: stderr.trim(), late };
    } finally {
      clearTimeout(timer);
    }
  }

  /** Its standard output. @throws CommandError with the last line that it said */
  async output(args: readonly string[], options: DockerOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.run(args, options);
    if (code !== 0) throw new CommandError(`docker ${args.slice(0, 2).join(' ')}: ${lastLine(stderr)}`);
    return stdout;
  }

  /** The variables that lead to the person's engine, for a docker that does not read their configuration. */
  async engine(): Promise<Record<string, string>> {
    const { code, stdout } = await this.run(['context', 'inspect']);
    const found = code === 0 ? context.safeParse(json(stdout)).data?.[0] : undefined;
    const host = found?.Endpoints.docker.Host ?? '';
    if (found === undefined || host === '' || this.environment.DOCKER_HOST) return {};
    if (Object.keys(found.TLSMaterial ?? {}).length === 0) return { DOCKER_HOST: host };
    return {
      DOCKER_HOST: host,
      DOCKER_CERT_PATH: `${found.Storage.TLSPath}/docker`,
      ...(found.Endpoints.docker.SkipTLSVerify ? {} : { DOCKER_TLS_VERIFY: '1' }),
    };
  }
}

/** The end of what docker said, without its own words before it. */
export function lastLine(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return (lines.at(-1) ?? 'it says nothing').replace(/^Error response from daemon: /, '').trim();
}

function engineReason(said: string): string {
  if (/permission denied/i.test(said)) {
    return 'you may not use the container engine: add yourself to its group (sudo usermod -aG docker $USER), then log in anew';
  }
  return `no container engine answers: start Docker (sudo systemctl start docker, or Docker Desktop); it says: ${said}`;
}

/** undefined for what is no JSON */
export function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
