import { describe, expect, test } from 'bun:test';
import { randomBytes } from 'node:crypto';
import { digestOf, firstCode, freshName, mediaTypes } from '../support/registry.ts';
import { serve, spec } from './spec.ts';

const served = serve();

describe('OCI Distribution 1.1, Content Management', () => {
  spec('tag-delete', 'the manifest and its other tags stay', async () => {
    const repository = freshName();
    const image = await served.registry.pushImage(repository, 'v1');
    await served.registry.putManifest(repository, 'v2', image.body);
    expect((await served.registry.delete(`/v2/${repository}/manifests/v1`)).status).toBe(202);
    for (const reference of ['v2', image.digest]) {
      expect((await served.registry.get(`/v2/${repository}/manifests/${reference}`)).text()).toBe(image.body);
    }
    expect((await served.registry.get(`/v2/${repository}/tags/list`)).json()).toMatchObject({ tags: ['v2'] });
  });

  spec('tag-delete-gone', 'GET, HEAD and DELETE again; a new push brings it back', async () => {
    const repository = freshName();
    const image = await served.registry.pushImage(repository, 'v1');
    const path = `/v2/${repository}/manifests/v1`;
    await served.registry.delete(path);
    const answers = [await served.registry.get(path), await served.registry.delete(path)];
    expect(answers.map((answer) => [answer.status, firstCode(answer)])).toEqual([
      [404, 'MANIFEST_UNKNOWN'],
      [404, 'MANIFEST_UNKNOWN'],
    ]);
    expect((await served.registry.head(path)).status).toBe(404);
    expect((await served.registry.putManifest(repository, 'v1', image.body)).status).toBe(201);
    expect((await served.registry.get(path)).status).toBe(200);
  });

  spec('manifest-delete', 'by digest; the blobs stay', async () => {
    const repository = freshName();
    const image = await served.registry.pushImage(repository, 'v1');
    expect((await served.registry.delete(`/v2/${repository}/manifests/${image.digest}`)).status).toBe(202);
    for (const blob of [image.config, image.layer]) {
      expect((await served.registry.head(`/v2/${repository}/blobs/${blob}`)).status).toBe(200);
    }
  });

  spec('manifest-delete-unknown', 'manifest and tag', async () => {
    const repository = freshName('nobody');
    for (const reference of [digestOf('x'), 'v1']) {
      const answer = await served.registry.delete(`/v2/${repository}/manifests/${reference}`);
      expect(answer.status).toBe(404);
      expect(['NAME_UNKNOWN', 'MANIFEST_UNKNOWN']).toContain(firstCode(answer));
    }
  });

  spec('manifest-delete-gone', 'the digest and every tag on it; other manifests stay', async () => {
    const repository = freshName();
    const image = await served.registry.pushImage(repository, 'v1');
    await served.registry.putManifest(repository, 'v2', image.body);
    const other = await served.registry.pushImage(repository, 'v3');
    await served.registry.delete(`/v2/${repository}/manifests/${image.digest}`);
    for (const reference of [image.digest, 'v1', 'v2']) {
      const answer = await served.registry.get(`/v2/${repository}/manifests/${reference}`);
      expect([reference, answer.status, firstCode(answer)]).toEqual([reference, 404, 'MANIFEST_UNKNOWN']);
    }
    expect((await served.registry.delete(`/v2/${repository}/manifests/${image.digest}`)).status).toBe(404);
    expect((await served.registry.get(`/v2/${repository}/manifests/v3`)).text()).toBe(other.body);
    expect((await served.registry.get(`/v2/${repository}/tags/list`)).json()).toMatchObject({ tags: ['v3'] });
  });

  spec('blob-delete', 'and it is gone from this repository alone', async () => {
    const [repository, other] = [freshName(), freshName()];
    const bytes = randomBytes(300);
    const digest = await served.registry.pushBlob(repository, bytes);
    await served.registry.pushBlob(other, bytes);
    const path = `/v2/${repository}/blobs/${digest}`;
    expect((await served.registry.delete(path)).status).toBe(202);
    expect((await served.registry.get(path)).status).toBe(404);
    expect((await served.registry.head(path)).status).toBe(404);
    expect((await served.registry.get(`/v2/${other}/blobs/${digest}`)).body.equals(bytes)).toBe(true);
    expect(await served.registry.pushBlob(repository, bytes)).toBe(digest);
    expect((await served.registry.get(path)).status).toBe(200);
  });

  spec('blob-delete-unknown', 'never pushed, deleted before, in an unknown repository', async () => {
    const repository = freshName();
    const digest = await served.registry.pushBlob(repository, randomBytes(30));
    await served.registry.delete(`/v2/${repository}/blobs/${digest}`);
    for (const path of [
      `/v2/${repository}/blobs/${digest}`,
      `/v2/${repository}/blobs/${digestOf('never pushed')}`,
      `/v2/${freshName('nobody')}/blobs/${digest}`,
    ]) {
      const answer = await served.registry.delete(path);
      expect(answer.status).toBe(404);
      expect(['BLOB_UNKNOWN', 'NAME_UNKNOWN']).toContain(firstCode(answer));
    }
  });

  spec('delete-refused', 'a blob that a manifest of the repository names', async () => {
    const repository = freshName();
    const image = await served.registry.pushImage(repository, 'v1');
    for (const digest of [image.config, image.layer]) {
      const answer = await served.registry.delete(`/v2/${repository}/blobs/${digest}`);
      expect([answer.status, firstCode(answer)]).toEqual([405, 'UNSUPPORTED']);
      expect((await served.registry.head(`/v2/${repository}/blobs/${digest}`)).status).toBe(200);
    }
    await served.registry.delete(`/v2/${repository}/manifests/${image.digest}`);
    expect((await served.registry.delete(`/v2/${repository}/blobs/${image.layer}`)).status).toBe(202);
  });

  spec('delete-refused', 'a manifest that an index names', async () => {
    const repository = freshName();
    const image = await served.registry.pushImage(repository, 'v1');
    const child = { mediaType: mediaTypes.ociManifest, digest: image.digest, size: image.size };
    const index = JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [child] });
    await served.registry.putManifest(repository, 'all', index, { mediaType: mediaTypes.ociIndex });
    const path = `/v2/${repository}/manifests/${image.digest}`;
    const answer = await served.registry.delete(path);
    expect([answer.status, firstCode(answer)]).toEqual([405, 'UNSUPPORTED']);
    expect((await served.registry.get(path)).status).toBe(200);
    await served.registry.delete(`/v2/${repository}/manifests/${digestOf(index)}`);
    expect((await served.registry.delete(path)).status).toBe(202);
  });

  test('a subject may be deleted, and its referrers stay', async () => {
    const repository = freshName();
    const image = await served.registry.pushImage(repository, 'v1');
    const subject = { mediaType: mediaTypes.ociManifest, digest: image.digest, size: image.size };
    const referrer = await served.registry.makeImage(repository, { subject });
    await served.registry.putManifest(repository, referrer.digest, referrer.body);
    expect((await served.registry.delete(`/v2/${repository}/manifests/${image.digest}`)).status).toBe(202);
    expect((await served.registry.get(`/v2/${repository}/manifests/${referrer.digest}`)).status).toBe(200);
    const referrers = await served.registry.get(`/v2/${repository}/referrers/${image.digest}`);
    expect(referrers.text()).toContain(referrer.digest);
  });
});
