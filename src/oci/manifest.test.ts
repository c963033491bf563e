import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { digestOf } from './digest.ts';
import { OciError } from './errors.ts';
import { MANIFEST_MAX_BYTES, type ParsedManifest, parseManifest } from './manifest.ts';
import { bareMediaType, MANIFEST_SHAPES, MEDIA } from './media-types.ts';

const bytesOf = (text: string) => new TextEncoder().encode(text);
const named = (text: string) => digestOf(bytesOf(text));
const descriptor = (text: string, mediaType = 'application/octet-stream') => ({
  mediaType,
  digest: named(text),
  size: 3,
});

function parse(document: unknown, contentType: string | null = null): ParsedManifest {
  return parseManifest(bytesOf(typeof document === 'string' ? document : JSON.stringify(document)), contentType);
}

function codeOf(document: unknown, contentType: string | null = null): string {
  try {
    parse(document, contentType);
    return 'none';
  } catch (error) {
    if (error instanceof OciError) return error.code;
    throw error;
  }
}

const image = {
  schemaVersion: 2,
  mediaType: MEDIA.ociManifest,
  config: descriptor('config', 'application/vnd.oci.image.config.v1+json'),
  layers: [descriptor('one'), descriptor('two')],
};
const index = { schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests: [descriptor('child', MEDIA.ociManifest)] };
const artifact = { mediaType: MEDIA.ociArtifact, artifactType: 'a/b', blobs: [descriptor('blob')] };

describe('a manifest', () => {
  const kinds = (found: ParsedManifest) => found.targets.map(({ kind, digest }) => [kind, digest]).sort();

  test('of an image needs its config and layers', () => {
    for (const mediaType of [MEDIA.ociManifest, MEDIA.dockerManifest]) {
      const found = parse({ ...image, mediaType });
      expect(found).toMatchObject({ mediaType, subject: undefined, annotations: undefined });
      expect(found.artifactType).toBe('application/vnd.oci.image.config.v1+json');
      expect(kinds(found)).toEqual(
        [
          ['config', named('config')],
          ['layer', named('one')],
          ['layer', named('two')],
        ].sort() as never,
      );
    }
  });

  test('of several platforms needs its entries, and BuildKit’s cache its blobs', () => {
    for (const mediaType of [MEDIA.ociIndex, MEDIA.dockerList]) {
      expect(kinds(parse({ ...index, mediaType }))).toEqual([['manifest', named('child')]]);
    }
    const cache = { ...index, manifests: [descriptor('layer', 'application/vnd.oci.image.layer.v1.tar+gzip')] };
    expect(kinds(parse(cache))).toEqual([['layer', named('layer')]]);
  });

  test('of an artifact needs its blobs, of which it may have none', () => {
    expect(kinds(parse(artifact))).toEqual([['layer', named('blob')]]);
    expect(parse({ ...artifact, blobs: null }).targets).toEqual([]);
  });

  test('does not need foreign layers, and needs each other digest once', () => {
    const foreign = descriptor('foreign', 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip');
    const layers = [descriptor('one'), foreign, descriptor('one'), descriptor('config')];
    expect(kinds(parse({ ...image, layers }))).toEqual(
      [
        ['config', named('config')],
        ['layer', named('one')],
      ].sort() as never,
    );
  });

  test('tells its subject, its type and its annotations', () => {
    const found = parse({
      ...image,
      artifactType: 'a/signature',
      subject: descriptor('subject'),
      annotations: { a: 'ü' },
    });
    expect(found).toMatchObject({ artifactType: 'a/signature', subject: named('subject'), annotations: { a: 'ü' } });
    expect(kinds(found).flat()).not.toContain(named('subject'));
  });

  test('takes its media type from the document, from the Content-Type, or from both when they agree', () => {
    const { mediaType, ...bare } = image;
    expect(parse(bare, mediaType).mediaType).toBe(mediaType);
    expect(parse(image, `${mediaType.toUpperCase()}; charset=utf-8`).mediaType).toBe(mediaType);
    expect(codeOf(bare)).toBe('MANIFEST_INVALID');
    expect(codeOf(image, MEDIA.dockerManifest)).toBe('MANIFEST_INVALID');
    expect(codeOf(image, 'application/json')).toBe('MANIFEST_INVALID');
  });

  test.each([
    ['that is no object', '[]'],
    ['that is not JSON', '{'],
    ['that is empty', ''],
    ['with a byte order mark', `\ufeff${JSON.stringify(image)}`],
    ['with a key that stands twice', JSON.stringify(image).replace('{', '{"layers":[],')],
    ['that is nested too deep', JSON.stringify(image).replace('{', `{"deep":${'['.repeat(40)}${']'.repeat(40)},`)],
    ['of schema 1', { ...image, schemaVersion: 1 }],
    ['without schemaVersion', { ...image, schemaVersion: undefined }],
    ['without config', { ...image, config: undefined }],
    ['whose layers are no list', { ...image, layers: {} }],
    ['with a negative size', { ...image, config: { ...image.config, size: -1 } }],
    ['with a size that is no whole number', { ...image, config: { ...image.config, size: 1.5 } }],
    ['with a size beyond what a number holds', JSON.stringify(image).replace('"size":3', '"size":1e300')],
    ['with a malformed digest', { ...image, config: { ...image.config, digest: 'sha256:abc' } }],
    ['with an annotation that is no text', { ...image, annotations: { a: 1 } }],
    ['with a media type that is no text', { ...image, mediaType: 1 }],
    ['with a NUL in its type', { ...image, artifactType: 'a\0b' }],
    ['that is an image and an index', { ...image, manifests: index.manifests }],
    ['that is an index and an image', { ...index, layers: image.layers }],
  ])('%s is refused', (_, document) => {
    expect(codeOf(document)).toBe('MANIFEST_INVALID');
  });

  test('that is not UTF-8 is refused', () => {
    const bytes = bytesOf(JSON.stringify({ ...image, annotations: { a: 'x' } }));
    bytes[bytes.lastIndexOf(0x78)] = 0xff;
    expect(() => parseManifest(bytes, null)).toThrow(/not UTF-8/);
  });

  test('of 4 MiB is taken, and of one byte more is refused', () => {
    const text = JSON.stringify(image);
    expect(codeOf(text + ' '.repeat(MANIFEST_MAX_BYTES - text.length))).toBe('none');
    expect(codeOf(text + ' '.repeat(MANIFEST_MAX_BYTES - text.length + 1))).toBe('MANIFEST_TOO_LARGE');
  });

  test('names the field that is wrong', () => {
    expect(() => parse({ ...image, layers: [descriptor('one'), { ...descriptor('two'), size: 'x' }] })).toThrow(
      /^layers\.1\.size: /,
    );
  });

  test('does not reach into the program by its keys', () => {
    const text = JSON.stringify(image).replace('{', '{"__proto__":{"polluted":true},"annotations":{"__proto__":"x"},');
    codeOf(text);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  test('whatever is done to it, is taken or refused with a reason, and never is another error', () => {
    const documents = [image, index, artifact].map((document) => JSON.stringify(document));
    const odd = fc.oneof(
      fc.constantFrom(null, true, 0, -1, '', [], {}, 1e21, '\0'),
      fc.string(),
      fc.jsonValue({ maxDepth: 2 }),
    );
    const changed = fc.tuple(fc.constantFrom(...documents), fc.nat(), odd).map(([document, at, value]) => {
      const paths: (string | number)[][] = [];
      const collect = (node: unknown, path: (string | number)[]) => {
        if (path.length > 0) paths.push(path);
        if (typeof node === 'object' && node !== null) {
          for (const [key, child] of Object.entries(node))
            collect(child, [...path, Array.isArray(node) ? Number(key) : key]);
        }
      };
      const root: unknown = JSON.parse(document);
      collect(root, []);
      const path = paths[at % paths.length] ?? [];
      let node = root as Record<string | number, unknown>;
      for (const key of path.slice(0, -1)) node = node[key] as Record<string | number, unknown>;
      node[path.at(-1) ?? ''] = value;
      return JSON.stringify(root);
    });
    const cut = fc
      .tuple(fc.constantFrom(...documents), fc.nat(), fc.string({ maxLength: 3, unit: 'binary' }))
      .map(([text, at, by]) => text.slice(0, at % text.length) + by + text.slice((at % text.length) + 1));
    const types = fc.constantFrom(null, ...Object.keys(MANIFEST_SHAPES), 'application/json', ';', '');
    let taken = 0;
    fc.assert(
      fc.property(fc.oneof(changed, cut, fc.string()), types, (text, contentType) => {
        const code = codeOf(text, contentType);
        expect(['none', 'MANIFEST_INVALID']).toContain(code);
        if (code === 'none') taken++;
      }),
      { numRuns: 3_000 },
    );
    expect(taken).toBeGreaterThan(10);
  });
});

describe('a media type', () => {
  test('is compared without its parameters and case', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.values(MEDIA)),
        fc.constantFrom('', ';', '; charset=utf-8', ' ;a=b;c=d'),
        (type, rest) => {
          expect(bareMediaType(` ${type.toUpperCase()}${rest}`)).toBe(type);
        },
      ),
    );
    expect(bareMediaType(null)).toBe('');
  });
});
