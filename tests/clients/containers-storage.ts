// podman and buildah with a store of their own, so that a test sees an empty one and leaves nothing in the host's.
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeTree } from '../support/engine.ts';
import { type Ran, type RunOptions, run, tryRun } from '../support/tools.ts';

export interface ContainersStore {
  podman: (args: string[], options?: RunOptions) => Promise<string>;
  tryPodman: (args: string[], options?: RunOptions) => Promise<Ran>;
  buildah: (args: string[], options?: RunOptions) => Promise<string>;
  /** A directory for the test's own files, removed with the store. */
  work: string;
  remove: () => Promise<void>;
}

/** Flags of `podman run` in a container or virtual machine that may not raise its limits above those it has. */
export const runFlags = ['--rm', '--network', 'none', '--ulimit', 'nofile=1024:1024', '--ulimit', 'nproc=1024:1024'];

export function makeStore(): ContainersStore {
  const root = mkdtempSync(join(tmpdir(), 'berth-containers-'));
  const work = join(root, 'work');
  mkdirSync(work);
  const registries = join(root, 'registries.conf');
  writeFileSync(registries, 'short-name-mode = "disabled"\n');
  const env = { CONTAINERS_REGISTRIES_CONF: registries, REGISTRY_AUTH_FILE: join(root, 'auth.json') };
  writeFileSync(env.REGISTRY_AUTH_FILE, '{}');
  const store = ['--root', join(root, 'store'), '--runroot', join(root, 'run'), '--storage-driver', 'overlay'];
  const podman = [
    'podman',
    ...store,
    '--tmpdir',
    join(root, 'tmp'),
    '--cgroup-manager',
    'cgroupfs',
    '--events-backend',
    'file',
  ];
  const buildah = ['buildah', ...store];
  return {
    podman: (args, options) => run([...podman, ...args], { ...options, env: { ...env, ...options?.env } }),
    tryPodman: (args, options) => tryRun([...podman, ...args], { ...options, env: { ...env, ...options?.env } }),
    buildah: (args, options) => run([...buildah, ...args], { ...options, env: { ...env, ...options?.env } }),
    work,
    remove: () => removeTree(root),
  };
}
