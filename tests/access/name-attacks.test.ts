// Names and paths that should lead out of where their sender may be.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { digestOf, mediaTypes } from '../support/registry.ts';
import { type Parts, testLog } from './caller.ts';
import { basic, PASSWORD, type PersonName, REPOSITORY, Town } from './people.ts';
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

test('a NUL in a name that is shown is refused as a wrong name is, or as a malformed field', async () => {
  for (const name of ['\0', 'stella\0', 'stella\0x']) {
    for (const path of ['/v2/', '/auth/token', '/api/v1/user']) {
      expect((await town.caller.send('GET', path, { as: basic(name, PASSWORD) })).status).toBe(401);
    }
    const form = { grant_type: 'password', username: name, password: PASSWORD };
    expect((await town.caller.send('POST', '/auth/token', { form })).status).toBe(400);
  }
});

testLog(() => town.caller);
