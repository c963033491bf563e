import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { z } from 'zod';
import { CommandError } from './usage.ts';

const login = z.object({
  server: z.string(),
  username: z.string(),
  token: z.string(),
  /** Of a token that `berth login` made, and `berth logout` revokes; null for one that was given to it. */
  tokenId: z.string().nullable(),
  expiresAt: z.iso.datetime().nullable(),
});
export type Login = z.infer<typeof login>;

/** `logins` has the last one at the end. */
const content = z.object({ logins: z.array(login) });

const OTHERS = 0o077;

/** Where `berth login` keeps its tokens: one for each server, readable by their owner alone. */
export class CredentialsFile {
  readonly path: string;
  readonly #folder: string;
  readonly #ownFolder: boolean;

  /** @param warn is told of a file that others could read */
  constructor(
    env: Record<string, string | undefined>,
    readonly warn: (line: string) => void,
  ) {
    const { BERTH_CONFIG_HOME: given } = env;
    this.#ownFolder = !given;
    this.#folder = given ? resolve(given) : join(configurationFolder(env), 'berth');
    this.path = join(this.#folder, 'credentials.json');
  }

  /** Oldest first; the last is that of the last log-in. @throws CommandError */
  logins(): Login[] {
    let text: string;
    try {
      this.#close();
      text = readFileSync(this.path, 'utf8');
    } catch (error) {
      if (hasCode(error, 'ENOENT', 'ENOTDIR')) return [];
      throw new CommandError(`${this.path}: cannot be read: ${reason(error)}`);
    }
    try {
      return content.parse(JSON.parse(text)).logins;
    } catch {
      throw new CommandError(`${this.path}: is not what berth login writes; remove it and log in again`);
    }
  }

  find(server: string): Login | undefined {
    return this.logins().find((entry) => entry.server === server);
  }

  /** Puts the log-in in the place of the server's former one. @throws CommandError */
  save(entry: Login): void {
    this.#write([...this.logins().filter((other) => other.server !== entry.server), entry]);
  }

  /** @throws CommandError */
  remove(server: string): void {
    this.#write(this.logins().filter((entry) => entry.server !== server));
  }

  /** A crash leaves the old file or the new one; at no moment can others read it. */
  #write(logins: Login[]): void {
    const temporary = join(this.#folder, `.credentials-${randomBytes(6).toString('hex')}`);
    try {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      // A folder that somebody chose may be there for others as well.
      if (this.#ownFolder) chmodSync(this.#folder, 0o700);
      const file = openSync(temporary, 'wx', 0o600);
      try {
        writeSync(file, `${JSON.stringify({ logins }, null, 2)}\n`);
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(temporary, this.path);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw new CommandError(`${this.path}: cannot be written: ${reason(error)}`);
    }
  }

  /** Takes from others the right to read. */
  #close(): void {
    const { mode } = statSync(this.path);
    if ((mode & OTHERS) === 0) return;
    const shown = (mode & 0o777).toString(8);
    try {
      chmodSync(this.path, 0o600);
      this.warn(
        `${this.path} had mode ${shown}, so others could read it: it has 600 now; log in again if they may have`,
      );
    } catch (error) {
      this.warn(`${this.path} has mode ${shown}, so others can read it, and that can't be changed: ${reason(error)}`);
    }
  }
}

/** XDG Base Directory Specification: a relative path is to be ignored. */
function configurationFolder(env: Record<string, string | undefined>): string {
  const home = env.HOME || homedir();
  const { XDG_CONFIG_HOME: xdg } = env;
  if (xdg && isAbsolute(xdg)) return xdg;
  return process.platform === 'darwin' ? join(home, 'Library', 'Application Support') : join(home, '.config');
}

function hasCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.some((code) => code === error.code);
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
