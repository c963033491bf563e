// Another system's programs on this machine: a folder as their root, with its own C library, in namespaces of their own, so that nothing of this
// machine is changed, and in an emulator when they are for another processor.
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './ports.ts';
import { requireTools, run } from './tools.ts';

/**
 * ELF of 64 bits for AArch64, executable or shared; the mask lets the version of the system's interface be what it is. The kernel opens the emulator
 * when it is registered (`F`), so it need not be inside of the root. Registered in a user namespace it counts there alone: Linux 6.7.
 */
const AARCH64 =
  String.raw`:arm64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00` +
  String.raw`:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff`;

/** ROOT EMULATION PROGRAM ARGS… */
const ENTER = `set -e
root=$1; emulation=$2; shift 2
if [ -n "$emulation" ]; then
  mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
  printf %s "$emulation" > /proc/sys/fs/binfmt_misc/register
fi
for folder in proc dev; do mkdir -p "$root/$folder"; mount --rbind "/$folder" "$root/$folder"; done
exec setpriv --pdeathsig KILL chroot "$root" "$@"`;

export class OtherSystem {
  private constructor(
    /** Its root. */
    readonly root: string,
    readonly emulator: string | undefined,
  ) {}

  /** For programs of this processor. */
  static native(): OtherSystem {
    return new OtherSystem(mkdtempSync(join(tmpdir(), 'berth-system-')), undefined);
  }

  static arm64(emulator: string): OtherSystem {
    return new OtherSystem(mkdtempSync(join(tmpdir(), 'berth-system-')), emulator);
  }

  /** The command that runs one of its programs in it. */
  command(args: string[]): string[] {
    const emulation = this.emulator === undefined ? '' : `${AARCH64}:${this.emulator}:F`;
    return ['unshare', '--user', '--map-root-user', '--mount', 'sh', '-c', ENTER, 'sh', this.root, emulation, ...args];
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** What `OtherSystem` needs, for `requireTools`. */
export function requireOtherSystem(suite: string, tools: string[]): boolean {
  return requireTools(suite, ['root', 'unshare', 'setpriv', 'chroot', ...tools]);
}

/** Starts `berth serve` in it, pushes a blob, pulls it and ends the server; returns its exit code. @throws with what it said */
export async function serveOneBlob(system: OtherSystem, program: string, within: number): Promise<number> {
  mkdirSync(join(system.root, 'data'), { recursive: true });
  mkdirSync(join(system.root, 'tmp'), { recursive: true });
  const port = await freePort();
  const flags = ['--port', String(port), '--host', '127.0.0.1', '--data', '/data', '--anonymous', 'push'];
  const log = join(system.root, 'log');
  const descriptor = openSync(log, 'a');
  const child = Bun.spawn(system.command([program, 'serve', '--workers', '1', ...flags]), {
    stdin: 'ignore',
    stdout: descriptor,
    stderr: descriptor,
  });
  closeSync(descriptor);
  const url = `http://127.0.0.1:${port}`;
  const deadline = Date.now() + within;
  try {
    while ((await fetch(`${url}/readyz`).catch(() => undefined))?.status !== 200) {
      if (child.exitCode !== null || Date.now() > deadline) throw new Error('berth serve did not get ready');
      await Bun.sleep(100);
    }
    const blob = crypto.getRandomValues(new Uint8Array(60_000));
    const digest = `sha256:${new Bun.CryptoHasher('sha256').update(blob).digest('hex')}`;
    const pushed = await fetch(`${url}/v2/app/blobs/uploads/?digest=${digest}`, { method: 'POST', body: blob });
    if (pushed.status !== 201) throw new Error(`the push: ${pushed.status} ${await pushed.text()}`);
    const pulled = Buffer.from(await (await fetch(`${url}/v2/app/blobs/${digest}`)).arrayBuffer());
    if (!pulled.equals(blob)) throw new Error('the blob came back as another');
    child.kill('SIGTERM');
    return await child.exited;
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : error}:\n${readFileSync(log, 'utf8')}`);
  } finally {
    child.kill('SIGKILL');
    await child.exited;
  }
}

/**
 * The names of the C++ library of GCC that Alpine's is built without and Debian's asks for. Debian has no C++ library for musl; its own works with it
 * once it finds these.
 */
const GLIBC_NAMES = `
typedef unsigned long size;
extern int getentropy(void *, size);
extern size strftime_l(char *, size, const char *, const void *, void *);
unsigned arc4random(void) { unsigned number; getentropy(&number, sizeof number); return number; }
size __strftime_l(char *s, size max, const char *format, const void *time, void *locale) { return strftime_l(s, max, format, time, locale); }
int __cxa_thread_atexit_impl(void (*end)(void *), void *object, void *library) { return 0; }
char __libc_single_threaded = 0;
int _dl_find_object(void *address, void *found) { return -1; }
unsigned __cpu_model[4];
int __cpu_indicator_init(void) { return 0; }
`;

const LIBRARIES = '/usr/lib/x86_64-linux-gnu';

/** Fills a system with musl as Debian's package has it, instead of glibc, and the C++ library. */
export async function fillWithMusl({ root }: OtherSystem): Promise<void> {
  for (const folder of ['lib', 'usr/lib']) mkdirSync(join(root, folder), { recursive: true });
  await run(['cp', '-L', '/lib/ld-musl-x86_64.so.1', join(root, 'lib/ld-musl-x86_64.so.1')]);
  await run(['ln', '-s', '/lib/ld-musl-x86_64.so.1', join(root, 'lib/libc.musl-x86_64.so.1')]);
  for (const name of ['libstdc++.so.6', 'libgcc_s.so.1'])
    await run(['cp', '-L', join(LIBRARIES, name), join(root, 'usr/lib', name)]);
  // Of glibc's files the C++ library asks for its loader alone by a name that musl does not take for itself.
  const out = join(root, 'usr/lib/ld-linux-x86-64.so.2');
  await run(['gcc', '-O1', '-fPIC', '-shared', '-nostdlib', '-x', 'c', '-o', out, '-'], { stdin: GLIBC_NAMES });
}
