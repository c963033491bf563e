import { describe, expect, test } from 'bun:test';
import { randomBytes } from 'node:crypto';
import { describeBytes, digestOf, errorsOf, firstCode, freshName, mediaTypes } from '../support/registry.ts';
import { serve, spec } from './spec.ts';

const served = serve();
const EMPTY = describeBytes('{}', mediaTypes.ociEmpty);
const unknown = { mediaType: mediaTypes.ociLayer, digest: digestOf('never pushed'), size: 12 };

/** A manifest that names nothing but the empty config, padded by an annotation to `size` bytes. */
function padded(size: number): string {
  const make = (length: number) =>
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      artifactType: 'application/vnd.example.padded',
      config: EMPTY,
      layers: [],
      annotations: { padding: 'p'.repeat(length) },
    });
  return make(size - make(0).length);
}

describe('OCI Distribution 1.1, Push', () => {
  spec('manifest-missing-blob', 'a layer, with its digest in the detail', async () => {
    const repository = freshName();
    const image = await served.registry.makeImage(repository, { layers: [unknown] });
    const answer = await served.registry.putManifest(repository, 'v1', image.body);
    expect([answer.status, firstCode(answer)]).toEqual([404, 'MANIFEST_BLOB_UNKNOWN']);
    expect(JSON.stringify(errorsOf(answer))).toContain(unknown.digest);
    expect((await served.registry.get(`/v2/${repository}/manifests/v1`)).status).toBe(404);
  });

  spec('manifest-missing-blob', 'a config', async () => {
    const repository = freshName();
    const config = { ...unknown, mediaType: mediaTypes.ociConfig };
    const image = await served.registry.makeImage(repository, { config });
    const answer = await served.registry.putManifest(repository, 'v1', image.body);
    expect([answer.status, firstCode(answer)]).toEqual([404, 'MANIFEST_BLOB_UNKNOWN']);
  });

  spec('manifest-missing-blob', 'a blob that another repository has', async () => {
    const [one, other] = [freshName(), freshName()];
    const image = await served.registry.makeImage(one);
    const answer = await served.registry.putManifest(other, 'v1', image.body);
    expect([answer.status, firstCode(answer)]).toEqual([404, 'MANIFEST_BLOB_UNKNOWN']);
  });

  for (const mediaType of [mediaTypes.ociIndex, mediaTypes.dockerList]) {
    spec('manifest-missing-blob', `a child of ${mediaType}`, async () => {
      const repository = freshName();
      const image = await served.registry.pushImage(repository, 'v1');
      const child = { mediaType: mediaTypes.ociManifest, digest: image.digest, size: image.size };
      const index = { schemaVersion: 2, mediaType, manifests: [child, { ...child, digest: unknown.digest }] };
      const answer = await served.registry.putManifest(repository, 'all', index);
      expect([answer.status, firstCode(answer)]).toEqual([404, 'MANIFEST_BLOB_UNKNOWN']);
      expect(JSON.stringify(errorsOf(answer))).toContain(unknown.digest);
    });
  }

  for (const parameters of ['; charset=utf-8', ';charset="utf-8"; q=1', '; a=b;c=d']) {
    spec('manifest-ignore-parameters', parameters, async () => {
      const repository = freshName();
      const image = await served.registry.makeImage(repository);
      const mediaType = `${mediaTypes.ociManifest}${parameters}`;
      expect((await served.registry.putManifest(repository, 'v1', image.body, { mediaType })).status).toBe(201);
    });
  }

  spec('manifest-media-type', 'another one than the header is refused', async () => {
    const repository = freshName();
    const image = await served.registry.makeImage(repository);
    const answer = await served.registry.putManifest(repository, 'v1', image.body, { mediaType: mediaTypes.ociIndex });
    expect([answer.status, firstCode(answer)]).toEqual([400, 'MANIFEST_INVALID']);
  });

  spec('manifest-media-type', 'a manifest without the field takes the type of the header', async () => {
    const repository = freshName();
    const image = await served.registry.makeImage(repository, { mediaType: undefined });
    expect((await served.registry.putManifest(repository, 'v1', image.body)).status).toBe(201);
    const answer = await served.registry.get(`/v2/${repository}/manifests/v1`);
    expect(answer.headers.get('content-type')).toBe(mediaTypes.ociManifest);
  });

  spec('manifest-reference', 'a tag, and a digest with no tag made', async () => {
    const repository = freshName();
    const image = await served.registry.makeImage(repository);
    expect((await served.registry.putManifest(repository, image.digest, image.body)).status).toBe(201);
    const tags = await served.registry.get(`/v2/${repository}/tags/list`);
    expect(tags.json()).toEqual({ name: repository, tags: [] });
    expect((await served.registry.putManifest(repository, 'v1', image.body)).status).toBe(201);
    expect((await served.registry.get(`/v2/${repository}/manifests/v1`)).text()).toBe(image.body);
  });

  spec('manifest-no-blobs', 'an image without layers, an index without manifests', async () => {
    const repository = freshName();
    const image = await served.registry.makeImage(repository, { layers: [] });
    expect((await served.registry.putManifest(repository, 'image', image.body)).status).toBe(201);
    const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] };
    expect((await served.registry.putManifest(repository, 'index', index)).status).toBe(201);
  });

  spec('manifest-bytes', 'white space, key order, escapes and unknown fields', async () => {
    const repository = freshName();
    const image = await served.registry.makeImage(repository);
    const { layers, config } = JSON.parse(image.body) as { layers: unknown; config: unknown };
    const body = `\n{ "layers":${JSON.stringify(layers)},\t"x-unknown": {"\\u00e9": "é", "n": 1.0e2},\r\n "config": ${JSON.stringify(config)},
      "schemaVersion" : 2, "mediaType": "${mediaTypes.ociManifest}"}\n\n`;
    const pushed = await served.registry.putManifest(repository, 'v1', body);
    expect(pushed.status).toBe(201);
    expect(pushed.headers.get('docker-content-digest')).toBe(digestOf(body));
    expect((await served.registry.get(`/v2/${repository}/manifests/v1`)).text()).toBe(body);
  });

  spec('manifest-created', 'by tag and by digest', async () => {
    const repository = freshName();
    const image = await served.registry.makeImage(repository);
    for (const reference of ['v1', image.digest]) {
      const pushed = await served.registry.putManifest(repository, reference, image.body);
      expect(pushed.status).toBe(201);
      const answer = await served.registry.get(pushed.headers.get('location') ?? '');
      expect([answer.status, answer.text()]).toEqual([200, image.body]);
    }
  });

  for (const algorithm of ['sha256', 'sha512'] as const) {
    spec('manifest-put-digest', algorithm, async () => {
      const repository = freshName();
      const image = await served.registry.makeImage(repository);
      const digest = digestOf(image.body, algorithm);
      const pushed = await served.registry.putManifest(repository, digest, image.body);
      expect([pushed.status, pushed.headers.get('docker-content-digest')]).toEqual([201, digest]);
      const answer = await served.registry.get(`/v2/${repository}/manifests/${digest}`);
      expect(answer.text()).toBe(image.body);
      expect(answer.headers.get('docker-content-digest')).toBe(digest);
    });
  }

  spec('manifest-put-digest', 'another digest than that of the body is refused', async () => {
    const repository = freshName();
    const image = await served.registry.makeImage(repository);
    const digest = digestOf('something else');
    const answer = await served.registry.putManifest(repository, digest, image.body);
    expect([answer.status, firstCode(answer)]).toEqual([400, 'DIGEST_INVALID']);
    expect((await served.registry.head(`/v2/${repository}/manifests/${digest}`)).status).toBe(404);
  });

  spec('manifest-four-megabytes', '4,000,000 and 4 MiB come back byte for byte', async () => {
    const repository = freshName();
    await served.registry.pushBlob(repository, '{}');
    for (const size of [4_000_000, 4 * 1024 * 1024]) {
      const body = padded(size);
      expect(body).toHaveLength(size);
      expect((await served.registry.putManifest(repository, 'big', body)).status).toBe(201);
      const answer = await served.registry.get(`/v2/${repository}/manifests/big`);
      expect(answer.text() === body).toBe(true);
    }
  });

  for (const chunked of [undefined, 60_000]) {
    const how = chunked === undefined ? 'with its length told' : 'with a length not told before';
    spec('manifest-limit-status', `4 MiB and a byte, ${how}`, async () => {
      const repository = freshName();
      await served.registry.pushBlob(repository, '{}');
      const answer = await served.registry.request('PUT', `/v2/${repository}/manifests/big`, {
        headers: { 'Content-Type': mediaTypes.ociManifest },
        body: padded(4 * 1024 * 1024 + 1),
        ...(chunked === undefined ? {} : { chunked }),
      });
      expect(answer.status).toBe(413);
      expect(['MANIFEST_INVALID', 'SIZE_INVALID']).toContain(firstCode(answer));
    });
  }

  spec('manifest-limit', 'what was refused is not there', async () => {
    const repository = freshName();
    await served.registry.pushBlob(repository, '{}');
    const body = padded(5_000_000);
    await served.registry.putManifest(repository, 'big', body);
    for (const reference of ['big', digestOf(body)]) {
      expect((await served.registry.head(`/v2/${repository}/manifests/${reference}`)).status).toBe(404);
    }
  });
});

describe('Docker Registry v2', () => {
  test('an image of Docker media types, and a manifest list of it', async () => {
    const repository = freshName();
    const [config, layer] = [JSON.stringify({ os: 'linux', id: 1 }), randomBytes(100)];
    await Promise.all([served.registry.pushBlob(repository, config), served.registry.pushBlob(repository, layer)]);
    const image = JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.dockerManifest,
      config: describeBytes(config, mediaTypes.dockerConfig),
      layers: [describeBytes(layer, mediaTypes.dockerLayer)],
    });
    const options = { mediaType: mediaTypes.dockerManifest };
    expect((await served.registry.putManifest(repository, digestOf(image), image, options)).status).toBe(201);
    const child = {
      ...describeBytes(image, mediaTypes.dockerManifest),
      platform: { architecture: 'arm64', os: 'linux' },
    };
    const list = { schemaVersion: 2, mediaType: mediaTypes.dockerList, manifests: [child] };
    expect((await served.registry.putManifest(repository, 'all', list)).status).toBe(201);
    const answer = await served.registry.get(`/v2/${repository}/manifests/all`);
    expect(answer.headers.get('content-type')).toBe(mediaTypes.dockerList);
    expect(answer.json()).toEqual(list);
  });

  const foreign = [
    mediaTypes.dockerForeign,
    'application/vnd.oci.image.layer.nondistributable.v1.tar',
    'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
    'application/vnd.oci.image.layer.nondistributable.v1.tar+zstd',
  ];
  for (const mediaType of foreign) {
    test(`a foreign layer need not be there: ${mediaType}`, async () => {
      const repository = freshName();
      const layers = [{ ...unknown, mediaType, urls: ['https://example.org/layer.tar.gz'] }];
      const image = await served.registry.makeImage(repository, { layers });
      expect((await served.registry.putManifest(repository, 'v1', image.body)).status).toBe(201);
      expect((await served.registry.get(`/v2/${repository}/manifests/v1`)).text()).toBe(image.body);
    });
  }

  test('a layer of an ordinary type must be there, urls or not', async () => {
    const repository = freshName();
    const image = await served.registry.makeImage(repository, {
      layers: [{ ...unknown, urls: ['https://example.org/l'] }],
    });
    const answer = await served.registry.putManifest(repository, 'v1', image.body);
    expect([answer.status, firstCode(answer)]).toEqual([404, 'MANIFEST_BLOB_UNKNOWN']);
  });

  test('schema 1 is refused', async () => {
    const answer = await served.registry.putManifest(
      freshName(),
      'v1',
      { schemaVersion: 1, name: 'x', tag: 'v1', fsLayers: [], history: [], signatures: [] },
      { mediaType: 'application/vnd.docker.distribution.manifest.v1+prettyjws' },
    );
    expect([answer.status, firstCode(answer)]).toEqual([400, 'MANIFEST_INVALID']);
  });

  test('a tag moves, and the manifest it pointed at is still there by digest', async () => {
    const repository = freshName();
    const first = await served.registry.pushImage(repository, 'latest');
    const second = await served.registry.pushImage(repository, 'latest');
    expect((await served.registry.get(`/v2/${repository}/manifests/latest`)).text()).toBe(second.body);
    expect((await served.registry.get(`/v2/${repository}/manifests/${first.digest}`)).text()).toBe(first.body);
  });

  test('many tags on one manifest, and the same tag again with the same manifest', async () => {
    const repository = freshName();
    const image = await served.registry.makeImage(repository);
    for (const tag of ['a', 'b', 'c', 'a']) {
      expect((await served.registry.putManifest(repository, tag, image.body)).status).toBe(201);
    }
    expect((await served.registry.get(`/v2/${repository}/tags/list`)).json()).toMatchObject({ tags: ['a', 'b', 'c'] });
  });
});

describe('OCI Image 1.1', () => {
  test('an artifact: an empty config, an artifactType, any layer type', async () => {
    const repository = freshName();
    const [, file] = [await served.registry.pushBlob(repository, '{}'), 'a chart'];
    await served.registry.pushBlob(repository, file);
    const artifact = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      artifactType: 'application/vnd.example.chart',
      config: { ...EMPTY, data: 'e30=' },
      layers: [
        { ...describeBytes(file, 'text/x-chart; v=1'), annotations: { 'org.opencontainers.image.title': 'chart' } },
      ],
    };
    expect((await served.registry.putManifest(repository, 'chart', artifact)).status).toBe(201);
  });

  test('an index of indexes', async () => {
    const repository = freshName();
    const image = await served.registry.pushImage(repository, 'v1');
    const child = { mediaType: mediaTypes.ociManifest, digest: image.digest, size: image.size };
    const inner = JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [child] });
    const options = { mediaType: mediaTypes.ociIndex };
    expect((await served.registry.putManifest(repository, digestOf(inner), inner, options)).status).toBe(201);
    const manifests = [describeBytes(inner, mediaTypes.ociIndex)];
    const outer = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests };
    expect((await served.registry.putManifest(repository, 'all', outer)).status).toBe(201);
  });

  test("BuildKit's registry cache: an index that names layers and a config", async () => {
    const repository = freshName();
    const [layer, config] = [randomBytes(50), '{"layers":[]}'];
    await Promise.all([served.registry.pushBlob(repository, layer), served.registry.pushBlob(repository, config)]);
    const manifests = [
      describeBytes(layer, mediaTypes.ociLayer),
      describeBytes(config, 'application/vnd.buildkit.cacheconfig.v0'),
    ];
    const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests };
    expect((await served.registry.putManifest(repository, 'cache', index)).status).toBe(201);
  });
});
