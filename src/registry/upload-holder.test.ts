import { afterAll, beforeAll, expect, test } from 'bun:test';
import { onEachDatabase } from '../database/test-databases.ts';
import { digestOf } from '../oci/digest.ts';
import type { RegistryContext } from './context.ts';
import { ACTOR, bodyOf, bytesOf, codeOf, named, openTestRegistry, type TestRegistry } from './testing.ts';
import { releaseHoldsOf } from './upload-holder.ts';
import { appendUpload, completeUpload, startUpload, uploadStatus } from './uploads.ts';

onEachDatabase('one writer of an upload at a time', (newPlace) => {
  let registry: TestRegistry;
  let other: RegistryContext;
  beforeAll(async () => {
    registry = await openTestRegistry(await newPlace());
    other = registry.anotherProcess('p2');
  });
  afterAll(() => registry?.remove());
  const app = named('app');
  const rowOf = (id: string) =>
    registry.context.database.read.selectFrom('uploads').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
  /** An append whose client stopped sending: it holds the upload until it is asked to yield. */
  const hang = async (id: string, text: string) => {
    const request = codeOf(appendUpload(registry.context, app, id, { body: bodyOf([bytesOf(text)], 'hang') }));
    const deadline = Date.now() + 15_000;
    while ((await uploadStatus(registry.context, app, id)).size < text.length) {
      if (Date.now() > deadline) throw new Error('the bytes did not arrive');
      await Bun.sleep(5);
    }
    return request;
  };

  for (const where of ['the same process', 'another process']) {
    test(`a request in ${where} takes an upload over from one that hangs, and keeps what that one had taken`, async () => {
      const { id } = await startUpload(registry.context, app, ACTOR);
      // Wrapped, so that waiting for `hang` does not wait for the request itself.
      const [hanging] = [{ request: hang(id, 'half of ') }];
      const context = where === 'another process' ? other : registry.context;
      await Bun.sleep(50);
      const started = performance.now();
      await appendUpload(context, app, id, { body: bodyOf([bytesOf('it')]), range: { start: 8, end: 9 } });
      expect(performance.now() - started).toBeLessThan(6_000);
      expect(await hanging?.request).toBe('UNAVAILABLE');
      await completeUpload(registry.context, app, id, digestOf(bytesOf('half of it')), { body: null });
    });
  }

  test('an upload is let go when its request ends, also when that fails', async () => {
    const { id } = await startUpload(registry.context, app, ACTOR);
    await appendUpload(registry.context, app, id, { body: bodyOf([bytesOf('x')]) });
    expect(await rowOf(id)).toMatchObject({ holder: null, holder_until: 0 });
    await appendUpload(registry.context, app, id, { body: bodyOf([], new Error('cut')) }).catch(() => {});
    expect(await rowOf(id)).toMatchObject({ holder: null, holder_until: 0 });
    await codeOf(completeUpload(registry.context, app, id, digestOf(bytesOf('y')), { body: null }));
    expect(await rowOf(id)).toMatchObject({ holder: null, holder_until: 0 });
  });

  test('the holder of a process that died is passed over once its time is up', async () => {
    const { id } = await startUpload(registry.context, app, ACTOR);
    const until = registry.context.now() + 600;
    await registry.context.database.transaction((tx) =>
      tx.updateTable('uploads').set({ holder: 'dead:1', holder_until: until }).where('id', '=', id).execute(),
    );
    await appendUpload(other, app, id, { body: bodyOf([bytesOf('x')]) });
    expect(other.now()).toBeGreaterThanOrEqual(until);
  });

  test('what a process held that is known to have ended is free at once; what others hold is not', async () => {
    const ids: string[] = [];
    for (const holder of ['dead:1', 'dead:2', 'alive:1', 'deadly:1']) {
      const { id } = await startUpload(registry.context, app, ACTOR);
      ids.push(id);
      await registry.context.database.transaction((tx) =>
        tx
          .updateTable('uploads')
          .set({ holder, holder_until: Date.now() + 60_000 })
          .where('id', '=', id)
          .execute(),
      );
    }
    const holders = () => Promise.all(ids.map(async (id) => (await rowOf(id)).holder));
    await releaseHoldsOf(registry.context, 'dead');
    expect(await holders()).toEqual([null, null, 'alive:1', 'deadly:1']);
    await releaseHoldsOf(registry.context, '');
    expect(await holders()).toEqual([null, null, null, null]);
  });

  test('many requests that append to one upload at once lose and mix no chunk', async () => {
    const { id } = await startUpload(registry.context, app, ACTOR);
    const contexts = [registry.context, other, registry.context, other];
    const outcomes = await Promise.all(
      contexts.map((context, i) =>
        codeOf(appendUpload(context, app, id, { body: bodyOf([bytesOf(String(i).repeat(10))]) })),
      ),
    );
    const taken = outcomes.filter((code) => code === 'none').length;
    expect(taken).toBeGreaterThan(0);
    const text = await new Response(
      (await registry.store.readUpload(id)) as ReadableStream<Uint8Array<ArrayBuffer>>,
    ).text();
    expect(text).toHaveLength(taken * 10);
    expect(text.replace(/(\d)\1{9}/g, '')).toBe('');
    await completeUpload(registry.context, app, id, digestOf(bytesOf(text)), { body: null });
  });
});
