import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { onEachDatabase } from '../database/test-databases.ts';
import type { Digest } from '../oci/digest.ts';
import { MEDIA } from '../oci/media-types.ts';
import { parseReference } from '../oci/names.ts';
import { CONFIG_MAX_BYTES } from './image-config.ts';
import { describeManifests, type ManifestFacts, MOST_PLATFORMS } from './image-facts.ts';
import { putManifest } from './manifests.ts';
import { getRepository } from './repositories.ts';
import {
  ACTOR,
  bytesOf,
  descriptor,
  imageOf,
  indexOf,
  named,
  openTestRegistry,
  pushBlob,
  pushManifest,
  type TestRegistry,
} from './testing.ts';

const sizeOf = (document: unknown) => bytesOf(JSON.stringify(document)).byteLength;
const UNKNOWN = { os: 'unknown', architecture: 'unknown' };

onEachDatabase('the facts of manifests', (newPlace) => {
  let registry: TestRegistry;
  beforeAll(async () => {
    registry = await openTestRegistry(await newPlace());
  });
  afterAll(() => registry?.remove());

  const describeIn = async (name: string, digests: Digest[], context = registry.context) =>
    describeManifests(context, (await getRepository(context, named(name))).id, digests);
  const factsOf = async (name: string, digest: Digest): Promise<ManifestFacts> => {
    const found = (await describeIn(name, [digest])).get(digest);
    if (found === undefined) throw new Error(`no facts of ${digest}`);
    return found;
  };
  /** An image with this config. */
  const image = async (name: string, config: Record<string, unknown> | string, layer = '0123456789') => {
    const text = typeof config === 'string' ? config : JSON.stringify(config);
    const document = imageOf({
      config: await pushBlob(registry.context, name, text),
      layers: [await pushBlob(registry.context, name, layer)],
    });
    const digest = await pushManifest(registry.context, name, document);
    return { digest, document, bytes: text.length + layer.length };
  };
  const entry = (digest: Digest, platform: unknown, mediaType: string = MEDIA.ociManifest) => ({
    ...descriptor(digest, mediaType),
    platform,
  });

  describe('of an image', () => {
    test('have the platform of its config, and sizes as they are stored', async () => {
      const { digest, bytes, document } = await image('app', { os: 'linux', architecture: 'arm64', variant: 'v8' });
      const facts = await factsOf('app', digest);
      expect(facts).toMatchObject({ digest, kind: 'image', mediaType: MEDIA.ociManifest, pushedBy: 'alice' });
      expect(facts.platforms).toEqual([{ platform: 'linux/arm64/v8', digest, size: bytes, available: true }]);
      expect(facts.size).toBe(bytes + sizeOf(document));
      expect(facts.pulledAt).toBeNull();
    });

    test('count a layer that comes twice once', async () => {
      const { context } = registry;
      const config = await pushBlob(context, 'twice', '{"os":"linux","architecture":"amd64"}');
      const layer = await pushBlob(context, 'twice', 'a layer!');
      const document = imageOf({ config, layers: [layer, layer] });
      const facts = await factsOf('twice', await pushManifest(context, 'twice', document));
      expect(facts.platforms[0]?.size).toBe(37 + 8);
    });

    for (const [what, config] of [
      ['is no JSON', 'config of nothing'],
      ['is a list', '["linux"]'],
      ['is null', 'null'],
      ['says no architecture', '{"os":"linux","architecture":""}'],
      ['says something that is no word', '{"os":"<script>","architecture":"amd64"}'],
      ['says a number', '{"os":1,"architecture":{"a":1}}'],
      ['says a text without end', JSON.stringify({ os: 'x'.repeat(10_000), architecture: 'amd64' })],
      ['is too large to read', JSON.stringify({ os: 'linux', architecture: 'amd64', x: 'x'.repeat(CONFIG_MAX_BYTES) })],
    ] as const) {
      test(`whose config ${what} have no platform`, async () => {
        const { digest } = await image('odd', config);
        const { kind, platforms } = await factsOf('odd', digest);
        expect(kind).toBe('image');
        expect(platforms.map((one) => one.platform)).toEqual([null]);
      });
    }
  });

  describe('of an index', () => {
    test('have the images it names, without attestations and what is no image; each byte once', async () => {
      const { context } = registry;
      const amd = await image('multi', { os: 'linux', architecture: 'amd64' }, 'a shared layer');
      const arm = await image('multi', { os: 'linux', architecture: 'arm64' }, 'a shared layer');
      const said = imageOf({ config: await pushBlob(context, 'multi', '{"of":"attestation"}') });
      const attestation = await pushManifest(context, 'multi', said);
      const sbom = {
        ...imageOf({ config: await pushBlob(context, 'multi', '{}') }),
        artifactType: 'application/spdx+json',
        config: descriptor(await pushBlob(context, 'multi', '{}'), 'application/vnd.oci.empty.v1+json', 2),
      };
      const index = {
        ...indexOf([]),
        manifests: [
          entry(amd.digest, { os: 'linux', architecture: 'amd64' }),
          entry(arm.digest, { os: 'linux', architecture: 'arm64', variant: 'v8' }),
          entry(attestation, UNKNOWN),
          entry(await pushManifest(context, 'multi', sbom), undefined),
        ],
      };
      const facts = await factsOf('multi', await pushManifest(context, 'multi', index, 'latest'));
      const config = 37;
      expect(facts.kind).toBe('index');
      expect(facts.platforms).toEqual([
        { platform: 'linux/amd64', digest: amd.digest, size: config + 14, available: true },
        { platform: 'linux/arm64/v8', digest: arm.digest, size: config + 14, available: true },
      ]);
      const manifests = [index, amd.document, arm.document, said, sbom].reduce((sum, one) => sum + sizeOf(one), 0);
      expect(facts.size).toBe(manifests + config * 2 + 14 + 20 + 2);
    });

    test('have those of an index in it too', async () => {
      const { context } = registry;
      const one = await image('nested', { os: 'linux', architecture: 'amd64' });
      const inner = await pushManifest(context, 'nested', {
        ...indexOf([]),
        manifests: [entry(one.digest, { os: 'linux', architecture: 'amd64' })],
      });
      const outer = { ...indexOf([]), manifests: [entry(inner, undefined, MEDIA.ociIndex)] };
      const facts = await factsOf('nested', await pushManifest(context, 'nested', outer));
      expect(facts.platforms.map(({ platform, digest }) => [platform, digest])).toEqual([['linux/amd64', one.digest]]);
    });

    test('say of an image that is gone that it is not available', async () => {
      const { context } = registry;
      const one = await image('lost', { os: 'linux', architecture: 'amd64' });
      const index = { ...indexOf([]), manifests: [entry(one.digest, { os: 'linux', architecture: 'amd64' })] };
      const digest = await pushManifest(context, 'lost', index);
      await context.database.transaction((tx) => tx.deleteFrom('manifests').where('digest', '=', one.digest).execute());
      expect((await factsOf('lost', digest)).platforms).toEqual([
        { platform: 'linux/amd64', digest: one.digest, size: 0, available: false },
      ]);
    });

    test('without images are none, and of very many the first', async () => {
      const { context } = registry;
      const one = await image('many', { os: 'linux', architecture: 'amd64' });
      const empty = await factsOf('many', await pushManifest(context, 'many', indexOf([])));
      expect([empty.kind, empty.platforms]).toEqual(['index', []]);
      const manifests = Array.from({ length: MOST_PLATFORMS + 50 }, (_, i) =>
        entry(one.digest, { os: 'linux', architecture: `a${i}` }),
      );
      const many = await factsOf('many', await pushManifest(context, 'many', { ...indexOf([]), manifests }));
      expect(many.platforms).toHaveLength(MOST_PLATFORMS);
    });
  });

  test('of what is no image have no platforms, whatever its config is called', async () => {
    const { context } = registry;
    const blob = await pushBlob(context, 'artifacts', '{"os":"linux","architecture":"amd64"}');
    const config = descriptor(blob, 'application/vnd.oci.image.config.v1+json');
    const documents = {
      chart: { ...imageOf({ config: blob }), config: descriptor(blob, 'application/vnd.cncf.helm.config.v1+json') },
      signature: {
        ...imageOf({ config: blob }),
        config,
        layers: [descriptor(blob, 'application/vnd.dev.cosign.simplesigning.v1+json')],
      },
      cache: { ...indexOf([]), manifests: [descriptor(blob, 'application/vnd.oci.image.layer.v1.tar+gzip')] },
      artifact: { mediaType: MEDIA.ociArtifact, artifactType: 'application/x', blobs: [descriptor(blob)] },
    };
    for (const [what, document] of Object.entries(documents)) {
      const facts = await factsOf('artifacts', await pushManifest(context, 'artifacts', document));
      expect([what, facts.kind, facts.platforms]).toEqual([what, 'artifact', []]);
      expect([what, facts.size]).toEqual([what, sizeOf(document) + 37]);
    }
  });

  test('leave out what the repository does not have, also when this process knows it from elsewhere', async () => {
    const { context } = registry;
    const here = await image('here', { os: 'linux', architecture: 'amd64' });
    await image('there', { os: 'linux', architecture: 's390x' });
    await factsOf('here', here.digest);
    expect((await describeIn('there', [here.digest])).size).toBe(0);
    expect((await describeManifests(context, 0, [])).size).toBe(0);
  });

  test('are of the media type that the manifest has in its own repository', async () => {
    const { context } = registry;
    const { mediaType: _, ...document } = imageOf({ config: await pushBlob(context, 'typed/oci', '{}') });
    await pushBlob(context, 'typed/docker', '{}');
    const bytes = bytesOf(JSON.stringify(document));
    const digests: Digest[] = [];
    for (const [name, contentType] of [
      ['typed/oci', MEDIA.ociManifest],
      ['typed/docker', MEDIA.dockerManifest],
    ] as const) {
      const reference = parseReference('v1');
      const put = { name: named(name), reference, contentType, bytes, precondition: {}, actor: ACTOR };
      digests.push((await putManifest(context, put)).digest);
    }
    const [digest] = digests;
    if (digest === undefined) throw new Error('nothing was pushed');
    for (const _ of [1, 2]) {
      expect((await factsOf('typed/oci', digest)).mediaType).toBe(MEDIA.ociManifest);
      expect((await factsOf('typed/docker', digest)).mediaType).toBe(MEDIA.dockerManifest);
    }
  });

  test('are the same from what was read before, without reading it again', async () => {
    const { context } = registry;
    const one = await image('again', { os: 'linux', architecture: 'riscv64' });
    const index = { ...indexOf([]), manifests: [entry(one.digest, { os: 'linux', architecture: 'riscv64' })] };
    const digests = [one.digest, await pushManifest(context, 'again', index)];
    const first = await describeIn('again', digests);
    let reads = 0;
    const store = new Proxy(context.store, {
      get(target, key) {
        if (key === 'read') reads++;
        const value: unknown = Reflect.get(target, key);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    expect(await describeIn('again', digests, { ...context, store })).toEqual(first);
    expect(reads).toBe(0);
    expect(await describeIn('again', digests, registry.anotherProcess('p2'))).toEqual(first);
  });
});
