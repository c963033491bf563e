import { beforeEach, describe, expect, test } from 'bun:test';
import type { TagInfo } from '../../api/tags.ts';
import { Connection } from '../../client/connection.ts';
import { TagsClient } from '../../client/tags.ts';
import { readMoreTags, readTags, type TagQuery } from './tag-list.ts';

const QUERY: TagQuery = { q: '', sort: 'updated', order: 'desc' };

describe('the list of tags', () => {
  let tags: TagInfo[];
  let asked: string[];
  let stop: () => Promise<void>;
  let client: TagsClient;

  beforeEach(async () => {
    await stop?.();
    tags = Array.from({ length: 300 }, (_, i) => tag(`t${300 - i}`, 1_000 - i));
    asked = [];
    const server = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: answer });
    stop = () => server.stop(true);
    client = new TagsClient(new Connection(`http://127.0.0.1:${server.port}`));
  });

  /** A server of tags, as `src/http/api/tags.ts` answers. */
  function answer(request: Request): Response {
    const { pathname, searchParams } = new URL(request.url);
    asked.push(`${pathname.replace('/api/v1/repositories/a/b/', '')}?${searchParams}`);
    const one = /\/tags\/(.+)$/.exec(pathname)?.[1];
    if (one !== undefined) {
      const found = tags.find(({ name }) => name === one);
      if (found !== undefined) return Response.json(found);
      return Response.json({ detail: 'no such tag', code: 'MANIFEST_UNKNOWN' }, { status: 404 });
    }
    const detailed = searchParams.get('details') === 'true';
    const from = Number(searchParams.get('last') ?? 0);
    const limit = Math.min(Number(searchParams.get('n')), detailed ? 200 : 1_000);
    const page = tags.slice(from, from + limit);
    return Response.json({
      tags: detailed ? page : page.map((entry) => ({ ...entry, details: null })),
      next: from + limit < tags.length ? String(from + limit) : null,
    });
  }

  const names = (list: readonly TagInfo[]) => list.map(({ name }) => name);

  test('asks for details once, then for what changed alone', async () => {
    const first = await readTags(client, 'a/b', QUERY, undefined);
    expect(first.tags).toEqual(tags.slice(0, 50));
    asked = [];
    const same = await readTags(client, 'a/b', QUERY, first);
    expect(same).toEqual(first);
    expect(asked).toHaveLength(1);
    expect(asked[0]).not.toContain('details');
    tags = [tag('pushed', 2_000), ...tags];
    asked = [];
    const next = await readTags(client, 'a/b', QUERY, same);
    expect(next.tags).toEqual(tags.slice(0, 50));
    expect(asked).toHaveLength(2);
    expect(asked[1]).toStartWith('tags/pushed');
  });

  test('that was made longer stays so, and loses what was deleted', async () => {
    const first = await readTags(client, 'a/b', QUERY, undefined);
    const longer = await readMoreTags(client, 'a/b', QUERY, first);
    expect(names(longer.tags)).toEqual(names(tags.slice(0, 150)));
    tags = tags.filter(({ name }) => name !== 't200');
    const after = await readTags(client, 'a/b', QUERY, longer);
    expect(names(after.tags)).toEqual(names(tags.slice(0, 150)));
    expect(after.tags.every(({ details }) => details !== null)).toBe(true);
  });

  test('has a tag once that moved between two pages', async () => {
    const first = await readTags(client, 'a/b', QUERY, undefined);
    const moved = tags[10]!;
    tags = [...tags.slice(0, 10), ...tags.slice(11, 60), { ...moved, updatedAt: moved.updatedAt }, ...tags.slice(60)];
    const longer = await readMoreTags(client, 'a/b', QUERY, first);
    expect(longer.tags.filter(({ name }) => name === moved.name)).toHaveLength(1);
  });

  test('is read anew when many changed', async () => {
    const first = await readTags(client, 'a/b', QUERY, undefined);
    tags = [...Array.from({ length: 30 }, (_, i) => tag(`new${i}`, 5_000 - i)), ...tags];
    asked = [];
    expect((await readTags(client, 'a/b', QUERY, first)).tags).toEqual(tags.slice(0, 50));
    expect(asked).toHaveLength(2);
  });
});

function tag(name: string, at: number): TagInfo {
  return {
    name,
    digest: `sha256:${Bun.hash(name).toString(16).padStart(64, '0')}`,
    updatedAt: new Date(at * 1_000).toISOString(),
    details: {
      kind: 'image',
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      platforms: [],
      size: 1,
      updatedBy: 'alice',
      pulledAt: null,
      immutable: false,
    },
  };
}
