import { constants, type Stats } from 'node:fs';
import { copyFile, type FileHandle, link, open, stat } from 'node:fs/promises';
import { FileRefusedError } from '../blob-store.ts';
import { errorCode } from './errors.ts';

/** Where a second name of a file can't be made, and a copy can: another filesystem, somebody else's file, no links at all. */
const UNLINKABLE = new Set(['EXDEV', 'EPERM', 'EACCES', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EROFS']);

/** Opens somebody else's file to take it over. @throws FileRefusedError, RangeError */
export async function openForImport(path: string, size: number): Promise<{ handle: FileHandle; stats: Stats }> {
  const handle = await open(path, 'r').catch((error: unknown) => {
    throw refused(path, error);
  });
  const stats = await handle.stat();
  if (stats.isFile() && stats.size === size) return { handle, stats };
  await handle.close();
  if (!stats.isFile()) throw new FileRefusedError(`${path} is not a file`);
  throw new RangeError(`${path} has ${stats.size} bytes, not ${size}`);
}

/**
 * Gives a file a second name, unless the store's owner could not read it then: a link keeps the file's owner and mode.
 *
 * @returns `there` when the name is taken
 */
export async function linkFile(
  path: string,
  stats: Stats,
  name: string,
  folder: string,
): Promise<'linked' | 'there' | 'not possible'> {
  const { uid, gid } = await stat(folder);
  const readable =
    uid === 0 ||
    (uid === stats.uid ? (stats.mode & 0o400) !== 0 : (stats.mode & (gid === stats.gid ? 0o040 : 0o004)) !== 0);
  if (!readable) return 'not possible';
  try {
    await link(path, name);
    return 'linked';
  } catch (error) {
    const code = errorCode(error);
    if (code === 'EEXIST') return 'there';
    if (code !== undefined && UNLINKABLE.has(code)) return 'not possible';
    throw error;
  }
}

/** A copy, which shares the bytes where the filesystem can do that (reflinks). */
export async function copyOf(path: string, to: string): Promise<void> {
  await copyFile(path, to, constants.COPYFILE_FICLONE);
}

function refused(path: string, error: unknown): unknown {
  const code = errorCode(error);
  if (code === 'ENOENT' || code === 'ENOTDIR') return new FileRefusedError(`${path} is not there`, { cause: error });
  if (code === 'EACCES' || code === 'EPERM') {
    const who = process.getuid?.() ?? 'this user';
    return new FileRefusedError(`${path} may not be read by user ${who}; run it as the owner of the files`, {
      cause: error,
    });
  }
  return error;
}
