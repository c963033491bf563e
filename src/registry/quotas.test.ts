import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import type { Database } from '../database/database.ts';
import { migrate } from '../database/migrate.ts';
import { onEachDatabase } from '../database/test-databases.ts';
import { OciError } from '../oci/errors.ts';
import { deleteBlob, mountBlob } from './blobs.ts';
import type { RegistryContext, RegistryRecord } from './context.ts';
import { deleteManifest } from './manifests.ts';
import { contentBytes } from './namespace-content.ts';
import { defaultQuota, listUsage, readUsage, removeQuota, setDefaultQuota, setQuota } from './quotas.ts';
import { deleteRepository } from './repository-deletion.ts';
import { renameRepository, transferRepositories } from './repository-renaming.ts';
import {
  ACTOR,
  bodyOf,
  bytesOf,
  codeOf,
  collect,
  DAY,
  HOUR,
  imageOf,
  named,
  openTestRegistry,
  pushBlob,
  pushImage,
  pushManifest,
  type TestRegistry,
} from './testing.ts';
import { appendUpload, completeUpload, startUpload, uploadStatus } from './uploads.ts';

onEachDatabase('quotas', (newPlace) => {
  let registry: TestRegistry;
  let context: RegistryContext;
  const recorded: RegistryRecord[] = [];
  beforeEach(async () => {
    registry = await openTestRegistry(await newPlace());
    recorded.length = 0;
    context = {
      ...registry.context,
      record: async (_tx, _actor, entry) => {
        recorded.push(entry);
      },
    };
  });
  afterEach(() => registry.remove());

  const used = async (namespace: string) => (await readUsage(context, namespace)).used;
  const exact = async (namespace: string) => expect(await used(namespace)).toBe(await counted(context, namespace));

  test('counts a blob once for a namespace, in however many of its repositories it is', async () => {
    await pushBlob(context, 'alice/app', 'x'.repeat(1_000));
    await pushBlob(context, 'alice/web', 'x'.repeat(1_000));
    const digest = await pushBlob(context, 'alice/app', 'y'.repeat(500));
    expect(await mountBlob(context, named('alice/api'), digest, named('alice/app'), ACTOR)).toBe(true);
    await pushBlob(context, 'bob/app', 'x'.repeat(1_000));
    expect([await used('alice'), await used('bob'), await used('')]).toEqual([1_500, 1_000, 0]);
    await pushBlob(context, 'ubuntu', 'x'.repeat(1_000));
    expect(await used('')).toBe(1_000);
  });

  test('counts manifests with blobs, and a second push of the same not again', async () => {
    await pushImage(context, 'alice/app', 'one', '1.0');
    const first = await used('alice');
    await pushImage(context, 'alice/app', 'one', '1.1');
    expect(await used('alice')).toBe(first);
    await exact('alice');
  });

  test('refuses what does not fit, says how much there is, and changes nothing', async () => {
    await pushBlob(context, 'alice/app', 'x'.repeat(600));
    await setQuota(context, 'alice', 1_000, ACTOR);
    const error = await pushBlob(context, 'alice/app', 'y'.repeat(401)).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(OciError);
    expect(error).toMatchObject({
      code: 'DENIED',
      message: expect.stringContaining('alice may hold 1000 bytes and holds 600; 401 more do not fit'),
      detail: { namespace: 'alice', quota: 1_000, used: 600, wanted: 401 },
    });
    expect(await used('alice')).toBe(600);
    await pushBlob(context, 'alice/app', 'y'.repeat(400));
    expect(await readUsage(context, 'alice')).toEqual({
      namespace: 'alice',
      used: 1_000,
      quota: 1_000,
      fromDefault: false,
    });
  });

  test('takes at the limit what the namespace has already, by push and by mount', async () => {
    const digest = await pushBlob(context, 'alice/app', 'x'.repeat(600));
    await setQuota(context, 'alice', 600, ACTOR);
    await pushBlob(context, 'alice/web', 'x'.repeat(600));
    expect(await mountBlob(context, named('alice/api'), digest, named('alice/app'), ACTOR)).toBe(true);
    expect(await codeOf(pushBlob(context, 'alice/web', 'z'))).toBe('DENIED');
    await pushBlob(context, 'bob/web', 'z'.repeat(5_000));
    const other = await pushBlob(context, 'bob/web', 'zz');
    expect(await codeOf(mountBlob(context, named('alice/api'), other, named('bob/web'), ACTOR))).toBe('DENIED');
    await exact('alice');
  });

  test('refuses a manifest that does not fit', async () => {
    const config = await pushBlob(context, 'alice/app', 'config');
    await setQuota(context, 'alice', (await used('alice')) + 100, ACTOR);
    expect(await codeOf(pushManifest(context, 'alice/app', imageOf({ config }), '1.0'))).toBe('DENIED');
    await setQuota(context, 'alice', (await used('alice')) + 1_000, ACTOR);
    await pushManifest(context, 'alice/app', imageOf({ config }), '1.0');
    await exact('alice');
  });

  test('ends an upload that is larger than the whole quota while its bytes arrive, and keeps none of them', async () => {
    await setQuota(context, 'alice', 1_000, ACTOR);
    const piece = bytesOf('x'.repeat(600));
    for (const length of [1_200, undefined]) {
      const { id } = await startUpload(context, named('alice/app'), ACTOR);
      const chunk = { body: bodyOf([piece.slice(), piece.slice()], 'hang'), length };
      expect(await codeOf(appendUpload(context, named('alice/app'), id, chunk))).toBe('DENIED');
      expect(await uploadStatus(context, named('alice/app'), id)).toEqual({ id, size: 0 });
    }
  });

  test('keeps no bytes of a blob that was refused', async () => {
    await pushBlob(context, 'alice/app', 'x'.repeat(600));
    await setQuota(context, 'alice', 1_000, ACTOR);
    const bytes = bytesOf('y'.repeat(900));
    const { id } = await startUpload(context, named('alice/app'), ACTOR);
    const { digestOf } = await import('../oci/digest.ts');
    const refused = completeUpload(context, named('alice/app'), id, digestOf(bytes), { body: bodyOf([bytes]) });
    expect(await codeOf(refused)).toBe('DENIED');
    expect(await uploadStatus(context, named('alice/app'), id)).toEqual({ id, size: 0 });
    expect(await context.store.stat(digestOf(bytesOf('y'.repeat(900))))).toBeUndefined();
  });

  test('gives back what is deleted or collected', async () => {
    await setQuota(context, 'alice', 10_000, ACTOR);
    const blob = await pushBlob(context, 'alice/app', 'x'.repeat(600));
    await pushBlob(context, 'alice/web', 'x'.repeat(600));
    await deleteBlob(context, named('alice/app'), blob, ACTOR);
    expect(await used('alice')).toBe(600);
    await deleteBlob(context, named('alice/web'), blob, ACTOR);
    expect(await used('alice')).toBe(0);

    const { digest } = await pushImage(context, 'alice/app', 'one', '1.0');
    await pushImage(context, 'alice/app', 'two');
    await exact('alice');
    await deleteManifest(context, named('alice/app'), digest, ACTOR);
    await exact('alice');
    registry.advance(2 * DAY);
    await collect(context);
    expect(await used('alice')).toBe(0);
  });

  test('gives back a deleted repository, but not what another one has too', async () => {
    await setQuota(context, 'alice', 10_000, ACTOR);
    await pushImage(context, 'alice/app', 'one', '1.0');
    await pushImage(context, 'alice/app', 'two', '2.0');
    await pushImage(context, 'alice/web', 'one', '1.0');
    const before = await used('alice');
    await deleteRepository(context, named('alice/app'), ACTOR);
    expect(await used('alice')).toBeLessThan(before);
    await exact('alice');
    await deleteRepository(context, named('alice/web'), ACTOR);
    expect(await used('alice')).toBe(0);
  });

  test('moves with a repository to another namespace, unless that has no room', async () => {
    await pushImage(context, 'alice/app', 'one', '1.0');
    await pushImage(context, 'bob/web', 'one', '1.0');
    const size = await used('alice');
    await setQuota(context, 'team', size - 1, ACTOR);
    expect(await codeOf(renameRepository(context, named('alice/app'), named('team/app'), ACTOR))).toBe('DENIED');
    expect([await used('alice'), await used('team')]).toEqual([size, 0]);
    await setQuota(context, 'team', size, ACTOR);
    await renameRepository(context, named('alice/app'), named('team/app'), ACTOR);
    expect([await used('alice'), await used('team')]).toEqual([0, size]);
    await transferRepositories(context, 'bob', 'team', ACTOR);
    expect([await used('bob'), await used('team')]).toEqual([0, size]);
  });

  test('a quota below what is there refuses more until enough is gone', async () => {
    const blob = await pushBlob(context, 'alice/app', 'x'.repeat(600));
    await pushBlob(context, 'alice/app', 'y'.repeat(300));
    await setQuota(context, 'alice', 500, ACTOR);
    expect(await readUsage(context, 'alice')).toMatchObject({ used: 900, quota: 500 });
    expect(await codeOf(pushBlob(context, 'alice/app', 'z'))).toBe('DENIED');
    await deleteBlob(context, named('alice/app'), blob, ACTOR);
    await pushBlob(context, 'alice/app', 'z'.repeat(200));
    await exact('alice');
  });

  test('the default is of every namespace without a quota of its own, also of one that comes later', async () => {
    await pushBlob(context, 'alice/app', 'x'.repeat(600));
    await setQuota(context, 'bob', 5_000, ACTOR);
    await setDefaultQuota(context, 1_000, ACTOR);
    await pushBlob(context, 'carol/app', 'x'.repeat(600));
    for (const namespace of ['alice', 'carol']) {
      expect(await readUsage(context, namespace)).toEqual({ namespace, used: 600, quota: 1_000, fromDefault: true });
      expect(await codeOf(pushBlob(context, `${namespace}/app`, 'y'.repeat(401)))).toBe('DENIED');
    }
    expect(await readUsage(context, 'bob')).toMatchObject({ quota: 5_000, fromDefault: false });
    await setDefaultQuota(context, 2_000, ACTOR);
    await pushBlob(context, 'alice/app', 'y'.repeat(401));
    await removeQuota(context, 'bob', ACTOR);
    expect(await readUsage(context, 'bob')).toMatchObject({ quota: 2_000, fromDefault: true });
    await setDefaultQuota(context, undefined, ACTOR);
    expect(await defaultQuota(context)).toBeUndefined();
    expect((await readUsage(context, 'alice')).quota).toBeNull();
    expect(await codeOf(removeQuota(context, 'alice', ACTOR))).toBe('NOT_FOUND');
    expect(recorded.filter(({ action }) => action.startsWith('quota.')).map(({ subject }) => subject)).toEqual([
      'bob',
      '*',
      '*',
      'bob',
      '*',
    ]);
  });

  test('lists namespaces that hold something or have a quota, a page at a time', async () => {
    await pushBlob(context, 'ubuntu', 'x');
    await pushBlob(context, 'carol/app', 'xx');
    await setQuota(context, 'alice', 10, ACTOR);
    await setDefaultQuota(context, 1_000, ACTOR);
    const first = await listUsage(context, { last: undefined, limit: 2 });
    expect(first.map(({ namespace, used: bytes }) => [namespace, bytes])).toEqual([
      ['', 1],
      ['alice', 0],
    ]);
    const rest = await listUsage(context, { last: 'alice', limit: 2 });
    expect(rest.map(({ namespace, quota }) => [namespace, quota])).toEqual([['carol', 1_000]]);
  });

  test('refuses sizes that are no whole numbers of bytes', async () => {
    for (const bytes of [-1, 0.5, Number.NaN, 2 ** 60])
      expect(await codeOf(setQuota(context, 'alice', bytes, ACTOR))).toBe('BODY_INVALID');
  });

  test('pushes at the same time from several processes get exactly what fits', async () => {
    const processes = [context, registry.anotherProcess('p2'), registry.anotherProcess('p3')];
    await setQuota(context, 'alice', 10 * 100, ACTOR);
    const pushes = Array.from({ length: 30 }, (_, i) =>
      codeOf(pushBlob(processes[i % 3] as RegistryContext, `alice/app${i % 5}`, `${i}`.padStart(100, '-'))),
    );
    const codes = await Promise.all(pushes);
    expect(codes.filter((code) => code === 'none')).toHaveLength(10);
    expect(codes.filter((code) => code === 'DENIED')).toHaveLength(20);
    expect(await used('alice')).toBe(1_000);
    await exact('alice');
  });

  test('a quota that is set while pushes run is exact after', async () => {
    const other = registry.anotherProcess('p2');
    const pushes = Array.from({ length: 24 }, (_, i) =>
      codeOf(pushBlob(other, 'alice/app', `${i}`.padStart(100, '-'))),
    );
    const sets = [1, 2, 3].map((n) => setQuota(context, 'alice', n * 1_000_000, ACTOR));
    await Promise.all([...pushes, ...sets]);
    await exact('alice');
    expect(await used('alice')).toBe(2_400);
  });

  test('whatever is pushed, mounted, deleted, renamed and collected, the count is what is there', async () => {
    const names = ['alice/a', 'alice/b', 'bob/a', 'c'];
    const step = fc.record({
      kind: fc.constantFrom('push', 'image', 'mount', 'delete', 'rename', 'collect', 'quota'),
      from: fc.constantFrom(...names),
      to: fc.constantFrom(...names),
      seed: fc.integer({ min: 1, max: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        for (const { kind, from, to, seed } of steps) await codeOf(act(kind, from, to, seed));
        for (const namespace of ['alice', 'bob', '']) await exact(namespace);
      }),
      { numRuns: 15, endOnFailure: true },
    );
  });

  async function act(kind: string, from: string, to: string, seed: number): Promise<unknown> {
    const content = `blob ${seed}`.repeat(seed);
    if (kind === 'push') return pushBlob(context, from, content);
    if (kind === 'image') return pushImage(context, from, `${seed}`, `${seed}`);
    if (kind === 'mount') {
      const { digestOf } = await import('../oci/digest.ts');
      return mountBlob(context, named(to), digestOf(bytesOf(content)), named(from), ACTOR);
    }
    if (kind === 'delete') return deleteRepository(context, named(from), ACTOR);
    if (kind === 'rename') return renameRepository(context, named(from), named(to), ACTOR);
    if (kind === 'quota') return setQuota(context, from.split('/')[0] as string, seed * 400, ACTOR);
    registry.advance(seed * HOUR);
    return collect(context);
  }
});

describe('the migration to quotas', () => {
  onEachDatabase('namespace content', (newPlace) => {
    test('counts what was there before', async () => {
      const registry = await openTestRegistry(await newPlace());
      const { context } = registry;
      await pushImage(context, 'alice/app', 'one', '1.0');
      await pushImage(context, 'alice/web', 'one', '1.0');
      await pushImage(context, 'ubuntu', 'two', '1.0');
      const rows = () => content(context.database);
      const before = await rows();
      expect(before.length).toBe(6);
      await context.database.transaction(async (tx) => {
        for (const table of ['namespace_content', 'quotas', 'quota_shares']) await tx.schema.dropTable(table).execute();
        const { up } = await import('../database/migrations/0005-quotas.ts');
        await up(tx as never, context.database.kind);
      });
      expect(await rows()).toEqual(before);
      expect(await migrate(context.database)).toBeGreaterThan(4);
      registry.remove();
    });
  });
});

function content(database: Database) {
  return database.read.selectFrom('namespace_content').selectAll().orderBy('namespace').orderBy('digest').execute();
}

/** From the rows themselves: what repositories of the namespace have, each once. */
async function counted(context: RegistryContext, namespace: string): Promise<number> {
  const { read } = context.database;
  const repositories = await read.selectFrom('repositories').select(['id', 'name']).execute();
  const ids = repositories
    .filter(({ name }) => (name.startsWith('!') ? false : name.slice(0, Math.max(0, name.indexOf('/'))) === namespace))
    .map(({ id }) => id);
  const sizes = new Map<string, number>();
  if (ids.length > 0) {
    const blobs = await read
      .selectFrom('repository_blobs as l')
      .innerJoin('blobs as b', 'b.digest', 'l.digest')
      .select(['l.digest', 'b.size'])
      .where('l.repository_id', 'in', ids)
      .execute();
    const manifests = await read
      .selectFrom('manifests')
      .select(['digest', 'size'])
      .where('repository_id', 'in', ids)
      .execute();
    for (const { digest, size } of [...blobs, ...manifests]) sizes.set(digest, size);
  }
  const total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  expect(await contentBytes(read as never, namespace)).toBe(total);
  return total;
}
