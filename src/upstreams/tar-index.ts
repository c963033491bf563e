import { open } from 'node:fs/promises';
import { invalid } from './upstream-error.ts';

export interface TarEntry {
  /** Of its first byte in the archive. */
  offset: number;
  size: number;
}

const BLOCK = 512;
const MOST_ENTRIES = 1_000_000;
/** Names and sizes in extended headers are short. */
const EXTENDED_MOST_BYTES = 1024 * 1024;

/**
 * Where each regular file of a tar archive (POSIX pax, ustar, GNU) lies, so that it is read without unpacking.
 *
 * @throws UpstreamError invalid when it is no tar archive, or is cut
 */
export async function indexTar(path: string): Promise<Map<string, TarEntry>> {
  const file = await open(path, 'r');
  try {
    const { size: total } = await file.stat();
    const read = async (offset: number, length: number) => {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, offset);
      if (bytesRead < length) throw invalid(`${path} is cut: it ends at byte ${offset + bytesRead}`);
      return buffer;
    };
    const entries = new Map<string, TarEntry>();
    let next: { name?: string; size?: number } = {};
    for (let at = 0; at < total; ) {
      const header = await read(at, BLOCK);
      if (header.every((byte) => byte === 0)) return entries;
      if (!hasChecksum(header)) throw invalid(noTar(path, header));
      const type = String.fromCharCode(header[156] ?? 0);
      const extended = type === 'x' || type === 'L';
      const size = (extended ? undefined : next.size) ?? numberAt(header, 124, 12);
      const offset = at + BLOCK;
      if (offset + size > total) throw invalid(`${path} is cut: it ends in ${next.name ?? nameOf(header)}`);
      if (extended) {
        if (size > EXTENDED_MOST_BYTES) throw invalid(`${path}: an extended header of ${size} bytes`);
        const bytes = await read(offset, size);
        next = type === 'L' ? { ...next, name: textAt(bytes, 0, size) } : { ...next, ...paxOf(bytes) };
      } else {
        if (type === '0' || type === '\0')
          entries.set((next.name ?? nameOf(header)).replace(/^\.\//, ''), { offset, size });
        if (entries.size > MOST_ENTRIES) throw invalid(`${path}: more than ${MOST_ENTRIES} files`);
        next = {};
      }
      at = offset + Math.ceil(size / BLOCK) * BLOCK;
    }
    return entries;
  } finally {
    await file.close();
  }
}

function hasChecksum(header: Uint8Array): boolean {
  let sum = 0;
  for (let i = 0; i < BLOCK; i++) sum += i >= 148 && i < 156 ? 0x20 : (header[i] ?? 0);
  return sum === numberAt(header, 148, 8);
}

function noTar(path: string, header: Uint8Array): string {
  const compressed = (header[0] === 0x1f && header[1] === 0x8b) || (header[0] === 0x28 && header[1] === 0xb5);
  return compressed ? `${path} is compressed; unpack it to a .tar first` : `${path} is no tar archive`;
}

function nameOf(header: Uint8Array): string {
  const name = textAt(header, 0, 100);
  const prefix = textAt(header, 257, 5) === 'ustar' ? textAt(header, 345, 155) : '';
  return prefix === '' ? name : `${prefix}/${name}`;
}

function textAt(bytes: Uint8Array, offset: number, length: number): string {
  const field = bytes.subarray(offset, offset + length);
  const end = field.indexOf(0);
  return Buffer.from(end < 0 ? field : field.subarray(0, end)).toString('utf8');
}

/** Octal digits, or GNU's binary form for what is larger than 8 GiB. */
function numberAt(bytes: Uint8Array, offset: number, length: number): number {
  if (((bytes[offset] ?? 0) & 0x80) !== 0) {
    let value = 0;
    for (let i = 1; i < length; i++) value = value * 256 + (bytes[offset + i] ?? 0);
    return value;
  }
  const digits = textAt(bytes, offset, length).trim();
  return /^[0-7]*$/.test(digits) ? Number.parseInt(digits || '0', 8) : Number.NaN;
}

/** Records of `LENGTH KEY=VALUE\n`. */
function paxOf(bytes: Buffer): { name?: string; size?: number } {
  const found: { name?: string; size?: number } = {};
  for (let at = 0; at < bytes.byteLength; ) {
    const space = bytes.indexOf(0x20, at);
    const length = Number(bytes.subarray(at, space).toString('latin1'));
    if (space < 0 || !(length > 0)) break;
    const [key, ...value] = bytes
      .subarray(space + 1, at + length - 1)
      .toString('utf8')
      .split('=');
    if (key === 'path') found.name = value.join('=');
    if (key === 'size') found.size = Number(value.join('='));
    at += length;
  }
  return found;
}
