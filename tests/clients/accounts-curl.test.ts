// The simplest client, curl: Basic at /v2/ itself, and the token protocol by hand.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { digestOf, mediaTypes } from '../support/registry.ts';
import { requireTools, run } from '../support/tools.ts';
import { type Account, type AccountsRegistry, startAccounts } from './accounts.ts';

const canRun = requireTools('accounts: curl', ['curl']);
setDefaultTimeout(60_000);

const tokenAnswer = z.object({
  token: z.string(),
  access_token: z.string(),
  expires_in: z.literal(300),
  scope: z.string(),
  refresh_token: z.string().optional(),
});

describe.if(canRun)('curl', () => {
  let registry: AccountsRegistry;
  let alice: Account;
  let bob: Account;
  let work: string;
  const config = '{}';
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: mediaTypes.ociEmpty, digest: digestOf(config), size: config.length },
    layers: [],
  });

  beforeAll(async () => {
    work = mkdtempSync(join(tmpdir(), 'berth-curl-'));
    writeFileSync(join(work, 'config'), config);
    writeFileSync(join(work, 'manifest'), manifest);
    registry = await startAccounts();
    alice = await registry.signUp('alice');
    bob = await registry.signUp('bob');
  });

  afterAll(async () => {
    rmSync(work, { recursive: true, force: true });
    await registry?.stop();
  });

  /** The status, the headers (lower case) and the body. */
  async function curl(path: string, ...flags: string[]): Promise<{ status: number; head: string; body: string }> {
    const said = await run(['curl', '--silent', '--show-error', '--include', ...flags, `${registry.url}${path}`]);
    const [head = '', ...body] = said.split('\r\n\r\n');
    return { status: Number(head.split(' ')[1]), head: head.toLowerCase(), body: body.join('\r\n\r\n') };
  }
  const status = async (path: string, ...flags: string[]) => (await curl(path, ...flags)).status;
  const as = ({ name }: { name: string }, secret: string) => ['--user', `${name}:${secret}`];
  const bearer = (token: string) => ['--header', `Authorization: Bearer ${token}`];
  const put = (file: string, type: string) => [
    '--request',
    'PUT',
    '--header',
    `Content-Type: ${type}`,
    '--data-binary',
    `@${join(work, file)}`,
  ];

  /** Sends the config and the manifest. Returns the statuses. */
  async function push(repository: string, ...authorization: string[]): Promise<number[]> {
    const blob = `/v2/${repository}/blobs/uploads/?digest=${digestOf(config)}`;
    const upload = ['--request', 'POST', '--data-binary', `@${join(work, 'config')}`];
    const sent = ['--header', 'Content-Type: application/octet-stream', ...upload, ...authorization];
    const made = await status(blob, ...sent);
    return [
      made,
      await status(`/v2/${repository}/manifests/1`, ...put('manifest', mediaTypes.ociManifest), ...authorization),
    ];
  }

  test('logs in to /v2/ with a password and with a token, and is told where to get one otherwise', async () => {
    const { secret } = await registry.makeToken(alice, { level: 'read' });
    expect(await status('/v2/', ...as(alice, alice.password))).toBe(200);
    expect(await status('/v2/', ...as(alice, secret))).toBe(200);
    expect(await status('/v2/', ...bearer(secret))).toBe(200);
    for (const wrong of [[], as(alice, 'not the password'), as(bob, secret), as({ name: 'nobody' }, 'a password')]) {
      const { status, head, body } = await curl('/v2/', ...wrong);
      expect(status).toBe(401);
      expect(head).toContain(`www-authenticate: bearer realm="${registry.url}/auth/token",service="berth-`);
      expect(body).toContain('"UNAUTHORIZED"');
    }
  });

  test('pushes and pulls with Basic alone, within the rights of the account and of the token', async () => {
    expect(await push('alice/basic', ...as(alice, alice.password))).toEqual([201, 201]);
    const read = await registry.makeToken(alice, { level: 'read' });
    const { status: found, body } = await curl('/v2/alice/basic/manifests/1', ...as(alice, read.secret));
    expect([found, body]).toEqual([200, manifest]);
    expect(await push('alice/basic', ...as(alice, read.secret))).toEqual([403, 403]);
    const one = await registry.makeToken(alice, { level: 'write', repository: 'alice/one' });
    expect(await push('alice/one', ...as(alice, one.secret))).toEqual([201, 201]);
    expect(await push('alice/basic', ...as(alice, one.secret))).toEqual([403, 403]);
    expect(await status('/v2/alice/basic/manifests/1', ...as(alice, one.secret))).toBe(403);
    expect(await push('alice/basic', ...as(bob, bob.password))).toEqual([403, 403]);
    expect(await status('/v2/alice/basic/manifests/1', ...as(bob, bob.password))).toBe(404);
    expect(await status('/v2/alice/basic/manifests/1')).toBe(401);
  });

  test('with a password in every request pays for a hash in each worker once', async () => {
    const before = await registry.hashes();
    for (let times = 0; times < 20; times++) {
      expect(await status('/v2/alice/basic/manifests/1', ...as(alice, alice.password))).toBe(200);
    }
    expect((await registry.hashes()) - before).toBeLessThanOrEqual(2);
  });

  async function getToken(query: string, ...authorization: string[]) {
    const { status, body } = await curl(`/auth/token?${query}`, ...authorization);
    expect([status, status === 200 ? '' : body]).toEqual([200, '']);
    return tokenAnswer.parse(JSON.parse(body));
  }

  test('gets a token that carries what was asked for and may be had', async () => {
    const asked = 'scope=repository:alice/basic:pull,push&scope=repository:bob/app:push%20repository:bob/other:pull';
    const { token, access_token, scope } = await getToken(asked, ...as(alice, alice.password));
    expect(access_token).toBe(token);
    expect(scope).toBe('repository:alice/basic:pull,push,delete');
    expect(await status('/v2/alice/basic/manifests/1', ...bearer(token))).toBe(200);
    expect(await push('alice/basic', ...bearer(token))).toEqual([201, 201]);
    expect(await push('bob/app', ...bearer(token))).toEqual([403, 403]);
    // Got for other repositories: get another one.
    const { status: insufficient, head } = await curl('/v2/alice/elsewhere/manifests/1', ...bearer(token));
    expect(insufficient).toBe(401);
    expect(head).toContain('scope="repository:alice/elsewhere:pull",error="insufficient_scope"');
    const nobody = await getToken('scope=repository:alice/basic:pull');
    expect(nobody.scope).toBe('');
    const refused = await curl('/v2/alice/basic/manifests/1', ...bearer(nobody.token));
    expect([refused.status, refused.head.includes('error="insufficient_scope"')]).toEqual([401, true]);
    expect((await curl('/v2/', ...bearer(`${token}x`))).head).toContain('error="invalid_token"');
  });

  test('gets a secret to keep with offline_token, which is traded for tokens without a hash', async () => {
    const login = await getToken('offline_token=true&client_id=curl', ...as(alice, alice.password));
    const { refresh_token = '' } = login;
    expect(refresh_token).toStartWith('berth_login_');
    expect((await getToken('client_id=curl', ...as(alice, alice.password))).refresh_token).toBeUndefined();
    const before = await registry.hashes();
    const form = ['grant_type=refresh_token', `refresh_token=${refresh_token}`, 'scope=repository:alice/basic:pull'];
    const { token } = await getToken('', ...form.flatMap((field) => ['--data-urlencode', field]));
    expect(await status('/v2/alice/basic/manifests/1', ...bearer(token))).toBe(200);
    expect(await registry.hashes()).toBe(before);
    const wrong = ['grant_type=refresh_token', `refresh_token=${refresh_token.slice(0, -1)}-`];
    expect(await status('/auth/token', ...wrong.flatMap((field) => ['--data-urlencode', field]))).toBe(401);
  });

  test('gets tokens with the password in a form', async () => {
    const form = (password: string) =>
      ['grant_type=password', 'username=alice', `password=${password}`, 'scope=repository:alice/basic:pull'].flatMap(
        (field) => ['--data-urlencode', field],
      );
    const { token, refresh_token } = await getToken('', ...form(alice.password));
    expect(refresh_token).toBeUndefined();
    expect(await status('/v2/alice/basic/tags/list', ...bearer(token))).toBe(200);
    expect(await status('/auth/token', ...form('not the password'))).toBe(401);
  });

  test('mounts a blob from a repository that it may read, and from no other', async () => {
    const mount = (from: string) => `/v2/bob/mounted/blobs/uploads/?mount=${digestOf(config)}&from=${from}`;
    const scopes = (from: string) => `scope=repository:bob/mounted:pull,push&scope=repository:${from}:pull`;
    await registry.createRepository(alice, 'alice/shared', 'private');
    expect(await push('alice/shared', ...as(alice, alice.password))).toEqual([201, 201]);
    const post = ['--request', 'POST'];
    const before = await getToken(scopes('alice/shared'), ...as(bob, bob.password));
    expect(before.scope).toBe('repository:bob/mounted:pull,push,delete');
    for (const authorization of [bearer(before.token), as(bob, bob.password)]) {
      expect(await status(mount('alice/shared'), ...post, ...authorization)).toBe(202);
      // Nothing tells a name that is private from one that is not there.
      expect(await status(mount('alice/none'), ...post, ...authorization)).toBe(202);
      expect(await status(`/v2/bob/mounted/blobs/${digestOf(config)}`, ...authorization)).toBe(404);
    }
    await registry.grant(alice, 'alice/shared', 'bob', 'read');
    const { token } = await getToken(scopes('alice/shared'), ...as(bob, bob.password));
    expect(await status(mount('alice/shared'), ...post, ...bearer(token))).toBe(201);
    expect(await status(`/v2/bob/mounted/blobs/${digestOf(config)}`, ...bearer(token))).toBe(200);
  });
});
