// BuildKit, as `docker buildx build --push` drives it: images with attestations, and its build cache kept in the registry.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Engine, newerEngine, startEngine } from '../support/engine.ts';
import { busyboxImage } from '../support/images.ts';
import { mediaTypes } from '../support/registry.ts';
import { requireTools, run } from '../support/tools.ts';
import { type RegistryUnderTest, startRegistry, storedManifest } from './registry.ts';

const canRun = requireTools('buildkit', ['root', 'skopeo', 'runc', ...newerEngine]);
setDefaultTimeout(120_000);

describe.if(canRun)('docker buildx build', () => {
  let registry: RegistryUnderTest;
  let engine: Engine;
  let work: string;

  beforeAll(async () => {
    work = mkdtempSync(join(tmpdir(), 'berth-buildkit-'));
    registry = await startRegistry();
    engine = await startEngine({ release: 'newer', containerdStore: true });
    const base = `${registry.host}/base:1`;
    const { source } = await busyboxImage();
    await run(['skopeo', 'copy', '--dest-tls-verify=false', '--preserve-digests', source, `docker://${base}`]);
    writeFileSync(join(work, 'Dockerfile'), `FROM ${base}\nRUN echo built > /made\nCMD ["cat", "/made"]\n`);
  });

  afterAll(async () => {
    await engine?.stop();
    rmSync(work, { recursive: true, force: true });
    await registry?.stop();
  });

  /** Builds and pushes; what it prints says which steps came from a cache. */
  async function build(name: string, ...flags: string[]): Promise<string> {
    const command = [
      'buildx',
      'build',
      '--progress',
      'plain',
      '--network',
      'none',
      '--tag',
      name,
      '--push',
      ...flags,
      work,
    ];
    const { code, stderr } = await engine.tryDocker(command);
    expect([code, code === 0 ? '' : stderr]).toEqual([0, '']);
    return stderr;
  }

  test('pushes an image with its provenance, which is pulled by an empty engine and run', async () => {
    const name = `${registry.host}/built/app:1`;
    await build(name, '--provenance', 'true');
    const stored = await storedManifest(registry, 'built/app', '1');
    expect(stored.mediaType).toBe(mediaTypes.ociIndex);
    expect(stored.manifests?.map((entry) => entry.platform?.os)).toEqual(['linux', 'unknown']);
    const attestation = await storedManifest(registry, 'built/app', stored.manifests![1]!.digest);
    expect(attestation.layers?.map((layer) => layer.mediaType)).toEqual(['application/vnd.in-toto+json']);
    const empty = await startEngine();
    try {
      await empty.docker(['pull', name]);
      expect(await empty.docker(['run', '--rm', '--network', 'none', name])).toBe('built');
    } finally {
      await empty.stop();
    }
  });

  for (const [kind, flags, mediaType] of [
    ['an index of layers', '', mediaTypes.ociIndex],
    ['an image manifest', ',image-manifest=true,oci-mediatypes=true', mediaTypes.ociManifest],
  ] as const) {
    test(`keeps its cache in the registry as ${kind} and takes it from there`, async () => {
      const cache = `${registry.host}/cache/app:${flags === '' ? 'index' : 'image'}`;
      const name = `${registry.host}/built/cached:1`;
      const flagsOf = [
        '--cache-to',
        `type=registry,mode=max,ref=${cache}${flags}`,
        '--cache-from',
        `type=registry,ref=${cache}`,
      ];
      await engine.docker(['builder', 'prune', '--all', '--force']);
      expect(await build(name, ...flagsOf)).not.toContain('CACHED');
      expect((await storedManifest(registry, 'cache/app', flags === '' ? 'index' : 'image')).mediaType).toBe(mediaType);
      await engine.docker(['builder', 'prune', '--all', '--force']);
      expect(await build(name, ...flagsOf)).toContain('CACHED');
    });
  }
});
