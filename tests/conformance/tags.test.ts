// What Berth adds to the protocol: tags with a history and undo, compare-and-swap, immutable tags.
import { describe, expect, test } from 'bun:test';
import { z } from 'zod';
import { berth } from '../support/berth.ts';
import { firstCode, freshName } from '../support/registry.ts';
import { serve } from './spec.ts';

const served = serve();

const history = z.looseObject({
  history: z.array(
    z.looseObject({
      digest: z.string().nullable(),
      previous: z.string().nullable(),
      action: z.string(),
      actor: z.string(),
      timestamp: z.iso.datetime(),
    }),
  ),
});

/** [action, digest, previous], newest first, from the draft's path under /v2/ and from the management API. */
async function entries(repository: string, tag: string): Promise<[string, string | null, string | null][]> {
  const draft = await served.registry.get(`/v2/${repository}/_oci/tag-history/${tag}`);
  expect(draft.status).toBe(200);
  const found = history
    .parse(draft.json())
    .history.map((entry) => [entry.action, entry.digest, entry.previous] as [string, string | null, string | null]);
  const api = await served.registry.get(`/api/v1/repositories/${repository}/tags/${tag}/history`);
  expect(api.status).toBe(200);
  for (const [, digest] of found) if (digest !== null) expect(api.text()).toContain(digest);
  return found;
}

const rollback = (repository: string, tag: string, to?: string) =>
  served.registry.request('POST', `/api/v1/repositories/${repository}/tags/${tag}/rollback`, {
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(to === undefined ? {} : { to }),
  });

describe('tags are history', () => {
  test('every change is an entry, newest first: push, move, delete, push again', async () => {
    const repository = freshName();
    const one = await served.registry.pushImage(repository, 'latest');
    const two = await served.registry.pushImage(repository, 'latest');
    await served.registry.delete(`/v2/${repository}/manifests/latest`);
    await served.registry.putManifest(repository, 'latest', one.body);
    expect(await entries(repository, 'latest')).toEqual([
      ['push', one.digest, null],
      ['delete', null, two.digest],
      ['push', two.digest, one.digest],
      ['push', one.digest, null],
    ]);
  });

  test('pushing the same again is no change, and a manifest deletion is one', async () => {
    const repository = freshName();
    const image = await served.registry.pushImage(repository, 'v1');
    await served.registry.putManifest(repository, 'v1', image.body);
    await served.registry.delete(`/v2/${repository}/manifests/${image.digest}`);
    expect(await entries(repository, 'v1')).toEqual([
      ['delete', null, image.digest],
      ['push', image.digest, null],
    ]);
  });

  test('comes in pages by n and a relative Link', async () => {
    const repository = freshName();
    const digests: string[] = [];
    for (let i = 0; i < 5; i++) digests.unshift((await served.registry.pushImage(repository, 'v1')).digest);
    const found: (string | null)[] = [];
    let at: string | undefined = `/v2/${repository}/_oci/tag-history/v1?n=2`;
    for (let pages = 0; at !== undefined && pages < 10; pages++) {
      const answer: Awaited<ReturnType<typeof served.registry.get>> = await served.registry.get(at);
      const page = history.parse(answer.json()).history;
      expect(page.length).toBeLessThanOrEqual(2);
      found.push(...page.map((entry) => entry.digest));
      at = /^<([^>]+)>; rel="next"$/.exec(answer.headers.get('link') ?? '')?.[1];
    }
    expect(found).toEqual(digests);
  });

  test('a tag that never was has none', async () => {
    const repository = freshName();
    await served.registry.pushImage(repository, 'v1');
    const answer = await served.registry.get(`/v2/${repository}/_oci/tag-history/v2`);
    expect([answer.status, firstCode(answer)]).toEqual([404, 'MANIFEST_UNKNOWN']);
  });

  test('rollback points the tag back and is itself an entry; to a digest, to any earlier one', async () => {
    const repository = freshName();
    const one = await served.registry.pushImage(repository, 'v1');
    const two = await served.registry.pushImage(repository, 'v1');
    const three = await served.registry.pushImage(repository, 'v1');
    expect((await rollback(repository, 'v1')).status).toBe(200);
    expect((await served.registry.get(`/v2/${repository}/manifests/v1`)).text()).toBe(two.body);
    expect((await rollback(repository, 'v1', one.digest)).status).toBe(200);
    expect((await served.registry.get(`/v2/${repository}/manifests/v1`)).text()).toBe(one.body);
    expect((await entries(repository, 'v1')).slice(0, 2)).toEqual([
      ['rollback', one.digest, two.digest],
      ['rollback', two.digest, three.digest],
    ]);
  });

  test('rollback of a deleted tag brings it back', async () => {
    const repository = freshName();
    const image = await served.registry.pushImage(repository, 'v1');
    await served.registry.delete(`/v2/${repository}/manifests/v1`);
    expect((await rollback(repository, 'v1')).status).toBe(200);
    expect((await served.registry.get(`/v2/${repository}/manifests/v1`)).text()).toBe(image.body);
  });

  test('berth tag delete takes a tag alone, says how it comes back, and refuses one that is not there', async () => {
    const repository = freshName();
    const image = await served.registry.pushImage(repository, 'v1');
    const command = (verb: string, tag: string) =>
      berth(['tag', verb, `${repository}:${tag}`, '--server', served.berth.url]);
    const { code, stdout } = await command('delete', 'v1');
    expect([code, stdout]).toEqual([
      0,
      `deleted ${repository}:v1; berth tag rollback ${repository}:v1 brings it back\n`,
    ]);
    expect((await served.registry.get(`/v2/${repository}/manifests/v1`)).status).toBe(404);
    expect((await served.registry.get(`/v2/${repository}/manifests/${image.digest}`)).status).toBe(200);
    expect(await command('delete', 'v1')).toMatchObject({ code: 1, stderr: expect.stringContaining('has no v1') });
    expect((await command('rollback', 'v1')).code).toBe(0);
    expect((await served.registry.get(`/v2/${repository}/manifests/v1`)).status).toBe(200);
  });

  test('rollback refuses, saying why, when the manifest is gone or there is nothing to go back to', async () => {
    const repository = freshName();
    const one = await served.registry.pushImage(repository, 'v1');
    expect((await rollback(repository, 'v1')).status).toBe(404);
    const two = await served.registry.pushImage(repository, 'v1');
    await served.registry.delete(`/v2/${repository}/manifests/${one.digest}`);
    const answer = await rollback(repository, 'v1', one.digest);
    expect(answer.status).toBe(404);
    expect(answer.text()).toMatch(/gone/);
    expect((await served.registry.get(`/v2/${repository}/manifests/v1`)).text()).toBe(two.body);
    for (const to of ['nonsense', 'sha256:abc']) expect((await rollback(repository, 'v1', to)).status).toBe(400);
  });
});

describe('compare-and-swap', () => {
  const quoted = (digest: string) => `"${digest}"`;

  test('If-Match with the digest of the tag lets a PUT through, another one is 412 and nothing changed', async () => {
    const repository = freshName();
    const one = await served.registry.pushImage(repository, 'v1');
    const two = await served.registry.makeImage(repository);
    const put = (match: string) =>
      served.registry.putManifest(repository, 'v1', two.body, { headers: { 'If-Match': match } });
    const refused = await put(quoted(two.digest));
    expect([refused.status, firstCode(refused)]).toEqual([412, 'PRECONDITION_FAILED']);
    expect((await served.registry.get(`/v2/${repository}/manifests/v1`)).text()).toBe(one.body);
    expect((await served.registry.head(`/v2/${repository}/manifests/${two.digest}`)).status).toBe(404);
    expect(await entries(repository, 'v1')).toHaveLength(1);
    expect((await put(`"other", ${quoted(one.digest)}`)).status).toBe(201);
    expect((await served.registry.get(`/v2/${repository}/manifests/v1`)).text()).toBe(two.body);
  });

  test('If-Match on a tag that is not there is 412', async () => {
    const repository = freshName();
    const image = await served.registry.makeImage(repository);
    for (const match of ['*', quoted(image.digest)]) {
      const headers = { 'If-Match': match };
      expect((await served.registry.putManifest(repository, 'v1', image.body, { headers })).status).toBe(412);
    }
    expect((await served.registry.head(`/v2/${repository}/manifests/v1`)).status).toBe(404);
  });

  test('If-None-Match: * makes a tag once', async () => {
    const repository = freshName();
    const [one, two] = [await served.registry.makeImage(repository), await served.registry.makeImage(repository)];
    const options = { headers: { 'If-None-Match': '*' } };
    expect((await served.registry.putManifest(repository, 'v1', one.body, options)).status).toBe(201);
    const refused = await served.registry.putManifest(repository, 'v1', two.body, options);
    expect([refused.status, firstCode(refused)]).toEqual([412, 'PRECONDITION_FAILED']);
    expect((await served.registry.get(`/v2/${repository}/manifests/v1`)).text()).toBe(one.body);
  });

  test('If-Match guards the deletion of a tag', async () => {
    const repository = freshName();
    const one = await served.registry.pushImage(repository, 'v1');
    const two = await served.registry.pushImage(repository, 'v1');
    const path = `/v2/${repository}/manifests/v1`;
    expect((await served.registry.delete(path, { 'If-Match': quoted(one.digest) })).status).toBe(412);
    expect((await served.registry.get(path)).text()).toBe(two.body);
    expect((await served.registry.delete(path, { 'If-Match': quoted(two.digest) })).status).toBe(202);
  });

  test('of many that swap the same digest at once, one succeeds; of many that make a tag, one', async () => {
    const repository = freshName();
    const base = await served.registry.pushImage(repository, 'v1');
    const images = await Promise.all(Array.from({ length: 12 }, () => served.registry.makeImage(repository)));
    for (const [tag, headers] of [
      ['v1', { 'If-Match': quoted(base.digest) }],
      ['new', { 'If-None-Match': '*' }],
    ] as const) {
      const answers = await Promise.all(
        images.map((image) => served.registry.putManifest(repository, tag, image.body, { headers })),
      );
      const statuses = answers.map((answer) => answer.status);
      expect(statuses.filter((status) => status === 201)).toHaveLength(1);
      expect(statuses.filter((status) => status === 412)).toHaveLength(11);
      const winner = images[statuses.indexOf(201)];
      expect((await served.registry.get(`/v2/${repository}/manifests/${tag}`)).text()).toBe(winner?.body ?? '');
    }
  });
});

describe('immutable tags', () => {
  const immutable = (repository: string, ...patterns: string[]) =>
    berth(['tag', 'immutable', repository, ...patterns, '--server', served.berth.url]);

  test('a tag that matches the pattern is made, pushed again the same, but neither moved nor deleted', async () => {
    const repository = freshName();
    const image = await served.registry.pushImage(repository, 'main');
    expect((await immutable(repository, 'v*')).code).toBe(0);
    expect((await served.registry.putManifest(repository, 'v1.0', image.body)).status).toBe(201);
    expect((await served.registry.putManifest(repository, 'v1.0', image.body)).status).toBe(201);
    const other = await served.registry.makeImage(repository);
    const path = `/v2/${repository}/manifests/v1.0`;
    const refused = [
      await served.registry.putManifest(repository, 'v1.0', other.body),
      await served.registry.delete(path),
      await served.registry.delete(`/v2/${repository}/manifests/${image.digest}`),
    ];
    expect(refused.map((answer) => [answer.status, firstCode(answer)])).toEqual(refused.map(() => [403, 'DENIED']));
    expect((await served.registry.get(path)).text()).toBe(image.body);
    expect((await served.registry.putManifest(repository, 'main', other.body)).status).toBe(201);
  });

  test('rollback does not move one either, and lifting the pattern frees it', async () => {
    const repository = freshName();
    const one = await served.registry.pushImage(repository, 'v1');
    await served.registry.pushImage(repository, 'v1');
    await immutable(repository, 'v1');
    expect((await rollback(repository, 'v1')).status).toBe(403);
    expect((await immutable(repository)).stdout).toContain('v1');
    expect((await immutable(repository, '')).code).toBe(0);
    expect((await rollback(repository, 'v1')).status).toBe(200);
    expect((await served.registry.get(`/v2/${repository}/manifests/v1`)).text()).toBe(one.body);
  });
});
