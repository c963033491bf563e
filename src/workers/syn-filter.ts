import { dlopen, ptr } from 'bun:ffi';
import { readdirSync } from 'node:fs';

const SYMBOLS = {
  getsockopt: { args: ['i32', 'i32', 'i32', 'ptr', 'ptr'], returns: 'i32' },
  getsockname: { args: ['i32', 'ptr', 'ptr'], returns: 'i32' },
  setsockopt: { args: ['i32', 'i32', 'i32', 'ptr', 'u32'], returns: 'i32' },
} as const;

const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;
const SO_ACCEPTCONN = 30;
/** Of `struct sockaddr_in` and `sockaddr_in6`. */
const PORT_OFFSET = 2;

/** `struct sock_filter` each: code, jump when true, jump when false, value (Linux, "Socket Filtering aka BPF"). */
const DROP_SYN: readonly [code: number, whenTrue: number, whenFalse: number, value: number][] = [
  // The byte of TCP's flags (RFC 9293 §3.1), of which SYN and ACK count.
  [0x30, 0, 0, 13],
  [0x54, 0, 0, 0x12],
  [0x15, 0, 1, 0x02],
  [0x06, 0, 0, 0],
  [0x06, 0, 0, 0xffffffff],
];

/**
 * This process's listening sockets on a port, so that they can be kept from beginning connections while those that have begun are
 * taken: what is in the queue of a listening socket that is closed, or half through TCP's handshake with it, is reset (Linux,
 * without `net.ipv4.tcp_migrate_req`). A client whose SYN is dropped sends another one after a second.
 *
 * @returns attaches the filter to those that listen now; false when the system has no such thing
 */
export function synFilter(port: number): () => boolean {
  if (process.platform !== 'linux') return () => false;
  const libc = openLibc();
  if (libc === undefined) return () => false;
  const descriptors = openDescriptors().filter((descriptor) => listensOn(libc, descriptor, port));
  return () => descriptors.length > 0 && descriptors.every((descriptor) => dropSyn(libc, descriptor));
}

type Libc = NonNullable<ReturnType<typeof openLibc>>;

/** glibc's, else musl's. */
function openLibc() {
  const cpu = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
  for (const name of ['libc.so.6', `libc.musl-${cpu}.so.1`]) {
    try {
      return dlopen(name, SYMBOLS).symbols;
    } catch {
      // The other one, then.
    }
  }
  return undefined;
}

function openDescriptors(): number[] {
  try {
    return readdirSync('/proc/self/fd').map(Number);
  } catch {
    return [];
  }
}

function listensOn(libc: Libc, descriptor: number, port: number): boolean {
  const listens = new Int32Array(1);
  if (libc.getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, ptr(listens), ptr(new Uint32Array([4]))) !== 0)
    return false;
  if (listens[0] !== 1) return false;
  const address = new Uint8Array(128);
  if (libc.getsockname(descriptor, ptr(address), ptr(new Uint32Array([address.length]))) !== 0) return false;
  return new DataView(address.buffer).getUint16(PORT_OFFSET) === port;
}

function dropSyn(libc: Libc, descriptor: number): boolean {
  const filter = new DataView(new ArrayBuffer(DROP_SYN.length * 8));
  for (const [index, [code, whenTrue, whenFalse, value]] of DROP_SYN.entries()) {
    filter.setUint16(index * 8, code, true);
    filter.setUint8(index * 8 + 2, whenTrue);
    filter.setUint8(index * 8 + 3, whenFalse);
    filter.setUint32(index * 8 + 4, value, true);
  }
  // `struct sock_fprog`: how many, padding, where.
  const program = new DataView(new ArrayBuffer(16));
  program.setUint16(0, DROP_SYN.length, true);
  program.setBigUint64(8, BigInt(ptr(filter)), true);
  return libc.setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, ptr(program), program.byteLength) === 0;
}
