/*
 * Becomes chromium-headless-shell, with no socket of the family netlink. Over such a socket Chromium hears of every network interface of
 * the machine that comes or goes, and then ends all that it is loading (net::ERR_NETWORK_CHANGED), also what comes from loopback. Engines
 * of other suites make and remove interfaces all the time.
 */
import { dlopen, ptr } from 'bun:ffi';
import { findTool } from './tools.ts';

const AF_NETLINK = 16;
const EAFNOSUPPORT = 97;
const SOCKET_CALL = { x64: 41, arm64: 198 } as Record<string, number>;
const PR_SET_SECCOMP = 22;
const PR_SET_NO_NEW_PRIVS = 38;
const SECCOMP_MODE_FILTER = 2;
const F_SETFD = 2;

const { prctl, fcntl, execv } = dlopen('libc.so.6', {
  prctl: { args: ['i32', 'u64', 'ptr', 'u64', 'u64'], returns: 'i32' },
  fcntl: { args: ['i32', 'i32', 'i32'], returns: 'i32' },
  execv: { args: ['ptr', 'ptr'], returns: 'i32' },
}).symbols;

/** Instructions of the kernel's packet filter, on `struct seccomp_data`. */
function refuseNetlink(call: number): Uint8Array {
  const load = (offset: number) => [0x20, 0, 0, offset];
  const unlessEqual = (value: number, skip: number) => [0x15, 0, skip, value];
  const answer = (value: number) => [0x06, 0, 0, value];
  const program = [
    load(0), // the call's number
    unlessEqual(call, 3),
    load(16), // its first argument
    unlessEqual(AF_NETLINK, 1),
    answer(0x0005_0000 | EAFNOSUPPORT), // SECCOMP_RET_ERRNO
    answer(0x7fff_0000), // SECCOMP_RET_ALLOW
  ];
  const bytes = new DataView(new ArrayBuffer(program.length * 8));
  for (const [at, [code = 0, whenTrue = 0, whenFalse = 0, value = 0]] of program.entries()) {
    bytes.setUint16(at * 8, code, true);
    bytes.setUint8(at * 8 + 2, whenTrue);
    bytes.setUint8(at * 8 + 3, whenFalse);
    bytes.setUint32(at * 8 + 4, value, true);
  }
  return new Uint8Array(bytes.buffer);
}

const chromium = findTool('chromium-headless-shell') ?? 'chromium-headless-shell';
const call = SOCKET_CALL[process.arch];
if (call !== undefined) {
  const filter = refuseNetlink(call);
  const program = new BigUint64Array([BigInt(filter.byteLength / 8), BigInt(ptr(filter))]);
  const set =
    prctl(PR_SET_NO_NEW_PRIVS, 1n, null, 0n, 0n) === 0 &&
    prctl(PR_SET_SECCOMP, BigInt(SECCOMP_MODE_FILTER), program, 0n, 0n) === 0;
  if (!set)
    console.error('steady-chromium: the filter can not be set; networks that come and go will disturb the tests');
}
// The test speaks to it over these; Bun would close them with its own.
for (const pipe of [3, 4]) fcntl(pipe, F_SETFD, 0);
const strings = [chromium, ...process.argv.slice(2)].map((text) => Buffer.from(`${text}\0`));
const pointers = new BigUint64Array([...strings.map((text) => BigInt(ptr(text))), 0n]);
execv(strings[0] ?? null, pointers);
throw new Error(`${chromium} can not be run`);
