// A real Berth with a person's token, and `berth doctor` with JSON.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { newToken } from '../../src/api/tokens.ts';
import { type BerthOptions, berth, type RunningBerth, startBerth } from '../support/berth.ts';
import { type Ran, tryRun } from '../support/tools.ts';

const PASSWORD = 'correct horse battery staple';

const report = z.object({
  url: z.string(),
  ok: z.boolean(),
  checks: z.array(
    z.object({
      name: z.string(),
      state: z.enum(['ok', 'warning', 'failed', 'skipped']),
      seen: z.string(),
      lines: z.array(z.object({ where: z.string(), code: z.string() })),
    }),
  ),
});

export type Report = z.infer<typeof report> & { code: number };

export interface DoctorRig {
  berth: RunningBerth;
  /** Of alice, who may push. */
  token: string;
  /** `berth doctor ARGS --output json`, quickly: small bodies, short pauses. `token`: goes with it unless it is null. */
  examine: (args: string[], token?: string | null) => Promise<Report>;
  /** `berth doctor ARGS` as a person sees it. */
  read: (args: string[], token?: string | null) => Promise<Ran>;
  stop: () => Promise<void>;
}

const COMMAND = join(import.meta.dir, '../../bin/berth');

/** `berth doctor ARGS` with this token, or none, and with no log-in of the user's. */
async function readWith(token: string | null, args: string[]): Promise<Ran> {
  const home = mkdtempSync(join(tmpdir(), 'berth-doctor-'));
  const env = { HOME: home, BERTH_CONFIG_HOME: join(home, 'config'), BERTH_TOKEN: token ?? '', NO_COLOR: '1' };
  try {
    return await tryRun([COMMAND, 'doctor', ...args], { env });
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

/** The same with JSON, quickly: small bodies, short pauses. */
export async function examineWith(token: string | null, args: string[]): Promise<Report> {
  const quick = ['--body-limit', '2MiB', '--idle', '2', ...args, '--output', 'json'];
  const { code, stdout, stderr } = await readWith(token, quick);
  try {
    return { ...report.parse(JSON.parse(stdout)), code };
  } catch (error) {
    throw new Error(`berth doctor ${args.join(' ')}: ${String(error)}\n${stdout}${stderr}`);
  }
}

export async function startDoctorRig(options: BerthOptions = {}): Promise<DoctorRig> {
  const data = mkdtempSync(join(tmpdir(), 'berth-doctor-data-'));
  const setup = ['setup', '--data', data, '--username', 'alice', '--password-stdin'];
  const made = await berth(setup, { stdin: `${PASSWORD}\n` });
  if (made.code !== 0) throw new Error(`berth setup: ${made.stdout}${made.stderr}`);
  const server = await startBerth({ ...options, data, args: ['--anonymous', 'none', ...(options.args ?? [])] });
  const answer = await fetch(`${server.url}/api/v1/tokens`, {
    method: 'POST',
    headers: {
      Authorization: `Basic ${Buffer.from(`alice:${PASSWORD}`).toString('base64')}`,
      'Content-Type': 'application/json',
    },
    body: JSON.stringify({ name: 'made by a test', level: 'admin' }),
  });
  const token = newToken.parse(await answer.json()).secret;
  return {
    berth: server,
    token,
    read: (args, given = token) => readWith(given, args),
    examine: (args, given = token) => examineWith(given, args),
    async stop() {
      await server.stop();
      rmSync(data, { recursive: true, force: true });
    },
  };
}

/** The checks that are neither right nor left out. */
export function faultsOf({ checks }: Report): string[] {
  return checks
    .filter(({ state }) => state === 'failed' || state === 'warning')
    .map(({ name, state }) => `${name} ${state}`);
}

export function checkOf({ checks }: Report, name: string) {
  const found = checks.find((check) => check.name === name);
  if (found === undefined) throw new Error(`no check ${name}: ${JSON.stringify(checks, null, 1)}`);
  return found;
}

export function codesOf(report: Report, name: string): string[] {
  return checkOf(report, name).lines.map(({ code }) => code);
}
