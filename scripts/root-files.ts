// What the image has besides Berth: the C library, the certificates of public authorities, and the names of its user.
import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { unpackPackages } from './debian-files.ts';

export interface Platform {
  /** As OCI and Debian name it. */
  architecture: 'amd64' | 'arm64';
  target: string;
  /** Where Debian puts the libraries. */
  folder: string;
  /** Where the binary looks for the loader. */
  loader: string;
}

export const PLATFORMS: readonly Platform[] = [
  {
    architecture: 'amd64',
    target: 'linux-x64',
    folder: 'lib/x86_64-linux-gnu',
    loader: 'lib64/ld-linux-x86-64.so.2',
  },
  {
    architecture: 'arm64',
    target: 'linux-arm64',
    folder: 'lib/aarch64-linux-gnu',
    loader: 'lib/ld-linux-aarch64.so.1',
  },
];

/** Nobody's number on usual systems, as other images without a shell have it. */
export const USER = 65_532;

/** What the binary is linked with, and what the C library loads by itself. */
const LIBRARIES = ['libc', 'libm', 'libdl', 'libpthread', 'librt', 'libresolv'];
const PACKAGES = ['libc6', 'ca-certificates'];

const FILES = {
  'etc/passwd': `root:x:0:0:root:/root:/sbin/nologin\nberth:x:${USER}:${USER}:Berth:/data:/sbin/nologin\n`,
  'etc/group': `root:x:0:\nberth:x:${USER}:\n`,
  'etc/nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files dns\n',
};

/** Fills `root`. @param work an empty folder */
export function fillRoot(root: string, platform: Platform, work: string): void {
  const unpacked = join(work, 'unpacked');
  const controls = unpackPackages(platform.architecture, PACKAGES, work, unpacked);
  const put = (path: string, bytes: string | Uint8Array) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), bytes);
  };
  const libc = join(unpacked, 'libc6', platform.folder);
  const loader = platform.loader.split('/').at(-1) ?? '';
  const wanted = readdirSync(libc).filter(
    (name) => name === loader || LIBRARIES.some((library) => name.startsWith(`${library}.so.`)),
  );
  for (const name of wanted) {
    put(`${platform.folder}/${name}`, readFileSync(join(libc, name)));
    chmodSync(join(root, platform.folder, name), 0o755);
  }
  mkdirSync(dirname(join(root, platform.loader)), { recursive: true });
  symlinkSync(relative(dirname(platform.loader), `${platform.folder}/${loader}`), join(root, platform.loader));
  put('etc/ssl/certs/ca-certificates.crt', authoritiesIn(join(unpacked, 'ca-certificates')));
  for (const [path, text] of Object.entries(FILES)) put(path, text);
  // What scanners of images read: which Debian, and which of its packages.
  put('etc/os-release', readFileSync('/etc/os-release'));
  for (const name of PACKAGES) {
    put(`var/lib/dpkg/status.d/${name}`, controls.get(name) ?? '');
    const copyright = `usr/share/doc/${name}/copyright`;
    mkdirSync(dirname(join(root, copyright)), { recursive: true });
    copyFileSync(join(unpacked, name, copyright), join(root, copyright));
  }
  mkdirSync(join(root, 'tmp'));
  chmodSync(join(root, 'tmp'), 0o1777);
}

/** One file of all, as `update-ca-certificates` makes it. */
function authoritiesIn(unpacked: string): string {
  const folder = join(unpacked, 'usr/share/ca-certificates/mozilla');
  return readdirSync(folder)
    .sort()
    .map((name) => `${readFileSync(join(folder, name), 'utf8').trimEnd()}\n`)
    .join('');
}
