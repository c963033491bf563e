import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { onEachDatabase } from '../database/test-databases.ts';
import { mountBlob } from './blobs.ts';
import type { RegistryContext, RegistryRecord } from './context.ts';
import { deleteManifest } from './manifests.ts';
import {
  createRepository,
  describeRepositories,
  getRepositoryDetails,
  updateRepository,
} from './repository-management.ts';
import { renameRepository } from './repository-renaming.ts';
import { deleteTag, rollbackTag } from './tags.ts';
import {
  ACTOR,
  codeOf,
  imageOf,
  MINUTE,
  named,
  openTestRegistry,
  pushBlob,
  pushImage,
  pushManifest,
  type TestRegistry,
  tagged,
} from './testing.ts';
import { startUpload } from './uploads.ts';

onEachDatabase('repositories', (newPlace) => {
  let registry: TestRegistry;
  let context: RegistryContext;
  const recorded: RegistryRecord[] = [];
  beforeAll(async () => {
    registry = await openTestRegistry(await newPlace());
    context = {
      ...registry.context,
      record: async (_tx, actor, entry) => {
        expect(actor).toEqual(ACTOR);
        recorded.push(entry);
      },
    };
  });
  beforeEach(() => {
    recorded.length = 0;
  });
  afterAll(() => registry?.remove());
  const detailsOf = (name: string) => getRepositoryDetails(context, named(name));

  describe('made by hand', () => {
    test('are empty, and as they were asked for', async () => {
      await createRepository(
        context,
        { name: named('alice/new'), visibility: 'public', description: 'A thing' },
        ACTOR,
      );
      expect(await detailsOf('alice/new')).toEqual({
        name: named('alice/new'),
        visibility: 'public',
        description: 'A thing',
        readme: '',
        createdAt: expect.any(Number),
        updatedAt: expect.any(Number),
        tags: 0,
        size: 0,
      });
      expect(recorded).toEqual([
        { action: 'repository.create', subject: 'alice/new', detail: { visibility: 'public' } },
      ]);
    });

    test('are as visible as those that a push makes when nothing is said', async () => {
      await createRepository(context, { name: named('alice/plain') }, ACTOR);
      expect((await detailsOf('alice/plain')).visibility).toBe('private');
      const open: RegistryContext = { ...context, defaultVisibility: 'public' };
      await createRepository(open, { name: named('alice/open') }, ACTOR);
      expect((await detailsOf('alice/open')).visibility).toBe('public');
      await pushImage(open, 'alice/pushed', 'one', 'latest');
      expect((await detailsOf('alice/pushed')).visibility).toBe('public');
    });

    test('take no name that is taken, or was', async () => {
      await createRepository(context, { name: named('alice/taken') }, ACTOR);
      expect(await codeOf(createRepository(context, { name: named('alice/taken') }, ACTOR))).toBe('NAME_TAKEN');
      await renameRepository(context, named('alice/taken'), named('alice/moved'), ACTOR);
      expect(await codeOf(createRepository(context, { name: named('alice/taken') }, ACTOR))).toBe('NAME_TAKEN');
    });

    test('by several at once are one', async () => {
      const name = named('alice/race');
      const other = registry.anotherProcess('other');
      const codes = await Promise.all(
        [context, { ...other, record: async () => {} }, context].map((each) =>
          codeOf(createRepository(each, { name }, ACTOR)),
        ),
      );
      expect(codes.sort()).toEqual(['NAME_TAKEN', 'NAME_TAKEN', 'none']);
    });

    test('and pushed to at the same moment are one too', async () => {
      const other = registry.anotherProcess('pusher');
      const results = await Promise.allSettled([
        createRepository(context, { name: named('alice/both') }, ACTOR),
        startUpload(other, named('alice/both'), ACTOR),
      ]);
      expect(results[1].status).toBe('fulfilled');
      const rows = await context.database.read
        .selectFrom('repositories')
        .select('id')
        .where('name', '=', named('alice/both'))
        .execute();
      expect(rows).toHaveLength(1);
    });
  });

  test('say how many tags they have and how large they are, each blob once', async () => {
    const one = await pushImage(context, 'alice/sized', 'one', 'v1');
    await pushManifest(context, 'alice/sized', imageOf({ config: one.config, layers: [one.layer] }), 'v1-again');
    await pushImage(context, 'alice/sized', 'two', 'v2');
    const blobs = ['config of one', 'layer of one', 'config of two', 'layer of two'].join('').length;
    const { read } = context.database;
    const manifests = await read
      .selectFrom('manifests as m')
      .innerJoin('repositories as r', 'r.id', 'm.repository_id')
      .select('m.size')
      .where('r.name', '=', named('alice/sized'))
      .execute();
    expect(manifests).toHaveLength(2);
    expect(await detailsOf('alice/sized')).toMatchObject({
      tags: 3,
      size: blobs + manifests.reduce((sum, row) => sum + row.size, 0),
    });
  });

  test('say when a tag last changed', async () => {
    await createRepository(context, { name: named('alice/dated') }, ACTOR);
    const { createdAt, updatedAt } = await detailsOf('alice/dated');
    expect(updatedAt).toBe(createdAt);
    registry.advance(MINUTE);
    await pushImage(context, 'alice/dated', 'one', 'v1');
    expect((await detailsOf('alice/dated')).updatedAt).toBeGreaterThanOrEqual(createdAt + MINUTE);
  });

  test('are described in the order asked for, those that are gone left out', async () => {
    for (const name of ['alice/d1', 'alice/d2']) await createRepository(context, { name: named(name) }, ACTOR);
    const described = await describeRepositories(context, ['alice/d2', 'no/such', 'alice/d1'].map(named));
    expect(described.map((one) => String(one.name))).toEqual(['alice/d2', 'alice/d1']);
    expect(await describeRepositories(context, [])).toEqual([]);
  });

  describe('changed', () => {
    test('have what was given changed, the rest as it was, and a record of it', async () => {
      await createRepository(context, { name: named('alice/change'), description: 'Old' }, ACTOR);
      recorded.length = 0;
      const readme = '# Read me\n\n☃';
      await updateRepository(context, named('alice/change'), { readme }, ACTOR);
      await updateRepository(context, named('alice/change'), { visibility: 'public', description: 'New' }, ACTOR);
      expect(await detailsOf('alice/change')).toMatchObject({ visibility: 'public', description: 'New', readme });
      expect(recorded).toEqual([
        { action: 'repository.update', subject: 'alice/change', detail: { readme: '14 bytes' } },
        {
          action: 'repository.update',
          subject: 'alice/change',
          detail: { visibility: 'public', visibilityBefore: 'private', description: 'New' },
        },
      ]);
    });

    test('to what they are, have no record', async () => {
      await createRepository(context, { name: named('alice/same'), description: 'Same' }, ACTOR);
      recorded.length = 0;
      await updateRepository(context, named('alice/same'), { description: 'Same', visibility: 'private' }, ACTOR);
      await updateRepository(context, named('alice/same'), {}, ACTOR);
      expect(recorded).toEqual([]);
    });

    test('must be there', async () => {
      expect(await codeOf(updateRepository(context, named('no/such'), { readme: 'x' }, ACTOR))).toBe('NAME_UNKNOWN');
      expect(await codeOf(detailsOf('no/such'))).toBe('NAME_UNKNOWN');
    });
  });

  describe('what is done in them', () => {
    test('is recorded with who did it: one line for each push', async () => {
      const config = await pushBlob(context, 'alice/noted', 'config');
      const image = imageOf({ config });
      const digest = await pushManifest(context, 'alice/noted', image, 'v1');
      const again = await pushManifest(context, 'alice/noted', image, 'v1');
      expect(again).toBe(digest);
      const second = await pushManifest(context, 'alice/noted', imageOf({ config, annotations: { n: '2' } }), 'v1');
      await pushManifest(context, 'alice/noted', image);
      const facts = { mediaType: String(image.mediaType), size: JSON.stringify(image).length };
      expect(recorded).toEqual([
        { action: 'repository.create', subject: 'alice/noted', detail: { visibility: 'private' } },
        { action: 'tag.push', subject: 'alice/noted:v1', detail: { digest, previous: null }, facts },
        { action: 'tag.push', subject: 'alice/noted:v1', detail: { digest, previous: digest }, facts },
        {
          action: 'tag.push',
          subject: 'alice/noted:v1',
          detail: { digest: second, previous: digest },
          facts: { ...facts, size: expect.any(Number) },
        },
        { action: 'manifest.push', subject: `alice/noted@${digest}`, facts },
      ]);
    });

    test('is recorded: rollback, deletion of a tag, of a manifest with its tags, of a blob', async () => {
      const one = await pushImage(context, 'alice/undone', 'one', 'v1');
      const two = await pushImage(context, 'alice/undone', 'two', 'v1');
      await mountBlob(context, named('alice/copy'), one.layer, named('alice/undone'), ACTOR);
      recorded.length = 0;
      const name = named('alice/undone');
      await rollbackTag(context, name, tagged('v1'), { actor: ACTOR });
      await rollbackTag(context, name, tagged('v2'), { to: one.digest, actor: ACTOR });
      await deleteTag(context, name, tagged('v2'), {}, ACTOR);
      await deleteManifest(context, name, one.digest, ACTOR);
      expect(recorded).toEqual([
        {
          action: 'tag.rollback',
          subject: 'alice/undone:v1',
          detail: { digest: one.digest, previous: two.digest },
        },
        { action: 'tag.rollback', subject: 'alice/undone:v2', detail: { digest: one.digest, previous: null } },
        { action: 'tag.delete', subject: 'alice/undone:v2', detail: { previous: one.digest } },
        { action: 'tag.delete', subject: 'alice/undone:v1', detail: { previous: one.digest } },
        { action: 'manifest.delete', subject: `alice/undone@${one.digest}` },
      ]);
    });

    test('is not done when it cannot be recorded', async () => {
      const config = await pushBlob(context, 'alice/unrecorded', 'config');
      const full: RegistryContext = { ...context, record: () => Promise.reject(new Error('no record')) };
      await expect(pushManifest(full, 'alice/unrecorded', imageOf({ config }), 'v1')).rejects.toThrow('no record');
      expect(await detailsOf('alice/unrecorded')).toMatchObject({ tags: 0 });
    });
  });
});
