// berth import folder: the user's move from `docker run registry`, which may serve meanwhile.
import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import {
  chownSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { berth, type RunningBerth, startBerth } from '../support/berth.ts';
import { Registry } from '../support/registry.ts';
import { requireTools, run } from '../support/tools.ts';
import { digestsAt, type Filled, fill, type OldRegistry, startOldRegistry } from './old-registry.ts';

const canRun = requireTools('import from a folder', ['docker-registry', 'skopeo']);
setDefaultTimeout(120_000);

describe.if(canRun)('the storage folder of registry', () => {
  let work: string;
  let root: string;
  let old: OldRegistry;
  let filled: Filled;
  let server: RunningBerth;
  const folders: string[] = [];

  beforeAll(async () => {
    work = mkdtempSync(join(tmpdir(), 'berth-import-'));
    root = join(work, 'old');
    old = await startOldRegistry(work, root);
    filled = await fill(old);
  });

  afterAll(async () => {
    await old?.stop();
    for (const folder of [work, ...folders]) rmSync(folder, { recursive: true, force: true });
  });

  const serve = async (data: string) => {
    server = await startBerth({ data, args: ['--workers', '1'] });
  };
  afterEach(async () => {
    await server.stop();
  });
  const importing = (data: string, folder: string, ...flags: string[]) =>
    berth(['import', 'folder', folder, '--data', data, '--output', 'json', ...flags]);
  const verified = async (data: string) =>
    expect((await berth(['verify', '--data', data])).stdout).toContain('all is well');

  test('comes over while both serve, by hard links that take no space, and again to catch up', async () => {
    const data = join(work, 'data');
    await serve(data);
    const before = kilobytes(work);
    const first = await importing(data, root);
    expect([first.stderr, first.code]).toEqual(['', 0]);
    const result = JSON.parse(first.stdout);
    expect(result).toMatchObject({
      repositories: 3,
      tags: Object.keys(filled.tags).length,
      faults: [],
      bytesCopied: 0,
    });
    expect(result.blobs.copied).toBe(0);
    const linked = layersOf(root).filter((path) => statSync(path).nlink === 2);
    expect(linked).toHaveLength(result.blobs.linked);
    for (const path of linked) {
      const hex = path.split('/').at(-2) ?? '';
      expect(statSync(join(data, 'blobs/sha256', hex.slice(0, 2), hex)).ino).toBe(statSync(path).ino);
    }
    // Directories and nothing else: the blobs are more than 2 MB.
    expect(result.bytesLinked).toBeGreaterThan(2_000_000);
    expect(kilobytes(work) - before).toBeLessThan(500);
    expect(await digestsAt(server.url, filled.tags)).toEqual(filled.tags);
    const referrers = await (await fetch(`${server.url}/v2/team/app/referrers/${filled.signed}`)).json();
    expect((referrers as { manifests: { digest: string }[] }).manifests.map((entry) => entry.digest)).toEqual([
      filled.referrer,
    ]);
    await run([
      'skopeo',
      'copy',
      '--all',
      '--src-tls-verify=false',
      `docker://${server.host}/team/app:2.0`,
      `oci:${work}/pulled`,
    ]);

    const again = JSON.parse((await importing(data, root)).stdout);
    expect(again).toMatchObject({ tags: 0, manifests: 0, faults: [], tagsPresent: Object.keys(filled.tags).length });
    const registry = new Registry(old.port);
    const late = await registry.pushImage('plain', 'late');
    registry.close();
    expect(JSON.parse((await importing(data, root)).stdout)).toMatchObject({ tags: 1, manifests: 1, faults: [] });
    expect(await digestsAt(server.url, { 'plain:late': '' })).toEqual({ 'plain:late': late.digest });
    await verified(data);
  });

  test('survives the end of the old folder', async () => {
    const copy = join(work, 'copy');
    cpSync(root, copy, { recursive: true });
    const data = join(work, 'data-of-copy');
    await serve(data);
    expect((await importing(data, copy)).code).toBe(0);
    rmSync(copy, { recursive: true });
    expect(await digestsAt(server.url, filled.tags)).toEqual(filled.tags);
    await verified(data);
  });

  test('is copied when it lies on another filesystem', async () => {
    const data = mkdtempSync('/dev/shm/berth-import-');
    folders.push(data);
    await serve(data);
    const { code, stdout } = await importing(data, root);
    const result = JSON.parse(stdout);
    expect(code).toBe(0);
    expect(result.blobs.linked).toBe(0);
    expect(result.blobs.copied).toBeGreaterThan(4);
    await verified(data);
  });

  test('with a damaged blob: that image is named and not served, all others come', async () => {
    const damaged = join(work, 'damaged');
    cpSync(root, damaged, { recursive: true });
    const manifest = JSON.parse(readFileSync(dataOf(damaged, filled.tags['a/b/c:latest'] ?? ''), 'utf8'));
    const layer = dataOf(damaged, manifest.layers[0].digest);
    const bytes = readFileSync(layer);
    bytes[5] = (bytes[5] ?? 0) ^ 1;
    writeFileSync(layer, bytes);
    const data = join(work, 'data-of-damaged');
    await serve(data);
    const { code, stdout } = await importing(data, damaged);
    expect(code).toBe(1);
    const { faults } = JSON.parse(stdout);
    expect(faults).toEqual([
      {
        subject: 'a/b/c:latest',
        why: expect.stringContaining(`${manifest.layers[0].digest} is damaged in the source`),
      },
    ]);
    expect(await digestsAt(server.url, filled.tags)).toEqual({ ...filled.tags, 'a/b/c:latest': '404' });
    await verified(data);
    // The old registry mends it; then it comes.
    bytes[5] = (bytes[5] ?? 0) ^ 1;
    writeFileSync(layer, bytes);
    expect((await importing(data, damaged)).code).toBe(0);
    expect(await digestsAt(server.url, filled.tags)).toEqual(filled.tags);
  });

  test('comes over whole though the import is killed at one step after another', async () => {
    const data = join(work, 'data-of-killed');
    await serve(data);
    for (const step of ['blob-claimed', 'blob-committed', 'blob-linked', 'manifest-written', 'manifest-committed']) {
      const killed = await berth(['import', 'folder', root, '--data', data, '--jobs', '1'], {
        env: { BERTH_FAILPOINT: `${step}@2` },
      });
      expect([step, killed.code]).not.toEqual([step, 0]);
      expect([step, killed.stdout]).not.toEqual([step, expect.stringContaining('tag(s) and')]);
    }
    const result = JSON.parse((await importing(data, root)).stdout);
    expect(result.faults).toEqual([]);
    expect(await digestsAt(server.url, filled.tags)).toEqual(filled.tags);
    await verified(data);
  });

  test('gives what is asked for: some repositories, some tags with their signatures, under a prefix', async () => {
    const data = join(work, 'data-of-some');
    await serve(data);
    const dry = JSON.parse((await importing(data, root, '--dry-run')).stdout);
    expect(dry).toMatchObject({ dryRun: true, faults: [] });
    expect(dry.manifests).toBeGreaterThan(8);
    expect(await (await fetch(`${server.url}/v2/_catalog`)).json()).toEqual({ repositories: [] });
    expect((await importing(data, root, '--match', 'team/*', '--tags', '1.*', '--to', 'old')).code).toBe(0);
    const { tags } = (await (await fetch(`${server.url}/v2/old/team/app/tags/list`)).json()) as { tags: string[] };
    const stem = filled.signed.replace(':', '-');
    expect(tags).toEqual(['1.0', stem, `${stem}.sig`]);
    expect(await (await fetch(`${server.url}/v2/_catalog`)).json()).toEqual({ repositories: ['old/team/app'] });
  });

  test('gives the former images of a tag, to roll back to', async () => {
    const data = join(work, 'data-of-history');
    await serve(data);
    expect((await importing(data, root, '--match', 'plain', '--history')).code).toBe(0);
    expect(await digestsAt(server.url, { 'plain:1.0': '' })).toEqual({ 'plain:1.0': filled.tags['plain:1.0'] ?? '' });
    const history = await berth(['tag', 'history', 'plain:1.0', '--server', server.url]);
    expect([history.stderr, history.code]).toEqual(['', 0]);
    expect(history.stdout).toContain(filled.former.digest);
    const back = await berth(['tag', 'rollback', 'plain:1.0', '--server', server.url]);
    expect([back.stderr, back.code]).toEqual(['', 0]);
    expect(await digestsAt(server.url, { 'plain:1.0': '' })).toEqual({ 'plain:1.0': filled.former.digest });
  });

  test.if(process.getuid?.() === 0)('is not imported by root into somebody else’s data', async () => {
    const data = join(work, 'data-of-another');
    await serve(data);
    chownSync(join(data, 'blobs'), 65_534, 65_534);
    const { code, stderr } = await importing(data, root);
    expect([code, stderr]).toEqual([2, expect.stringContaining('belongs to user 65534; run it as that user')]);
    expect(await (await fetch(`${server.url}/v2/_catalog`)).json()).toEqual({ repositories: [] });
  });

  test('that is none is an error, and nothing is made', async () => {
    const { code, stderr } = await berth(['import', 'folder', join(work, 'pulled'), '--data', join(work, 'data')]);
    expect(code).toBe(1);
    expect(stderr).toContain('is no storage folder of registry');
    const nowhere = await berth(['import', 'folder', root, '--data', join(work, 'nowhere')]);
    expect(nowhere.code).toBe(2);
    expect(existsSync(join(work, 'nowhere'))).toBe(false);
  });
});

function dataOf(root: string, digest: string): string {
  const hex = digest.slice('sha256:'.length);
  return join(root, 'docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data');
}

function layersOf(root: string): string[] {
  return readdirSync(join(root, 'docker/registry/v2/blobs'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('/data'))
    .map((path) => join(root, 'docker/registry/v2/blobs', path));
}

/** Used by a folder; what has two names in it counts once. The database is left out: how long its log grows depends on how busy the machine is. */
function kilobytes(folder: string): number {
  return Number(Bun.spawnSync(['du', '-sk', '--exclude=berth.db*', folder]).stdout.toString().split('\t')[0]);
}
