import { dlopen, ptr } from 'bun:ffi';

/*
 * The two things the agent needs of the kernel that Bun has no call for: a lock that ends with its holders, and a datagram to
 * systemd's socket. The C library of every glibc system has them.
 */

const LOCK_EXCLUSIVE = 2;
const LOCK_AT_ONCE = 4;
const UNIX = 1;
const DATAGRAM_CLOSE_ON_EXEC = 2 | 0o2000000;
const NO_SIGNAL = 0x4000;

function open() {
  return dlopen('libc.so.6', {
    flock: { args: ['i32', 'i32'], returns: 'i32' },
    socket: { args: ['i32', 'i32', 'i32'], returns: 'i32' },
    sendto: { args: ['i32', 'ptr', 'u64', 'i32', 'ptr', 'u32'], returns: 'i64' },
    close: { args: ['i32'], returns: 'i32' },
  }).symbols;
}

let libc: ReturnType<typeof open> | undefined;

/**
 * flock(2): an exclusive lock of an open file. Programs that inherit the descriptor hold it too; the kernel drops it when the
 * last of them has ended, however that happens.
 *
 * @returns whether it was free
 */
export function lockFile(descriptor: number): boolean {
  libc ??= open();
  return libc.flock(descriptor, LOCK_EXCLUSIVE | LOCK_AT_ONCE) === 0;
}

/** Sends one datagram to a unix socket; `@` at the beginning of the path means the abstract namespace. @returns whether it was taken */
export function sendDatagram(path: string, text: string): boolean {
  libc ??= open();
  const name = Buffer.from(path.startsWith('@') ? `\0${path.slice(1)}` : `${path}\0`);
  const address = Buffer.alloc(2 + name.length);
  address.writeUInt16LE(UNIX, 0);
  name.copy(address, 2);
  const message = Buffer.from(text);
  const socket = libc.socket(UNIX, DATAGRAM_CLOSE_ON_EXEC, 0);
  if (socket < 0) return false;
  try {
    return Number(libc.sendto(socket, ptr(message), message.length, NO_SIGNAL, ptr(address), address.length)) >= 0;
  } finally {
    libc.close(socket);
  }
}
