import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { ConfigError } from './load.ts';
import type { Settings } from './settings.ts';

export interface SecretKey {
  /** 32 bytes */
  key: Uint8Array;
  path: string;
  /** It was not there before. */
  made: boolean;
  /** What the operator should know. */
  warnings: string[];
}

const KEY_BYTES = 32;
/** 32 bytes in base64, and the end of the line. */
const FILE_MAX_BYTES = 100;

export function secretKeyPath(settings: Pick<Settings, 'data' | 'secretKeyFile'>): string {
  return settings.secretKeyFile ?? join(settings.data, 'secret.key');
}

/**
 * The key that environments' secrets are encrypted with: 32 bytes in base64. A missing file is made, whole or not at all, readable by its
 * owner alone; of several processes that start at once one decides.
 *
 * @throws ConfigError when it can't be read or made, or is no key
 */
export function readSecretKey(path: string): SecretKey {
  let text: string;
  let open: boolean;
  let made = false;
  try {
    made = statSync(path, { throwIfNoEntry: false }) === undefined && make(path);
    const stat = statSync(path);
    if (!stat.isFile() || stat.size > FILE_MAX_BYTES) throw new Error('not a file with a key');
    // Its own group may: so Kubernetes gives a secret to a user that is not root.
    open = (stat.mode & (stat.gid === process.getgid?.() ? 0o037 : 0o077)) !== 0;
    text = readFileSync(path, 'utf8').trim();
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError(`secretKeyFile: cannot read ${path}: ${messageOf(error)}`);
  }
  const key = Buffer.from(text, 'base64');
  if (key.length !== KEY_BYTES || key.toString('base64') !== text) {
    throw new ConfigError(
      `secretKeyFile: ${path} is not ${KEY_BYTES} bytes in base64; put the file back from a backup (without it the secrets that were encrypted with it must be set anew)`,
    );
  }
  return {
    key: new Uint8Array(key),
    path,
    made,
    warnings: open ? [`secretKeyFile: others can read ${path}: chmod 600 it`] : [],
  };
}

/** @returns whether this process made it. @throws ConfigError */
function make(path: string): boolean {
  const folder = dirname(path);
  const temporary = `${path}.${process.pid}-${randomBytes(6).toString('hex')}.tmp`;
  try {
    mkdirSync(folder, { recursive: true });
    const file = openSync(temporary, 'wx', 0o600);
    try {
      writeFileSync(file, `${randomBytes(KEY_BYTES).toString('base64')}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    // Not rename(2), which would replace the file of another starter.
    const first = linked(temporary, path);
    syncFolder(folder);
    return first;
  } catch (error) {
    throw new ConfigError(`secretKeyFile: cannot make ${path}: ${messageOf(error)}`);
  } finally {
    rmSync(temporary, { force: true });
  }
}

function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown error';
}
