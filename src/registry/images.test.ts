import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { onEachDatabase } from '../database/test-databases.ts';
import { type Digest, digestOf } from '../oci/digest.ts';
import { MEDIA } from '../oci/media-types.ts';
import { parseReference } from '../oci/names.ts';
import { CONTENT_MAX_BYTES, getImage, getImageContent } from './images.ts';
import {
  bytesOf,
  codeOf,
  descriptor,
  imageOf,
  named,
  openTestRegistry,
  pushBlob,
  pushManifest,
  type TestRegistry,
} from './testing.ts';

const CONFIG = 'application/vnd.oci.image.config.v1+json';
const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';

onEachDatabase('images', (newPlace) => {
  let registry: TestRegistry;
  beforeAll(async () => {
    registry = await openTestRegistry(await newPlace());
  });
  afterAll(() => registry?.remove());

  const look = (name: string, reference: string) => getImage(registry.context, named(name), parseReference(reference));
  const content = (name: string, reference: string, digest: Digest) =>
    getImageContent(registry.context, named(name), parseReference(reference), digest);

  /** An image whose config is this, with a layer for each seed. */
  async function push(
    name: string,
    config: unknown,
    options: { seeds?: string[]; tag?: string; rest?: Record<string, unknown>; docker?: boolean } = {},
  ): Promise<Digest> {
    const { seeds = ['layer'], tag, rest = {}, docker = false } = options;
    const { context } = registry;
    const text = typeof config === 'string' ? config : JSON.stringify(config);
    const layers = [];
    for (const seed of seeds) {
      const type = docker ? 'application/vnd.docker.image.rootfs.diff.tar.gzip' : LAYER;
      layers.push(descriptor(await pushBlob(context, name, seed), type, seed.length));
    }
    const configType = docker ? 'application/vnd.docker.container.image.v1+json' : CONFIG;
    const document = {
      schemaVersion: 2,
      mediaType: docker ? MEDIA.dockerManifest : MEDIA.ociManifest,
      config: descriptor(await pushBlob(context, name, text), configType, text.length),
      layers,
      ...rest,
    };
    return pushManifest(context, name, document, tag);
  }

  async function documentOf(name: string, digest: Digest): Promise<Record<string, unknown>> {
    const found = await registry.context.pull.manifest(named(name), { kind: 'digest', digest });
    return JSON.parse(new TextDecoder().decode(found?.content)) as Record<string, unknown>;
  }

  describe('one', () => {
    test.each([false, true])(
      'says its platform, how it is run and what made its layers (Docker: %p)',
      async (docker) => {
        const name = `told/${docker}`;
        const config = {
          os: 'linux',
          architecture: 'amd64',
          config: { Entrypoint: ['/app'], Labels: { 'org.opencontainers.image.revision': 'abc' } },
          history: [{ created_by: 'COPY app /' }, { created_by: 'ENTRYPOINT ["/app"]', empty_layer: true }],
        };
        const digest = await push(name, config, { tag: 'v1', docker });
        await pushManifest(registry.context, name, await documentOf(name, digest), 'v2');
        const image = await look(name, 'v1');
        expect(image).toMatchObject({
          digest,
          kind: 'image',
          mediaType: docker ? MEDIA.dockerManifest : MEDIA.ociManifest,
          artifactType: null,
          tags: ['v1', 'v2'],
          pushedBy: 'alice',
          pulledAt: null,
          subject: null,
          revision: 'abc',
          source: null,
          platforms: [{ platform: 'linux/amd64', digest, available: true }],
          config: { entrypoint: ['/app'], platform: 'linux/amd64' },
          referrers: [],
        });
        expect(image.layers.map(({ command, size }) => [command, size])).toEqual([
          ['COPY app /', 'layer'.length],
          ['ENTRYPOINT ["/app"]', 0],
        ]);
        expect((await look(name, digest)).digest).toBe(digest);
      },
    );

    test('says the sizes of what is stored, not those that its manifest claims', async () => {
      const { context } = registry;
      const layer = await pushBlob(context, 'liar', 'twelve bytes');
      const config = await pushBlob(context, 'liar', '{}');
      const most = Number.MAX_SAFE_INTEGER;
      const document = {
        schemaVersion: 2,
        mediaType: MEDIA.ociManifest,
        config: descriptor(config, CONFIG, most),
        layers: [descriptor(layer, LAYER, most)],
      };
      await pushManifest(context, 'liar', document, 'v1');
      const image = await look('liar', 'v1');
      expect(image.layers.map(({ size }) => size)).toEqual([12]);
      expect(image.size).toBe(JSON.stringify(document).length + 14);
    });

    test('with layers that live elsewhere has them too', async () => {
      const { context } = registry;
      const config = await pushBlob(context, 'windows', '{"os":"windows","architecture":"amd64"}');
      const foreign = descriptor(
        digestOf(bytesOf('at Microsoft')),
        'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
        999,
      );
      await pushManifest(
        context,
        'windows',
        {
          schemaVersion: 2,
          mediaType: MEDIA.dockerManifest,
          config: descriptor(config, 'application/vnd.docker.container.image.v1+json', 39),
          layers: [{ ...foreign, urls: ['https://example.com/layer'] }],
        },
        'v1',
      );
      expect((await look('windows', 'v1')).layers).toMatchObject([{ digest: foreign.digest, size: 999 }]);
      expect(await codeOf(content('windows', 'v1', foreign.digest))).toBe('BLOB_UNKNOWN');
    });

    test('takes revision, source and version of its annotations before its labels', async () => {
      const label = (text: string) => ({
        'org.opencontainers.image.revision': text,
        'org.opencontainers.image.version': text,
      });
      await push(
        'annotated',
        { config: { Labels: { ...label('label'), 'org.opencontainers.image.source': 'l' } } },
        {
          tag: 'v1',
          rest: { annotations: label('annotation') },
        },
      );
      const { revision, version, source } = await look('annotated', 'v1');
      expect({ revision, version, source }).toEqual({ revision: 'annotation', version: 'annotation', source: 'l' });
    });

    test.each([
      ['no JSON', 'not JSON', null],
      ['no object', '[1,2]', null],
      ['a number', '7', null],
      ['binary', '\u0000\u0001\ufffd', null],
      [
        'wrong types everywhere',
        '{"os":1,"config":{"Labels":7,"Env":{}},"history":{"a":1}}',
        { labels: {}, environment: [] },
      ],
      ['too large', `{"author":"${'x'.repeat(1024 * 1024)}"}`, null],
    ])('with a config that is %s is shown with its layers', async (what, text, config) => {
      const name = `hostile/${what.replaceAll(' ', '-').toLowerCase()}`;
      await push(name, text, { tag: 'v1' });
      const image = await look(name, 'v1');
      expect(image.kind).toBe('image');
      if (config === null) expect(image.config).toBeNull();
      else expect(image.config).toMatchObject(config);
      expect(image.layers.length).toBe(1);
    });

    test('that is not there is unknown, as is its repository', async () => {
      expect(await codeOf(look('told/true', 'v9'))).toBe('MANIFEST_UNKNOWN');
      expect(await codeOf(look('told/true', digestOf(bytesOf('never'))))).toBe('MANIFEST_UNKNOWN');
      expect(await codeOf(look('nowhere', 'v1'))).toBe('NAME_UNKNOWN');
    });
  });

  describe('an artifact', () => {
    test('has parts, no platform and no configuration', async () => {
      const { context } = registry;
      const chart = await pushBlob(context, 'chart', 'a chart');
      const config = await pushBlob(context, 'chart', '{"name":"app"}');
      const type = 'application/vnd.cncf.helm.chart.content.v1.tar+gzip';
      await pushManifest(
        context,
        'chart',
        {
          schemaVersion: 2,
          mediaType: MEDIA.ociManifest,
          config: descriptor(config, 'application/vnd.cncf.helm.config.v1+json', 14),
          layers: [descriptor(chart, type, 7)],
        },
        '1.0',
      );
      expect(await look('chart', '1.0')).toMatchObject({
        kind: 'artifact',
        artifactType: 'application/vnd.cncf.helm.config.v1+json',
        platforms: [],
        config: null,
        layers: [{ digest: chart, mediaType: type, size: 7, command: '' }],
      });
    });

    test("is BuildKit's registry cache too, an index of layers", async () => {
      const { context } = registry;
      const layer = await pushBlob(context, 'cache', 'cached');
      const config = await pushBlob(context, 'cache', '{}');
      const manifests = [descriptor(layer, LAYER, 6), descriptor(config, 'application/vnd.buildkit.cacheconfig.v0', 2)];
      await pushManifest(context, 'cache', { schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests }, 'main');
      const found = await look('cache', 'main');
      expect([found.kind, found.platforms, found.layers.map(({ size }) => size)]).toEqual(['artifact', [], [6, 2]]);
    });
  });

  describe('the content of a part', () => {
    test('is its text, that of a config too', async () => {
      const digest = await push('text', '{"os":"linux"}', { seeds: ['Grüße ☃'], tag: 'v1' });
      const { layers } = await look('text', digest);
      expect(await content('text', 'v1', layers[0]?.digest as Digest)).toEqual({
        mediaType: LAYER,
        size: bytesOf('Grüße ☃').length,
        text: 'Grüße ☃',
        truncated: false,
      });
      expect((await content('text', 'v1', digestOf(bytesOf('{"os":"linux"}')))).text).toBe('{"os":"linux"}');
    });

    test('is none for bytes that are no text', async () => {
      for (const [tag, bytes] of [
        ['gzip', Uint8Array.of(0x1f, 0x8b, 8, 0)],
        ['nul', bytesOf('a\0b')],
        ['cut', Uint8Array.of(0x61, 0xe2, 0x98)],
      ] as const) {
        const blob = await pushBlob(registry.context, 'binary', bytes);
        await pushManifest(registry.context, 'binary', imageOf({ config: blob, layers: [blob] }), tag);
        expect([tag, (await content('binary', tag, blob)).text]).toEqual([tag, null]);
      }
    });

    test('is its first MiB, and ends with a whole character', async () => {
      const text = `a${'☃'.repeat(500_000)}`;
      const blob = await pushBlob(registry.context, 'long', text);
      await pushManifest(registry.context, 'long', imageOf({ config: blob, layers: [blob] }), 'v1');
      const found = await content('long', 'v1', blob);
      expect([found.truncated, found.size]).toEqual([true, bytesOf(text).length]);
      expect(found.text).toBe(`a${'☃'.repeat((CONTENT_MAX_BYTES - 1) / 3)}`);
    });

    test('is only of what the manifest names, not of all that the repository has', async () => {
      const loose = await pushBlob(registry.context, 'text', 'loose');
      expect(await codeOf(content('text', 'v1', loose))).toBe('BLOB_UNKNOWN');
      expect(await codeOf(content('text', 'v2', loose))).toBe('MANIFEST_UNKNOWN');
    });
  });
});
