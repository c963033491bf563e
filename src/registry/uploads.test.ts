import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { onEachDatabase } from '../database/test-databases.ts';
import { type Digest, digestOf } from '../oci/digest.ts';
import type { RegistryContext } from './context.ts';
import { ACTOR, bodyOf, bytesOf, codeOf, named, openTestRegistry, pushBlob, type TestRegistry } from './testing.ts';
import { appendUpload, cancelUpload, completeUpload, startUpload, type UploadChunk, uploadStatus } from './uploads.ts';

onEachDatabase('uploads', (newPlace) => {
  let registry: TestRegistry;
  let other: RegistryContext;
  beforeAll(async () => {
    registry = await openTestRegistry(await newPlace());
    other = registry.anotherProcess('p2');
  });
  afterAll(() => registry?.remove());
  const app = named('app');
  const start = async () => (await startUpload(registry.context, app, ACTOR)).id;
  const chunk = (...pieces: string[]): UploadChunk => ({ body: bodyOf(pieces.map(bytesOf)) });
  const nothing: UploadChunk = { body: null };
  const append = (id: string, ...pieces: string[]) => appendUpload(registry.context, app, id, chunk(...pieces));
  const sizeOf = async (id: string) => (await uploadStatus(registry.context, app, id)).size;
  const contentOf = async (digest: Digest) => {
    const blob = await registry.store.read(digest);
    return blob?.kind === 'bytes' ? blob.bytes.text() : undefined;
  };
  const sha256 = (text: string) => digestOf(bytesOf(text));

  describe('a whole blob', () => {
    test('in one request is stored, and the upload is over', async () => {
      const id = await start();
      await completeUpload(registry.context, app, id, sha256('whole'), chunk('who', 'le'));
      expect(await contentOf(sha256('whole'))).toBe('whole');
      expect(await codeOf(sizeOf(id))).toBe('BLOB_UPLOAD_UNKNOWN');
      expect(await registry.store.uploadSize(id)).toBeUndefined();
    });

    test('of no bytes is stored', async () => {
      const id = await start();
      await completeUpload(registry.context, app, id, sha256(''), nothing);
      expect(await contentOf(sha256(''))).toBe('');
    });

    test('under a sha512 digest is stored', async () => {
      const id = await start();
      const digest = digestOf(bytesOf('long digest'), 'sha512');
      await completeUpload(registry.context, app, id, digest, chunk('long digest'));
      expect(await contentOf(digest)).toBe('long digest');
    });

    test('pushed twice at once is stored once, and both succeed', async () => {
      const contexts = [registry.context, other];
      await Promise.all(contexts.map((context) => pushBlob(context, 'app', 'twice at once')));
      expect(await contentOf(sha256('twice at once'))).toBe('twice at once');
      const rows = await registry.context.database.read
        .selectFrom('blobs')
        .select('state')
        .where('digest', '=', sha256('twice at once'))
        .execute();
      expect(rows).toEqual([{ state: 'stored' }]);
    });
  });

  describe('chunks', () => {
    test('add up, with the last one in the completing request or without', async () => {
      for (const last of [chunk('three'), nothing]) {
        const id = await start();
        expect(await append(id, 'one ')).toEqual({ id, size: 4 });
        expect(await append(id, 'two ')).toEqual({ id, size: 8 });
        if (last === nothing) await append(id, 'three');
        await completeUpload(registry.context, app, id, sha256('one two three'), last);
        expect(await contentOf(sha256('one two three'))).toBe('one two three');
      }
    });

    test('with ranges in order are taken, one out of order is refused and changes nothing', async () => {
      const id = await start();
      const ranged = (text: string, from: number): UploadChunk => ({
        ...chunk(text),
        length: text.length,
        range: { start: from, end: from + text.length - 1 },
      });
      await appendUpload(registry.context, app, id, ranged('12345', 0));
      for (const from of [0, 4, 6, 100]) {
        expect(await codeOf(appendUpload(registry.context, app, id, ranged('678', from)))).toBe('CHUNK_OUT_OF_ORDER');
      }
      expect(await sizeOf(id)).toBe(5);
      await appendUpload(registry.context, app, id, ranged('678', 5));
      await completeUpload(registry.context, app, id, sha256('12345678'), nothing);
    });

    test('whose body is not as long as their range are refused and change nothing', async () => {
      const id = await start();
      await append(id, '123');
      const cases: UploadChunk[] = [
        { ...chunk('4'), range: { start: 3, end: 4 } },
        { ...chunk('456'), range: { start: 3, end: 4 } },
        { ...chunk('45', '6'), range: { start: 3, end: 4 } },
        { ...chunk('4', '56'), range: { start: 3, end: 4 } },
        { body: null, range: { start: 3, end: 4 } },
        { ...chunk('45'), length: 2, range: { start: 3, end: 5 } },
      ];
      for (const [i, wrong] of cases.entries()) {
        expect(`${i} ${await codeOf(appendUpload(registry.context, app, id, wrong))}`).toBe(`${i} SIZE_INVALID`);
        expect(await sizeOf(id)).toBe(3);
      }
      await completeUpload(registry.context, app, id, sha256('1234'), chunk('4'));
    });

    test('a connection that breaks leaves what had arrived, and the upload goes on from there', async () => {
      const id = await start();
      const broken: UploadChunk = {
        body: bodyOf([bytesOf('before '), bytesOf('the cut')], new Error('connection reset')),
      };
      await expect(appendUpload(registry.context, app, id, broken)).rejects.toThrow('connection reset');
      const size = await sizeOf(id);
      expect(size).toBeWithin(0, 15);
      await append(id, 'before the cut and after'.slice(size));
      await completeUpload(registry.context, app, id, sha256('before the cut and after'), nothing);
    });

    test('a client that goes away ends its request', async () => {
      const id = await start();
      const gone = new AbortController();
      const request = appendUpload(registry.context, app, id, {
        body: bodyOf([bytesOf('some')], 'hang'),
        signal: gone.signal,
      });
      const ended = request.catch((error: unknown) => error);
      for (let tries = 0; (await sizeOf(id)) < 4 && tries < 1_000; tries++) await Bun.sleep(5);
      gone.abort(new Error('client closed'));
      expect(await ended).toEqual(new Error('client closed'));
      expect(await sizeOf(id)).toBe(4);
    });
  });

  describe('another process', () => {
    test('goes on with an upload, whose hash it rebuilds from the bytes', async () => {
      const id = await start();
      await append(id, 'begun here, ');
      await appendUpload(other, app, id, chunk('continued there, '));
      await append(id, 'ended here');
      const whole = 'begun here, continued there, ended here';
      await completeUpload(other, app, id, sha256(whole), nothing);
      expect(await contentOf(sha256(whole))).toBe(whole);
    });

    test('completes an upload whose last chunk it did not see, by sha256 and by sha512', async () => {
      for (const algorithm of ['sha256', 'sha512'] as const) {
        const id = await start();
        await append(id, 'all the ');
        await append(id, 'bytes');
        const digest = digestOf(bytesOf('all the bytes'), algorithm);
        await completeUpload(registry.anotherProcess('p3'), app, id, digest, nothing);
        expect(await contentOf(digest)).toBe('all the bytes');
      }
    });

    test('does not trust a stored hash of fewer bytes', async () => {
      const id = await start();
      await append(id, 'hashed');
      const cut: UploadChunk = { body: bodyOf([bytesOf(' and cut')], new Error('cut')) };
      await appendUpload(registry.context, app, id, cut).catch(() => {});
      const size = await sizeOf(id);
      const rest = 'hashed and cut'.slice(0, size);
      if (size > 6)
        expect(await codeOf(completeUpload(other, app, id, sha256('hashed'), nothing))).toBe('DIGEST_INVALID');
      await completeUpload(other, app, id, sha256(rest), nothing);
    });
  });

  describe('a digest that does not match', () => {
    test('is refused, and the upload is as it was before that request', async () => {
      const id = await start();
      await append(id, 'kept');
      for (const context of [registry.context, other]) {
        expect(await codeOf(completeUpload(context, app, id, sha256('other'), chunk(' not kept')))).toBe(
          'DIGEST_INVALID',
        );
        expect(await sizeOf(id)).toBe(4);
        expect(await codeOf(completeUpload(context, app, id, sha256('other'), nothing))).toBe('DIGEST_INVALID');
        expect(await sizeOf(id)).toBe(4);
      }
      await completeUpload(registry.context, app, id, sha256('kept and more'), chunk(' and more'));
      expect(await contentOf(sha256('kept and more'))).toBe('kept and more');
    });

    test('leaves no blob under either digest', async () => {
      const id = await start();
      expect(await codeOf(completeUpload(registry.context, app, id, sha256('promised'), chunk('delivered')))).toBe(
        'DIGEST_INVALID',
      );
      expect(await contentOf(sha256('promised'))).toBeUndefined();
      expect(await contentOf(sha256('delivered'))).toBeUndefined();
    });
  });

  describe('what is not there', () => {
    test('an upload that never was, or of another repository, is unknown to every request', async () => {
      const id = await start();
      const { context } = registry;
      for (const [name, upload] of [
        ['app', 'no-such-upload'],
        ['other', id],
        ['app', '../../etc'],
        ['app', 'a\u0000b'],
      ] as const) {
        expect(await codeOf(uploadStatus(context, named(name), upload))).toBe('BLOB_UPLOAD_UNKNOWN');
        expect(await codeOf(appendUpload(context, named(name), upload, chunk('x')))).toBe('BLOB_UPLOAD_UNKNOWN');
        expect(await codeOf(completeUpload(context, named(name), upload, sha256('x'), chunk('x')))).toBe(
          'BLOB_UPLOAD_UNKNOWN',
        );
        expect(await codeOf(cancelUpload(context, named(name), upload))).toBe('BLOB_UPLOAD_UNKNOWN');
      }
      expect(await sizeOf(id)).toBe(0);
    });

    test('a cancelled upload is gone with its bytes', async () => {
      const id = await start();
      await append(id, 'unwanted');
      await cancelUpload(registry.context, app, id);
      expect(await codeOf(append(id, 'x'))).toBe('BLOB_UPLOAD_UNKNOWN');
      expect(await registry.store.uploadSize(id)).toBeUndefined();
    });
  });
});
