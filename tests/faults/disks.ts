// Disks of their own for a test, real ones: a filesystem in a file, mounted.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { requireTools, run, tryRun } from '../support/tools.ts';

export const canMount = (suite: string): boolean =>
  requireTools(suite, ['root', 'mount', 'umount', 'losetup', 'truncate', 'mkfs.ext4']);

export interface Disk {
  readonly path: string;
  /** Somebody else's file takes all the room that is left, but `leave` bytes. */
  fill: (leave?: number) => void;
  /** That file is gone. */
  free: () => void;
  /** What ext4 does after an error: everything open stays, and nothing can be written any more. */
  abort: () => Promise<void>;
  /** As after a restart of the machine: away, checked, and there again. */
  mountAgain: () => Promise<void>;
  unmount: () => Promise<void>;
}

/** An ext4 filesystem of `megabytes`, in a file of `folder`. */
export async function smallDisk(folder: string, megabytes: number): Promise<Disk> {
  const path = mkdtempSync(join(folder, 'disk-'));
  const image = `${path}.img`;
  const ballast = join(path, 'ballast');
  await run(['truncate', '--size', `${megabytes}M`, image]);
  await run(['mkfs.ext4', '-q', '-m', '0', image]);
  const mount = () => run(['mount', '-o', 'loop,errors=remount-ro', image, path]);
  await mount();
  return {
    path,
    fill(leave = 0) {
      for (const size of [1_000_000, 4096, 1024]) fillBy(ballast, size);
      if (leave === 0) return;
      const { size } = Bun.file(ballast);
      Bun.spawnSync(['truncate', '--size', String(size - leave), ballast]);
    },
    free: () => rmSync(ballast, { force: true }),
    async abort() {
      await run(['mount', '-o', 'remount,abort', path]);
    },
    async mountAgain() {
      await run(['umount', path]);
      await tryRun(['fsck.ext4', '-y', image]);
      await mount();
    },
    async unmount() {
      await run(['umount', '--lazy', path]);
    },
  };
}

function fillBy(ballast: string, size: number): void {
  const block = Buffer.alloc(size, 1);
  try {
    for (;;) writeFileSync(ballast, block, { flag: 'a' });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
  }
}

/** A folder that can only be read for a while: seen through a read-only mount of itself, over it. */
export async function makeReadOnly(path: string): Promise<() => Promise<void>> {
  await run(['mount', '--bind', path, path]);
  await run(['mount', '-o', 'remount,ro,bind', path]);
  return async () => {
    await run(['umount', '--lazy', path]);
  };
}
