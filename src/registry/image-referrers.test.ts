import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { onEachDatabase } from '../database/test-databases.ts';
import { type Digest, parseDigest } from '../oci/digest.ts';
import { MEDIA } from '../oci/media-types.ts';
import { parseReference } from '../oci/names.ts';
import { getImage, getImageContent } from './images.ts';
import { deleteManifest } from './manifests.ts';
import {
  ACTOR,
  descriptor,
  imageOf,
  named,
  openTestRegistry,
  pushBlob,
  pushImage,
  pushManifest,
  type TestRegistry,
} from './testing.ts';

const CONFIG = 'application/vnd.oci.image.config.v1+json';

onEachDatabase('indexes and referrers', (newPlace) => {
  let registry: TestRegistry;
  beforeAll(async () => {
    registry = await openTestRegistry(await newPlace());
  });
  afterAll(() => registry?.remove());

  const look = (name: string, reference: string) => getImage(registry.context, named(name), parseReference(reference));
  const content = (name: string, reference: string, digest: Digest) =>
    getImageContent(registry.context, named(name), parseReference(reference), digest);

  async function push(
    name: string,
    config: unknown,
    options: { seeds?: string[]; rest?: Record<string, unknown> } = {},
  ): Promise<Digest> {
    const { seeds = ['layer'], rest = {} } = options;
    const { context } = registry;
    const layers: Digest[] = [];
    for (const seed of seeds) layers.push(await pushBlob(context, name, seed));
    const document = imageOf({ config: await pushBlob(context, name, JSON.stringify(config)), layers });
    return pushManifest(context, name, { ...document, ...rest });
  }

  describe('an index', () => {
    let amd: Digest;
    let arm: Digest;
    let about: Digest;
    let index: Digest;
    beforeAll(async () => {
      const { context } = registry;
      amd = await push('multi', { os: 'linux', architecture: 'amd64' }, { seeds: ['base', 'amd'] });
      const labels = { 'org.opencontainers.image.revision': 'of arm', 'org.opencontainers.image.source': 'of arm' };
      arm = await push(
        'multi',
        { os: 'linux', architecture: 'arm64', config: { Labels: labels } },
        {
          seeds: ['base', 'arm'],
          rest: { annotations: { 'org.opencontainers.image.source': 'of the manifest' } },
        },
      );
      const statement = JSON.stringify({ predicateType: 'https://spdx.dev/Document' });
      about = await push(
        'multi',
        { architecture: 'unknown', os: 'unknown' },
        {
          rest: {
            layers: [
              {
                ...descriptor(
                  await pushBlob(context, 'multi', statement),
                  'application/vnd.in-toto+json',
                  statement.length,
                ),
                annotations: { 'in-toto.io/predicate-type': 'https://spdx.dev/Document' },
              },
            ],
          },
        },
      );
      index = await pushManifest(
        context,
        'multi',
        {
          schemaVersion: 2,
          mediaType: MEDIA.ociIndex,
          manifests: [
            { ...descriptor(arm, MEDIA.ociManifest), platform: { os: 'linux', architecture: 'arm64', variant: 'v8' } },
            { ...descriptor(amd, MEDIA.ociManifest), platform: { os: 'linux', architecture: 'amd64' } },
            {
              ...descriptor(about, MEDIA.ociManifest),
              platform: { os: 'unknown', architecture: 'unknown' },
              annotations: {
                'vnd.docker.reference.type': 'attestation-manifest',
                'vnd.docker.reference.digest': arm,
              },
            },
          ],
          annotations: { 'org.opencontainers.image.version': 'of the index' },
        },
        'v1',
      );
    });

    test('has the platforms of its images, and no configuration of its own', async () => {
      const found = await look('multi', 'v1');
      expect(found).toMatchObject({ kind: 'index', digest: index, config: null, layers: [] });
      expect(found.platforms.map(({ platform, digest, available }) => [platform, digest, available])).toEqual([
        ['linux/arm64/v8', arm, true],
        ['linux/amd64', amd, true],
      ]);
      expect(found.platforms[1]?.size).toBe('baseamd'.length + '{"os":"linux","architecture":"amd64"}'.length);
    });

    test('speaks for itself first, then its first image does', async () => {
      const { revision, source, version } = await look('multi', 'v1');
      expect({ revision, source, version }).toEqual({
        revision: 'of arm',
        source: 'of the manifest',
        version: 'of the index',
      });
    });

    test("has BuildKit's attestations as referrers, each with the image that it is about", async () => {
      const { referrers } = await look('multi', 'v1');
      expect(referrers).toMatchObject([
        {
          digest: about,
          how: 'index',
          artifactType: CONFIG,
          pushedBy: 'alice',
          annotations: { 'vnd.docker.reference.digest': arm },
          parts: [
            {
              mediaType: 'application/vnd.in-toto+json',
              annotations: { 'in-toto.io/predicate-type': 'https://spdx.dev/Document' },
            },
          ],
        },
      ]);
      const part = parseDigest(referrers[0]?.parts[0]?.digest ?? '');
      expect((await content('multi', about, part)).text).toBe('{"predicateType":"https://spdx.dev/Document"}');
    });

    test('leaves to each of its images the attestations about that one', async () => {
      expect((await look('multi', arm)).referrers.map(({ digest }) => digest)).toEqual([about]);
      expect((await look('multi', amd)).referrers).toEqual([]);
    });

    test('with an attestation is an image and not an artifact; the attestation is', async () => {
      expect([(await look('multi', arm)).kind, (await look('multi', about)).kind]).toEqual(['image', 'artifact']);
    });

    test.each([
      ['a text', 'linux/amd64'],
      ['a list', ['linux']],
      ['null', null],
      ['of wrong types', { os: 7, architecture: {} }],
      ['of a key that JavaScript knows', JSON.parse('{"__proto__":{"os":"linux","architecture":"amd64"}}')],
    ])('whose platform is %s has an image without one', async (what, platform) => {
      const manifests = [{ ...descriptor(amd, MEDIA.ociManifest), platform, annotations: { what } }];
      await pushManifest(registry.context, 'multi', { schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests }, 'odd');
      expect((await look('multi', 'odd')).platforms).toMatchObject([{ platform: null, digest: amd, available: true }]);
    });
  });

  describe('referrers', () => {
    test('are those with its subject, and those of cosign with its tags, each once', async () => {
      const { context } = registry;
      const image = await pushImage(context, 'signed', 'one', 'v1');
      const subject = image.digest;
      const config = await pushBlob(context, 'signed', '{}');
      const sbom = await pushBlob(context, 'signed', '{"spdxVersion":"SPDX-2.3"}');
      const bySubject = await pushManifest(context, 'signed', {
        schemaVersion: 2,
        mediaType: MEDIA.ociManifest,
        artifactType: 'application/spdx+json',
        config: descriptor(config, 'application/vnd.oci.empty.v1+json', 2),
        layers: [descriptor(sbom, 'application/spdx+json', 26)],
        subject: descriptor(subject, MEDIA.ociManifest),
        annotations: { a: 'b' },
      });
      const tag = subject.replace(':', '-');
      const bySignature = await pushManifest(
        context,
        'signed',
        {
          schemaVersion: 2,
          mediaType: MEDIA.ociManifest,
          config: descriptor(config, CONFIG, 2),
          layers: [descriptor(sbom, 'application/vnd.dev.cosign.simplesigning.v1+json', 26)],
        },
        `${tag}.sig`,
      );
      const inIndex = await pushManifest(context, 'signed', imageOf({ config, artifactType: 'application/x' }));
      const manifests = [bySubject, inIndex].map((digest) => descriptor(digest, MEDIA.ociManifest));
      await pushManifest(context, 'signed', { schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests }, tag);
      const { referrers } = await look('signed', 'v1');
      expect(referrers.map(({ digest, how }) => [how, digest])).toEqual([
        ['subject', bySubject],
        ['tag', inIndex],
        ['tag', bySignature],
      ]);
      expect(referrers[0]).toMatchObject({
        artifactType: 'application/spdx+json',
        annotations: { a: 'b' },
        parts: [{ digest: sbom, size: 26 }],
      });
      expect(await look('signed', bySubject)).toMatchObject({ kind: 'artifact', subject, referrers: [] });
      expect((await look('signed', `${tag}.sig`)).kind).toBe('artifact');
    });

    test('that were deleted are left out, and there are 100 at most', async () => {
      const { context } = registry;
      const image = await pushImage(context, 'popular', 'one', 'v1');
      const digests = [];
      for (let i = 0; i < 120; i++) {
        const annotations = { i: String(i) };
        digests.push(
          await pushManifest(context, 'popular', imageOf({ config: image.config, subject: image.digest, annotations })),
        );
      }
      expect((await look('popular', 'v1')).referrers.length).toBe(100);
      for (const digest of digests.slice(0, 119)) await deleteManifest(context, named('popular'), digest, ACTOR);
      expect((await look('popular', 'v1')).referrers.map(({ digest }) => digest)).toEqual(digests.slice(119));
    });
  });
});
