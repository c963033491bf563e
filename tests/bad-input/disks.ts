// Disks of their own for a test: small, so that they fill; read-only, so that nothing can be written.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requireTools, run } from '../support/tools.ts';

/** Mounting needs root and the programs; see `requireTools`. */
export const canMount = (suite: string): boolean => requireTools(suite, ['root', 'mount', 'umount']);

export interface Disk {
  path: string;
  /** Takes `bytes`, or all the space that is left. */
  fill: (bytes?: number) => void;
  /** Gives it back. */
  free: () => void;
  unmount: () => Promise<void>;
}

/** A tmpfs of `megabytes`. */
export async function smallDisk(megabytes: number): Promise<Disk> {
  const path = mkdtempSync(join(tmpdir(), 'berth-disk-'));
  await run(['mount', '-t', 'tmpfs', '-o', `size=${megabytes}m`, 'berth-test', path]);
  const ballast = join(path, 'ballast');
  return {
    path,
    fill(bytes = megabytes * 2_000_000) {
      let left = bytes;
      for (const size of [1_000_000, 4096]) {
        try {
          for (; left >= size; left -= size) writeFileSync(ballast, Buffer.alloc(size, 1), { flag: 'a' });
        } catch (error) {
          if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
        }
      }
    },
    free: () => rmSync(ballast, { force: true }),
    async unmount() {
      await run(['umount', path]);
      rmSync(path, { recursive: true });
    },
  };
}

/** `directory` seen again at another path, where it can only be read. */
export async function readOnlyView(directory: string): Promise<{ path: string; unmount: () => Promise<void> }> {
  const path = mkdtempSync(join(tmpdir(), 'berth-readonly-'));
  await run(['mount', '--bind', directory, path]);
  await run(['mount', '-o', 'remount,ro,bind', path]);
  return {
    path,
    async unmount() {
      await run(['umount', path]);
      rmSync(path, { recursive: true });
    },
  };
}
