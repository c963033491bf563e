import { beforeEach, expect, test } from 'bun:test';
import { onEachDatabase } from '../database/test-databases.ts';
import { imageOf, pushBlob, pushManifest } from '../registry/testing.ts';
import { createEnvironment } from './environments.ts';
import { planDeployment } from './plan.ts';
import { createRelease, diffReleases, getRelease, listReleases } from './releases.ts';
import { revokeRelease } from './revocations.ts';
import { resolveSet } from './sets.ts';
import { createStack, deleteStack, getStack, stackFileText, updateStackFile } from './stacks.ts';
import { revokeTarget } from './targets.ts';
import { ALICE, openTestReleases, refusalOf, SHOP, type TestReleases, VIEW } from './testing.ts';
import { changeConfig, getConfig, listConfigVersions } from './variables.ts';

onEachDatabase('a stack', (newPlace) => {
  let releases: TestReleases;
  beforeEach(async () => {
    releases = await openTestReleases(await newPlace());
  });
  const create = (file: string, view = VIEW) =>
    refusalOf(createStack(releases.context, 'alice', { name: 'shop', file }, view, ALICE));

  test('has the services of its compose file, and knows which are of this registry', async () => {
    const pinned = `redis@sha256:${'a'.repeat(64)}`;
    await releases.shop(`${SHOP}  cache:\n    image: ${pinned}\n`);
    const stack = await getStack(releases.context, 'alice', 'shop');
    expect(stack.services.map(({ name, repository }) => [name, repository])).toEqual([
      ['web', 'alice/web' as never],
      ['api', 'alice/api' as never],
      ['cache', null],
    ]);
    expect(stack).toMatchObject({ name: 'alice/shop', createdBy: 'alice', environments: [] });
  });

  test('is refused with a file that a target can not have, and its name is taken once', async () => {
    expect(await create('services: [')).toMatch(/^BODY_INVALID file: /);
    expect(await create('services:\n  web:\n    build: .\n')).toMatch(/^BODY_INVALID file: /);
    expect(await create('services:\n  web:\n    image: nginx:latest\n')).toMatch(/^BODY_INVALID file: /);
    expect(await create('services:\n  web:\n    image: alice/web\n    env_file: .env\n')).toMatch(
      /^BODY_INVALID file: /,
    );
    expect(await create(SHOP)).toBe('done');
    expect(await create(SHOP)).toMatch(/^NAME_TAKEN/);
    expect(
      await refusalOf(
        createStack(releases.context, 'bob', { name: 'a', file: SHOP.replaceAll('alice/', 'bob/') }, VIEW, ALICE),
      ),
    ).toMatch(/^NOT_FOUND namespace/);
  });

  test('is refused with images that its maker may not read', async () => {
    const file = 'services:\n  web:\n    image: registry.example.com/bob/secret:1\n';
    const view = { ...VIEW, mayRead: async (name: string) => name.startsWith('alice/') };
    expect(await create(file, view)).toMatch(/^DENIED file: service web: you may not read bob\/secret/);
    expect(await create(file)).toBe('done');
  });

  test('gets another file for the next releases; those that are there keep theirs', async () => {
    const { context } = releases;
    await releases.shop();
    const first = await createRelease(context, 'alice', 'shop', {}, VIEW, ALICE);
    const file = 'services:\n  web:\n    image: alice/web:latest\n';
    const stack = await updateStackFile(context, 'alice', 'shop', file, VIEW, ALICE);
    const second = await createRelease(context, 'alice', 'shop', {}, VIEW, ALICE);
    expect(second.images.map(({ service }) => service)).toEqual(['web']);
    expect(second.file).toBe(stack.file);
    expect((await getRelease(context, 'alice', 'shop', first.number)).file).toBe(first.file);
    const row = await context.database.read.selectFrom('stacks').selectAll().executeTakeFirstOrThrow();
    expect(await stackFileText(context.database.read, { ...row, namespace: 'alice' }, first.file)).toBe(SHOP);
    expect(await refusalOf(updateStackFile(context, 'alice', 'shop', 'x: [', VIEW, ALICE))).toMatch(/^BODY_INVALID/);
  });

  test('is not deleted while servers run it, and is gone with everything afterwards', async () => {
    const { context } = releases;
    await releases.shop();
    await releases.release('test', await releases.environment('test'), 'a');
    expect(await refusalOf(deleteStack(context, 'alice', 'shop', ALICE))).toMatch(/^CONFLICT .*test\/one/);
    await revokeTarget(context, 'alice', 'shop', 'test', 'one', ALICE);
    await deleteStack(context, 'alice', 'shop', ALICE);
    expect(await refusalOf(getStack(context, 'alice', 'shop'))).toMatch(/^NOT_FOUND/);
    expect((await releases.registry.digestsInUse()).size).toBe(0);
  });

  test('has environments that follow only services that it has', async () => {
    await releases.shop();
    const track = { nope: { kind: 'tag', value: 'latest' } } as const;
    expect(
      await refusalOf(createEnvironment(releases.context, 'alice', 'shop', { name: 'test', track }, ALICE)),
    ).toMatch(/^BODY_INVALID track: .*nope.*api, web/);
    for (const value of ['not a range', '>=']) {
      const bad = { web: { kind: 'semver', value } } as const;
      const answer = refusalOf(createEnvironment(releases.context, 'alice', 'shop', { name: 'a', track: bad }, ALICE));
      if (value !== '>=') expect(await answer).toMatch(/^BODY_INVALID track\.web/);
      else await answer;
    }
  });
});

onEachDatabase('a release', (newPlace) => {
  let releases: TestReleases;
  beforeEach(async () => {
    releases = await openTestReleases(await newPlace());
    await releases.shop();
  });
  type Choice = Parameters<typeof createRelease>[3];
  const create = (wanted: Choice = {}) => createRelease(releases.context, 'alice', 'shop', wanted, VIEW, ALICE);

  test('of the same content is one release', async () => {
    const first = await create();
    expect(await create()).toEqual(first);
    await releases.push('alice/web', 'web 2');
    expect((await create()).number).toBe(2);
    expect((await create({ images: { web: 'release-1' } })).number).toBe(1);
  });

  test('has a version that is its own, and making it again with the same content is no error', async () => {
    const first = await create({ version: '1.4.2', notes: 'first' });
    expect(first).toMatchObject({ number: 1, version: '1.4.2', notes: 'first' });
    expect((await create({ version: '1.4.2' })).number).toBe(1);
    expect((await create({ version: '1.4.3' })).number).toBe(2);
    expect((await create({ version: '1.4.2' })).number).toBe(1);
    await releases.push('alice/web', 'web 2');
    expect(await refusalOf(create({ version: '1.4.2' }))).toMatch(/^NAME_TAKEN version: 1\.4\.2 is release 1/);
  });

  test('takes from an environment what it runs for the services that are not chosen', async () => {
    await releases.release('test', await releases.environment('test'), 'running');
    const running = await releases.deployment('test', 1);
    await releases.push('alice/web', 'newer');
    const api = await releases.push('alice/api', 'api 2', 'v2');
    const { images } = await create({ from: 'test', images: { api: 'v2' } });
    expect(images.map(({ digest }) => digest)).toEqual([api, running.images[1]?.digest ?? api]);
  });

  test('shows where its images come from by their annotations', async () => {
    const config = await pushBlob(releases.registry, 'alice/web', 'config');
    const annotations = {
      'org.opencontainers.image.revision': 'abc123',
      'org.opencontainers.image.source': 'https://git.example.com/web',
    };
    await pushManifest(releases.registry, 'alice/web', imageOf({ config, annotations }), 'annotated');
    const { images } = await create({ images: { web: 'annotated' } });
    expect(images.find(({ service }) => service === 'web')).toMatchObject({
      tag: 'annotated',
      revision: 'abc123',
      source: 'https://git.example.com/web',
      version: null,
    });
  });

  test('differs from another in images and file', async () => {
    await create();
    await releases.push('alice/web', 'web 2');
    await create();
    const diff = await diffReleases(releases.context, 'alice', 'shop', 1, 2);
    expect(diff.fileChanged).toBe(false);
    expect(diff.images.map(({ service, changed }) => [service, changed])).toEqual([
      ['api', false],
      ['web', true],
    ]);
  });

  test('is revoked once, everywhere or in one environment, and says so', async () => {
    await create();
    await releases.environment('test');
    const revoke = (environment?: string) =>
      revokeRelease(releases.context, 'alice', 'shop', 1, { reason: 'leaks', environment }, ALICE);
    await revoke('test');
    await revoke('test');
    expect((await revoke()).revoked.map(({ environment }) => environment).sort()).toEqual([null, 'test'].sort());
    expect(await refusalOf(revokeRelease(releases.context, 'alice', 'shop', 9, { reason: '' }, ALICE))).toMatch(
      /^NOT_FOUND/,
    );
  });

  test('is listed newest first, in pages', async () => {
    for (const seed of ['a', 'b', 'c']) {
      await releases.push('alice/web', seed);
      await create();
    }
    const page = await listReleases(releases.context, 'alice', 'shop', { limit: 2 });
    expect([page.releases.map(({ number }) => number), page.more]).toEqual([[3, 2], true]);
    const rest = await listReleases(releases.context, 'alice', 'shop', { limit: 2, before: 2 });
    expect([rest.releases.map(({ number }) => number), rest.more]).toEqual([[1], false]);
  });
});

onEachDatabase('the config of an environment', (newPlace) => {
  let releases: TestReleases;
  beforeEach(async () => {
    releases = await openTestReleases(await newPlace());
    await releases.shop();
  });
  const set = (set: Record<string, { value: string; secret: boolean }>, unset: string[] = []) =>
    changeConfig(releases.context, 'alice', 'shop', 'test', { set, unset }, ALICE);

  test('has versions that never change, and refuses names that are not free', async () => {
    await releases.environment('test');
    await set({ A: { value: '1', secret: false } });
    await set({ B: { value: '2', secret: false } });
    await set({}, ['A']);
    const versions = await listConfigVersions(releases.context, 'alice', 'shop', 'test');
    expect(versions.map(({ version, variables }) => [version, ...variables.map(({ name }) => name)])).toEqual([
      [3, 'B'],
      [2, 'A', 'B'],
      [1, 'A'],
    ]);
    expect(await refusalOf(set({ PATH: { value: 'x', secret: false } }))).toMatch(/^BODY_INVALID set\.PATH/);
    expect(await refusalOf(set({}, ['NOPE']))).toMatch(/^BODY_INVALID unset: .*NOPE/);
  });

  test('seals secrets: only the target reads them, and nothing that is shown or written down has them', async () => {
    const { context } = releases;
    const [target] = await releases.environment('test');
    await set({ TOKEN: { value: 'marker-1', secret: true } });
    await releases.deploy('test');
    expect((await target?.asks())?.deployment?.variables).toEqual({ TOKEN: 'marker-1' });
    await set({ TOKEN: { value: 'marker-2', secret: true } });
    const wish = { kind: 'deploy', force: false } as const;
    const plan = await planDeployment(context, releases.place('test'), wish, VIEW);
    expect(plan.variables).toEqual({ added: [], changed: ['TOKEN'], removed: [] });
    const config = await getConfig(context, 'alice', 'shop', 'test');
    expect(config.variables).toEqual([{ name: 'TOKEN', secret: true, value: null }]);
    const resolved = await resolveSet(context, 'alice', 'shop', { environment: 'test' }, VIEW);
    expect([resolved.secrets, resolved.variables]).toEqual([['TOKEN'], {}]);
    const { read } = context.database;
    const shown = [
      plan,
      config,
      resolved,
      await releases.status('test'),
      await read.selectFrom('audit_log').selectAll().execute(),
      await read.selectFrom('config_versions').selectAll().execute(),
    ];
    expect(JSON.stringify(shown)).not.toContain('marker');
  });

  test('is not opened with another key, nor for another environment', async () => {
    const { context } = releases;
    await releases.environment('test');
    const [target] = await releases.environment('other');
    await set({ TOKEN: { value: 'x', secret: true } });
    const { read } = context.database;
    const { variables } = await read.selectFrom('config_versions').select('variables').executeTakeFirstOrThrow();
    await changeConfig(
      context,
      'alice',
      'shop',
      'other',
      { set: { A: { value: '1', secret: false } }, unset: [] },
      ALICE,
    );
    const other = await read
      .selectFrom('environments')
      .select('id')
      .where('name', '=', 'other')
      .executeTakeFirstOrThrow();
    await context.database.transaction((tx) =>
      tx.updateTable('config_versions').set({ variables }).where('environment_id', '=', other.id).execute(),
    );
    await releases.deploy('other');
    expect(await refusalOf(target?.asks() ?? Promise.resolve())).toMatch(/^UNKNOWN .*can not be decrypted/);
  });
});
