import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test';
import { type DatabasePlace, onEachDatabase } from '../database/test-databases.ts';
import { code, openTestApi, type TestApi } from '../http/api/testing.ts';
import { digestOf } from '../oci/digest.ts';
import { MEDIA } from '../oci/media-types.ts';
import { setImmutableTags } from '../registry/repositories.ts';
import { deleteRepository } from '../registry/repository-deletion.ts';
import { renameRepository } from '../registry/repository-renaming.ts';
import { ACTOR, bytesOf, named, pulled } from '../registry/testing.ts';
import { dueMirrors, finishMirror, keepMirror, leaveMirrorsOf, pauseAfter, takeMirror } from './mirror-queue.ts';
import { runMirror } from './mirror-run.ts';
import { findMirrorById, getMirror, type MirrorReport } from './mirrors.ts';
import { MIRROR_POLICY, type MirroringContext } from './mirrors-context.ts';
import { UpstreamClients } from './upstream-clients.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const REPORT: MirrorReport = {
  tags: 1,
  tagsPresent: 0,
  manifests: 1,
  blobs: 2,
  bytes: 10,
  seconds: 1,
  failed: [],
  kept: [],
  stopped: null,
};

onEachDatabase('mirrors', (newPlace: () => Promise<DatabasePlace>) => {
  let api: TestApi;
  let context: MirroringContext;
  let other: MirroringContext;
  let ahead = 0;
  const turns: string[] = [];
  /** What the other registry has. */
  const blobs = new Map<string, Uint8Array<ArrayBuffer>>();
  const manifests = new Map<string, string>();
  const tags = new Map<string, string>();
  let refuses: Response | undefined;
  const asked: string[] = [];
  const registry = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch(request) {
      const { pathname } = new URL(request.url);
      asked.push(pathname);
      if (refuses !== undefined) return refuses.clone();
      const [, kind = '', what = ''] = /^\/v2\/team\/app\/(tags|manifests|blobs|referrers)\/(.*)$/.exec(pathname) ?? [];
      const found = kind === 'blobs' ? blobs.get(what) : undefined;
      if (found !== undefined) return new Response(found);
      if (kind === 'tags') return Response.json({ tags: [...tags.keys()] });
      const digest = tags.get(what) ?? what;
      const document = kind === 'manifests' ? manifests.get(digest) : undefined;
      if (document !== undefined) {
        const headers = {
          'content-type': MEDIA.ociManifest,
          'docker-content-digest': digest,
        };
        return new Response(document, { headers });
      }
      if (kind === 'referrers') return Response.json({ schemaVersion: 2, manifests: [] });
      return Response.json({ errors: [{ code: 'NAME_UNKNOWN', message: 'not here' }] }, { status: 404 });
    },
  });

  /** An image of the other registry, whose tag it moves. */
  const publish = (tag: string, seed: string): string => {
    const put = (content: string) => {
      const described = { digest: digestOf(bytesOf(content)), size: bytesOf(content).byteLength };
      blobs.set(described.digest, bytesOf(content));
      return { mediaType: MEDIA.octets, ...described };
    };
    const text = JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA.ociManifest,
      config: put(`config of ${seed}`),
      layers: [put(`layer of ${seed}`)],
    });
    const digest = digestOf(bytesOf(text));
    manifests.set(digest, text);
    tags.set(tag, digest);
    return digest;
  };

  beforeAll(async () => {
    api = await openTestApi(await newPlace());
    await api.addUser('boss', { administrator: true });
    await api.addUser('alice');
    const now = () => Date.now() + ahead;
    const shared: Omit<MirroringContext, 'registry'> = {
      upstreams: { ...api.upstreams, now },
      policy: { ...MIRROR_POLICY, jitter: 0 },
      happened: async (_, { kind, repository }) => {
        turns.push(`${kind} ${repository}`);
      },
    };
    context = { ...shared, registry: { ...api.context, now, process: 'one' } };
    other = { ...shared, registry: { ...api.context, now, process: 'two' } };
    await api.ask('boss', 'POST', '/api/v1/upstreams', { name: 'old', address: `http://127.0.0.1:${registry.port}` });
  }, 120_000);
  afterAll(() => {
    void registry.stop(true);
    api.remove();
  });
  afterEach(async () => {
    ahead = 0;
    refuses = undefined;
    asked.length = 0;
    turns.length = 0;
    tags.clear();
    await api.context.database.transaction(async (tx) => {
      await tx.deleteFrom('mirrors').execute();
    });
  });

  const make = (repository: string, body: Record<string, unknown> = {}) =>
    api.ask('boss', 'POST', '/api/v1/mirrors', { repository, upstream: 'old', from: 'team/app', ...body });
  const only = async (): Promise<number> => {
    const [id, ...rest] = await dueMirrors(context, 10);
    if (id === undefined || rest.length > 0) throw new Error(`${rest.length + 1} mirrors are due`);
    return id;
  };
  const take = async (by = context) => {
    const taken = await takeMirror(by, await only());
    if (taken === undefined) throw new Error('not taken');
    return taken;
  };
  /** A run, as a process does it. */
  const copy = async () => {
    const taken = await take();
    const mirror = await findMirrorById(context, taken.repositoryId);
    if (mirror === undefined) throw new Error('it is gone');
    const clients = new UpstreamClients(context.upstreams, { tries: 1, longestPauseMs: 0 });
    const run = await runMirror(context, clients, mirror, new AbortController().signal);
    await finishMirror(context, taken, { startedAt: context.registry.now(), ...run });
    return run;
  };

  test('are made and deleted by administrators alone, for repositories that need not be there, with all that is wrong named', async () => {
    expect(
      await code(
        api.ask('alice', 'POST', '/api/v1/mirrors', { repository: 'alice/app', upstream: 'old', from: 'team/app' }),
      ),
    ).toBe('403 DENIED');
    expect((await make('Bad Name')).body.detail).toMatch(/^repository: is no name/);
    expect(await code(make('mirror/a', { upstream: 'none' }))).toBe('404 NOT_FOUND');
    expect((await make('mirror/a', { everySeconds: 5 })).body.detail).toMatch(/^everySeconds: /);
    expect((await make('mirror/a')).body).toMatchObject({
      repository: 'mirror/a',
      everySeconds: 21_600,
      running: false,
      lastRun: null,
    });
    expect(await code(make('mirror/a'))).toBe('409 CONFLICT');
    expect(await code(api.ask('alice', 'POST', '/api/v1/mirror-runs', { repository: 'mirror/a' }))).toBe('403 DENIED');
    expect(await code(api.ask('boss', 'DELETE', '/api/v1/mirrors/mirror/a'))).toBe(204);
    expect(await code(api.ask('boss', 'GET', '/api/v1/mirrors/mirror/a'))).toBe('404 NOT_FOUND');
    expect(await code(api.ask('boss', 'GET', '/api/v1/repositories/mirror/a'))).toBe(200);
  });

  test('copy the tags that match, and the next time what is new', async () => {
    const one = publish('1.0', 'one');
    publish('2.0', 'two');
    await make('mirror/b', { tags: ['1.*'] });
    expect(await copy()).toMatchObject({ outcome: 'done', report: { tags: 1, manifests: 1, blobs: 2 } });
    expect(await pulled(api.context, 'mirror/b', '1.0')).toBe(one as never);
    expect(await pulled(api.context, 'mirror/b', '2.0')).toBeUndefined();
    expect(await dueMirrors(context, 10)).toEqual([]);
    const moved = publish('1.0', 'one, moved');
    await api.ask('boss', 'POST', '/api/v1/mirror-runs', { repository: 'mirror/b' });
    asked.length = 0;
    expect(await copy()).toMatchObject({ outcome: 'done', report: { tags: 1, manifests: 1 } });
    expect(await pulled(api.context, 'mirror/b', '1.0')).toBe(moved as never);
    expect((await getMirror(context, named('mirror/b'))).served).toBe(1);
  });

  test('keep tags that vanished there, and say so of immutable ones that moved, of which nothing is fetched', async () => {
    const fixed = publish('1.0', 'fixed');
    publish('0.9', 'vanishes');
    await make('mirror/c');
    await copy();
    await setImmutableTags(api.context, named('mirror/c'), ['1.*'], ACTOR);
    tags.delete('0.9');
    const moved = publish('1.0', 'moved');
    ahead = 7 * HOUR;
    asked.length = 0;
    const { outcome, report } = await copy();
    expect(outcome).toBe('done');
    expect(report.kept).toEqual([
      { subject: 'mirror/c:1.0', why: `it is immutable here and names ${fixed}; there it names ${moved} now` },
    ]);
    expect(asked.filter((path) => path.includes('/blobs/'))).toEqual([]);
    expect(await pulled(api.context, 'mirror/c', '1.0')).toBe(fixed as never);
    expect(await pulled(api.context, 'mirror/c', '0.9')).toBeString();
  });

  test('are in one hand at a time, however many want them; what a process that ended held is free at once, else when its lease ends', async () => {
    await make('mirror/d');
    const id = await only();
    const wins = await Promise.all([context, other, context, other].map((one) => takeMirror(one, id)));
    const [taken, ...more] = wins.filter((win) => win !== undefined);
    if (taken === undefined) throw new Error('nobody took it');
    expect(more).toEqual([]);
    expect(await dueMirrors(other, 10)).toEqual([]);
    await leaveMirrorsOf(context, 'somebody else');
    expect(await takeMirror(other, id)).toBeUndefined();
    await leaveMirrorsOf(context, taken.holder.split(':')[0] ?? '');
    expect(await keepMirror(context, taken)).toBe(false);
    expect(
      await finishMirror(context, taken, { startedAt: 1, outcome: 'done', report: REPORT, retryAt: undefined }),
    ).toBe(false);
    const second = await take(other);
    ahead = MIRROR_POLICY.leaseMs + 1_000;
    const third = await take(context);
    expect(await keepMirror(other, second)).toBe(false);
    expect(await keepMirror(context, third)).toBe(true);
  });

  test('that fail wait longer each time, as long as the registry says, and not at all once the upstream is changed', async () => {
    const pauses = [1, 2, 3, 4, 50].map((failures) => pauseAfter(MIRROR_POLICY, failures, 6 * HOUR) / MINUTE);
    expect(pauses).toEqual([1, 2, 4, 8, 360]);
    expect(pauseAfter(MIRROR_POLICY, 50, MINUTE)).toBe(HOUR);
    await make('mirror/e');
    refuses = new Response('', { status: 429, headers: { 'retry-after': '7200' } });
    const { outcome, report } = await copy();
    expect([outcome, report.stopped]).toEqual(['failed', expect.stringContaining('too many requests; again from')]);
    const { nextAt, failures } = await getMirror(context, named('mirror/e'));
    expect(failures).toBe(1);
    expect(nextAt).toBeGreaterThan(Date.now() + 7_100_000);
    const change = { address: `http://localhost:${registry.port}` };
    expect(await code(api.ask('boss', 'PATCH', '/api/v1/upstreams/old', change))).toBe(200);
    refuses = undefined;
    publish('1.0', 'after all');
    expect(await copy()).toMatchObject({ outcome: 'done' });
    expect((await getMirror(context, named('mirror/e'))).failures).toBe(0);
  });

  test('tell once that they began to fail, and once that they work again', async () => {
    await make('mirror/i');
    const run = async (failing: boolean) => {
      ahead += 12 * HOUR;
      refuses = failing ? new Response('', { status: 500 }) : undefined;
      expect((await copy()).outcome).toBe(failing ? 'failed' : 'done');
    };
    publish('1.0', 'told of');
    for (const failing of [false, false, true, true]) await run(failing);
    expect(turns).toEqual(['mirror.failure mirror/i']);
    // Whoever mends the log-in makes it try anew; it is told all the same that it works.
    await api.ask('boss', 'PATCH', '/api/v1/upstreams/old', { address: `http://localhost:${registry.port}` });
    for (const failing of [false, false]) await run(failing);
    expect(turns).toEqual(['mirror.failure mirror/i', 'mirror.recovery mirror/i']);
  });

  test('whose lease was lost tell nothing', async () => {
    await make('mirror/j');
    const lost = await take();
    ahead = MIRROR_POLICY.leaseMs + 1_000;
    await take(other);
    const failed = { startedAt: 0, outcome: 'failed' as const, report: REPORT, retryAt: undefined };
    expect(await finishMirror(context, lost, failed)).toBe(false);
    expect(turns).toEqual([]);
  });

  test('say what there is none of, and end at a full quota', async () => {
    await make('mirror/f', { tags: ['9.*'] });
    expect((await copy()).report.stopped).toBe('team/app of old has no tag like 9.*');
    await api.ask('boss', 'PATCH', '/api/v1/mirrors/mirror/f', { from: 'team/none', tags: [] });
    expect((await copy()).report.failed).toMatchObject([
      { subject: 'mirror/f', why: expect.stringContaining('not here') },
    ]);
    await api.ask('boss', 'DELETE', '/api/v1/mirrors/mirror/f');
    for (const n of [1, 2, 3]) publish(`1.${n}`, `of the quota ${n}`);
    await api.ask('boss', 'PUT', '/api/v1/quotas/tight', { bytes: 20 });
    await make('tight/app');
    const { outcome, report } = await copy();
    expect([outcome, report.stopped]).toEqual(['failed', expect.stringMatching(/^quota: tight may hold 20 bytes/)]);
  });

  test('go with their repository, and follow it under another name', async () => {
    await make('mirror/g');
    await renameRepository(api.context, named('mirror/g'), named('mirror/h'), ACTOR);
    expect((await api.ask('boss', 'GET', '/api/v1/mirrors/mirror/h')).body).toMatchObject({ repository: 'mirror/h' });
    await deleteRepository(api.context, named('mirror/h'), ACTOR);
    expect((await api.ask('boss', 'GET', '/api/v1/mirrors')).body.mirrors).toEqual([]);
  });
});
