import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { makeCertificate } from '../../tests/support/certificates.ts';
import { requireTools } from '../../tests/support/tools.ts';
import { type DatabasePlace, onEachDatabase } from '../database/test-databases.ts';
import { code, openTestApi, type TestApi } from '../http/api/testing.ts';
import type { RepositoryName } from '../oci/names.ts';
import { testFolder } from '../storage/contract.ts';
import { UpstreamClients } from './upstream-clients.ts';

onEachDatabase('upstreams', (newPlace: () => Promise<DatabasePlace>) => {
  let api: TestApi;
  let accepted = 'alice:right';
  const seen: (string | null)[] = [];
  const registry = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch(request) {
      const header = request.headers.get('authorization');
      seen.push(header);
      if (header !== `Basic ${btoa(accepted)}`) {
        return Response.json(
          { errors: [{ code: 'UNAUTHORIZED', message: 'who are you' }] },
          { status: 401, headers: { 'www-authenticate': 'Basic realm="other"' } },
        );
      }
      const { pathname } = new URL(request.url);
      if (pathname === '/v2/') return Response.json({});
      if (pathname === '/v2/team/app/tags/list') return Response.json({ name: 'team/app', tags: ['1.0'] });
      return Response.json({ errors: [{ code: 'NAME_UNKNOWN', message: 'no such name' }] }, { status: 404 });
    },
  });
  const address = `http://127.0.0.1:${registry.port}`;

  beforeAll(async () => {
    api = await openTestApi(await newPlace());
    await api.addUser('boss', { administrator: true });
    await api.addUser('alice');
  }, 120_000);
  afterAll(() => {
    void registry.stop(true);
    api.remove();
  });
  afterEach(async () => {
    accepted = 'alice:right';
    seen.length = 0;
    await api.context.database.transaction(async (tx) => {
      await tx.deleteFrom('caches').execute();
      await tx.deleteFrom('mirrors').execute();
      await tx.deleteFrom('upstreams').execute();
    });
  });

  const make = (body: Record<string, unknown> = {}) =>
    api.ask('boss', 'POST', '/api/v1/upstreams', { name: 'old', address, ...body });
  const check = async (body: Record<string, unknown> = {}) =>
    (await api.ask('boss', 'POST', '/api/v1/upstreams/old/check', body)).body;

  test('are made, listed, changed and deleted by administrators, and by nobody else', async () => {
    expect(await code(api.ask('alice', 'POST', '/api/v1/upstreams', { name: 'old', address }))).toBe('403 DENIED');
    expect(await code(make())).toBe(201);
    expect(await code(make())).toBe('409 NAME_TAKEN');
    expect((await api.ask('boss', 'GET', '/api/v1/upstreams')).body.upstreams).toMatchObject([
      { name: 'old', address, username: null, hasAuthority: false, caches: [], mirrors: [], createdBy: 'boss' },
    ]);
    expect(await code(api.ask('alice', 'GET', '/api/v1/upstreams/old'))).toBe('403 DENIED');
    expect(await code(api.ask('alice', 'DELETE', '/api/v1/upstreams/old'))).toBe('403 DENIED');
    expect(await code(api.ask('boss', 'DELETE', '/api/v1/upstreams/old'))).toBe(204);
    expect(await code(api.ask('boss', 'GET', '/api/v1/upstreams/old'))).toBe('404 NOT_FOUND');
  });

  test('are refused with the field that is wrong', async () => {
    const wrong = async (body: Record<string, unknown>) => (await make(body)).body.detail;
    expect(await wrong({ name: 'Old One' })).toMatch(/^name: "Old One" is not lower-case/);
    expect(await wrong({ address: 'https://host/path' })).toMatch(/^address: .*has no path/);
    expect(await wrong({ address: 'https://me:secret@host' })).toMatch(/^address: .*apart from the address/);
    expect(await wrong({ username: 'alice' })).toMatch(/^password: a user name and a password belong together/);
    expect(await wrong({ ca: 'no certificate' })).toMatch(/^ca: holds no certificates/);
  });

  test('show no password, neither in answers, nor in the database, nor in the audit log', async () => {
    const made = await make({ username: 'alice', password: 'hunter2-right' });
    expect(made.body).toMatchObject({ username: 'alice' });
    const shown = [
      made,
      await api.ask('boss', 'GET', '/api/v1/upstreams'),
      await api.ask('boss', 'GET', '/api/v1/audit'),
    ];
    const rows = await api.context.database.read.selectFrom('upstreams').selectAll().execute();
    expect(JSON.stringify([shown, rows])).not.toContain('hunter2');
    expect(JSON.stringify(shown[2])).toContain('upstream.create');
  });

  test('are asked with the log-in that was given last, at once and by clients that are open already', async () => {
    await make({ username: 'alice', password: 'wrong' });
    const clients = new UpstreamClients(api.upstreams, { tries: 1 });
    const before = await clients.open('old');
    expect(await clients.open('old')).toBe(before);
    await expect(before.check()).rejects.toThrow(/401.*it needs a log-in that may read this/);
    expect(await check()).toMatchObject({ ok: false, failure: 'unauthorized' });
    const change = { username: 'alice', password: 'right' };
    expect(await code(api.ask('boss', 'PATCH', '/api/v1/upstreams/old', change))).toBe(200);
    expect(await (await clients.open('old')).check()).toBe(true);
    expect(await check()).toEqual({ ok: true, login: true, failure: null, why: null });
  });

  test('keep the password when something else is changed, but not for another registry', async () => {
    await make({ username: 'alice', password: 'right' });
    const patch = (body: Record<string, unknown>) => api.ask('boss', 'PATCH', '/api/v1/upstreams/old', body);
    expect(await code(patch({ address: `${address}/` }))).toBe(200);
    expect(await check()).toMatchObject({ ok: true, login: true });
    const moved = await patch({ address: 'http://127.0.0.1:1' });
    expect(moved.body.detail).toMatch(/^password: another registry needs its own/);
    expect((await patch({ username: 'bob' })).body.detail).toBe('password: give that of bob, too');
    expect(await code(patch({ address: 'http://127.0.0.1:1', username: null }))).toBe(200);
    expect((await patch({ password: 'right' })).body.detail).toBe('username: whose password is it?');
  });

  test('say what is wrong when they are checked', async () => {
    expect(await code(api.ask('boss', 'POST', '/api/v1/upstreams/old/check', {}))).toBe('404 NOT_FOUND');
    await make();
    expect(await check()).toMatchObject({
      ok: false,
      failure: 'unauthorized',
      why: expect.stringContaining('asks for a log-in'),
    });
    await api.ask('boss', 'PATCH', '/api/v1/upstreams/old', { username: 'alice', password: 'right' });
    expect(await check({ repository: 'team/app' })).toMatchObject({ ok: true });
    expect(await check({ repository: 'team/none' })).toMatchObject({ ok: false, failure: 'not-found' });
    await api.ask('boss', 'PATCH', '/api/v1/upstreams/old', { address: 'http://127.0.0.1:1', username: null });
    expect(await check()).toMatchObject({
      failure: 'unavailable',
      why: expect.stringContaining('nothing listens there'),
    });
  });

  test('are not deleted while something uses them, and the refusal names it', async () => {
    await make();
    await api.context.database.transaction(async (tx) => {
      await tx
        .insertInto('caches')
        .values({
          prefix: 'hub',
          upstream: 'old',
          remote_prefix: '',
          fresh_ms: 1,
          visibility: 'private',
          created_by: 'boss',
          created_at: 1,
          updated_at: 1,
        })
        .execute();
    });
    const refused = await api.ask('boss', 'DELETE', '/api/v1/upstreams/old');
    expect(refused.status).toBe(409);
    expect(refused.body.detail).toBe('upstream: old is used by the cache hub; delete them first');
  });

  test.if(requireTools('an authority of an upstream', ['openssl']))('trust an authority of their own', async () => {
    const folder = testFolder('upstream');
    const [certificate, key] = [join(folder, 'certificate.pem'), join(folder, 'key.pem')];
    await makeCertificate(certificate, key, { names: 'IP:127.0.0.1' });
    const secure = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      tls: { key: Bun.file(key), cert: Bun.file(certificate) },
      fetch: () => Response.json({}),
    });
    try {
      await make({ address: `https://127.0.0.1:${secure.port}` });
      expect(await check()).toMatchObject({
        failure: 'unavailable',
        why: expect.stringMatching(/not trusted.*--authority/),
      });
      const ca = readFileSync(certificate, 'utf8');
      const changed = await api.ask('boss', 'PATCH', '/api/v1/upstreams/old', { ca });
      expect(changed.body).toMatchObject({ hasAuthority: true });
      expect(await check()).toEqual({ ok: true, login: false, failure: null, why: null });
    } finally {
      await secure.stop(true);
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test('of which nobody knows are told from those that do not answer', async () => {
    const clients = new UpstreamClients(api.upstreams);
    await expect(clients.open('none' as RepositoryName)).rejects.toThrow('upstream: no upstream "none"');
  });
});
