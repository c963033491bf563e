import { describe, expect, test } from 'bun:test';
import { z } from 'zod';
import { firstCode, freshName } from '../support/registry.ts';
import type { Answer } from '../support/wire.ts';
import { serve, spec } from './spec.ts';

const served = serve();

const tagList = z.strictObject({ name: z.string(), tags: z.array(z.string()) });
const catalog = z.strictObject({ repositories: z.array(z.string()) });
const tagsOf = (answer: Answer) => tagList.parse(answer.json()).tags;
const nextOf = (answer: Answer) => /^<([^>]+)>; rel="next"$/.exec(answer.headers.get('link') ?? '')?.[1];

async function withTags(tags: string[]): Promise<{ repository: string; path: string }> {
  const repository = freshName();
  const image = await served.registry.makeImage(repository);
  await served.registry.putManifest(repository, image.digest, image.body);
  for (const tag of tags) await served.registry.putManifest(repository, tag, image.body);
  return { repository, path: `/v2/${repository}/tags/list` };
}

describe('OCI Distribution 1.1, Content Discovery', () => {
  spec('tags-found', 'one tag', async () => {
    const { path } = await withTags(['v1']);
    const answer = await served.registry.get(path);
    expect([answer.status, tagsOf(answer)]).toEqual([200, ['v1']]);
  });

  spec('tags-empty', 'a repository of one untagged manifest, and one whose last tag was deleted', async () => {
    const untagged = await withTags([]);
    expect(tagsOf(await served.registry.get(untagged.path))).toEqual([]);
    const deleted = await withTags(['v1']);
    await served.registry.delete(`/v2/${deleted.repository}/manifests/v1`);
    expect(tagsOf(await served.registry.get(deleted.path))).toEqual([]);
  });

  // The text says case-insensitive; the official suite takes byte order too, which is what registries had before.
  spec('tags-order', 'by byte or case-insensitively, as the official suite has it', async () => {
    const { path } = await withTags(['beta', 'Alpha', 'alpine', '10', '9', 'Zeta', 'gamma', '1.0']);
    const found = tagsOf(await served.registry.get(path));
    const insensitive = ['1.0', '10', '9', 'Alpha', 'alpine', 'beta', 'gamma', 'Zeta'];
    const byByte = ['1.0', '10', '9', 'Alpha', 'Zeta', 'alpine', 'beta', 'gamma'];
    expect([insensitive.join(), byByte.join()]).toContain(found.join());
  });

  spec('tags-body', 'name and tags, nothing else, as JSON', async () => {
    const { repository, path } = await withTags(['a', 'b']);
    const answer = await served.registry.get(path);
    expect(answer.json()).toEqual({ name: repository, tags: ['a', 'b'] });
    expect(answer.headers.get('content-type')).toStartWith('application/json');
  });

  const five = ['a', 'b', 'c', 'd', 'e'];

  spec('tags-n', 'fewer, as many and more than there are', async () => {
    const { path } = await withTags(five);
    for (const n of [1, 2, 4, 5, 6, 1000, 100_000]) {
      const answer = await served.registry.get(`${path}?n=${n}`);
      expect([answer.status, tagsOf(answer)]).toEqual([200, five.slice(0, n)]);
      expect([n, nextOf(answer) !== undefined]).toEqual([n, n < 5]);
    }
  });

  spec('tags-n', 'a number that cannot be is refused, not read as another', async () => {
    const { path } = await withTags(five);
    for (const n of ['-1', 'abc', '1.5', '', '0x10', '1e3', '99999999999999999999']) {
      expect([n, (await served.registry.get(`${path}?n=${n}`)).status]).toEqual([n, 400]);
    }
  });

  spec('tags-link', 'followed to the end it gives every tag once, in order', async () => {
    const { path } = await withTags(five);
    const found: string[] = [];
    let at: string | undefined = `${path}?n=2`;
    for (let pages = 0; at !== undefined && pages < 10; pages++) {
      const answer: Answer = await served.registry.get(at);
      found.push(...tagsOf(answer));
      at = nextOf(answer);
    }
    expect(found).toEqual(five);
  });

  spec('tags-n-zero', 'of five tags', async () => {
    const { repository, path } = await withTags(five);
    const answer = await served.registry.get(`${path}?n=0`);
    expect([answer.status, answer.json()]).toEqual([200, { name: repository, tags: [] }]);
  });

  spec('tags-n-zero-link', 'also with last', async () => {
    const { path } = await withTags(five);
    for (const query of ['?n=0', '?n=0&last=a']) {
      expect((await served.registry.get(path + query)).headers.get('link')).toBeNull();
    }
  });

  spec('tags-n-order', 'n=3', async () => {
    const { path } = await withTags([...five].reverse());
    expect(tagsOf(await served.registry.get(`${path}?n=3`))).toEqual(['a', 'b', 'c']);
  });

  spec('tags-last', 'a tag that is there, one that is not, the last one', async () => {
    const { path } = await withTags(five);
    const after = async (query: string) => tagsOf(await served.registry.get(path + query));
    expect(await after('?n=2&last=a')).toEqual(['b', 'c']);
    expect(await after('?n=2&last=b')).toEqual(['c', 'd']);
    expect(await after('?n=9&last=bb')).toEqual(['c', 'd', 'e']);
    expect(await after('?n=2&last=e')).toEqual([]);
  });

  spec('tags-last', 'tags that differ in case alone are neither lost nor repeated', async () => {
    const { path } = await withTags(['rc', 'RC', 'Rc', 'rc1']);
    const found: string[] = [];
    let at: string | undefined = `${path}?n=1`;
    for (let pages = 0; at !== undefined && pages < 10; pages++) {
      const answer: Answer = await served.registry.get(at);
      found.push(...tagsOf(answer));
      at = nextOf(answer);
    }
    expect([...found].sort()).toEqual(['RC', 'Rc', 'rc', 'rc1']);
    expect(found).toEqual(tagsOf(await served.registry.get(path)));
  });

  spec('tags-last-alone', 'gives all the tags after it', async () => {
    const { path } = await withTags(five);
    const answer = await served.registry.get(`${path}?last=c`);
    expect([tagsOf(answer), nextOf(answer)]).toEqual([['d', 'e'], undefined]);
  });
});

describe('Docker Registry v2, catalog', () => {
  const names = (answer: Answer) => catalog.parse(answer.json()).repositories;

  test('lists every repository with content once, in order, in pages by n, last and Link', async () => {
    const pushed: string[] = [];
    for (const name of ['zoo/a', 'catalog', 'catalog/b', 'catalog-c', 'catalog.d']) {
      await served.registry.pushImage(name, 'v1');
      pushed.push(name);
    }
    const whole = await served.registry.get('/v2/_catalog');
    expect(whole.headers.get('content-type')).toStartWith('application/json');
    expect(names(whole)).toEqual([...names(whole)].sort());
    for (const name of pushed) expect(names(whole)).toContain(name);
    const found: string[] = [];
    let at: string | undefined = '/v2/_catalog?n=2';
    for (let pages = 0; at !== undefined && pages < 100; pages++) {
      const answer: Answer = await served.registry.get(at);
      expect(names(answer).length).toBeLessThanOrEqual(2);
      found.push(...names(answer));
      at = nextOf(answer);
    }
    expect(found).toEqual(names(whole));
    const after = await served.registry.get('/v2/_catalog?n=1&last=catalog-c');
    expect(names(after)).toEqual([found[found.indexOf('catalog-c') + 1] ?? '']);
  });

  test('n=0 is an empty page without a Link, and a number that cannot be is refused', async () => {
    await served.registry.pushImage('catalog', 'v1');
    const empty = await served.registry.get('/v2/_catalog?n=0');
    expect([empty.status, names(empty), empty.headers.get('link')]).toEqual([200, [], null]);
    for (const n of ['-1', 'abc', '1.5']) {
      expect([n, (await served.registry.get(`/v2/_catalog?n=${n}`)).status]).toEqual([n, 400]);
    }
  });

  test('a repository that was only looked at is not listed', async () => {
    const name = freshName('looked-at');
    const answer = await served.registry.get(`/v2/${name}/tags/list`);
    expect([answer.status, firstCode(answer)]).toEqual([404, 'NAME_UNKNOWN']);
    await served.registry.get(`/v2/${name}/manifests/v1`);
    expect(names(await served.registry.get('/v2/_catalog'))).not.toContain(name);
  });
});
