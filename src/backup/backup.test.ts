import { afterAll, beforeEach, describe, expect, test } from 'bun:test';
import { mkdirSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sql } from 'kysely';
import type { Database } from '../database/database.ts';
import { migrate, SCHEMA_VERSION } from '../database/migrate.ts';
import { onEachDatabase } from '../database/test-databases.ts';
import type { Digest } from '../oci/digest.ts';
import type { RegistryContext } from '../registry/context.ts';
import { deleteTag } from '../registry/tags.ts';
import {
  ACTOR,
  collect,
  DAY,
  inventory,
  named,
  openTestRegistry,
  pushImage,
  type TestRegistry,
  tagged,
} from '../registry/testing.ts';
import { verify } from '../registry/verify.ts';
import { testFolder } from '../storage/contract.ts';
import { FilesystemBlobStore } from '../storage/filesystem/filesystem-blob-store.ts';
import { chooseBackup, listBackups } from './catalog.ts';
import { createBackup } from './create.ts';
import { FolderTarget } from './folder-target.ts';
import { type BackupManifest, blobKey, dumpKey } from './format.ts';
import { keptBackups, pruneBackups } from './prune.ts';
import { restoreBackup } from './restore.ts';
import { beginRunning } from './running.ts';
import { CARRIED, LEFT_OUT } from './tables.ts';
import { verifyBackups } from './verify-backup.ts';

const KEY = { secretKey: undefined, includeSecretKey: false };
const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
const folder = () => {
  const made = testFolder('backup');
  folders.push(made);
  return made;
};

onEachDatabase('a backup', (newPlace, kind) => {
  let registry: TestRegistry;
  let root: string;
  let target: FolderTarget;
  const registries: TestRegistry[] = [];
  afterAll(() => {
    for (const each of registries) each.remove();
  });
  beforeEach(async () => {
    registry = await openTestRegistry(await newPlace());
    registries.push(registry);
    root = folder();
    target = new FolderTarget(root);
  });
  const backup = (context: RegistryContext = registry.context) => createBackup(context, target, KEY);
  const emptyPlace = async () => {
    const store = new FilesystemBlobStore({ root: folder() });
    await store.prepare();
    return { database: (await newPlace()).open(), store, newId: () => Bun.randomUUIDv7() };
  };
  const contentOf = async (database: Database) => {
    const content: Record<string, unknown> = {};
    for (const table of CARRIED) {
      const { rows } = await sql<Record<string, unknown>>`select * from ${sql.table(table)}`.execute(database.read);
      content[table] = rows.map((row) => JSON.stringify(row)).sort();
    }
    return content;
  };

  test('has every table that is not left out for a reason', async () => {
    const tables = await registry.context.database.snapshot(async (snapshot) => snapshot.tables);
    expect([...CARRIED, ...Object.keys(LEFT_OUT)].sort()).toEqual([...tables].sort());
  });

  test('comes back as it was: every row of every table, every byte', async () => {
    const { context } = registry;
    await pushImage(context, 'app', 'one', 'latest');
    await pushImage(context, 'app', 'two', 'latest');
    await deleteTag(context, named('app'), tagged('latest'), {}, ACTOR);
    await pushImage(context, 'tool', 'three', '1.0');
    // Ids that were given and are gone, a reference within one table, and bytes of every value.
    await context.database.transaction(async (tx) => {
      await sql`insert into users (id, username, name, email, created_at, updated_at) values ('u', 'ünï', 'a''b', 'e', 1, ${Number.MAX_SAFE_INTEGER})`.execute(
        tx,
      );
      await sql`insert into access_tokens (id, kind, user_id, parent_id, name, level, secret_hash, created_at) values ('z-parent', 'personal', 'u', null, '', 'read', 'h1', 2)`.execute(
        tx,
      );
      await sql`insert into access_tokens (id, kind, user_id, parent_id, name, level, secret_hash, created_at) values ('a-child', 'login', 'u', 'z-parent', '', 'read', 'h2', 1)`.execute(
        tx,
      );
      await sql`insert into audit_log (at, actor, source, action, subject, outcome) values (1, '', '', 'a', 's', 'done')`.execute(
        tx,
      );
      await sql`insert into repositories (name, created_at) values ('gone', 0)`.execute(tx);
      await sql`delete from repositories where name = 'gone'`.execute(tx);
      await sql`update manifests set content = ${Uint8Array.from({ length: 300 }, (_, i) => i % 256)}, size = 300 where media_type = 'none'`.execute(
        tx,
      );
    });
    const manifest = await backup();
    const place = await emptyPlace();
    const { verified } = await restoreBackup(place, target, manifest, false);
    expect(verified.faults).toEqual([]);
    expect(verified.orphans).toBe(0);
    expect(await contentOf(place.database)).toEqual(await contentOf(context.database));
    const insert = (database: Database) =>
      database.transaction((tx) =>
        sql<{ id: number }>`insert into repositories (name, created_at) values ('next', 0) returning id`.execute(tx),
      );
    expect((await insert(place.database)).rows).toEqual((await insert(context.database)).rows);
    // The database refuses again what it refused before.
    const change = place.database.transaction((tx) => sql`update audit_log set actor = 'x'`.execute(tx));
    await expect(change).rejects.toThrow('append-only');
    const dangling = place.database.transaction((tx) =>
      sql`insert into tags (repository_id, name, digest, updated_at) select id, 'x', 'sha256:0', 0 from repositories`.execute(
        tx,
      ),
    );
    await expect(dangling).rejects.toThrow(/foreign key/i);
  });

  test('shows one moment: what is pushed while it is made is in the next one', async () => {
    const { context } = registry;
    await pushImage(context, 'app', 'before', 'before');
    let pushed: Promise<unknown> | undefined;
    const first = await createBackup(context, target, {
      ...KEY,
      onProgress: (step) => {
        if (step === 'blobs') pushed ??= pushImage(context, 'app', 'after', 'after');
      },
    });
    expect(pushed).toBeDefined();
    await pushed;
    const second = await backup();
    expect(first.blobs.count).toBe(2);
    expect(second.blobs).toMatchObject({ count: 4, copied: 2 });
    const place = await emptyPlace();
    await restoreBackup(place, target, first, false);
    expect(
      (await place.database.read.selectFrom('tags').select('name').execute()).map(({ name }) => String(name)),
    ).toEqual(['before']);
  });

  test('keeps garbage collection from blobs that it names until it has copied them, and no longer', async () => {
    const { context, advance } = registry;
    await pushImage(context, 'app', 'doomed', 'latest');
    await deleteTag(context, named('app'), tagged('latest'), {}, ACTOR);
    advance(3 * DAY);
    const collector = registry.anotherProcess('collector');
    let collected: ReturnType<typeof collect> | undefined;
    const put = target.put.bind(target);
    target.put = async (key, content) => {
      if (key.startsWith('blobs/')) {
        collected ??= collect(collector);
        await collected;
      }
      return put(key, content);
    };
    const manifest = await backup();
    expect((await collected)?.result).toMatchObject({ manifests: 1, links: 2, blobs: 0 });
    expect(manifest).toMatchObject({ faults: [], blobs: { count: 2, copied: 2 } });
    expect((await restoreBackup(await emptyPlace(), target, manifest, false)).verified.faults).toEqual([]);
    expect((await collect(collector)).result).toMatchObject({ blobs: 2 });
    expect((await inventory(context)).files.size).toBe(0);
  });

  test('that stood still while its blobs were collected begins again', async () => {
    const { context, advance } = registry;
    await pushImage(context, 'app', 'doomed', 'latest');
    await pushImage(context, 'app', 'kept', 'kept');
    await deleteTag(context, named('app'), tagged('latest'), {}, ACTOR);
    advance(3 * DAY);
    const put = target.put.bind(target);
    let stood = false;
    target.put = async (key, content) => {
      if (key.startsWith('blobs/') && !stood) {
        stood = true;
        advance(2 * 60_000);
        await collect(registry.anotherProcess('collector'));
      }
      return put(key, content);
    };
    const manifest = await backup();
    expect(stood).toBe(true);
    expect(manifest).toMatchObject({ faults: [], blobs: { count: 2 } });
    expect((await verifyBackups(target, [manifest])).faults).toEqual([]);
  });

  test('of a registry that has lost a blob says so, and has the rest', async () => {
    const { context, store } = registry;
    const { layer } = await pushImage(context, 'app', 'one', 'latest');
    const { layer: other } = await pushImage(context, 'app', 'two', 'other');
    await store.remove(layer);
    writeFileSync(join(registry.root, blobKey(other)), 'damaged');
    const manifest = await backup();
    expect(new Set(manifest.faults.map(({ digest }) => String(digest)))).toEqual(new Set([layer, other]));
    const place = await emptyPlace();
    const { verified } = await restoreBackup(place, target, manifest, false);
    expect(verified.faults.map((fault) => fault.kind)).toEqual(['blob-missing', 'blob-missing']);
  });

  test('goes into an empty place alone', async () => {
    await pushImage(registry.context, 'app', 'one', 'latest');
    const manifest = await backup();
    await expect(restoreBackup(registry.context, target, manifest, false)).rejects.toThrow(
      'in use: 1 row(s) in repositories',
    );
    const place = await emptyPlace();
    await expect(restoreBackup(place, target, { ...manifest, schema: SCHEMA_VERSION + 1 }, false)).rejects.toThrow(
      `schema ${SCHEMA_VERSION + 1}; this one knows ${SCHEMA_VERSION}`,
    );
    await place.database.transaction((tx) => sql`create table other (a integer)`.execute(tx));
    await expect(restoreBackup(place, target, manifest, false)).rejects.toThrow('not Berth');
  });

  test('of an older schema is migrated after it was loaded', async () => {
    const old = (await newPlace()).open();
    await migrate(old, { to: 1 });
    await old.transaction((tx) => sql`insert into repositories (name, created_at) values ('old', 7)`.execute(tx));
    const manifest = await backup({ ...registry.context, database: old });
    expect(manifest.schema).toBe(1);
    const place = await emptyPlace();
    await restoreBackup(place, target, manifest, false);
    const rows = await place.database.read.selectFrom('repositories').select(['name', 'visibility']).execute();
    expect(rows).toEqual([{ name: named('old'), visibility: 'private' }]);
  });

  test('of which a byte is lost or changed is found out before and after a restore', async () => {
    const { layer } = await pushImage(registry.context, 'app', 'one', 'latest');
    const manifest = await backup();
    const blob = join(root, blobKey(layer));
    writeFileSync(blob, 'x'.repeat('layer of one'.length));
    const { faults } = await verifyBackups(target, [manifest]);
    expect(faults).toMatchObject([{ backup: manifest.id, digest: layer }]);
    await expect(restoreBackup(await emptyPlace(), target, manifest, false)).rejects.toThrow('is damaged');
    rmSync(blob);
    await expect(restoreBackup(await emptyPlace(), target, manifest, false)).rejects.toThrow('is not there');
    // The next one notices, by the size, and copies it again.
    expect((await backup()).blobs.copied).toBe(1);
    truncateSync(join(root, dumpKey(manifest.id)), manifest.dump.size - 3);
    await expect(restoreBackup(await emptyPlace(), target, manifest, false)).rejects.toThrow('sha256');
    expect((await verifyBackups(target, [manifest])).faults).toMatchObject([{ digest: null }]);
  });

  test('is found by its id, as the newest, or by a moment', async () => {
    const first = await backup();
    registry.advance(DAY);
    const second = await backup();
    expect((await listBackups(target)).map(({ id }) => id)).toEqual([first.id, second.id]);
    expect((await chooseBackup(target, 'latest')).id).toBe(second.id);
    expect((await chooseBackup(target, { id: first.id })).id).toBe(first.id);
    expect((await chooseBackup(target, { at: second.at - 1 })).id).toBe(first.id);
    await expect(chooseBackup(target, { at: first.at - 1 })).rejects.toThrow(`the oldest is ${first.id}`);
    await expect(chooseBackup(target, { id: 'x' })).rejects.toThrow('berth backup list');
  });

  describe('pruning', () => {
    const prune = (rules: { last?: number; within?: number }, dryRun = false) =>
      pruneBackups(target, { last: rules.last, within: rules.within }, { now: registry.context.now, dryRun });

    test('removes what no rule keeps, and the blobs that it alone named', async () => {
      const { context, advance } = registry;
      await pushImage(context, 'app', 'old', 'latest');
      const first = await backup();
      await deleteTag(context, named('app'), tagged('latest'), {}, ACTOR);
      advance(3 * DAY);
      await collect(context);
      await pushImage(context, 'app', 'new', 'latest');
      const second = await backup();
      expect(await prune({ last: 1 }, true)).toMatchObject({ removed: [first.id], blobs: 2 });
      expect(await listBackups(target)).toHaveLength(2);
      expect(await prune({ last: 1 })).toMatchObject({ kept: [second.id], removed: [first.id], blobs: 2 });
      expect((await verifyBackups(target, await listBackups(target))).faults).toEqual([]);
      expect(readdirSync(join(root, 'dumps'))).toEqual([`${second.id}.jsonl.zst`]);
      expect(await prune({ last: 1 })).toMatchObject({ removed: [], blobs: 0 });
      await expect(prune({ within: 0 })).rejects.toThrow('keep none');
    });

    test('takes what a backup that was killed left, and no file of anybody else', async () => {
      await pushImage(registry.context, 'app', 'one', 'latest');
      await backup();
      const lost = blobKey(`sha256:${'0'.repeat(64)}` as Digest);
      mkdirSync(join(root, lost, '..'), { recursive: true });
      writeFileSync(join(root, lost), 'left');
      writeFileSync(join(root, 'blobs/readme'), 'mine');
      expect(await prune({ last: 1 })).toMatchObject({ blobs: 1, bytes: 4 });
      expect(readdirSync(join(root, 'blobs')).sort()).toEqual(['readme', 'sha256']);
    });

    test('is refused while a backup runs, and a backup waits for it; one that died is passed over', async () => {
      const { now } = registry.context;
      const running = await beginRunning(target, 'backup', now);
      await backup();
      await expect(prune({ last: 1 })).rejects.toThrow('a backup is running there');
      await running.end();
      const pruning = await beginRunning(target, 'prune', now);
      let waits = 0;
      const waiting = createBackup(registry.context, target, {
        ...KEY,
        onProgress: (step) => {
          if (step !== 'waiting for a prune') return;
          waits++;
          void pruning.end();
        },
      });
      await waiting;
      expect(waits).toBe(1);
      await target.put('running/backup-died.json', async function* () {
        yield new TextEncoder().encode(JSON.stringify({ kind: 'backup', until: now() - 1 }));
      });
      await prune({ last: 1 });
      expect(readdirSync(join(root, 'running'))).toEqual([]);
    });

    test('keeps the newest and the young', () => {
      const backups = [1, 2, 3, 4, 5].map((day) => ({ id: String(day), at: day * DAY }) as BackupManifest);
      const ids = (rules: Parameters<typeof keptBackups>[1]) =>
        keptBackups(backups, rules, 6 * DAY).map(({ id }) => id);
      expect(ids({ last: 2, within: undefined })).toEqual(['4', '5']);
      expect(ids({ last: undefined, within: 3 * DAY })).toEqual(['3', '4', '5']);
      expect(ids({ last: 1, within: DAY })).toEqual(['5']);
      expect(ids({ last: 9, within: 0 })).toEqual(['1', '2', '3', '4', '5']);
      expect(ids({ last: undefined, within: 0 })).toEqual([]);
    });
  });

  test('verifies as whole, also many rows and a large manifest', async () => {
    const { context } = registry;
    await context.database.transaction(async (tx) => {
      for (let i = 0; i < 5; i++) {
        await tx
          .insertInto('garbage_runs')
          .values(
            Array.from({ length: 300 }, (_, j) => ({
              id: `${i}-${j}`,
              dry_run: 0,
              started_by: 'x'.repeat(j),
              state: 'done' as const,
              started_at: j,
              finished_at: null,
              error: null,
              result: null,
              items: null,
              holder_until: 0,
            })),
          )
          .execute();
      }
    });
    const manifest = await backup();
    expect(manifest.dump.rows).toBe(1_500);
    const place = await emptyPlace();
    await restoreBackup(place, target, manifest, false);
    expect(await contentOf(place.database)).toEqual(await contentOf(context.database));
    expect((await verify(context)).faults).toEqual([]);
    expect(kind).toBe(manifest.database);
  });
});
