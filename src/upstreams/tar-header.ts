const BLOCK = 512;
/** 11 octal digits. */
const MOST_OCTAL = 8 ** 11 - 1;

/** The header of a regular file in a tar archive (ustar; GNU's binary size for what has 8 GiB and more). Always the same bytes. */
export function tarHeader(name: string, size: number): Buffer {
  const header = Buffer.alloc(BLOCK);
  if (splitAt(header, name) === undefined) throw new RangeError(`${name} is too long a name for a tar archive`);
  header.write('0000644\0', 100);
  header.write('0000000\0', 108);
  header.write('0000000\0', 116);
  if (size <= MOST_OCTAL) header.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  else {
    header[124] = 0x80;
    header.writeBigUInt64BE(BigInt(size), 128);
  }
  header.write('00000000000\0', 136);
  header.write('        ', 148);
  header.write('0', 156);
  header.write('ustar\x0000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}

/** What fills the last block of `size` bytes. */
export function padding(size: number): Buffer {
  return Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
}

/** Up to 100 bytes, or a prefix of up to 155 bytes, a slash and those. */
function splitAt(header: Buffer, name: string): true | undefined {
  if (Buffer.byteLength(name) <= 100) {
    header.write(name, 0);
    return true;
  }
  const slash = name.lastIndexOf('/', 155);
  if (slash < 1 || Buffer.byteLength(name.slice(slash + 1)) > 100) return undefined;
  header.write(name.slice(slash + 1), 0);
  header.write(name.slice(0, slash), 345);
  return true;
}
