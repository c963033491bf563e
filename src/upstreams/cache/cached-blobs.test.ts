import { afterAll, beforeAll, beforeEach, expect, spyOn, test } from 'bun:test';
import { DatabaseFullError } from '../../database/database.ts';
import { onEachDatabase } from '../../database/test-databases.ts';
import { HttpRequest } from '../../http/request.ts';
import { pullBlob } from '../../http/v2/blobs.ts';
import { renderOutcome } from '../../http/v2/render.ts';
import { digestOf } from '../../oci/digest.ts';
import { removeQuota, setQuota } from '../../registry/quotas.ts';
import { ACTOR, bytesOf, codeOf, DAY, pulled, pushBlob, type TestRegistry } from '../../registry/testing.ts';
import {
  blob,
  bytesFrom,
  type CacheWorker,
  type CountedUpstream,
  faults,
  isHere,
  manifest,
  openTestCache,
} from './testing.ts';

onEachDatabase('a blob of a pull-through cache', (newPlace) => {
  let registry: TestRegistry;
  let upstream: CountedUpstream;
  let one: CacheWorker;
  let two: CacheWorker;
  beforeAll(async () => {
    ({ registry, upstream, one, two } = await openTestCache(await newPlace()));
  });
  afterAll(() => {
    upstream?.close();
    registry?.remove();
  });
  beforeEach(() => {
    upstream.forget();
    one.results.length = 0;
    two.results.length = 0;
    // What was said about an upstream in one test is over in the next.
    registry.advance(2 * DAY);
  });

  test('is one GET for twenty who ask for it in two processes, and all get its bytes', async () => {
    const layer = crypto.getRandomValues(new Uint8Array(900_000));
    const image = upstream.image('team/layers', '1.0', 'layers', layer);
    await manifest(one, 'far/layers', '1.0');
    upstream.piece = () => Bun.sleep(15);
    const got = await Promise.all(
      Array.from({ length: 20 }, async (_, i) =>
        bytesFrom(await blob(i % 2 === 0 ? one : two, 'far/layers', image.layer)),
      ),
    );
    expect(new Set(got.map((bytes) => digestOf(bytes)))).toEqual(new Set([image.layer]));
    expect(upstream.count('GET', `/blobs/${image.layer}`)).toBe(1);
    expect((await (await one.context.store.read(image.layer))?.size) ?? 0).toBe(layer.byteLength);
    await bytesFrom(await blob(one, 'far/layers', image.layer));
    expect(upstream.count('GET', `/blobs/${image.layer}`)).toBe(1);
    expect(await faults(one)).toEqual([]);
  });

  test('begins before it is whole, in the process that fetches and in the other', async () => {
    const layer = crypto.getRandomValues(new Uint8Array(400_000));
    const image = upstream.image('team/early', '1.0', 'early', layer);
    await manifest(one, 'far/early', '1.0');
    let sent = 0;
    const rest = Promise.withResolvers<void>();
    upstream.piece = () => (sent++ < 3 ? Promise.resolve() : rest.promise);
    const readers = [await blob(one, 'far/early', image.layer), await blob(two, 'far/early', image.layer)].map(
      (stream) => stream.getReader(),
    );
    const first = await Promise.all(readers.map((reader) => reader.read()));
    expect(first.every((piece) => (piece.value?.byteLength ?? 0) > 0)).toBe(true);
    expect(await isHere(one, 'far/early', image.layer)).toBe(false);
    rest.resolve();
    for (const [i, reader] of readers.entries()) {
      const pieces = [first[i]?.value ?? new Uint8Array()];
      for (let next = await reader.read(); next.value !== undefined; next = await reader.read())
        pieces.push(next.value);
      expect(digestOf(Buffer.concat(pieces))).toBe(image.layer);
    }
  });

  test('with other bytes than its digest says ends for nobody, and is not kept', async () => {
    const layer = crypto.getRandomValues(new Uint8Array(300_000));
    const image = upstream.image('team/damaged', '1.0', 'damaged', layer);
    const damaged = layer.slice();
    damaged[200_000] = (damaged[200_000] ?? 0) ^ 1;
    upstream.blobs.set(image.layer, damaged);
    await manifest(one, 'far/damaged', '1.0');
    upstream.piece = () => Bun.sleep(20);
    const streams = [await blob(one, 'far/damaged', image.layer), await blob(two, 'far/damaged', image.layer)];
    const ends = await Promise.all(
      streams.map((stream) =>
        bytesFrom(stream).then(
          () => 'whole',
          () => 'cut',
        ),
      ),
    );
    expect(ends).toEqual(['cut', 'cut']);
    expect(await isHere(one, 'far/damaged', image.layer)).toBe(false);
    expect(await one.context.store.stat(image.layer)).toBeUndefined();
    upstream.blobs.set(image.layer, layer);
    expect(digestOf(await bytesFrom(await blob(two, 'far/damaged', image.layer)))).toBe(image.layer);
  });

  test('whose connection is cut again and again goes on where it ended with the next pull', async () => {
    const layer = crypto.getRandomValues(new Uint8Array(500_000));
    const image = upstream.image('team/cut', '1.0', 'cut', layer);
    await manifest(one, 'far/cut', '1.0');
    upstream.trouble = (request, response) => {
      if (request.method !== 'GET') return false;
      if (request.headers.range === undefined) {
        response.writeHead(200, { 'content-length': String(layer.byteLength) });
        response.write(layer.subarray(0, 200_000), () => setTimeout(() => response.destroy(), 100));
      } else response.writeHead(503).end();
      return true;
    };
    expect(
      await bytesFrom(await blob(one, 'far/cut', image.layer)).then(
        () => 'whole',
        () => 'cut',
      ),
    ).toBe('cut');
    upstream.forget();
    expect(digestOf(await bytesFrom(await blob(two, 'far/cut', image.layer)))).toBe(image.layer);
    expect(upstream.count('GET', image.layer)).toBe(1);
    expect(await faults(one)).toEqual([]);
  });

  test('whose process stands still is taken over by the other, with its bytes', async () => {
    const layer = crypto.getRandomValues(new Uint8Array(500_000));
    const image = upstream.image('team/dead', '1.0', 'dead', layer);
    await manifest(one, 'far/dead', '1.0');
    let sent = 0;
    upstream.piece = () => (sent++ < 4 ? Promise.resolve() : new Promise(() => {}));
    const dying = await blob(one, 'far/dead', image.layer);
    const following = bytesFrom(await blob(two, 'far/dead', image.layer));
    upstream.forget();
    // As when the supervisor says that a process has ended.
    await one.through.stop();
    expect(
      await bytesFrom(dying).then(
        () => 'whole',
        () => 'cut',
      ),
    ).toBe('cut');
    expect(digestOf(await following)).toBe(image.layer);
    expect(await faults(one)).toEqual([]);
  });

  test('goes on when every client has gone', async () => {
    const layer = crypto.getRandomValues(new Uint8Array(300_000));
    const image = upstream.image('team/left', '1.0', 'left', layer);
    await manifest(one, 'far/left', '1.0');
    upstream.piece = () => Bun.sleep(10);
    const reader = (await blob(one, 'far/left', image.layer)).getReader();
    await reader.read();
    await reader.cancel();
    while (!(await isHere(one, 'far/left', image.layer))) await Bun.sleep(20);
    expect(upstream.count('GET', image.layer)).toBe(1);
  });

  test('that another repository has is taken from there when the upstream has it too, and only then', async () => {
    const digest = await pushBlob(one.context, 'alice/secret', 'only for alice');
    expect(await codeOf(blob(one, 'far/guess', digest))).toBe('BLOB_UNKNOWN');
    upstream.forget();
    upstream.blob(bytesOf('only for alice'));
    expect(String(await bytesFrom(await blob(one, 'far/guess', digest)))).toBe('only for alice');
    expect(upstream.count('GET', digest)).toBe(0);
  });

  test('is passed on when the database takes nothing more', async () => {
    const image = upstream.image('team/full', '1.0', 'full');
    await manifest(one, 'far/full', '1.0');
    const room = spyOn(one.context.database, 'requireRoom').mockImplementation(() => {
      throw new DatabaseFullError('no space left');
    });
    try {
      expect(digestOf(await bytesFrom(await blob(one, 'far/full', image.layer)))).toBe(image.layer);
    } finally {
      room.mockRestore();
    }
    expect(one.results.at(-1)).toBe('blob passed');
    expect(await isHere(one, 'far/full', image.layer)).toBe(false);
  });

  test('for which there is no room is passed on and not kept', async () => {
    const layer = crypto.getRandomValues(new Uint8Array(100_000));
    const image = upstream.image('team/large', '1.0', 'large', layer);
    await manifest(one, 'far/large', '1.0');
    await setQuota(one.context, 'far', 1_000, ACTOR);
    try {
      expect(digestOf(await bytesFrom(await blob(one, 'far/large', image.layer)))).toBe(image.layer);
      // Also for who asks for a part: what is said to be one would be other bytes.
      const params: Record<string, string> = { name: 'far/large', digest: image.layer };
      const raw = new Request('http://here/v2/', { headers: { range: 'bytes=100-199' } });
      const request = new HttpRequest('1', raw, {} as HttpRequest['environment'], (name) => params[name]);
      const answer = renderOutcome(await pullBlob({ ...one.context, through: one.through }, request));
      expect([answer.status, answer.headers.get('content-range')]).toEqual([200, null]);
      expect(digestOf(new Uint8Array(await answer.arrayBuffer()))).toBe(image.layer);
      const unkept = upstream.image('team/large', '2.0', 'unkept');
      expect((await manifest(one, 'far/large', '2.0')).manifest.digest).toBe(unkept.digest);
      expect(await pulled(one.context, 'far/large', unkept.digest)).toBeUndefined();
    } finally {
      await removeQuota(one.context, 'far', ACTOR);
    }
    expect(one.results.slice(-2)).toEqual(['blob passed', 'manifest passed']);
    expect(await isHere(one, 'far/large', image.layer)).toBe(false);
  });
});
