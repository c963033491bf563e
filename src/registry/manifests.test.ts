import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { onEachDatabase } from '../database/test-databases.ts';
import { type Digest, digestOf } from '../oci/digest.ts';
import { MEDIA } from '../oci/media-types.ts';
import { parseReference } from '../oci/names.ts';
import { deleteManifest, getManifest, putManifest, statManifest } from './manifests.ts';
import { tagHistory } from './tags.ts';
import {
  ACTOR,
  bytesOf,
  codeOf,
  digestOfDocument,
  gate,
  HOUR,
  imageOf,
  indexOf,
  interposed,
  MINUTE,
  named,
  openTestRegistry,
  pulled,
  pushBlob,
  pushImage,
  pushManifest,
  type TestRegistry,
  tagged,
} from './testing.ts';
import { verify } from './verify.ts';

onEachDatabase('manifests', (newPlace, kind) => {
  let registry: TestRegistry;
  beforeAll(async () => {
    registry = await openTestRegistry(await newPlace());
  });
  afterAll(() => registry?.remove());
  const faults = async () => (await verify(registry.context)).faults;

  describe('pushing', () => {
    test('keeps the bytes as they came, whatever their spacing', async () => {
      const { context } = registry;
      const config = await pushBlob(context, 'bytes', 'config');
      const bytes = bytesOf(`\n ${JSON.stringify(imageOf({ config }), null, 3)}\n\n`);
      const reference = parseReference('latest');
      const put = { name: named('bytes'), reference, bytes, contentType: null, precondition: {}, actor: ACTOR };
      const { digest } = await putManifest(context, put);
      const found = await getManifest(context, named('bytes'), parseReference(digest));
      expect(digest).toBe(digestOf(bytes));
      expect(Buffer.compare(found.content, bytes)).toBe(0);
    });

    test('by a sha512 digest stores it under that digest', async () => {
      const { context } = registry;
      const config = await pushBlob(context, 'long', 'config');
      const bytes = bytesOf(JSON.stringify(imageOf({ config })));
      const digest = digestOf(bytes, 'sha512');
      const reference = parseReference(digest);
      const put = {
        name: named('long'),
        reference,
        bytes,
        contentType: MEDIA.ociManifest,
        precondition: {},
        actor: ACTOR,
      };
      expect((await putManifest(context, put)).digest).toBe(digest);
      expect((await getManifest(context, named('long'), reference)).digest).toBe(digest);
    });

    test('by a digest that the bytes do not have is refused', async () => {
      const { context } = registry;
      const config = await pushBlob(context, 'wrong', 'config');
      const bytes = bytesOf(JSON.stringify(imageOf({ config })));
      const reference = parseReference(digestOf(bytesOf('other')));
      const put = {
        name: named('wrong'),
        reference,
        bytes,
        contentType: MEDIA.ociManifest,
        precondition: {},
        actor: ACTOR,
      };
      expect(await codeOf(putManifest(context, put))).toBe('DIGEST_INVALID');
    });

    test('is refused, naming what is missing, until config, layers and entries are in the repository', async () => {
      const { context } = registry;
      const config = await pushBlob(context, 'parts', 'config');
      const layer = await pushBlob(context, 'other-parts', 'layer');
      const document = imageOf({ config, layers: [layer] });
      await expect(pushManifest(context, 'parts', document)).rejects.toThrow(layer);
      expect(await codeOf(pushManifest(context, 'parts', indexOf([digestOfDocument(document)])))).toBe(
        'MANIFEST_BLOB_UNKNOWN',
      );
      await pushBlob(context, 'parts', 'layer');
      const image = await pushManifest(context, 'parts', document);
      expect(await codeOf(pushManifest(context, 'parts', indexOf([image]), 'latest'))).toBe('none');
    });

    test('with foreign layers and a subject that is not there is accepted', async () => {
      const { context } = registry;
      const config = await pushBlob(context, 'foreign', 'config');
      const foreign = {
        mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
        digest: digestOf(bytesOf('elsewhere')),
        size: 1,
        urls: ['https://example.com/layer'],
      };
      const subject = digestOf(bytesOf('no such subject'));
      const document = { ...imageOf({ config, subject }), layers: [foreign] };
      expect(await codeOf(pushManifest(context, 'foreign', document, 'latest'))).toBe('none');
    });

    test('naming 3,000 layers works', async () => {
      const { context } = registry;
      const config = await pushBlob(context, 'many', 'config of many');
      const layers: Digest[] = [];
      const now = Date.now() + HOUR;
      const { repository_id } = await context.database.read
        .selectFrom('repository_blobs')
        .select('repository_id')
        .where('digest', '=', config)
        .executeTakeFirstOrThrow();
      for (let i = 0; i < 3_000; i++) layers.push(digestOf(bytesOf(`layer ${i}`)));
      await context.database.transaction(async (tx) => {
        for (let i = 0; i < layers.length; i += 500) {
          const part = layers.slice(i, i + 500);
          await tx
            .insertInto('blobs')
            .values(part.map((digest) => ({ digest, size: 1, state: 'stored' as const, protected_until: now })))
            .execute();
          await tx
            .insertInto('repository_blobs')
            .values(part.map((digest) => ({ repository_id, digest, protected_until: now })))
            .execute();
        }
      });
      const digest = await pushManifest(context, 'many', imageOf({ config, layers }), 'latest');
      const rows = await context.database.read
        .selectFrom('manifest_references')
        .select('target')
        .where('manifest', '=', digest)
        .execute();
      expect(rows).toHaveLength(3_001);
      await deleteManifest(context, named('many'), digest, ACTOR);
      await context.database.transaction(async (tx) => {
        await tx.deleteFrom('repository_blobs').where('repository_id', '=', repository_id).execute();
        for (let i = 0; i < layers.length; i += 500)
          await tx
            .deleteFrom('blobs')
            .where('digest', 'in', layers.slice(i, i + 500))
            .execute();
      });
    });

    test('with a name that a database can not hold is refused and not a fault', async () => {
      const { context } = registry;
      const config = await pushBlob(context, 'nul', 'config');
      for (const artifactType of ['a\u0000b', '\u0000']) {
        expect(await codeOf(pushManifest(context, 'nul', imageOf({ config, artifactType }), 'latest'))).toBe(
          'MANIFEST_INVALID',
        );
      }
      const annotations = { 'a\u0000': 'b\u0000', ü: '\ud83d\ude00' };
      expect(await codeOf(pushManifest(context, 'nul', imageOf({ config, annotations }), 'latest'))).toBe('none');
    });
  });

  describe('asking', () => {
    test('by digest prolongs the protection of a manifest', async () => {
      const own = await openTestRegistry(await newPlace());
      try {
        const { digest } = await pushImage(own.context, 'app', 'one');
        own.advance(50 * MINUTE);
        await statManifest(own.context, named('app'), parseReference(digest));
        const row = await own.context.database.read
          .selectFrom('manifests')
          .select('protected_until')
          .executeTakeFirstOrThrow();
        expect(row.protected_until - own.context.now()).toBeWithin(59 * MINUTE, HOUR + 1);
      } finally {
        own.remove();
      }
    });

    test('for what is not there is MANIFEST_UNKNOWN', async () => {
      const { context } = registry;
      const { digest } = await pushImage(context, 'asked', 'one', 'latest');
      expect(await codeOf(statManifest(context, named('asked'), parseReference('other')))).toBe('MANIFEST_UNKNOWN');
      expect(await codeOf(statManifest(context, named('elsewhere'), parseReference(digest)))).toBe('MANIFEST_UNKNOWN');
    });
  });

  describe('deleting', () => {
    test('takes the manifest and its tags; the same manifest can be pushed again', async () => {
      const { context } = registry;
      const { digest, config, layer } = await pushImage(context, 'delete', 'one', 'latest');
      await deleteManifest(context, named('delete'), digest, ACTOR);
      expect(await pulled(context, 'delete', digest)).toBeUndefined();
      expect(await pulled(context, 'delete', 'latest')).toBeUndefined();
      expect(await codeOf(deleteManifest(context, named('delete'), digest, ACTOR))).toBe('MANIFEST_UNKNOWN');
      expect(await pushManifest(context, 'delete', imageOf({ config, layers: [layer] }), 'latest')).toBe(digest);
    });

    test('is refused while an index names it', async () => {
      const { context } = registry;
      const { digest } = await pushImage(context, 'named', 'one');
      const index = await pushManifest(context, 'named', indexOf([digest]), 'latest');
      expect(await codeOf(deleteManifest(context, named('named'), digest, ACTOR))).toBe('UNSUPPORTED');
      await deleteManifest(context, named('named'), index, ACTOR);
      expect(await codeOf(deleteManifest(context, named('named'), digest, ACTOR))).toBe('none');
    });

    test('is refused, naming the users, while something deployed uses it', async () => {
      const { context } = registry;
      const { digest } = await pushImage(context, 'used', 'one', 'latest');
      const using = { ...context, usersOf: async () => ['alice/shop@production v3'] };
      await expect(deleteManifest(using, named('used'), digest, ACTOR)).rejects.toThrow(/alice\/shop@production v3/);
      expect(await pulled(context, 'used', 'latest')).toBe(digest);
    });

    test('a subject leaves its referrers', async () => {
      const { context } = registry;
      const { digest, config } = await pushImage(context, 'subject', 'one');
      const referrer = await pushManifest(context, 'subject', imageOf({ config, subject: digest }));
      await deleteManifest(context, named('subject'), digest, ACTOR);
      expect(await pulled(context, 'subject', referrer)).toBe(referrer);
    });
  });

  // On SQLite there is one writer at a time: these moments do not exist there.
  describe.if(kind === 'postgres')('beside each other', () => {
    test('a manifest is not deleted under an index that is being pushed', async () => {
      const { context, anotherProcess } = registry;
      const { digest } = await pushImage(context, 'under', 'one');
      const moment = gate();
      const pusher = interposed(anotherProcess('under'), { beforeCommit: moment.pass });
      const push = codeOf(pushManifest(pusher, 'under', indexOf([digest]), 'latest'));
      await moment.arrived;
      const deletion = codeOf(deleteManifest(context, named('under'), digest, ACTOR));
      await Bun.sleep(150);
      moment.open();
      expect(await push).toBe('none');
      expect(await deletion).toBe('UNSUPPORTED');
      expect(await faults()).toEqual([]);
    });

    test('a tag that moves away while its former manifest is deleted stays where it moved', async () => {
      const { context, anotherProcess } = registry;
      const one = await pushImage(context, 'moves', 'one', 'latest');
      const two = await pushImage(context, 'moves', 'two');
      const moment = gate();
      const pusher = interposed(anotherProcess('moves'), { beforeCommit: moment.pass });
      const push = codeOf(
        pushManifest(pusher, 'moves', imageOf({ config: two.config, layers: [two.layer] }), 'latest'),
      );
      await moment.arrived;
      const deletion = codeOf(deleteManifest(context, named('moves'), one.digest, ACTOR));
      await Bun.sleep(150);
      moment.open();
      expect(await push).toBe('none');
      expect(await deletion).toBe('none');
      expect(await pulled(context, 'moves', 'latest')).toBe(two.digest);
      const { entries } = await tagHistory(context, named('moves'), tagged('latest'), { limit: 10 });
      expect(entries.map((entry) => entry.action)).toEqual(['push', 'push']);
    });

    test('a tag that moves to a manifest while that is deleted: one of the two is refused, and nothing dangles', async () => {
      const { context, anotherProcess } = registry;
      const { digest, config, layer } = await pushImage(context, 'onto', 'one');
      const moment = gate();
      const pusher = interposed(anotherProcess('onto'), { beforeCommit: moment.pass });
      const push = codeOf(pushManifest(pusher, 'onto', imageOf({ config, layers: [layer] }), 'latest'));
      await moment.arrived;
      const deletion = codeOf(deleteManifest(context, named('onto'), digest, ACTOR));
      await Bun.sleep(150);
      moment.open();
      expect(await push).toBe('none');
      expect(await deletion).toBe('none');
      expect(await pulled(context, 'onto', 'latest')).toBeUndefined();
      expect(await faults()).toEqual([]);
    });

    test('two pushes that touch the same layers in opposite order both succeed', async () => {
      const { context, anotherProcess } = registry;
      const config = await pushBlob(context, 'order', 'config');
      const layers: Digest[] = [];
      for (let i = 0; i < 12; i++) layers.push(await pushBlob(context, 'order', `layer ${i}`));
      const processes = [context, anotherProcess('o2'), anotherProcess('o3')];
      for (let round = 0; round < 10; round++) {
        const codes = await Promise.all(
          processes.map((process, i) => {
            const order = i === 1 ? [...layers].reverse() : layers;
            const document = imageOf({ config, layers: order, annotations: { push: `${round}-${i}` } });
            return codeOf(pushManifest(process, 'order', document, `t${i}`));
          }),
        );
        expect(codes).toEqual(['none', 'none', 'none']);
      }
    });
  });
});
