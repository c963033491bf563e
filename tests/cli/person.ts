// A registry with accounts, and people who use the command line on it, each with a configuration folder of their own.
import { afterAll, beforeAll, expect } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { berth, type RunningBerth, startBerth } from '../support/berth.ts';

export const ADMINISTRATOR = { name: 'alice', password: 'correct horse battery' };

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

interface RunOptions {
  env?: Record<string, string>;
  stdin?: string;
}

const SECRET = /berth_(pat|robot|login|invite|setup)_[0-9A-Za-z]{8,}/;
const PASSWORDS = [ADMINISTRATOR.password, 'wrong password 1', "bob's password"];

/** One who sits at a terminal. Whatever a command answers, a secret is never among the messages. */
export class Person {
  constructor(
    readonly home: string,
    readonly server: string,
  ) {}

  get environment(): Record<string, string> {
    return { BERTH_CONFIG_HOME: this.home, BERTH_SERVER: this.server, BERTH_TOKEN: '' };
  }

  /** Runs `berth ARGS`, whatever comes of it. */
  async try(args: string[], options: RunOptions = {}): Promise<Ran> {
    const ran = await berth(args, {
      ...(options.stdin === undefined ? {} : { stdin: options.stdin }),
      env: { ...this.environment, ...options.env },
    });
    expect(ran.stderr).not.toMatch(SECRET);
    for (const password of PASSWORDS) expect(ran.stderr).not.toContain(password);
    return ran;
  }

  /** Runs a command line of words without spaces, which must do what it says. Returns its standard output. */
  async run(line: string, options: RunOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.try(line.split(' '), options);
    if (code !== 0) throw new Error(`berth ${line}: ${code} ${stderr}`);
    return stdout;
  }

  async json(line: string, options: RunOptions = {}): Promise<unknown> {
    const value: unknown = JSON.parse(await this.run(`${line} --output json`, options));
    return value;
  }

  /** Runs what must be refused with this exit code. Returns the message. */
  async refused(code: 1 | 2, line: string, options: RunOptions = {}): Promise<string> {
    const ran = await this.try(line.split(' '), options);
    expect({ line, code: ran.code, stdout: ran.stdout }).toEqual({ line, code, stdout: '' });
    return ran.stderr;
  }

  /** As `refused`, for several command lines at once: each with what its message holds. */
  async refusesAll(code: 1 | 2, cases: Record<string, string>, options: RunOptions = {}): Promise<void> {
    const lines = Object.keys(cases);
    const messages = await Promise.all(lines.map((line) => this.refused(code, line, options)));
    for (const [i, line] of lines.entries()) expect(`${line}: ${messages[i]}`).toContain(cases[line] ?? '');
  }

  async logIn({ name, password }: { name: string; password: string } = ADMINISTRATOR): Promise<void> {
    await this.run(`login -u ${name} --password-stdin`, { stdin: `${password}\n` });
  }
}

export interface Place {
  readonly server: RunningBerth;
  /** Somebody new, who is not logged in. */
  person(): Person;
}

/** Starts a server with an administrator before the tests of the file, and ends it after them. */
export function serveAccounts(): Place {
  let server: RunningBerth | undefined;
  const folders: string[] = [];
  const folder = (name: string) => {
    const made = mkdtempSync(join(tmpdir(), `berth-cli-${name}-`));
    folders.push(made);
    return made;
  };
  const started = () => {
    if (server === undefined) throw new Error('the server has not started');
    return server;
  };
  beforeAll(async () => {
    const data = folder('data');
    const { name, password } = ADMINISTRATOR;
    const made = await berth(['setup', '--data', data, '--username', name, '--password-stdin'], { stdin: password });
    if (made.code !== 0) throw new Error(`berth setup: ${made.stderr}`);
    server = await startBerth({ data, args: ['--anonymous', 'none', '--workers', '1', '--log-level', 'debug'] });
  }, 60_000);
  afterAll(async () => {
    await server?.stop();
    const log = server?.output() ?? '';
    for (const path of folders) rmSync(path, { recursive: true, force: true });
    expect(log).not.toMatch(SECRET);
    for (const password of PASSWORDS) expect(log).not.toContain(password);
  }, 60_000);
  return {
    get server() {
      return started();
    },
    person: () => new Person(join(folder('home'), 'berth'), started().url),
  };
}
