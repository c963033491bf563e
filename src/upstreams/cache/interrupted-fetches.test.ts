import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test';
import { onEachDatabase } from '../../database/test-databases.ts';
import { type Digest, digestOf } from '../../oci/digest.ts';
import { deleteRepository } from '../../registry/repository-deletion.ts';
import { ACTOR, collect, DAY, HOUR, named, type TestRegistry } from '../../registry/testing.ts';
import { blob, bytesFrom, type CacheWorker, type CountedUpstream, manifest, openTestCache } from './testing.ts';

onEachDatabase('a transfer of a pull-through cache that was interrupted', (newPlace) => {
  let registry: TestRegistry;
  let upstream: CountedUpstream;
  let one: CacheWorker;
  beforeAll(async () => {
    ({ registry, upstream, one } = await openTestCache(await newPlace()));
  });
  afterAll(() => {
    upstream?.close();
    registry?.remove();
  });
  beforeEach(() => {
    upstream.forget();
  });

  const endOf = (stream: ReadableStream<Uint8Array>) =>
    bytesFrom(stream).then(
      (bytes) => digestOf(bytes),
      () => 'cut',
    );
  const fetchOf = (digest: Digest) =>
    one.context.database.read
      .selectFrom('cache_fetches')
      .selectAll()
      .where('key', 'like', `blob %@${digest}`)
      .executeTakeFirst();
  const hasUpload = async (id: string) => {
    const { read } = one.context.database;
    return (await read.selectFrom('uploads').select('id').where('id', '=', id).executeTakeFirst()) !== undefined;
  };

  /** An image whose layer has come in part. */
  const cutImage = async (name: string) => {
    const layer = crypto.getRandomValues(new Uint8Array(300_000));
    const image = upstream.image(`team/${name}`, '1.0', name, layer);
    await manifest(one, `far/${name}`, '1.0');
    upstream.trouble = (request, response) => {
      if (request.method !== 'GET') return false;
      if (request.headers.range === undefined) {
        response.writeHead(200, { 'content-length': String(layer.byteLength) });
        response.write(layer.subarray(0, 200_000), () => setTimeout(() => response.destroy(), 100));
      } else response.writeHead(503).end();
      return true;
    };
    expect(await endOf(await blob(one, `far/${name}`, image.layer))).toBe('cut');
    expect((await fetchOf(image.layer))?.upload).toEqual(expect.any(String));
    upstream.forget();
    return image;
  };

  test('begins anew when its repository was deleted meanwhile', async () => {
    const image = await cutImage('deleted');
    await deleteRepository(one.context, named('far/deleted'), ACTOR);
    await manifest(one, 'far/deleted', '1.0');
    expect(await endOf(await blob(one, 'far/deleted', image.layer))).toBe(image.layer);
  });

  test('is remembered while its upload is there, and collection forgets both', async () => {
    const image = await cutImage('cut');
    registry.advance(HOUR);
    await collect(one.context);
    const kept = await fetchOf(image.layer);
    expect(await hasUpload(kept?.upload ?? '')).toBe(true);
    registry.advance(2 * DAY);
    await collect(one.context);
    expect(await fetchOf(image.layer)).toBeUndefined();
    expect(await hasUpload(kept?.upload ?? '')).toBe(false);
  });

  test('by a process that stood still leaves the upload to the one that goes on with it', async () => {
    const layer = crypto.getRandomValues(new Uint8Array(300_000));
    const image = upstream.image('team/slow', '1.0', 'slow', layer);
    const damaged = layer.slice();
    damaged[200_000] = (damaged[200_000] ?? 0) ^ 1;
    upstream.blobs.set(image.layer, damaged);
    await manifest(one, 'far/slow', '1.0');
    const rest = Promise.withResolvers<void>();
    let sent = 0;
    upstream.piece = () => (sent++ < 2 ? Promise.resolve() : rest.promise);
    const end = endOf(await blob(one, 'far/slow', image.layer));
    const row = await fetchOf(image.layer);
    await one.context.database.transaction((tx) =>
      tx
        .updateTable('cache_fetches')
        .set({ holder: 'p2:another' })
        .where('key', '=', row?.key ?? '')
        .execute(),
    );
    rest.resolve();
    expect(await end).toBe('cut');
    expect(await hasUpload(row?.upload ?? '')).toBe(true);
    expect((await fetchOf(image.layer))?.holder).toBe('p2:another');
  });
});
