// Servers, people and tokens that would like to know or to move more of stacks than they may.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { digestOf } from '../support/registry.ts';
import { testLog } from './caller.ts';
import { basic, makeToken, type PersonName, pushImage, REPOSITORY, Town } from './people.ts';
import { Snapshot } from './snapshot.ts';
import { composeFile, SECRET, SECRET_NAME, stackPath } from './stacks.ts';

const ACME = stackPath('acme');
const TEST = `${ACME}/environments/test`;
const OWN_IMAGE = REPOSITORY.third;

let town: Town;
let start: Snapshot;
beforeAll(async () => {
  town = await Town.start();
  start = Snapshot.take(town);
}, 60_000);
afterAll(() => town?.stop(), 30_000);
beforeEach(() => start.restore());

const as = (person: PersonName) => town.person(person).basic;
const ask = async (person: PersonName | string, method: string, path: string, json?: object) => {
  const credential = person.includes(' ') ? person : as(person as PersonName);
  return town.caller.send(method, path, { as: credential, ...(json === undefined ? {} : { json }) });
};
const statusOf = async (person: PersonName | string, method: string, path: string, json?: object) =>
  (await ask(person, method, path, json)).status;
const state = async (agent: string | undefined = as('agent')) =>
  (await town.caller.expect(200, 'GET', '/api/v1/agent/state', { as: agent })).json() as Record<string, unknown>;
/** Enrolls one more server. @returns its credential */
const enroll = async (namespace: 'acme' | 'olivia', environment: string, name: string): Promise<string> => {
  const path = `${stackPath(namespace)}/environments/${environment}/targets`;
  const answer = await town.caller.expect(201, 'POST', path, { as: as('admin'), json: { name } });
  return basic('agent', (answer.json() as { token: string }).token);
};

/** Runs what may change nothing but these tables. */
async function changesOnly(tables: readonly string[], work: () => Promise<void>): Promise<void> {
  const before = Snapshot.take(town);
  await work();
  expect(
    Snapshot.take(town)
      .since(before)
      .filter((table) => !tables.includes(table)),
  ).toEqual([]);
}

describe('a server', () => {
  test('learns its own state, whatever else it names', async () => {
    const other = await enroll('olivia', 'test', 'two');
    expect(await state()).toMatchObject({ stack: 'acme/shop', environment: 'test', target: 'one' });
    expect(await state(other)).toMatchObject({ stack: 'olivia/shop', environment: 'test', target: 'two' });
    for (const query of ['target=two', 'stack=olivia/shop', 'targetId=2', 'environment=staging']) {
      const answer = await town.caller.expect(200, 'GET', `/api/v1/agent/state?${query}`, { as: as('agent') });
      expect(answer.json()).toMatchObject({ stack: 'acme/shop', environment: 'test', target: 'one' });
      expect(answer.text()).not.toContain(SECRET.olivia);
    }
  });

  test('is told nothing of another by an ETag that it has seen there', async () => {
    const other = await enroll('acme', 'test', 'two');
    const answer = await town.caller.expect(200, 'GET', '/api/v1/agent/state', { as: as('agent') });
    const etag = answer.headers.get('etag') ?? '';
    const headers = { 'If-None-Match': etag };
    await town.caller.expect(304, 'GET', '/api/v1/agent/state', { as: as('agent'), headers });
    await town.caller.expect(200, 'GET', '/api/v1/agent/state', { as: other, headers });
  });

  test('pulls the images of its stack, with its token and with a bearer token, and no others', async () => {
    const token = as('agent');
    const bearer = await town.fetchBearer(
      token,
      [OWN_IMAGE, REPOSITORY.app, REPOSITORY.other, REPOSITORY.open].map(
        (name) => `repository:${name}:pull,push,delete`,
      ),
    );
    for (const credential of [token, bearer]) {
      const pull = (name: string) => statusOf(credential ?? '', 'GET', `/v2/${name}/manifests/v1`);
      expect(await pull(OWN_IMAGE)).toBe(200);
      expect(await pull(REPOSITORY.open)).toBe(200);
      for (const name of [REPOSITORY.app, REPOSITORY.other, REPOSITORY.tool, REPOSITORY.missing]) {
        // A bearer token that was not got for a repository: another may be asked for.
        expect([name, [404, 401].includes(await pull(name))]).toEqual([name, true]);
      }
      expect(await pull(REPOSITORY.app)).toBe(404);
      await changesOnly([], async () => {
        expect(await statusOf(credential ?? '', 'POST', `/v2/${OWN_IMAGE}/blobs/uploads/`)).toBe(403);
        expect(await statusOf(credential ?? '', 'DELETE', `/v2/${OWN_IMAGE}/manifests/v1`)).toBe(403);
        expect(await statusOf(credential ?? '', 'GET', '/v2/_catalog')).toBe(403);
      });
    }
  });

  test('takes no layer of another repository over, nor by a tag of its own', async () => {
    const layer = town.image('app').layer;
    await changesOnly([], async () => {
      const mount = `/v2/${OWN_IMAGE}/blobs/uploads/?mount=${layer}&from=${REPOSITORY.app}`;
      expect(await statusOf('agent', 'POST', mount)).toBe(403);
    });
    expect(await statusOf('agent', 'GET', `/v2/${OWN_IMAGE}/blobs/${layer}`)).toBe(404);
    expect(await statusOf('agent', 'GET', `/v2/${REPOSITORY.app}/blobs/${layer}`)).toBe(404);
  });

  test('sees nothing of its stack but what it is to run', async () => {
    for (const path of [
      ACME,
      `${ACME}/file`,
      `${TEST}/status`,
      `${TEST}/config`,
      `${TEST}/targets`,
      '/api/v1/stacks',
    ]) {
      expect([path, await statusOf('agent', 'GET', path)]).toEqual([path, 403]);
    }
    await changesOnly([], async () => {
      expect(await statusOf('agent', 'POST', `${TEST}/deployments`, { release: 1 })).toBe(403);
      expect(await statusOf('agent', 'POST', `${TEST}/targets`, {})).toBe(403);
      expect(await statusOf('agent', 'POST', '/api/v1/tokens', { name: 'mine' })).toBe(403);
    });
  });

  test('gets no second secret to keep when it logs in', async () => {
    const { username = '', secret = '' } = town.login('agent');
    await changesOnly([], async () => {
      const form = { grant_type: 'password', username, password: secret, access_type: 'offline', client_id: 'me' };
      const answer = await town.caller.expect(200, 'POST', '/auth/token', { form });
      expect(answer.json()).not.toHaveProperty('refresh_token');
    });
  });

  test('reports for itself alone', async () => {
    const other = await enroll('acme', 'test', 'two');
    const now = Date.now();
    await changesOnly([], async () => {
      for (const more of [{ target: 'one' }, { targetId: 1 }, { environment: 'staging' }]) {
        expect(await statusOf(other, 'POST', '/api/v1/agent/report', { now, ...more })).toBe(400);
      }
    });
    // Deployments that it was never given, of its own environment and of none.
    await changesOnly(['targets'], async () => {
      for (const number of [1, 2, 99]) {
        for (const phase of ['failed', 'stable', 'reverted'] as const) {
          const json = { now, deployment: { number, phase, error: 'broken', blame: 'release' } };
          expect(await statusOf(other, 'POST', '/api/v1/agent/report', json)).toBe(204);
        }
      }
    });
    const targets = (await ask('boss', 'GET', `${TEST}/targets`)).json() as { targets: { name: string }[] };
    expect(targets.targets.find(({ name }) => name === 'one')).toMatchObject({ deployment: 2, phase: 'stable' });
  });

  test('moves no environment but its own', async () => {
    const other = await enroll('olivia', 'test', 'two');
    const before = (await ask('boss', 'GET', `${TEST}/status`)).text();
    const services = [
      { service: 'web', digest: town.image('app').digest, containers: 1, health: 'healthy', restarts: 0 },
    ];
    const json = { now: Date.now(), deployment: { number: 2, phase: 'failed', blame: 'release' }, services };
    expect(await statusOf(other, 'POST', '/api/v1/agent/report', json)).toBe(204);
    expect((await ask('boss', 'GET', `${TEST}/status`)).text()).toBe(before);
  });

  test('is let in no more when it is revoked, and hears so where it listens', async () => {
    const other = await enroll('acme', 'test', 'two');
    expect((await state(other)).target).toBe('two');
    const listening = new AbortController();
    const stream = await fetch(`${town.berth.url}/api/v1/agent/events`, {
      headers: { Authorization: other },
      signal: listening.signal,
    });
    expect(stream.status).toBe(200);
    const heard = stream.text();
    await town.caller.expect(204, 'DELETE', `${TEST}/targets/two`, { as: as('boss') });
    expect(await heard).toContain('event: state');
    listening.abort();
    for (const [method, path, json] of [
      ['GET', '/api/v1/agent/state', undefined],
      ['GET', '/api/v1/agent/events', undefined],
      ['POST', '/api/v1/agent/report', { now: Date.now() }],
      ['GET', '/v2/', undefined],
      ['GET', '/auth/token', undefined],
      ['GET', `/v2/${OWN_IMAGE}/manifests/v1`, undefined],
    ] as const) {
      expect([path, await statusOf(other, method, path, json)]).toEqual([path, 401]);
    }
    expect(await statusOf('boss', 'DELETE', `${TEST}/targets/two`)).toBe(404);
    expect((await state()).target).toBe('one');
  });

  test('is let in no more when its environment is gone', async () => {
    const other = await enroll('acme', 'spare', 'two');
    town.sql((db) => db.run("delete from environments where name = 'spare'"));
    expect(await statusOf(other, 'GET', '/api/v1/agent/state')).toBe(401);
  });
});

describe('a secret', () => {
  const READS = [
    ACME,
    `${ACME}/file`,
    `${ACME}/environments`,
    `${ACME}/releases`,
    `${ACME}/releases/2`,
    `${ACME}/releases/1/diff/2`,
    TEST,
    `${TEST}/status`,
    `${TEST}/config`,
    `${TEST}/config/versions`,
    `${TEST}/deployments`,
    `${TEST}/deployments/2`,
    `${TEST}/targets`,
    '/api/v1/stacks',
    '/api/v1/namespaces/acme/audit',
    '/metrics',
  ];
  const ASKS: [string, object][] = [
    [`${ACME}/resolve`, { environment: 'test' }],
    [`${TEST}/plan`, { kind: 'deploy', release: 1 }],
    [`${TEST}/plan`, { kind: 'rollback' }],
    [`${ACME}/environments/staging/plan`, { kind: 'promote' }],
  ];

  test('is given to the server that runs it, for nobody to keep', async () => {
    const answer = await town.caller.expect(200, 'GET', '/api/v1/agent/state', { as: as('agent') });
    expect(answer.text()).toContain(SECRET.acme);
    expect(answer.headers.get('cache-control')).toContain('no-store');
  });

  test('comes out of nothing that people ask, whoever they are', async () => {
    for (const person of ['boss', 'admin', 'robot'] as const) {
      for (const path of READS) expect([path, (await ask(person, 'GET', path)).text()]).toEqual([path, hidden()]);
      for (const [path, json] of ASKS) {
        const answer = await ask(person, 'POST', path, json);
        expect([path, answer.status, answer.text()]).toEqual([path, 200, hidden()]);
      }
    }
    const config = (await ask('admin', 'GET', `${TEST}/config`)).text();
    expect(config).toContain(SECRET_NAME);
    expect(config).toContain('good morning');
  });

  test('comes out of nothing that changes something', async () => {
    for (const [method, path, json] of [
      ['PATCH', `${TEST}/config`, { set: { GREETING: { value: 'bye' } }, deploy: true }],
      ['POST', `${TEST}/deployments`, { release: 1 }],
      ['POST', `${ACME}/environments/staging/promote`, {}],
      ['POST', `${TEST}/rollback`, {}],
      ['POST', `${ACME}/releases`, { version: '7' }],
    ] as const) {
      const answer = await ask('admin', method, path, json);
      expect([path, answer.text()]).toEqual([path, hidden()]);
      start.restore();
    }
  });

  test('is not repeated to who sends one that is refused', async () => {
    const value = 'xyzzy-that-was-mistyped';
    town.caller.remember(value);
    for (const set of [
      { PATH: { value, secret: true } },
      { 'not a name': { value, secret: true } },
      { A: { value, secret: 'yes' } },
      { A: { value: value.repeat(5_000), secret: true } },
      { A: { value: [value], secret: true } },
    ]) {
      const answer = await ask('boss', 'PATCH', `${TEST}/config`, { set });
      expect([Object.keys(set), answer.status]).toEqual([Object.keys(set), 400]);
      expect(answer.text()).not.toContain(value);
    }
  });

  test('is not told by saying that it is none', async () => {
    await changesOnly([], async () => {
      for (const change of [{ secret: false }, {}, { value: null, secret: false }]) {
        const json = { set: { [SECRET_NAME]: change } };
        expect(await statusOf('boss', 'PATCH', `${TEST}/config`, json)).toBe(400);
      }
    });
  });

  test('is nowhere in the database as it is', () => {
    const text = town.sql((db) =>
      JSON.stringify(
        ['config_versions', 'deployments', 'releases', 'stack_files', 'targets', 'audit_log', 'environments'].map(
          (table) => db.query(`select * from ${table}`).all(),
        ),
      ),
    );
    expect(text).toContain('good morning');
    for (const value of Object.values(SECRET)) expect(text).not.toContain(value);
  });

  test('that is copied to another environment’s row does not open there', async () => {
    // Whoever can write the database, and would read a secret of acme’s as olivia.
    town.sql((db) => {
      db.run(`update config_versions set variables = (select c.variables from config_versions c
        join environments e on e.id = c.environment_id join stacks s on s.id = e.stack_id
        join namespaces n on n.id = s.namespace_id where n.name = 'acme' and e.name = 'test')
        where environment_id = (select e.id from environments e join stacks s on s.id = e.stack_id
        join namespaces n on n.id = s.namespace_id where n.name = 'olivia' and e.name = 'test')`);
    });
    const another = await enroll('olivia', 'test', 'three');
    const answer = await fetch(`${town.berth.url}/api/v1/agent/state`, { headers: { Authorization: another } });
    expect(answer.status).toBe(500);
    const text = await answer.text();
    expect(text).toContain('can not be decrypted');
    expect(text).not.toContain(SECRET.acme);
  });

  const hidden = () => expect.not.stringContaining('xyzzy');
});

describe('who may write but is no admin', () => {
  test('forces nothing past a policy', async () => {
    await town.caller.expect(200, 'PATCH', TEST, { as: as('boss'), json: { protected: true } });
    await changesOnly([], async () => {
      for (const [path, json] of [
        [`${TEST}/deployments`, { release: 1, force: true }],
        [`${ACME}/environments/staging/promote`, { force: true }],
        [`${TEST}/rollback`, { force: true }],
      ] as const) {
        expect([path, await statusOf('robot', 'POST', path, json)]).toEqual([path, 403]);
      }
    });
  });

  test('changes no variables, servers or environments', async () => {
    await changesOnly([], async () => {
      expect(await statusOf('robot', 'PATCH', `${TEST}/config`, { set: { A: { value: '1' } } })).toBe(403);
      expect(await statusOf('robot', 'POST', `${TEST}/targets`, {})).toBe(403);
      expect(await statusOf('robot', 'POST', `${ACME}/environments`, { name: 'mine' })).toBe(403);
      expect(await statusOf('robot', 'DELETE', ACME)).toBe(403);
    });
  });

  test('is a token of the owner too: a level is the most that it may', async () => {
    const { secret } = await makeToken(town.caller, as('boss') ?? '', { level: 'write' });
    const token = basic('boris', secret);
    expect(await statusOf(token, 'POST', `${TEST}/hold`, {})).toBe(200);
    await changesOnly([], async () => {
      expect(await statusOf(token, 'PATCH', `${TEST}/config`, { set: { A: { value: '1' } } })).toBe(403);
      expect(await statusOf(token, 'DELETE', ACME)).toBe(403);
      expect(await statusOf(token, 'POST', `${TEST}/deployments`, { release: 1, force: true })).toBe(403);
    });
  });
});

describe('a stack of one’s own', () => {
  const OWN = '/api/v1/namespaces/stella/stacks';
  const create = (file: string) => ask('stranger', 'POST', OWN, { name: 'shop', file });

  test('names no repository that one may not read; a private one answers as one that nobody has', async () => {
    const answers = [];
    for (const name of ['acme/third', 'acme/thirx']) {
      const answer = await create(composeFile(name));
      answers.push([answer.status, (answer.json() as { detail: string }).detail.replaceAll(name, 'NAME')]);
    }
    expect(answers[0]).toEqual(answers[1] ?? []);
    expect(answers[0]?.[0]).toBe(403);
  });

  test('takes no private image by a choice, whatever the form', async () => {
    await town.caller.expect(201, 'POST', OWN, { as: as('stranger'), json: { name: 'shop', file: open() } });
    const { digest } = town.image('app');
    for (const web of [`${REPOSITORY.app}:v1`, `${REPOSITORY.app}@${digest}`, digest]) {
      for (const [path, json] of [
        ['releases', { images: { web } }],
        ['resolve', { images: { web } }],
      ] as const) {
        const status = await statusOf('stranger', 'POST', `${OWN}/shop/${path}`, json);
        expect([web, path, [403, 404].includes(status)]).toEqual([web, path, true]);
      }
    }
  });

  test('learns no more of a repository that was public and is not any more', async () => {
    await town.caller.expect(201, 'POST', OWN, { as: as('stranger'), json: { name: 'shop', file: open() } });
    await town.caller.expect(201, 'POST', `${OWN}/shop/releases`, { as: as('stranger'), json: {} });
    const json = { visibility: 'private' };
    await town.caller.expect(200, 'PATCH', `/api/v1/repositories/${REPOSITORY.open}`, { as: as('boss'), json });
    const { digest } = await pushImage(town.caller, as('boss') ?? '', REPOSITORY.open, 'v1', 'a private one now');
    for (const [path, body] of [
      ['releases', {}],
      ['releases', { images: { web: 'v1' } }],
      ['releases', { images: { web: digest } }],
      ['resolve', {}],
      ['resolve', { images: { web: 'v1' } }],
    ] as const) {
      const answer = await ask('stranger', 'POST', `${OWN}/shop/${path}`, body);
      expect([path, body, answer.status >= 400, answer.text().includes(digest)]).toEqual([path, body, true, false]);
    }
  });

  test('writes nothing into a repository that one may only read', async () => {
    await town.caller.expect(201, 'POST', OWN, { as: as('stranger'), json: { name: 'shop', file: open() } });
    await changesOnly(['releases', 'release_images', 'stacks', 'manifests', 'blobs'], async () => {
      expect(await statusOf('stranger', 'POST', `${OWN}/shop/releases`, { version: '1.0' })).toBe(201);
    });
  });

  test('lets its servers pull what is public, and not what was', async () => {
    await town.caller.expect(201, 'POST', OWN, { as: as('stranger'), json: { name: 'shop', file: open() } });
    await town.caller.expect(201, 'POST', `${OWN}/shop/releases`, { as: as('stranger'), json: {} });
    const environments = `${OWN}/shop/environments`;
    await town.caller.expect(201, 'POST', environments, { as: as('stranger'), json: { name: 'test' } });
    const answer = await town.caller.expect(201, 'POST', `${environments}/test/targets`, {
      as: as('stranger'),
      json: {},
    });
    const agent = basic('agent', (answer.json() as { token: string }).token);
    const pull = () => statusOf(agent, 'GET', `/v2/${REPOSITORY.open}/manifests/v1`);
    expect(await pull()).toBe(200);
    const json = { visibility: 'private' };
    await town.caller.expect(200, 'PATCH', `/api/v1/repositories/${REPOSITORY.open}`, { as: as('boss'), json });
    expect(await pull()).toBe(404);
  });

  const open = () => composeFile(REPOSITORY.open);
});

test('the digest of nothing is in no stack', async () => {
  const json = { images: { web: digestOf('nothing') } };
  expect(await statusOf('boss', 'POST', `${ACME}/releases`, json)).toBe(404);
});

testLog(() => town.caller);
