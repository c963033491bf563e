// Names and paths that should lead out of where their sender may be, and people who would like to be more than they are.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { digestOf, mediaTypes } from '../support/registry.ts';
import { type Parts, testLog } from './caller.ts';
import { basic, makeToken, PASSWORD, type PersonName, REPOSITORY, Town } from './people.ts';
import { Snapshot } from './snapshot.ts';

const MARK = 'what is inside of olivia/tool';

let town: Town;
let start: Snapshot;
beforeAll(async () => {
  town = await Town.start();
  const as = town.person('owner').basic;
  const path = `/v2/${REPOSITORY.tool}/blobs/uploads/?digest=${digestOf(MARK)}`;
  await town.caller.expect(201, 'POST', path, { as, body: MARK });
  const json = { description: MARK };
  await town.caller.expect(200, 'PATCH', `/api/v1/repositories/${REPOSITORY.tool}`, { as, json });
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

describe('a path', () => {
  /** From what the stranger may read to what it may not. */
  const NAMES = [
    'stella/mine/../../olivia/tool',
    'stella/../olivia/tool',
    'stella/..%2folivia/tool',
    'stella/..%2Folivia%2Ftool',
    'stella%2F..%2Folivia%2Ftool',
    'stella/%2e%2e/olivia/tool',
    'stella/%2E%2E%2Folivia%2Ftool',
    'stella/.%2e/olivia/tool',
    'stella/%252e%252e/olivia/tool',
    'stella/..%252folivia%252ftool',
    'stella/mine/..;/olivia/tool',
    'stella\\..\\olivia\\tool',
    'stella/..%5colivia%5ctool',
    './olivia/tool',
    '../olivia/tool',
    '%2e/olivia/tool',
    '%2e%2e/olivia/tool',
    '/olivia/tool',
    '//olivia/tool',
    'olivia//tool',
    'olivia%2F%2Ftool',
    'olivia/tool/',
    'olivia/tool/.',
    'olivia%2Ftool',
    'olivia/tool%00',
    'olivia/tool%00.txt',
    'stella/mine%00/../../olivia/tool',
    'olivia/tool%20',
    'olivia/tool%09',
    'olivia/tool%0d%0aX-Injected:%201',
    'OLIVIA/TOOL',
    'olivia/TOOL',
    'ol%69via/tool',
    'ol%EF%BD%89via/tool',
    'olivia%c0%aftool',
    'olivia/tool?x=/',
    'olivia/tool#x',
    'olivia/tool;x',
    'olivia/tool%3fx',
    'olivia/tool@sha256:x',
    'stella/mine,olivia/tool',
    'olivia/*',
    'olivia/tool%',
    '%zz/olivia/tool',
    '..%2f..%2f..%2f..%2fetc%2fpasswd',
    '%2e%2e/%2e%2e/berth.db',
  ];
  const PATHS: [string, string][] = [
    ['GET', '/v2/NAME/manifests/v1'],
    ['GET', `/v2/NAME/blobs/${digestOf(MARK)}`],
    ['GET', '/v2/NAME/tags/list'],
    ['GET', '/api/v1/repositories/NAME'],
    ['GET', '/api/v1/repositories/NAME/tags'],
    ['GET', '/api/v1/repositories?namespace=NAME'],
    ['GET', '/api/v1/namespaces/NAME/audit'],
    ['GET', '/api/v1/organizations/NAME/members'],
    ['GET', '/auth/token?scope=repository:NAME:pull'],
    ['DELETE', '/v2/NAME/manifests/v1'],
    ['POST', '/v2/NAME/blobs/uploads/'],
    ['PATCH', '/api/v1/repositories/NAME'],
    ['DELETE', '/api/v1/namespaces/NAME/grants?user=rita'],
  ];

  test.each(NAMES)('with the name %j leads nowhere', async (name) => {
    await harmless(async () => {
      for (const person of ['nobody', 'stranger', 'elsewhere'] as const) {
        for (const [method, path] of PATHS) {
          // The token of the owner is for another repository; its reads of this one are the matrix's.
          const url = path.replace('NAME', name);
          const answer = await ask(person, method, url, method === 'PATCH' ? { description: 'x' } : undefined);
          const told = [person, method, url, answer.status];
          if (answer.status < 300) expect([...told, isHarmless(answer.text(), path)]).toEqual([...told, true]);
          else expect([...told, answer.status >= 400]).toEqual([...told, true]);
          expect(answer.text()).not.toContain(MARK);
          expect(answer.text()).not.toContain('root:');
          expect(answer.headers.has('x-injected')).toBe(false);
        }
      }
    });
  });

  /** A token that grants nothing, a list without what is private. */
  function isHarmless(text: string, path: string): boolean {
    if (path.startsWith('/auth/token')) return (JSON.parse(text) as { scope: string }).scope === '';
    return path.includes('?namespace=') && (JSON.parse(text) as { repositories: [] }).repositories.length === 0;
  }

  test('to the files of the data directory leads nowhere', async () => {
    for (const path of [
      '/berth.db',
      '/../berth.db',
      '/%2e%2e/berth.db',
      '/v2/../../berth.db',
      '/api/../berth.db',
      '/setup/../berth.db',
      '/data/berth.db',
      '/.git/config',
      '/package.json',
      '/api/docs/../../package.json',
      '/v2/a/blobs/uploads/..%2f..%2fberth.db',
      '/v2/stella/mine/blobs/uploads/..%2f..%2fberth.db',
      '/v2/stella/mine/blobs/uploads/../../../../berth.db',
      '/v2/stella/mine/blobs/sha256:..%2f..%2fberth.db',
    ]) {
      for (const method of ['GET', 'PUT', 'DELETE']) {
        const answer = await ask('stranger', method, path);
        expect([path, answer.status >= 400]).toEqual([path, true]);
        expect(answer.text()).not.toContain('SQLite');
      }
    }
  });

  test('to an upload of another repository leads nowhere', async () => {
    const { tool: id = '' } = Object.fromEntries(town.uploads);
    await harmless(async () => {
      for (const method of ['GET', 'PATCH', 'PUT', 'DELETE']) {
        const query = method === 'PUT' ? `?digest=${digestOf('x')}` : '';
        const answer = await town.caller.send(method, `/v2/stella/mine/blobs/uploads/${id}${query}`, {
          ...by('stranger'),
          ...(method === 'GET' || method === 'DELETE' ? {} : { body: 'x' }),
        });
        expect([method, answer.status]).toEqual([method, 404]);
      }
    });
  });

  test('to a manifest whose layer is another repository’s is refused until it is there', async () => {
    const { digest, manifest, layer } = town.image('app');
    const push = (body: string) =>
      town.caller.send('PUT', '/v2/stella/mine/manifests/v1', {
        ...by('stranger'),
        headers: { 'Content-Type': mediaTypes.ociManifest },
        body,
      });
    expect((await push(manifest)).status).toBe(404);
    const index = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
      manifests: [{ mediaType: mediaTypes.ociManifest, digest, size: manifest.length }],
    };
    const answer = await town.caller.send('PUT', '/v2/stella/mine/manifests/v1', {
      ...by('stranger'),
      headers: { 'Content-Type': mediaTypes.ociIndex },
      body: JSON.stringify(index),
    });
    expect(answer.status).toBe(404);
    expect((await ask('stranger', 'GET', `/v2/stella/mine/blobs/${layer}`)).status).toBe(404);
    expect((await ask('stranger', 'GET', `/v2/stella/mine/manifests/${digest}`)).status).toBe(404);
  });
});

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
      for (const email of ['olivia@example.com', 'OLIVIA@example.com', 'olivia@users.invalid']) {
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
      for (const to of ['acme/app', 'acme/fresh', 'mia/third', 'olivia/third', 'third', 'nowhere/third']) {
        const { status } = await ask('member', 'POST', `${third}/rename`, { to });
        // Its own namespace is the user's to fill; to take the repository out of the organization is the owner's.
        if (to !== 'mia/third') expect([to, status]).toEqual([to, 403]);
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
    const own = (await ask('stranger', 'GET', '/api/v1/namespaces/stella/audit')).text();
    expect(own).not.toContain('olivia');
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
