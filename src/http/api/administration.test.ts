import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import {
  addressCheck,
  type GarbageRunDetails,
  garbageRun,
  garbageRunDetails,
  garbageRunPage,
  settingList,
  storageInfo,
} from '../../api/administration.ts';
import { SETTINGS } from '../../config/settings.ts';
import { onEachDatabase } from '../../database/test-databases.ts';
import { loseRun, requestRun } from '../../registry/garbage/runs.ts';
import { pushImage } from '../../registry/testing.ts';
import { CLIENT, code, openTestApi, type TestApi } from './testing.ts';

const COLLECTIONS = '/api/v1/instance/garbage-collections';

onEachDatabase('the API of an instance', (newPlace) => {
  let api: TestApi;
  let ask: TestApi['ask'];
  beforeAll(async () => {
    api = await openTestApi(await newPlace());
    ask = api.ask;
    for (const name of ['alice', 'boss']) await api.addUser(name, { administrator: name === 'boss' });
    await pushImage(api.context, 'alice/app', 'one', 'v1');
  });
  afterAll(() => api?.remove());

  test('is an administrator’s alone', async () => {
    const routes: [string, string, unknown?][] = [
      ['GET', '/api/v1/instance/storage'],
      ['GET', '/api/v1/instance/settings'],
      ['GET', COLLECTIONS],
      ['POST', COLLECTIONS, { dryRun: true }],
      ['GET', `${COLLECTIONS}/any`],
    ];
    for (const [method, path, body] of routes) {
      expect(await code(ask('alice', method, path, body))).toBe('403 DENIED');
      expect(await code(ask('nobody', method, path, body))).toBe('401 UNAUTHORIZED');
    }
  });

  test('says which conditions of a request came here', async () => {
    const conditions = async (headers: Record<string, string>) => {
      const { body } = await ask('nobody', 'GET', '/api/v1/address-check', undefined, 'none', headers);
      return addressCheck.parse(body).conditions;
    };
    expect(await conditions({ 'If-Match': '"a"', Range: 'bytes=0-' })).toEqual(['if-match', 'range']);
    expect(await conditions({})).toEqual([]);
  });

  test('pauses in an answer only for those with an account, and at most 200 seconds', async () => {
    const path = '/api/v1/address-check/pause?seconds=';
    expect(await code(ask('nobody', 'GET', `${path}0`))).toBe('401 UNAUTHORIZED');
    expect(await code(ask('alice', 'GET', `${path}201`))).toBe('400 QUERY_INVALID');
  });

  test('says what the storage holds', async () => {
    const { status, body } = await ask('boss', 'GET', '/api/v1/instance/storage');
    expect(status).toBe(200);
    const size = 'config of one'.length + 'layer of one'.length;
    expect(storageInfo.parse(body)).toMatchObject({
      repositories: 1,
      tags: 1,
      manifests: 1,
      blobs: 2,
      blobBytes: size,
      referencedBytes: size,
      uploads: { open: 0, bytes: 0 },
      largest: [{ name: 'alice/app', bytes: size, tags: 1 }],
    });
  });

  test('says how every setting is, and what was changed', async () => {
    const { body } = await ask('boss', 'GET', '/api/v1/instance/settings', undefined, 'push');
    const { settings } = settingList.parse(body);
    expect(settings.map(({ name }) => name)).toEqual(Object.keys(SETTINGS));
    expect(settings.filter(({ changed }) => changed).map(({ name, value }) => [name, value])).toEqual([
      ['anonymous', 'push'],
    ]);
  });

  describe('a garbage collection', () => {
    const ended = async (id: string): Promise<GarbageRunDetails> => {
      const deadline = Date.now() + 10_000;
      for (;;) {
        const { status, body } = await ask('boss', 'GET', `${COLLECTIONS}/${id}`);
        expect(status).toBe(200);
        const run = garbageRunDetails.parse(body);
        if (run.state !== 'running') return run;
        if (Date.now() > deadline) throw new Error('the collection does not end');
        await Bun.sleep(20);
      }
    };

    test('is 202 with a run that goes on by itself, and is in the list and in the audit log', async () => {
      const begun = await ask('boss', 'POST', COLLECTIONS, { dryRun: true });
      expect(begun.status).toBe(202);
      const run = garbageRun.parse(begun.body);
      expect(run).toMatchObject({ dryRun: true, startedBy: 'boss', state: 'running', result: null });
      expect(await ended(run.id)).toMatchObject({ state: 'done', error: null, items: [] });
      const { body } = await ask('boss', 'GET', COLLECTIONS);
      expect(garbageRunPage.parse(body).runs[0]).toMatchObject({ id: run.id, state: 'done' });
      const log = await ask('boss', 'GET', '/api/v1/audit?action=garbage.collect');
      expect((log.body.lines as unknown[])[0]).toMatchObject({
        actor: 'boss',
        source: CLIENT,
        subject: run.id,
        detail: { dryRun: true },
      });
    });

    test('is 409 while another one runs, and says whose', async () => {
      const other = await requestRun(api.context, false, { name: 'someone', source: CLIENT });
      const { status, body } = await ask('boss', 'POST', COLLECTIONS, { dryRun: false });
      expect([status, body.code]).toEqual([409, 'REFUSED']);
      expect(String(body.detail)).toStartWith('a garbage collection that someone began at 20');
      await loseRun(api.context, other.id);
      const { body: run } = await ask('boss', 'POST', COLLECTIONS, { dryRun: false });
      expect(await ended(String(run.id))).toMatchObject({ state: 'done', startedBy: 'boss' });
    });

    test('comes in pages, newest first', async () => {
      const all = garbageRunPage.parse((await ask('boss', 'GET', COLLECTIONS)).body).runs.map(({ id }) => id);
      expect(all.length).toBeGreaterThan(2);
      const paged: string[] = [];
      for (let last = ''; ; ) {
        const { body } = await ask('boss', 'GET', `${COLLECTIONS}?n=1&last=${last}`);
        const page = garbageRunPage.parse(body);
        paged.push(...page.runs.map(({ id }) => id));
        if (page.next === null || paged.length > all.length) break;
        last = page.next;
      }
      expect(paged).toEqual(all);
    });

    test('that nobody began is 404, and a body without dryRun is 400', async () => {
      expect(await code(ask('boss', 'GET', `${COLLECTIONS}/none`))).toBe('404 NOT_FOUND');
      expect(await code(ask('boss', 'POST', COLLECTIONS, {}))).toBe('400 BODY_INVALID');
      expect(await code(ask('boss', 'POST', COLLECTIONS, { dryRun: true, more: 1 }))).toBe('400 BODY_INVALID');
    });
  });

  test('the check of the address is for everyone, the trial of the body for users', async () => {
    const { status, body } = await ask('nobody', 'GET', '/api/v1/address-check');
    expect([status, body]).toEqual([
      200,
      {
        base: 'http://registry.test:5000',
        realm: 'http://registry.test:5000/auth/token',
        publicUrl: null,
        forwarded: { proto: null, host: null, for: null },
        host: 'registry.test:5000',
        trusted: false,
        peer: null,
        client: '192.0.2.7',
        conditions: [],
      },
    ]);
    expect(await code(ask('nobody', 'POST', '/api/v1/address-check/body', 'x'))).toBe('401 UNAUTHORIZED');
    expect((await ask('alice', 'POST', '/api/v1/address-check/body', 'x'.repeat(998))).body).toEqual({ bytes: 1_000 });
  });
});
