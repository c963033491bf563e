import { describe, expect, test } from 'bun:test';
import { digestOf, firstCode, freshName, mediaTypes } from '../support/registry.ts';
import { serve, spec } from './spec.ts';

const served = serve();

describe('OCI Distribution 1.1, Pull', () => {
  spec('workflow-pull', 'manifest by tag, its config and layer by digest', async () => {
    const repository = freshName();
    const image = await served.registry.pushImage(repository, 'v1');
    const manifest = await served.registry.get(`/v2/${repository}/manifests/v1`);
    expect(manifest.status).toBe(200);
    for (const digest of [image.config, image.layer]) {
      const blob = await served.registry.get(`/v2/${repository}/blobs/${digest}`);
      expect(digestOf(blob.body)).toBe(digest);
    }
  });

  const good = [
    'a',
    '0',
    'ubuntu',
    'library/ubuntu',
    'a/b/c/d/e/f/g/h',
    'a.b',
    'a_b',
    'a__b',
    'a-b',
    'a---b',
    'a-----b.c_d__e/0-0',
    'blobs',
    'manifests/tags',
    'x/blobs/uploads',
    'x/tags/list',
    'x/referrers',
    'n'.repeat(255),
  ];
  for (const name of good) {
    spec('name-grammar', `accepts ${name.length > 60 ? `${name.length} characters` : name}`, async () => {
      const image = await served.registry.pushImage(name, 'latest');
      const answer = await served.registry.get(`/v2/${name}/manifests/latest`);
      expect(answer.status).toBe(200);
      expect(answer.text()).toBe(image.body);
    });
  }

  const bad = [
    'A',
    'Ubuntu',
    'a/B',
    '-a',
    'a-',
    '.a',
    'a.',
    '_a',
    'a_',
    'a..b',
    'a___b',
    'a.-b',
    'a_-b',
    'a%20b',
    'a+b',
  ];
  for (const name of [...bad, 'a@b', 'a:b', 'a~b', '%C3%A9', 'n'.repeat(256)]) {
    spec('name-grammar', `refuses ${name.length > 60 ? `${name.length} characters` : name}`, async () => {
      const pull = await served.registry.get(`/v2/${name}/manifests/latest`);
      expect([pull.status, firstCode(pull)]).toEqual([400, 'NAME_INVALID']);
      const push = await served.registry.request('POST', `/v2/${name}/blobs/uploads/`);
      expect([push.status, firstCode(push)]).toEqual([400, 'NAME_INVALID']);
    });
  }

  spec('reference-form', 'neither GET, HEAD, PUT nor DELETE takes another form', async () => {
    const repository = freshName();
    const image = await served.registry.pushImage(repository, 'v1');
    for (const reference of [
      '.v1',
      '-v1',
      'v1+2',
      'v%201',
      'sha256:abc',
      `md5:${'0'.repeat(32)}`,
      'a%2Fb',
      'v1@x',
      '%00',
    ]) {
      const path = `/v2/${repository}/manifests/${reference}`;
      const get = await served.registry.get(path);
      expect([reference, get.status]).toEqual([reference, 400]);
      expect((await served.registry.head(path)).status).toBe(400);
      expect((await served.registry.putManifest(repository, reference, image.body)).status).toBe(400);
      expect((await served.registry.delete(path)).status).toBe(400);
    }
  });

  for (const tag of ['a', '_', '0', '1.0', '_x.y-z', 'V1.0-RC.1', 'latest', 't'.repeat(128)]) {
    spec('tag-grammar', `accepts ${tag.length > 60 ? `${tag.length} characters` : tag}`, async () => {
      const repository = freshName();
      const image = await served.registry.pushImage(repository, tag);
      expect((await served.registry.get(`/v2/${repository}/manifests/${tag}`)).text()).toBe(image.body);
    });
  }

  spec('tag-grammar', 'refuses 129 characters', async () => {
    const repository = freshName();
    const image = await served.registry.makeImage(repository);
    expect((await served.registry.putManifest(repository, 't'.repeat(129), image.body)).status).toBe(400);
  });

  for (const mediaType of [mediaTypes.ociManifest, mediaTypes.dockerManifest]) {
    spec('manifest-type-as-pushed', mediaType, async () => {
      const repository = freshName();
      const image = await served.registry.makeImage(repository, { mediaType });
      expect((await served.registry.putManifest(repository, 'v1', image.body, { mediaType })).status).toBe(201);
      for (const reference of ['v1', image.digest]) {
        const answer = await served.registry.get(`/v2/${repository}/manifests/${reference}`);
        expect(answer.headers.get('content-type')).toBe(mediaType);
      }
    });
  }

  spec('manifest-type-no-parameters', 'also when the push had them', async () => {
    const repository = freshName();
    const image = await served.registry.makeImage(repository);
    const mediaType = `${mediaTypes.ociManifest}; charset=utf-8`;
    expect((await served.registry.putManifest(repository, 'v1', image.body, { mediaType })).status).toBe(201);
    const answer = await served.registry.get(`/v2/${repository}/manifests/v1`);
    expect(answer.headers.get('content-type')).toBe(mediaTypes.ociManifest);
  });

  spec('manifest-get', 'by tag and by digest', async () => {
    const repository = freshName();
    const image = await served.registry.pushImage(repository, 'v1');
    for (const reference of ['v1', image.digest]) {
      const answer = await served.registry.get(`/v2/${repository}/manifests/${reference}`);
      expect(answer.status).toBe(200);
      expect(answer.text()).toBe(image.body);
      expect(answer.headers.get('content-length')).toBe(String(image.size));
    }
  });

  spec('manifest-digest-header', 'on GET by tag and by digest', async () => {
    const repository = freshName();
    const image = await served.registry.pushImage(repository, 'v1');
    for (const reference of ['v1', image.digest]) {
      const answer = await served.registry.get(`/v2/${repository}/manifests/${reference}`);
      expect(answer.headers.get('docker-content-digest')).toBe(image.digest);
    }
  });

  spec('manifest-get-unknown', 'an unknown tag and an unknown digest', async () => {
    const repository = freshName();
    await served.registry.pushImage(repository, 'v1');
    for (const reference of ['v2', digestOf('not there')]) {
      const answer = await served.registry.get(`/v2/${repository}/manifests/${reference}`);
      expect([answer.status, firstCode(answer)]).toEqual([404, 'MANIFEST_UNKNOWN']);
    }
  });

  spec('manifest-get-unknown', 'a manifest of another repository', async () => {
    const image = await served.registry.pushImage(freshName(), 'v1');
    const other = freshName();
    await served.registry.pushImage(other, 'v1');
    expect((await served.registry.get(`/v2/${other}/manifests/${image.digest}`)).status).toBe(404);
  });

  spec('manifest-get-unknown', 'a blob is not a manifest', async () => {
    const repository = freshName();
    const image = await served.registry.pushImage(repository, 'v1');
    expect((await served.registry.get(`/v2/${repository}/manifests/${image.config}`)).status).toBe(404);
  });

  spec('repository-unknown', 'manifest, blob and tags', async () => {
    const repository = freshName('nobody');
    const paths = [`manifests/v1`, `manifests/${digestOf('x')}`, `blobs/${digestOf('x')}`, 'tags/list'];
    for (const path of paths) {
      const answer = await served.registry.get(`/v2/${repository}/${path}`);
      expect([path, answer.status]).toEqual([path, 404]);
      expect(['NAME_UNKNOWN', 'MANIFEST_UNKNOWN', 'BLOB_UNKNOWN']).toContain(firstCode(answer));
    }
    expect(firstCode(await served.registry.get(`/v2/${repository}/tags/list`))).toBe('NAME_UNKNOWN');
  });
});

describe('RFC 9110, conditional pull of a manifest', () => {
  test('GET and HEAD carry the digest as ETag; If-None-Match answers 304 until the tag moves', async () => {
    const repository = freshName();
    const image = await served.registry.pushImage(repository, 'v1');
    const path = `/v2/${repository}/manifests/v1`;
    const etag = (await served.registry.get(path)).headers.get('etag') ?? '';
    expect(etag).toBe(`"${image.digest}"`);
    expect((await served.registry.head(path)).headers.get('etag')).toBe(etag);
    for (const header of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const answer = await served.registry.get(path, { 'If-None-Match': header });
      expect([header, answer.status, answer.body.length]).toEqual([header, 304, 0]);
      expect(answer.headers.get('etag')).toBe(etag);
    }
    expect((await served.registry.head(path, { 'If-None-Match': etag })).status).toBe(304);
    await served.registry.pushImage(repository, 'v1');
    const moved = await served.registry.get(path, { 'If-None-Match': etag });
    expect(moved.status).toBe(200);
    expect(moved.headers.get('etag')).not.toBe(etag);
  });

  test('a manifest that is not there is 404 whatever If-None-Match says', async () => {
    const repository = freshName();
    await served.registry.pushImage(repository, 'v1');
    const answer = await served.registry.get(`/v2/${repository}/manifests/v2`, { 'If-None-Match': '*' });
    expect(answer.status).toBe(404);
  });
});

describe('Docker Registry v2', () => {
  test('a manifest is given as it was pushed, whatever Accept asks for', async () => {
    const repository = freshName();
    const image = await served.registry.pushImage(repository, 'v1');
    const path = `/v2/${repository}/manifests/v1`;
    const accepts = [
      '*/*',
      mediaTypes.dockerManifest,
      `${mediaTypes.ociManifest};q=0.5, ${mediaTypes.dockerList}`,
      'text/html',
    ];
    for (const accept of accepts) {
      const answer = await served.registry.get(path, { Accept: accept });
      expect([answer.status, answer.text()]).toEqual([200, image.body]);
    }
  });
});
