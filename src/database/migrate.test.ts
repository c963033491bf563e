import { describe, expect, test } from 'bun:test';
import { resolve } from 'node:path';
import { sql } from 'kysely';
import { type Database, NewerSchemaError } from './database.ts';
import { migrate, SCHEMA_VERSION, schemaVersion } from './migrate.ts';
import { type DatabasePlace, onEachDatabase } from './test-databases.ts';

onEachDatabase('migrating', (newPlace, kind) => {
  const tables = async (database: Database) =>
    (
      await (kind === 'sqlite'
        ? sql<{ name: string }>`select name from sqlite_master where type = 'table' and name not like 'sqlite_%'`
        : sql<{ name: string }>`select tablename as name from pg_tables where schemaname = current_schema()`
      ).execute(database.read)
    ).rows
      .map((row) => row.name)
      .sort();
  const write = (database: Database, statement: string) =>
    database.transaction(async (tx) => {
      await sql.raw(statement).execute(tx);
    });
  const processesThatMigrate = (place: DatabasePlace, count: number) =>
    Array.from({ length: count }, () => {
      const driver =
        kind === 'sqlite' ? 'SqliteDatabase } from "./sqlite.ts"' : 'PostgresDatabase } from "./postgres.ts"';
      const code = `import { ${driver};
        import { migrate } from "./migrate.ts";
        const database = new ${kind === 'sqlite' ? 'SqliteDatabase' : 'PostgresDatabase'}(process.argv[1]);
        console.log(await migrate(database));
        await database.close();`;
      return Bun.spawn([process.execPath, '-e', code, place.address], {
        cwd: resolve(import.meta.dir),
        stdout: 'pipe',
        stderr: 'pipe',
      });
    });

  test('makes every table from nothing, and says that there was nothing', async () => {
    const database = (await newPlace()).open();
    expect(await migrate(database)).toBe(0);
    expect(await schemaVersion(database)).toBe(SCHEMA_VERSION);
    expect(await tables(database)).toEqual([
      'access_tokens',
      'acme_accounts',
      'acme_certificates',
      'acme_challenges',
      'acme_failures',
      'audit_log',
      'backup_runs',
      'blobs',
      'cache_fetches',
      'cache_pauses',
      'cache_repositories',
      'cache_tags',
      'caches',
      'config_versions',
      'deployments',
      'environment_triggers',
      'environments',
      'events',
      'garbage_runs',
      'grants',
      'instance_keys',
      'invitations',
      'known_addresses',
      'leases',
      'login_failures',
      'manifest_references',
      'manifests',
      'mirrors',
      'namespace_content',
      'namespaces',
      'organization_members',
      'quota_shares',
      'quotas',
      'release_images',
      'release_revocations',
      'releases',
      'repositories',
      'repository_aliases',
      'repository_blobs',
      'retention_policies',
      'retention_removals',
      'robots',
      'schema_version',
      'sessions',
      'stack_files',
      'stack_services',
      'stacks',
      'tag_history',
      'tags',
      'target_deployments',
      'target_images',
      'targets',
      'team_members',
      'teams',
      'two_factors',
      'uploads',
      'upstreams',
      'user_logins',
      'users',
      'verifications',
      'webhook_attempts',
      'webhook_deliveries',
      'webhooks',
    ]);
  });

  test('a second time changes nothing', async () => {
    const database = (await newPlace()).open();
    await migrate(database);
    await write(database, "insert into leases (name, holder, until, fence) values ('kept', '', 1, 1)");
    expect(await migrate(database)).toBe(SCHEMA_VERSION);
    expect(await database.read.selectFrom('leases').select('name').execute()).toEqual([{ name: 'kept' }]);
    const { rows } = await sql`select version from schema_version`.execute(database.read);
    expect(rows).toHaveLength(1);
  });

  test('by four processes at once is done once', async () => {
    const place = await newPlace();
    const children = processesThatMigrate(place, 4);
    const results = await Promise.all(
      children.map(async (child) => ({
        code: await child.exited,
        found: (await new Response(child.stdout).text()).trim(),
        errors: await new Response(child.stderr).text(),
      })),
    );
    expect(results.filter((result) => result.code !== 0)).toEqual([]);
    expect(results.map((result) => result.found).sort()).toEqual(
      ['0', '1', '1', '1'].map((n) => (n === '1' ? String(SCHEMA_VERSION) : n)),
    );
    expect(await schemaVersion(place.open())).toBe(SCHEMA_VERSION);
  }, 60_000);

  test('by four connections of one process at once is done once', async () => {
    const place = await newPlace();
    const found = await Promise.all([place, place, place, place].map((each) => migrate(each.open())));
    expect(found.sort()).toEqual([0, SCHEMA_VERSION, SCHEMA_VERSION, SCHEMA_VERSION]);
  });

  test('a database of a newer Berth is refused, and nothing is changed', async () => {
    const database = (await newPlace()).open();
    await write(database, 'create table schema_version (version integer not null)');
    await write(database, `insert into schema_version (version) values (${SCHEMA_VERSION + 1})`);
    await expect(migrate(database)).rejects.toBeInstanceOf(NewerSchemaError);
    await expect(migrate(database)).rejects.toThrow(`schema ${SCHEMA_VERSION + 1}; this one knows ${SCHEMA_VERSION}`);
    await expect(schemaVersion(database)).rejects.toBeInstanceOf(NewerSchemaError);
    expect(await tables(database)).toEqual(['schema_version']);
  });

  test('that fails half-way leaves nothing, and works once the cause is gone', async () => {
    const database = (await newPlace()).open();
    // The last table that the first migration makes.
    await write(database, 'create table leases (other integer)');
    await expect(migrate(database)).rejects.toThrow(/leases/);
    expect(await tables(database)).toEqual(['leases']);
    await write(database, 'drop table leases');
    expect(await migrate(database)).toBe(0);
  });

  describe('gives a schema in which', () => {
    test('names and tags are in byte order', async () => {
      const database = (await newPlace()).open();
      await migrate(database);
      const names = ['Z', '_', 'a', 'a-b', 'a.b', 'aB', 'ab', 'b'];
      for (const name of [...names].reverse()) {
        await write(database, `insert into repositories (name, created_at) values ('${name}', 0)`);
      }
      const rows = await database.read.selectFrom('repositories').select('name').orderBy('name').execute();
      expect(rows.map((row) => String(row.name))).toEqual(names);
    });

    test('ids are never used again, and times beyond 32 bits come back as they were', async () => {
      const database = (await newPlace()).open();
      await migrate(database);
      const insert = (name: string) =>
        write(database, `insert into repositories (name, created_at) values ('${name}', ${Number.MAX_SAFE_INTEGER})`);
      const rows = () => database.read.selectFrom('repositories').select(['id', 'created_at']).execute();
      await insert('one');
      const [first] = await rows();
      expect(first?.created_at).toBe(Number.MAX_SAFE_INTEGER);
      await write(database, 'delete from repositories');
      await insert('two');
      expect((await rows())[0]?.id).toBeGreaterThan(first?.id ?? Number.POSITIVE_INFINITY);
    });

    test('a tag cannot name a manifest that is not there, nor a link a blob', async () => {
      const database = (await newPlace()).open();
      await migrate(database);
      await write(database, "insert into repositories (name, created_at) values ('app', 0)");
      for (const row of [
        "tags (repository_id, name, digest, updated_at) select id, 'latest', 'sha256:0', 0 from repositories",
        "repository_blobs (repository_id, digest, protected_until) select id, 'sha256:0', 0 from repositories",
      ]) {
        await expect(write(database, `insert into ${row}`)).rejects.toThrow(/foreign key/i);
      }
    });
  });
});
