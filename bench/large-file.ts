// One large file of random bytes and its digest, for the rows about blobs.
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench } from './bench.ts';

const MIB = 1024 * 1024;

export interface LargeFile {
  directory: string;
  path: string;
  size: number;
  digest: string;
  /** `1 GiB`, as labels say it. */
  sizeText: string;
}

/** 1 GiB, or 256 MiB in quick mode. The caller removes `directory`. */
export function writeLargeFile(bench: Bench): LargeFile {
  const mib = bench.quick ? 256 : 1024;
  const directory = bench.directory('large');
  const path = join(directory, 'blob');
  const hash = createHash('sha256');
  const file = openSync(path, 'w');
  try {
    for (let n = 0; n < mib; n++) {
      const chunk = randomBytes(MIB);
      hash.update(chunk);
      writeSync(file, chunk);
    }
  } finally {
    closeSync(file);
  }
  const sizeText = mib === 1024 ? '1 GiB' : `${mib} MiB`;
  return { directory, path, size: mib * MIB, digest: `sha256:${hash.digest('hex')}`, sizeText };
}
