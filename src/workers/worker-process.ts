import type { FromSupervisor, FromWorker } from './messages.ts';
import { selfCommand } from './self.ts';

export interface WorkerEvents {
  onMessage(message: FromWorker): void;
  onExit(code: number | null, signal: unknown): void;
}

/**
 * A worker's process, seen from the supervisor. It loads its modules from the moment it is made and then waits for its
 * order: `main.ts` makes the first one before it reads the configuration, which halves the time to the first answer.
 */
export class WorkerProcess {
  readonly #child: Bun.Subprocess;
  #events: WorkerEvents | undefined;
  #ended: { code: number | null; signal: unknown } | undefined;

  constructor() {
    this.#child = Bun.spawn([...selfCommand(), 'worker'], {
      env: process.env,
      stdin: 'ignore',
      stdout: 'inherit',
      stderr: 'inherit',
      ipc: (message: FromWorker) => this.#events?.onMessage(message),
      onExit: (_child, code, signal) => {
        this.#ended = { code, signal };
        this.#events?.onExit(code, signal);
      },
    });
  }

  /** Tells what it says and when it ends; an end that was before is told at once. */
  listen(events: WorkerEvents): void {
    this.#events = events;
    if (this.#ended !== undefined) events.onExit(this.#ended.code, this.#ended.signal);
  }

  send(message: FromSupervisor): void {
    try {
      this.#child.send(message);
    } catch {
      // It has just ended; `onExit` deals with that.
    }
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  get exited(): Promise<number> {
    return this.#child.exited;
  }
}
