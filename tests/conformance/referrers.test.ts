import { describe, expect } from 'bun:test';
import { z } from 'zod';
import { type Descriptor, describeBytes, digestOf, firstCode, freshName, mediaTypes } from '../support/registry.ts';
import type { Answer } from '../support/wire.ts';
import { serve, spec } from './spec.ts';

const served = serve();

const descriptor = z.strictObject({
  mediaType: z.string(),
  digest: z.string(),
  size: z.int(),
  artifactType: z.string().optional(),
  annotations: z.record(z.string(), z.string()).optional(),
});
const index = z.strictObject({
  schemaVersion: z.literal(2),
  mediaType: z.literal(mediaTypes.ociIndex),
  manifests: z.array(descriptor),
});

const list = (answer: Answer) => index.parse(answer.json()).manifests;

interface Pushed {
  descriptor: Descriptor;
  answer: Answer;
}

async function attach(repository: string, subject: Descriptor, extra: Record<string, unknown> = {}): Promise<Pushed> {
  const image = await served.registry.makeImage(repository, { subject, ...extra });
  const answer = await served.registry.putManifest(repository, image.digest, image.body);
  return { descriptor: describeBytes(image.body, mediaTypes.ociManifest), answer };
}

async function attachIndex(
  repository: string,
  subject: Descriptor,
  extra: Record<string, unknown> = {},
): Promise<Pushed> {
  const body = JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [], subject, ...extra });
  const answer = await served.registry.putManifest(repository, digestOf(body), body, {
    mediaType: mediaTypes.ociIndex,
  });
  return { descriptor: describeBytes(body, mediaTypes.ociIndex), answer };
}

async function withSubject(): Promise<{ repository: string; subject: Descriptor; path: string }> {
  const repository = freshName();
  const image = await served.registry.pushImage(repository, 'v1');
  const subject = describeBytes(image.body, mediaTypes.ociManifest);
  return { repository, subject, path: `/v2/${repository}/referrers/${subject.digest}` };
}

/** A subject that nobody has pushed. */
const absent = () => describeBytes(`absent ${freshName()}`, mediaTypes.ociManifest);

describe('OCI Distribution 1.1, Push', () => {
  spec('subject-missing', 'an image, and the subject is pushed afterwards', async () => {
    const repository = freshName();
    const image = await served.registry.makeImage(repository);
    const subject = describeBytes(image.body, mediaTypes.ociManifest);
    const referrer = await attach(repository, subject);
    expect(referrer.answer.status).toBe(201);
    expect((await served.registry.putManifest(repository, 'v1', image.body)).status).toBe(201);
    const referrers = await served.registry.get(`/v2/${repository}/referrers/${subject.digest}`);
    expect(list(referrers).map((found) => found.digest)).toEqual([referrer.descriptor.digest]);
  });

  spec('subject-missing', 'an index', async () => {
    expect((await attachIndex(freshName(), absent())).answer.status).toBe(201);
  });

  spec(
    'subject-header',
    'a subject that is there, one that is not, by tag and by digest, image and index',
    async () => {
      const { repository, subject } = await withSubject();
      for (const of of [subject, absent()]) {
        expect((await attach(repository, of)).answer.headers.get('oci-subject')).toBe(of.digest);
        expect((await attachIndex(repository, of)).answer.headers.get('oci-subject')).toBe(of.digest);
        const image = await served.registry.makeImage(repository, { subject: of });
        const answer = await served.registry.putManifest(repository, 'tagged', image.body);
        expect(answer.headers.get('oci-subject')).toBe(of.digest);
      }
    },
  );

  spec('subject-header', 'none without a subject', async () => {
    const repository = freshName();
    const image = await served.registry.makeImage(repository);
    const answer = await served.registry.putManifest(repository, 'v1', image.body);
    expect(answer.headers.get('oci-subject')).toBeNull();
  });
});

describe('OCI Distribution 1.1, Content Discovery', () => {
  spec('referrers-found', 'of a manifest with referrers', async () => {
    const { repository, subject, path } = await withSubject();
    await attach(repository, subject);
    expect((await served.registry.get(path)).status).toBe(200);
  });

  spec('referrers-never-404', 'an unknown digest, sha512, a repository nobody has pushed to', async () => {
    const { repository } = await withSubject();
    for (const path of [
      `/v2/${repository}/referrers/${digestOf('unknown')}`,
      `/v2/${repository}/referrers/${digestOf('unknown', 'sha512')}`,
      `/v2/${freshName('nobody')}/referrers/${digestOf('unknown')}`,
    ]) {
      expect((await served.registry.get(path)).status).toBe(200);
    }
  });

  for (const digest of ['sha256:abc', 'v1', `sha256:${'g'.repeat(64)}`, `sha256:${'A'.repeat(64)}`, 'sha256', ':']) {
    spec('referrers-invalid', digest.slice(0, 20), async () => {
      const answer = await served.registry.get(`/v2/${freshName()}/referrers/${digest}`);
      expect([answer.status, firstCode(answer)]).toEqual([400, 'DIGEST_INVALID']);
    });
  }

  spec('referrers-index', 'each referrer with media type, digest and size, and no other manifest', async () => {
    const { repository, subject, path } = await withSubject();
    await served.registry.pushImage(repository, 'v2');
    const expected = [await attach(repository, subject), await attachIndex(repository, subject)];
    await attach(repository, absent());
    const found = list(await served.registry.get(path));
    const bare = ({ mediaType, digest, size }: Descriptor) => JSON.stringify({ mediaType, digest, size });
    expect(new Set(found.map((item) => bare(item as Descriptor)))).toEqual(
      new Set(expected.map((item) => bare(item.descriptor))),
    );
  });

  spec('referrers-index', 'of this repository alone, and until the referrer is deleted', async () => {
    const { repository, subject, path } = await withSubject();
    const kept = await attach(repository, subject);
    const deleted = await attach(repository, subject);
    await attach(freshName(), subject);
    await served.registry.delete(`/v2/${repository}/manifests/${deleted.descriptor.digest}`);
    expect(list(await served.registry.get(path)).map((item) => item.digest)).toEqual([kept.descriptor.digest]);
  });

  spec('referrers-type', 'with and without referrers', async () => {
    const { repository, subject, path } = await withSubject();
    expect((await served.registry.get(path)).headers.get('content-type')).toBe(mediaTypes.ociIndex);
    await attach(repository, subject);
    expect((await served.registry.get(path)).headers.get('content-type')).toBe(mediaTypes.ociIndex);
  });

  spec('referrers-artifact-type', 'image and index', async () => {
    const { repository, subject, path } = await withSubject();
    await attach(repository, subject, { artifactType: 'application/vnd.example.a' });
    await attachIndex(repository, subject, { artifactType: 'application/vnd.example.b' });
    const types = list(await served.registry.get(path)).map((item) => item.artifactType);
    expect(types.sort()).toEqual(['application/vnd.example.a', 'application/vnd.example.b']);
  });

  for (const artifactType of [undefined, '']) {
    spec('referrers-config-type', artifactType === undefined ? 'missing' : 'empty', async () => {
      const { repository, subject, path } = await withSubject();
      await served.registry.pushBlob(repository, 'config');
      const config = describeBytes('config', 'application/vnd.example.config');
      await attach(repository, subject, { artifactType, config });
      expect(list(await served.registry.get(path))[0]?.artifactType).toBe('application/vnd.example.config');
    });

    spec('referrers-index-no-type', artifactType === undefined ? 'missing' : 'empty', async () => {
      const { repository, subject, path } = await withSubject();
      await attachIndex(repository, subject, { artifactType });
      const [found] = list(await served.registry.get(path));
      expect(Object.keys(found ?? {}).sort()).toEqual(['digest', 'mediaType', 'size']);
    });
  }

  spec('referrers-annotations', 'image and index, as they were pushed', async () => {
    const { repository, subject, path } = await withSubject();
    const annotations = { 'org.opencontainers.image.created': '2026-01-01T00:00:00Z', 'x/é "y"': 'line\nline \\ 😀' };
    await attach(repository, subject, { annotations });
    await attachIndex(repository, subject, { annotations });
    const found = list(await served.registry.get(path));
    expect(found.map((item) => item.annotations)).toEqual([annotations, annotations]);
  });

  spec('referrers-empty', 'an unknown subject, and one that nothing refers to', async () => {
    const { repository, path } = await withSubject();
    expect(list(await served.registry.get(path))).toEqual([]);
    expect(list(await served.registry.get(`/v2/${repository}/referrers/${digestOf('unknown')}`))).toEqual([]);
  });

  async function walk(path: string): Promise<{ digests: string[]; pages: number; links: string[] }> {
    const digests: string[] = [];
    const links: string[] = [];
    let at: string | undefined = path;
    let pages = 0;
    for (; at !== undefined && pages < 1000; pages++) {
      const answer: Answer = await served.registry.get(at);
      expect(answer.body.length).toBeLessThanOrEqual(4 * 1024 * 1024);
      digests.push(...list(answer).map((item) => item.digest));
      const link = answer.headers.get('link');
      if (link !== null) links.push(link);
      at = /^<([^>]+)>; rel="next"$/.exec(link ?? '')?.[1];
    }
    return { digests, pages, links };
  }

  spec(
    'referrers-link',
    'a list of more than 4 MiB comes in pages that a client can read, each referrer once',
    async () => {
      const { repository, subject, path } = await withSubject();
      const expected: string[] = [];
      for (let i = 0; i < 6; i++) {
        const annotations = { number: String(i), padding: 'x'.repeat(1_000_000) };
        expected.push((await attach(repository, subject, { annotations })).descriptor.digest);
      }
      const { digests, pages } = await walk(path);
      expect(digests.sort()).toEqual(expected.sort());
      expect(pages).toBeGreaterThan(1);
    },
  );

  spec('referrers-link-form', 'n=2 makes pages, and the filter goes with them', async () => {
    const { repository, subject, path } = await withSubject();
    const expected: string[] = [];
    for (let i = 0; i < 5; i++) {
      const artifactType = 'application/vnd.example.paged+json';
      expected.push((await attach(repository, subject, { artifactType })).descriptor.digest);
      await attach(repository, subject, { artifactType: 'application/vnd.example.other' });
    }
    const { digests, links } = await walk(`${path}?artifactType=application%2Fvnd.example.paged%2Bjson&n=2`);
    expect(digests.sort()).toEqual(expected.sort());
    expect(links).toHaveLength(2);
    for (const link of links) expect(link).toMatch(/^<\/v2\/[^<>]+>; rel="next"$/);
  });

  spec('referrers-filter', 'by type, by the type of a config, and to nothing', async () => {
    const { repository, subject, path } = await withSubject();
    const sbom = await attach(repository, subject, { artifactType: 'application/vnd.example.sbom+json' });
    const plain = await attach(repository, subject);
    const filtered = async (type: string) =>
      list(await served.registry.get(`${path}?artifactType=${encodeURIComponent(type)}`)).map((item) => item.digest);
    expect(await filtered('application/vnd.example.sbom+json')).toEqual([sbom.descriptor.digest]);
    expect(await filtered(mediaTypes.ociConfig)).toEqual([plain.descriptor.digest]);
    expect(await filtered('application/vnd.example.none')).toEqual([]);
  });

  spec('referrers-filter-header', 'with a filter, also when nothing passes it; without a filter none', async () => {
    const { repository, subject, path } = await withSubject();
    await attach(repository, subject);
    const header = async (query: string) =>
      (await served.registry.get(path + query)).headers.get('oci-filters-applied');
    expect(await header(`?artifactType=${mediaTypes.ociConfig.replaceAll('+', '%2B')}`)).toBe('artifactType');
    expect(await header('?artifactType=application/vnd.example.none')).toBe('artifactType');
    expect(await header('')).toBeNull();
  });
});

describe('OCI Distribution 1.1, Upgrade Procedures', () => {
  spec('referrers-preexisting', 'a manifest that a client also lists under the referrers tag', async () => {
    const { repository, subject, path } = await withSubject();
    const referrer = await attach(repository, subject);
    const tag = subject.digest.replace(':', '-');
    const fallback = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [referrer.descriptor] };
    expect((await served.registry.putManifest(repository, tag, fallback)).status).toBe(201);
    expect((await served.registry.get(`/v2/${repository}/manifests/${tag}`)).json()).toEqual(fallback);
    expect(list(await served.registry.get(path)).map((item) => item.digest)).toEqual([referrer.descriptor.digest]);
  });

  spec('referrers-new', 'twenty pushed at once', async () => {
    const { repository, subject, path } = await withSubject();
    const pushed = await Promise.all(Array.from({ length: 20 }, () => attach(repository, subject)));
    const found = list(await served.registry.get(path)).map((item) => item.digest);
    expect(found.sort()).toEqual(pushed.map((item) => item.descriptor.digest).sort());
  });
});
