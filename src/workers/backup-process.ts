import type { Subprocess } from 'bun';
import type { Logger } from 'pino';
import type { Settings } from '../config/settings.ts';
import type { BackupPlan } from './backup-plan.ts';
import { selfCommand } from './self.ts';

/** A target that does not answer keeps a process from ending. */
const STOP_WITHIN_MS = 10_000;
/** As much of what a process says of its end as is read. */
const MOST_SAID = 4_000;

interface Made {
  id: string;
  blobs: { count: number; bytes: number; copied: number; copiedBytes: number };
  faults: { digest: string; detail: string }[];
}

interface Pruned {
  removed: string[];
  kept: string[];
  blobs: number;
  bytes: number;
}

/**
 * Makes a backup, and then removes those that are not to be kept, as processes of their own: a large one takes no time from requests, and
 * its memory goes with it.
 */
export class BackupProcess {
  readonly #running = new Set<Subprocess>();
  #stopping = false;

  constructor(
    readonly settings: Settings,
    readonly plan: BackupPlan,
    readonly log: Pick<Logger, 'info' | 'warn' | 'error'>,
  ) {}

  /** @param run one that `takeDueBackup` took @returns why there is no backup; undefined when there is one, or when it was stopped */
  async make(run: string): Promise<string | undefined> {
    const { to, target } = this.plan;
    const started = performance.now();
    const { code, out, said } = await this.#spawn(['backup', to, '--output', 'json', '--run', run]);
    const made = parsed<Made>(out);
    if (this.#stopping) return undefined;
    if (made === undefined) {
      const reason = said === '' ? `the process ended (${code})` : said;
      this.log.error({ target, reason }, 'the backup failed; it is tried again');
      return reason;
    }
    const seconds = Math.round((performance.now() - started) / 100) / 10;
    this.log.info({ target, backup: made.id, blobs: made.blobs, seconds }, 'backup made');
    if (made.faults.length > 0) {
      this.log.error(
        { target, backup: made.id, faults: made.faults.slice(0, 10), count: made.faults.length },
        'the registry has lost blobs, and the backup is without them; berth verify says what needs them',
      );
    }
    await this.#prune();
    return undefined;
  }

  async #prune(): Promise<void> {
    const { to, target, keepLast, keepWithin } = this.plan;
    if (keepLast === undefined && keepWithin === undefined) return;
    const rules = [
      ...(keepLast === undefined ? [] : ['--keep-last', String(keepLast)]),
      ...(keepWithin === undefined ? [] : ['--keep-within', `${keepWithin}ms`]),
    ];
    const { out, said, code } = await this.#spawn(['backup', 'prune', to, '--output', 'json', ...rules]);
    const pruned = parsed<Pruned>(out);
    if (this.#stopping) return;
    if (pruned === undefined) {
      const reason = said === '' ? `the process ended (${code})` : said;
      this.log.warn({ target, reason }, 'old backups could not be removed; tried again after the next backup');
    } else if (pruned.removed.length > 0 || pruned.blobs > 0) {
      const { removed, kept, blobs, bytes } = pruned;
      this.log.info({ target, removed, kept: kept.length, blobs, bytes }, 'old backups removed');
    }
  }

  /** Lets it end its entry in the target, for some seconds; what it copied is of use to the next one. */
  async stop(): Promise<void> {
    this.#stopping = true;
    for (const child of this.#running) child.kill('SIGTERM');
    const late = setTimeout(() => this.kill(), STOP_WITHIN_MS);
    await Promise.all([...this.#running].map((child) => child.exited));
    clearTimeout(late);
  }

  kill(): void {
    this.#stopping = true;
    for (const child of this.#running) child.kill('SIGKILL');
  }

  async #spawn(words: readonly string[]): Promise<{ code: number; out: string; said: string }> {
    if (this.#stopping) return { code: 0, out: '', said: '' };
    const { data, database, secretKeyFile, s3Endpoint } = this.settings;
    const child = Bun.spawn([...selfCommand(), ...words], {
      env: {
        ...process.env,
        BERTH_DATA: data,
        ...(database === undefined ? {} : { BERTH_DATABASE: database }),
        ...(secretKeyFile === undefined ? {} : { BERTH_SECRET_KEY_FILE: secretKeyFile }),
        ...(s3Endpoint === undefined ? {} : { BERTH_S3_ENDPOINT: s3Endpoint }),
      },
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
    });
    this.#running.add(child);
    try {
      const [out, said] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
      const code = await child.exited;
      return {
        code,
        out,
        said: said
          .trim()
          .slice(-MOST_SAID)
          .replace(/^berth: /, ''),
      };
    } finally {
      this.#running.delete(child);
    }
  }
}

function parsed<T>(text: string): T | undefined {
  try {
    return JSON.parse(text) as T;
  } catch {
    return undefined;
  }
}
