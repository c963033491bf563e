// People and tokens that would like to be more than they are.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { type Parts, testLog } from './caller.ts';
import { basic, makeToken, PASSWORD, type PersonName, REPOSITORY, Town } from './people.ts';
import { Snapshot } from './snapshot.ts';

let town: Town;
let start: Snapshot;
beforeAll(async () => {
  town = await Town.start();
  await town.caller.expect(202, 'POST', '/v2/stella/mine/blobs/uploads/', { as: town.person('stranger').basic });
  start = Snapshot.take(town);
}, 60_000);
afterAll(() => town?.stop(), 30_000);
beforeEach(() => start.restore());

const by = (person: PersonName): Parts => {
  const { basic: as, cookie } = town.person(person);
  return { as, headers: cookie === undefined ? {} : { Cookie: cookie } };
};
const ask = (person: PersonName, method: string, path: string, json?: object) =>
  town.caller.send(method, path, { ...by(person), ...(json === undefined ? {} : { json }) });

/** Runs what must change nothing. */
async function harmless(work: () => Promise<void>): Promise<void> {
  const before = Snapshot.take(town);
  await work();
  expect(Snapshot.take(town).since(before)).toEqual([]);
}

describe('a user', () => {
  test('does not make itself an administrator', async () => {
    await harmless(async () => {
      for (const person of ['stranger', 'boss', 'owner', 'browser'] as const) {
        const own = await ask(person, 'PATCH', '/api/v1/user', { administrator: true });
        expect(own.status).toBe(400);
        for (const extra of [{ username: 'chief' }, { id: 'x' }, { twoFactor: false }, { disabledAt: null }]) {
          expect((await ask(person, 'PATCH', '/api/v1/user', extra)).status).toBe(400);
        }
        expect((await ask(person, 'PATCH', '/api/v1/users/stella', { administrator: true })).status).toBe(403);
        const json = { username: 'mallory', password: PASSWORD, administrator: true };
        expect((await ask(person, 'POST', '/api/v1/users', json)).status).toBe(403);
        expect((await ask(person, 'PUT', '/api/v1/users/chief/password', { password: PASSWORD })).status).toBe(403);
        expect((await ask(person, 'GET', '/api/v1/organizations?all=true')).status).toBe(403);
        expect((await ask(person, 'POST', '/api/v1/invitations', {})).status).toBe(403);
      }
    });
  });

  test('does not take another’s e-mail address', async () => {
    await town.caller.expect(200, 'PATCH', '/api/v1/user', { ...by('owner'), json: { email: 'olivia@example.com' } });
    await harmless(async () => {
      // The last are what users without an address have, and what one to come would.
      for (const email of ['olivia@example.com', 'OLIVIA@example.com', 'mia@users.invalid', 'nemo@users.invalid']) {
        const { status } = await ask('stranger', 'PATCH', '/api/v1/user', { email });
        expect([email, status === 409 || status === 400]).toEqual([email, true]);
      }
    });
  });

  test('does not see or revoke another’s token', async () => {
    const id = await town.makeToken('owner');
    await harmless(async () => {
      for (const person of ['stranger', 'admin', 'boss'] as const) {
        expect((await ask(person, 'DELETE', `/api/v1/tokens/${id}`)).status).toBe(404);
        expect((await ask(person, 'GET', '/api/v1/tokens')).text()).not.toContain(id);
      }
    });
  });

  test('of an organization does not make itself its owner, or give itself a role', async () => {
    await harmless(async () => {
      for (const person of ['member', 'teammate', 'writer', 'reader', 'stranger'] as const) {
        const me = { member: 'mia', teammate: 'theo', writer: 'walter', reader: 'rita', stranger: 'stella' }[person];
        const acme = '/api/v1/organizations/acme';
        expect((await ask(person, 'PUT', `${acme}/members/${me}`, { role: 'owner' })).status).toBe(403);
        expect((await ask(person, 'PUT', `${acme}/teams/crew/members/${me}`)).status).toBe(403);
        expect((await ask(person, 'POST', `${acme}/teams`, { name: 'gang' })).status).toBe(403);
        const grant = { user: me, role: 'admin' };
        expect((await ask(person, 'PUT', '/api/v1/namespaces/acme/grants', grant)).status).toBe(403);
        expect((await ask(person, 'PUT', '/api/v1/repositories/acme/app/grants', grant)).status).toBe(403);
        const robot = { name: 'mine', role: 'admin' };
        expect((await ask(person, 'POST', '/api/v1/namespaces/acme/robots', robot)).status).toBe(403);
        expect((await ask(person, 'POST', '/api/v1/namespaces/acme/robots/ci/tokens', { name: 'x' })).status).toBe(403);
        const invitation = { organization: 'acme', role: 'owner' };
        expect((await ask(person, 'POST', '/api/v1/invitations', invitation)).status).toBe(403);
      }
    });
  });

  test('who administers one repository administers that alone', async () => {
    const grant = { user: 'mia', role: 'admin' };
    await town.caller.expect(200, 'PUT', '/api/v1/repositories/acme/third/grants', { ...by('boss'), json: grant });
    expect((await ask('member', 'PATCH', '/api/v1/repositories/acme/third', { description: 'mine' })).status).toBe(200);
    await harmless(async () => {
      const third = '/api/v1/repositories/acme/third';
      for (const to of ['acme/app', 'acme/fresh', 'olivia/third', 'third', 'nowhere/third']) {
        const { status } = await ask('member', 'POST', `${third}/rename`, { to });
        expect([to, status]).toEqual([to, 403]);
      }
      expect((await ask('member', 'PUT', '/api/v1/namespaces/acme/grants', grant)).status).toBe(403);
      expect((await ask('member', 'PUT', '/api/v1/repositories/acme/app/grants', grant)).status).toBe(403);
      const robot = { name: 'mine', role: 'admin', repository: 'acme/third' };
      expect((await ask('member', 'POST', '/api/v1/namespaces/acme/robots', robot)).status).toBe(403);
    });
  });

  test('does not bring a repository into another’s namespace, or out of it', async () => {
    await harmless(async () => {
      for (const to of ['olivia/mine', 'acme/mine', 'mine', 'nowhere/mine']) {
        expect([to, (await ask('stranger', 'POST', '/api/v1/repositories/stella/mine/rename', { to })).status]).toEqual(
          [to, 403],
        );
      }
      for (const [person, from] of [
        ['writer', 'acme/app'],
        ['teammate', 'acme/app'],
        ['robot', 'acme/app'],
      ] as const) {
        const { status } = await ask(person, 'POST', `/api/v1/repositories/${from}/rename`, { to: 'walter/app' });
        expect([person, status]).toEqual([person, 403]);
      }
      for (const name of ['olivia/new', 'acme/new', 'new', 'nowhere/new']) {
        expect([name, (await ask('stranger', 'POST', '/api/v1/repositories', { name })).status]).toEqual([name, 403]);
      }
    });
  });

  test('does not make a robot that reaches into another’s repositories', async () => {
    await harmless(async () => {
      for (const repository of ['acme/app', 'stella/mine', 'acme/../acme/app', 'olivia']) {
        const robot = { name: 'spy', role: 'admin', repository };
        const { status } = await ask('owner', 'POST', '/api/v1/namespaces/olivia/robots', robot);
        expect([repository, status >= 400 && status !== 401]).toEqual([repository, true]);
      }
      const id = town.robotTokens.get('acme');
      expect((await ask('owner', 'DELETE', `/api/v1/namespaces/olivia/robots/ci/tokens/${id}`)).status).toBe(404);
    });
  });

  test('does not give a role to another organization’s team', async () => {
    await harmless(async () => {
      const grant = { team: 'crew', role: 'read' };
      for (const path of ['namespaces/olivia', `repositories/${REPOSITORY.tool}`]) {
        expect((await ask('owner', 'PUT', `/api/v1/${path}/grants`, grant)).status).toBe(404);
      }
    });
  });

  test('does not see what was done to others in the audit log', async () => {
    for (const subject of ['olivia', 'olivia/tool', 'acme/app', 'olivia+ci']) {
      const path = `/api/v1/namespaces/stella/audit?subject=${encodeURIComponent(subject)}`;
      expect((await ask('stranger', 'GET', path)).status).toBe(400);
    }
    const own = (await ask('stranger', 'GET', '/api/v1/namespaces/stella/audit')).json() as {
      lines: { subject: string }[];
    };
    expect(own.lines.filter(({ subject }) => !/^stella\b/.test(subject))).toEqual([]);
  });
});

describe('a token', () => {
  test.each(['read', 'write', 'delete'] as const)(
    'of level %s makes none of another level, and manages nothing',
    async (level) => {
      const { secret } = await makeToken(town.caller, basic('stella', PASSWORD), { level });
      await harmless(async () => {
        for (const as of [basic('stella', secret), `Bearer ${secret}`]) {
          const send = (method: string, path: string, json?: object) => town.caller.send(method, path, { as, json });
          for (const wanted of ['read', 'write', 'delete', 'admin']) {
            expect((await send('POST', '/api/v1/tokens', { name: 'more', level: wanted })).status).toBe(403);
          }
          expect((await send('GET', '/api/v1/tokens')).status).toBe(403);
          expect((await send('PATCH', '/api/v1/user', { name: 'x' })).status).toBe(403);
          expect((await send('POST', '/api/v1/organizations', { name: 'mine' })).status).toBe(403);
          expect((await send('PATCH', '/api/v1/repositories/stella/mine', { visibility: 'public' })).status).toBe(403);
          const json = { confirm: 'stella/mine' };
          expect((await send('DELETE', '/api/v1/repositories/stella/mine', json)).status).toBe(403);
          expect(
            (await send('PUT', '/api/v1/repositories/stella/mine/grants', { user: 'mia', role: 'read' })).status,
          ).toBe(403);
        }
      });
    },
  );

  test('for one repository is not for another that gets its name', async () => {
    const { secret } = await makeToken(town.caller, basic('stella', PASSWORD), {
      level: 'write',
      repository: 'stella/mine',
    });
    const as = basic('stella', secret);
    await town.caller.expect(200, 'POST', '/api/v1/repositories/stella/mine/rename', {
      ...by('stranger'),
      json: { to: 'stella/moved' },
    });
    // The former name stays the repository's; the token goes with it.
    await town.caller.expect(202, 'POST', '/v2/stella/moved/blobs/uploads/', { as });
    await town.caller.expect(
      204,
      'DELETE',
      '/api/v1/repositories/stella/moved/aliases?alias=stella/mine',
      by('stranger'),
    );
    await town.caller.expect(201, 'POST', '/api/v1/repositories', { ...by('stranger'), json: { name: 'stella/mine' } });
    await harmless(async () => {
      expect((await town.caller.send('POST', '/v2/stella/mine/blobs/uploads/', { as })).status).toBe(403);
    });
  });

  test('of a robot manages nothing, though the robot administers', async () => {
    const path = '/api/v1/namespaces/olivia/robots';
    await town.caller.expect(201, 'POST', path, { ...by('owner'), json: { name: 'root', role: 'admin' } });
    const answer = await town.caller.expect(201, 'POST', `${path}/root/tokens`, {
      ...by('owner'),
      json: { name: 'x', level: 'admin' },
    });
    const as = basic('olivia+root', (answer.json() as { secret: string }).secret);
    await harmless(async () => {
      for (const [method, url, json] of [
        ['GET', '/api/v1/user', undefined],
        ['POST', '/api/v1/tokens', { name: 'x', level: 'admin' }],
        ['POST', path, { name: 'more', role: 'admin' }],
        ['POST', `${path}/root/tokens`, { name: 'y', level: 'admin' }],
        ['PUT', '/api/v1/namespaces/olivia/grants', { user: 'stella', role: 'admin' }],
        ['POST', '/api/v1/organizations', { name: 'bots' }],
        ['GET', '/api/v1/users', undefined],
      ] as const) {
        expect([method, url, (await town.caller.send(method, url, { as, json })).status]).toEqual([method, url, 403]);
      }
      for (const name of ['stella/x', 'acme/x', 'x']) {
        expect((await town.caller.send('POST', `/v2/${name}/blobs/uploads/`, { as })).status).toBe(403);
      }
    });
  });
});

testLog(() => town.caller);
