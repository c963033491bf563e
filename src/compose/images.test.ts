// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the variables are those of compose files
import { describe, expect, test } from 'bun:test';
import { parseComposeFile } from './file.ts';
import { parseImage, registryImages } from './images.ts';

const DIGEST = `sha256:${'0'.repeat(64)}`;

describe("an image's name", () => {
  test.each([
    ['nginx', { host: undefined, name: 'nginx', tag: undefined, digest: undefined }],
    ['alice/web:1.2', { host: undefined, name: 'alice/web', tag: '1.2', digest: undefined }],
    ['localhost:5000/alice/web', { host: 'localhost:5000', name: 'alice/web', tag: undefined, digest: undefined }],
    ['localhost/web:x', { host: 'localhost', name: 'web', tag: 'x', digest: undefined }],
    [`ghcr.io/a/b/c:t@${DIGEST}`, { host: 'ghcr.io', name: 'a/b/c', tag: 't', digest: DIGEST }],
    [`postgres@${DIGEST}`, { host: undefined, name: 'postgres', tag: undefined, digest: DIGEST }],
    ['[::1]:5000/a/b', { host: '[::1]:5000', name: 'a/b', tag: undefined, digest: undefined }],
  ])('%s', (text, parts) => {
    expect(parseImage(text)).toEqual(parts);
  });

  test.each(['', 'A', 'a b', 'a@sha256:1', '/alice/web', 'a/b:', 'a:b:c', `a:\${TAG}`])('is not %j', (text) => {
    expect(parseImage(text)).toBeUndefined();
  });
});

const options = { hosts: ['registry.example.org', 'registry.example.org:5000'], namespace: 'alice' };

function images(image: string, more = '') {
  const file = parseComposeFile(`services:\n  web:\n    image: ${JSON.stringify(image)}\n${more}`);
  return Object.fromEntries(registryImages(file, options));
}

describe('an image is of this registry', () => {
  test.each([
    ['alice/web', 'alice/web', 'latest'],
    ['alice/web:${TAG:-1.4}', 'alice/web', '1.4'],
    ['registry.example.org:5000/bob/api:x', 'bob/api', 'x'],
    ['localhost:5000/alice/web', 'alice/web', 'latest'],
    ['127.0.0.1:1/alice/web:a', 'alice/web', 'a'],
    [`registry.example.org/alice/web:x@${DIGEST}`, 'alice/web', DIGEST],
  ])('%s', (image, repository, reference) => {
    expect<Record<string, unknown>>(images(image)).toEqual({ web: { repository, reference } });
  });

  test('when x-berth says so, whatever variables its name has', () => {
    const more = '    x-berth: { repository: alice/web }\n';
    expect<Record<string, unknown>>(images('${REGISTRY}/web:${TAG:-v2}', more)).toEqual({
      web: { repository: 'alice/web', reference: 'latest' },
    });
    expect<Record<string, unknown>>(images('docker.io/any/thing:v2', more)).toEqual({
      web: { repository: 'alice/web', reference: 'v2' },
    });
  });

  test('and another must be pinned by its digest', () => {
    expect<Record<string, unknown>>(images(`postgres:16@${DIGEST}`)).toEqual({});
    expect(() => images('postgres:16')).toThrow(
      'file: services.web.image: postgres:16 is of another registry, where a tag may move: write postgres:16@sha256:…',
    );
    expect(() => images('bob/web')).toThrow('bob/web:latest is of another registry');
    expect(() => images('${REGISTRY}/alice/web')).toThrow('x-berth: { repository: alice/NAME }');
  });
});
