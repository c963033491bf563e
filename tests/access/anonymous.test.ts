// The plain registry beside accounts: what clients without one may do with --anonymous pull and push.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { Caller, testLog } from './caller.ts';
import { basic, PASSWORD, pushImage, setUp, startTown } from './people.ts';

/** As a client without a login gets it. */
async function anonymousBearer(caller: Caller, scope: string): Promise<string> {
  const answer = await caller.expect(200, 'GET', `/auth/token?scope=${encodeURIComponent(scope)}`);
  return `Bearer ${(answer.json() as { token: string }).token}`;
}

describe.each(['pull', 'push'] as const)('--anonymous %s', (mode) => {
  let caller: Caller;
  let alice: string;
  beforeAll(async () => {
    caller = new Caller(await startTown(['--anonymous', mode]));
  }, 60_000);
  afterAll(async () => {
    caller?.close();
    await caller?.berth.stop();
  }, 60_000);

  test('without accounts is open at /v2/, and asks nobody to log in', async () => {
    await caller.expect(200, 'GET', '/v2/');
    const answer = await caller.send('POST', '/v2/ubuntu/blobs/uploads/');
    expect(answer.status).toBe(mode === 'push' ? 202 : 401);
  });

  test('with accounts sends clients for a token, so that a log-in counts, and gives one to who has none', async () => {
    const chief = await setUp(caller);
    const json = { username: 'alice', password: PASSWORD };
    await caller.expect(201, 'POST', '/api/v1/users', { as: chief, json });
    alice = basic('alice', PASSWORD);
    const challenge = await caller.expect(401, 'GET', '/v2/');
    expect(challenge.headers.get('www-authenticate')).toStartWith('Bearer realm=');
    await caller.expect(200, 'GET', '/v2/', { as: alice });
    await caller.expect(401, 'GET', '/v2/', { as: basic('alice', 'not the password') });
    const bearer = await anonymousBearer(caller, 'repository:ubuntu:pull,push');
    await caller.expect(200, 'GET', '/v2/', { as: bearer });
    const answer = await caller.send('POST', '/v2/ubuntu/blobs/uploads/', { as: bearer });
    expect(answer.status).toBe(mode === 'push' ? 202 : 401);
  });

  test('lets everyone pull, and with push push, names that are nobody’s, with one component or several', async () => {
    const chief = basic('chief', PASSWORD);
    for (const name of ['ubuntu', 'team/tools/app']) {
      const bearer = await anonymousBearer(caller, `repository:${name}:pull,push`);
      await pushImage(caller, mode === 'push' ? bearer : chief, name, '1', `layer of ${name}`);
      await caller.expect(200, 'GET', `/v2/${name}/manifests/1`);
      await caller.expect(200, 'GET', `/v2/${name}/manifests/1`, { as: bearer });
    }
  });

  test('ends where the namespace of an account begins: there it is public or private', async () => {
    await pushImage(caller, alice, 'alice/open', '1', 'an open layer');
    await pushImage(caller, alice, 'alice/closed', '1', 'a closed layer');
    const json = { visibility: 'private' };
    await caller.expect(200, 'PATCH', '/api/v1/repositories/alice/closed', { as: alice, json });
    await caller.expect(200, 'GET', '/v2/alice/open/manifests/1');
    for (const name of ['alice/closed', 'alice/missing']) {
      const bearer = await anonymousBearer(caller, `repository:${name}:pull,push`);
      await caller.expect(401, 'GET', `/v2/${name}/manifests/1`);
      await caller.expect(401, 'GET', `/v2/${name}/manifests/1`, { as: bearer });
      await caller.expect(401, 'POST', `/v2/${name}/blobs/uploads/`, { as: bearer });
    }
    const bearer = await anonymousBearer(caller, 'repository:alice/open:pull,push');
    await caller.expect(200, 'GET', '/v2/alice/open/manifests/1', { as: bearer });
    await caller.expect(401, 'POST', '/v2/alice/open/blobs/uploads/', { as: bearer });
  });

  test('lists what everyone may pull, and nothing else', async () => {
    const { repositories } = (await caller.expect(200, 'GET', '/v2/_catalog')).json() as { repositories: string[] };
    expect(repositories).toEqual(['alice/open', 'team/tools/app', 'ubuntu']);
  });

  test('gives nobody who has no account a part in the instance', async () => {
    for (const path of ['/api/v1/users', '/api/v1/audit', '/api/v1/tokens', '/api/v1/user']) {
      await caller.expect(401, 'GET', path);
    }
    await caller.expect(401, 'POST', '/api/v1/users', { json: { username: 'mallory', password: PASSWORD } });
    await caller.expect(401, 'PATCH', '/api/v1/repositories/alice/open', { json: { visibility: 'private' } });
  });

  testLog(() => caller);
});
