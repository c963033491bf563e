import { closeSync, ftruncateSync, mkdirSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type WantedDeployment, type WantedState, wantedDeployment, wantedState } from '../api/agent.ts';
import { makeDirectory, readJson, writeFileDurably } from './disk.ts';
import { lockFile } from './libc.ts';
import type { PreparedDeployment } from './prepared.ts';
import { type Progress, progress } from './progress.ts';

/** The state directory can't be used; the message says why and what to do. */
export class StateDirectoryError extends Error {
  override readonly name = 'StateDirectoryError';
}

const LOCK_EVERY_MS = 250;

/**
 * What the agent keeps, so that it needs neither server nor registry to know what is to run. Mode 0700, for the secrets.
 *
 *     lock                               held by the agent and by a `docker compose` that outlives it
 *     wanted.json                        the wanted state as the server gave it last
 *     progress.json                      where the agent is; `progress.ts`
 *     project/                           empty; compose takes relative paths from it
 *     deployments/<number>/wanted.json   as the server gave it
 *     deployments/<number>/compose.yaml  as it runs here
 *     deployments/<number>/variables.json
 *
 * Each file is written whole or not at all, and is on the disk when the method that writes it returns.
 */
export class StateDirectory {
  readonly #root: string;
  readonly #lock: number;

  private constructor(root: string, lock: number) {
    this.#root = root;
    this.#lock = lock;
  }

  /**
   * Opens it for this process alone.
   *
   * @param withinMs how long to wait for the `docker compose` of an agent that was killed
   * @throws StateDirectoryError
   */
  static async open(path: string, withinMs = 60_000): Promise<StateDirectory> {
    const root = resolve(path);
    let lock: number;
    try {
      mkdirSync(root, { recursive: true, mode: 0o700 });
      for (const folder of ['project', 'deployments']) await makeDirectory(join(root, folder));
      lock = openSync(join(root, 'lock'), 'a+', 0o600);
    } catch (error) {
      const why = error instanceof Error ? error.message : 'unknown error';
      throw new StateDirectoryError(`--state: ${root} can't be written (${why}); give a directory of the agent's own`);
    }
    const deadline = performance.now() + withinMs;
    while (!lockFile(lock)) {
      const owner = readFileSync(join(root, 'lock'), 'utf8').trim();
      if (isOtherAlive(owner) || performance.now() > deadline) {
        closeSync(lock);
        throw new StateDirectoryError(
          `--state: ${root} is in use by another berth agent (${owner}); stop it, or give another directory`,
        );
      }
      await Bun.sleep(LOCK_EVERY_MS);
    }
    ftruncateSync(lock);
    writeSync(lock, `pid ${process.pid}\n`);
    return new StateDirectory(root, lock);
  }

  /** For programs that must end before another agent may begin. */
  get lock(): number {
    return this.#lock;
  }

  get projectDirectory(): string {
    return join(this.#root, 'project');
  }

  close(): void {
    closeSync(this.#lock);
  }

  readWanted(): Promise<WantedState | undefined> {
    return readJson(join(this.#root, 'wanted.json'), wantedState);
  }

  writeWanted(state: WantedState): Promise<void> {
    return writeFileDurably(join(this.#root, 'wanted.json'), JSON.stringify(state));
  }

  readProgress(): Promise<Progress | undefined> {
    return readJson(join(this.#root, 'progress.json'), progress);
  }

  writeProgress(state: Progress): Promise<void> {
    return writeFileDurably(join(this.#root, 'progress.json'), JSON.stringify(state));
  }

  readDeployment(number: number): Promise<WantedDeployment | undefined> {
    return readJson(join(this.#folder(number), 'wanted.json'), wantedDeployment);
  }

  async writeDeployment(wanted: WantedDeployment): Promise<void> {
    await makeDirectory(this.#folder(wanted.number));
    await writeFileDurably(join(this.#folder(wanted.number), 'wanted.json'), JSON.stringify(wanted));
  }

  /** Writes what runs. @returns the compose file's path */
  async writePrepared({ number, text, variables }: PreparedDeployment): Promise<string> {
    const folder = this.#folder(number);
    await makeDirectory(folder);
    const path = join(folder, 'compose.yaml');
    await writeFileDurably(path, text);
    await writeFileDurably(join(folder, 'variables.json'), JSON.stringify(variables));
    return path;
  }

  /** Numbers of the deployments that are kept here, lowest first. */
  deployments(): number[] {
    return readdirSync(join(this.#root, 'deployments'))
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .sort((a, b) => a - b);
  }

  async removeDeployment(number: number): Promise<void> {
    await rm(this.#folder(number), { recursive: true, force: true });
  }

  #folder(number: number): string {
    return join(this.#root, 'deployments', String(number));
  }
}

/** Whether the agent that wrote its number into the lock still is; else what holds it is what it has started. */
function isOtherAlive(owner: string): boolean {
  const pid = Number(/^pid (\d+)$/.exec(owner)?.[1] ?? 0);
  if (pid === 0 || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
