// Rights taken away from who has a token in hand: at once for what changes something, and for good for what a client keeps.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { decodeJwt } from 'jose';
import { digestOf } from '../support/registry.ts';
import type { Answer } from '../support/wire.ts';
import { testLog } from './caller.ts';
import { basic, makeToken, PASSWORD, type PersonName, REPOSITORY, Town } from './people.ts';
import { Snapshot } from './snapshot.ts';

const { app: APP, tool: TOOL, other: OTHER } = REPOSITORY;
const BLOB = 'pushed by nobody who may';
const PUSH = `/v2/${APP}/blobs/uploads/?digest=${digestOf(BLOB)}`;
const PULL = `/v2/${APP}/manifests/v1`;

let town: Town;
let start: Snapshot;
beforeAll(async () => {
  town = await Town.start();
  start = Snapshot.take(town);
}, 60_000);
afterAll(() => town?.stop(), 30_000);
beforeEach(() => start.restore());

const push = (as: string, path = PUSH) => town.caller.send('POST', path, { as, body: BLOB });
const pull = (as: string, path = PULL) => town.caller.send('GET', path, { as });

/** Runs what must change nothing. */
async function harmless(work: () => Promise<void>): Promise<void> {
  const before = Snapshot.take(town);
  await work();
  expect(Snapshot.take(town).since(before)).toEqual([]);
}

describe('at once, a push is refused with a bearer token that was got before', () => {
  /** Gets a token that may push, takes the right away, and pushes. */
  async function takenFrom(credential: string | undefined, away: () => Promise<unknown> | unknown): Promise<number> {
    const as = await town.fetchBearer(credential, [`repository:${APP}:pull,push,delete`]);
    expect((await push(as)).status).toBe(201);
    await away();
    let status = 0;
    await harmless(async () => {
      status = (await push(as)).status;
      expect((await town.caller.send('DELETE', PULL, { as })).status).toBe(status);
      const mount = `/v2/${APP}/blobs/uploads/?mount=${town.image('open').layer}&from=${REPOSITORY.open}`;
      expect((await town.caller.send('POST', mount, { as })).status).toBe(status);
    });
    // A pull may go on for as long as the token lives.
    expect((await pull(as)).status).toBe(200);
    return status;
  }
  const taken = (person: PersonName, away: () => Promise<unknown> | unknown) =>
    takenFrom(town.person(person).basic, away);
  const boss = () => town.person('boss').basic;
  const admin = () => town.person('admin').basic ?? '';

  test('when the access token that it was got with is revoked', async () => {
    const { id, secret } = await makeToken(town.caller, admin(), { level: 'admin' });
    const away = () => town.caller.expect(204, 'DELETE', `/api/v1/tokens/${id}`, { as: admin() });
    expect(await takenFrom(basic('chief', secret), away)).toBe(401);
    await town.caller.expect(401, 'GET', '/auth/token', { as: basic('chief', secret) });
  });

  test('when the access token that it was got with has run out', async () => {
    const { id, secret } = await makeToken(town.caller, admin(), { level: 'admin' });
    const away = () => town.sql((db) => db.run('update access_tokens set expires_at = 1 where id = ?', [id]));
    expect(await takenFrom(basic('chief', secret), away)).toBe(401);
    await town.caller.expect(401, 'GET', '/auth/token', { as: basic('chief', secret) });
  });

  test('when the user is disabled', async () => {
    expect(
      await taken('writer', () => town.caller.expect(200, 'POST', '/api/v1/users/walter/disable', { as: admin() })),
    ).toBe(401);
  });

  test('when the user is deleted', async () => {
    const json = { confirm: 'walter' };
    expect(
      await taken('writer', () => town.caller.expect(204, 'DELETE', '/api/v1/users/walter', { as: admin(), json })),
    ).toBe(401);
  });

  test('when the role is taken away', async () => {
    const path = `/api/v1/repositories/${APP}/grants?user=walter`;
    expect(await taken('writer', () => town.caller.expect(204, 'DELETE', path, { as: boss() }))).toBe(403);
  });

  test('when the user leaves the team', async () => {
    const path = '/api/v1/organizations/acme/teams/crew/members/theo';
    expect(await taken('teammate', () => town.caller.expect(204, 'DELETE', path, { as: boss() }))).toBe(403);
  });

  test('when the user leaves the organization', async () => {
    const path = '/api/v1/organizations/acme/members/theo';
    expect(await taken('teammate', () => town.caller.expect(204, 'DELETE', path, { as: boss() }))).toBe(403);
  });

  test('when the administrator is one no more', async () => {
    const promote = { administrator: true };
    await town.caller.expect(200, 'PATCH', '/api/v1/users/stella', { as: admin(), json: promote });
    const json = { administrator: false };
    expect(
      await taken('stranger', () => town.caller.expect(200, 'PATCH', '/api/v1/users/stella', { as: admin(), json })),
    ).toBe(403);
  });

  test('when the robot is disabled', async () => {
    const path = '/api/v1/namespaces/acme/robots/ci';
    const json = { disabled: true };
    expect(await taken('robot', () => town.caller.expect(200, 'PATCH', path, { as: boss(), json }))).toBe(401);
  });

  test('when the robot is deleted', async () => {
    const path = '/api/v1/namespaces/acme/robots/ci';
    expect(await taken('robot', () => town.caller.expect(204, 'DELETE', path, { as: boss() }))).toBe(401);
  });

  test('when the password that it was got with is changed', async () => {
    const grant = { user: 'stella', role: 'write' };
    await town.caller.expect(200, 'PUT', `/api/v1/repositories/${APP}/grants`, { as: boss(), json: grant });
    const path = '/api/v1/users/stella/password';
    const json = { password: 'another password' };
    expect(await taken('stranger', () => town.caller.expect(204, 'PUT', path, { as: admin(), json }))).toBe(401);
  });
});

describe('a refresh token', () => {
  interface Granted {
    token: string;
    refresh_token?: string;
  }

  /** What `docker login` keeps. */
  async function login(as: string): Promise<string> {
    const answer = await town.caller.expect(200, 'GET', '/auth/token?offline_token=true&client_id=docker', { as });
    return (answer.json() as Granted).refresh_token ?? '';
  }

  function refresh(token: string, scope = `repository:${TOOL}:pull,push,delete,*`): Promise<Answer> {
    const form = { grant_type: 'refresh_token', refresh_token: token, scope };
    return town.caller.send('POST', '/auth/token', { form });
  }

  const actions = (answer: Answer) =>
    (decodeJwt((answer.json() as Granted).token).access as { actions: string[] }[])[0]?.actions.join(',');

  test('gets what its owner may in a repository, and no account', async () => {
    const token = await login(basic('olivia', PASSWORD));
    expect(actions(await refresh(token))).toBe('pull,push,delete');
    await harmless(async () => {
      for (const as of [`Bearer ${token}`, basic('olivia', token)]) {
        expect((await town.caller.send('GET', '/api/v1/user', { as })).status).toBe(403);
        const json = { name: 'more', level: 'admin' };
        expect((await town.caller.send('POST', '/api/v1/tokens', { as, json })).status).toBe(403);
      }
    });
  });

  test('of a revoked access token is revoked with it', async () => {
    const { id, secret } = await makeToken(town.caller, basic('olivia', PASSWORD), { level: 'write' });
    const token = await login(basic('olivia', secret));
    expect((await refresh(token)).status).toBe(200);
    // And those that were got with one that was got with it, however often.
    const second = await login(basic('olivia', token));
    const third = await login(basic('olivia', second));
    await town.caller.expect(204, 'DELETE', `/api/v1/tokens/${id}`, { as: basic('olivia', PASSWORD) });
    expect((await refresh(token)).status).toBe(401);
    expect((await refresh(second)).status).toBe(401);
    expect((await refresh(third)).status).toBe(401);
    expect((await refresh(secret)).status).toBe(401);
  });

  test('that was got with a password ends when that is changed; one of an access token stays', async () => {
    const byPassword = await login(basic('olivia', PASSWORD));
    const second = await login(basic('olivia', byPassword));
    const third = await login(basic('olivia', second));
    const { secret } = await makeToken(town.caller, basic('olivia', PASSWORD), { level: 'write' });
    const byToken = await login(basic('olivia', secret));
    const json = { password: 'another password' };
    await town.caller.expect(204, 'PUT', '/api/v1/users/olivia/password', { as: town.person('admin').basic, json });
    for (const token of [byPassword, second, third]) expect((await refresh(token)).status).toBe(401);
    expect((await refresh(byToken)).status).toBe(200);
  });

  test('of a disabled user is refused', async () => {
    const token = await login(basic('olivia', PASSWORD));
    await town.caller.expect(200, 'POST', '/api/v1/users/olivia/disable', { as: town.person('admin').basic });
    expect((await refresh(token)).status).toBe(401);
    expect((await town.caller.send('GET', '/v2/', { as: `Bearer ${token}` })).status).toBe(401);
  });

  test('is for no more than the token that it was got with', async () => {
    expect(actions(await refresh(await login(town.person('readonly').basic ?? '')))).toBe('pull');
    const elsewhere = await login(town.person('elsewhere').basic ?? '');
    expect(actions(await refresh(elsewhere))).toBe('');
    expect(actions(await refresh(elsewhere, `repository:${OTHER}:pull,push`))).toBe('pull,push,delete');
    const robot = await login(town.person('otherbot').basic ?? '');
    expect(actions(await refresh(robot, `repository:${APP}:pull,push`))).toBe('');
  });

  test('that is a bearer token, a password or made up is refused', async () => {
    for (const token of [(await town.bearer('owner', TOOL)).slice(7), PASSWORD, `berth_login_${'0'.repeat(32)}`, '']) {
      expect((await refresh(token)).status).toBe(401);
    }
  });

  test('does not work under another’s name', async () => {
    const token = await login(basic('olivia', PASSWORD));
    expect((await town.caller.send('GET', '/v2/', { as: basic('stella', token) })).status).toBe(401);
    expect((await town.caller.send('GET', '/auth/token', { as: basic('chief', token) })).status).toBe(401);
  });
});

testLog(() => town.caller);
