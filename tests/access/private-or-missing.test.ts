// A name that the caller may not see answers as one that nobody has: by status, body, headers and time.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { decodeJwt } from 'jose';
import { allRoutes } from '../../scripts/reference.ts';
import { digestOf } from '../support/registry.ts';
import type { Answer } from '../support/wire.ts';
import { type Parts, testLog } from './caller.ts';
import { expected } from './expected.ts';
import { type PersonName, REPOSITORY, Town } from './people.ts';
import { pathOf, type Sent } from './row.ts';
import { ROWS } from './rows.ts';

/** What is there and may not be seen, and a name as long that nobody has. */
const REPOSITORIES = [
  ['an organization has', 'acme/app', 'acme/apq'],
  ['a user has', 'olivia/tool', 'olivia/toil'],
  ['a repository had before', 'acme/old', 'acme/olx'],
  ['nobody can have, beneath one', 'acme/app/part', 'acme/apq/part'],
  ['is beneath nobody’s', 'acme/app', 'acmf/app'],
] as const;
const NAMESPACES = [
  ['an organization has', 'acme', 'acmf'],
  ['a user has', 'olivia', 'olivib'],
] as const;
/** People who may see neither. */
const OUTSIDERS = ['nobody', 'stranger', 'member', 'elsewhere', 'otherbot', 'browser'] as const satisfies PersonName[];

const ROUTES = allRoutes().map(({ method, path }) => ({ key: `${method} ${path}`, method, path }));

let town: Town;
beforeAll(async () => {
  town = await Town.start(['--tag-history-window', '30d']);
  const as = town.person('boss').basic;
  await town.caller.expect(201, 'POST', '/api/v1/repositories', { as, json: { name: 'acme/old' } });
  await town.caller.expect(200, 'POST', '/api/v1/repositories/acme/old/rename', { as, json: { to: 'acme/new' } });
  await town.caller.expect(200, 'PATCH', '/api/v1/repositories/acme/app', { as, json: { description: 'hush hush' } });
}, 60_000);
afterAll(() => town?.stop(), 30_000);

describe.each(REPOSITORIES)('a name that %s', (_, there, missing) => {
  test.each(OUTSIDERS)('is as one that nobody has for %s on every route about a repository', async (person) => {
    // The owner's token is for another repository; what it is refused is another's as well as the owner's.
    if (person === 'elsewhere' && there === 'olivia/tool') return;
    for (const { key, method, path } of ROUTES.filter((route) => /:name\b/.test(route.path))) {
      const row = ROWS[key];
      const call = { town, person, target: 'app', allowed: false };
      const sent = (await row?.send?.(call)) ?? {};
      const url = pathOf(path, call, sent);
      const ways = path.startsWith('/v2') ? await credentials(person, there, missing) : [ofPerson(person)];
      for (const way of ways) {
        const answers = [];
        for (const name of [there, missing]) {
          answers.push(await town.caller.send(method, renamed(url, name), { ...inParts(sent, name), ...way }));
        }
        const [first, second] = answers.map((answer, i) => plain(answer, i === 0 ? there : missing));
        expect([key, first]).toEqual([key, second]);
        expect([key, [401, 403, 404].includes(first?.status ?? 0)]).toEqual([key, true]);
      }
    }
  });

  test.each(OUTSIDERS)('buys %s the same bearer token', async (person) => {
    if (person === 'elsewhere' && there === 'olivia/tool') return;
    const { basic: as } = town.person(person);
    for (const actions of ['pull', 'pull,push', '*', 'delete']) {
      const answers = [];
      for (const name of [there, missing]) {
        answers.push(await town.caller.send('GET', `/auth/token?scope=repository:${name}:${actions}`, { as }));
      }
      const [first, second] = answers.map((answer, i) => {
        const { token, ...rest } = answer.json() as { token: string };
        const { iat: _, nbf: __, exp: ___, ...claims } = decodeJwt(token);
        return JSON.stringify([answer.status, claims, Object.keys(rest)]).replaceAll([there, missing][i] ?? '', 'NAME');
      });
      expect(first).toEqual(second ?? '');
      expect(first).not.toContain('"actions":["pull"');
    }
  });
});

describe.each(NAMESPACES)('the name of a namespace that %s', (_, there, missing) => {
  test.each(['nobody', 'stranger', 'reader', 'robot', 'browser'] as const)(
    'is as one that nobody has for %s on every route about a namespace',
    async (person) => {
      for (const { key, method, path } of ROUTES.filter((route) => /:namespace\b/.test(route.path))) {
        const row = ROWS[key];
        // All that is in a stack is as private as its namespace.
        const targetOf = (name: string) => (/:namespace\/stacks\b/.test(path) ? `shop of ${name}` : name);
        if (row === undefined || expected(person, row.asks, targetOf(there), 'api') === 'ok') continue;
        const answers = [];
        for (const name of [there, missing]) {
          const target = targetOf(name);
          const call = { town, person, target, allowed: false };
          const { params, ...sent } = (await row.send?.(call)) ?? {};
          const url = pathOf(path, call, {
            ...sent,
            params: { id: 'one', ...params, ...(params?.id && { id: 'one' }) },
          });
          const answer = await town.caller.send(method, url, { ...sent, ...ofPerson(person) });
          answers.push(plain(answer, name));
        }
        expect([key, answers[0]]).toEqual([key, answers[1]]);
      }
    },
  );
});

describe('a mount', () => {
  const into = 'stella/mine';
  const stranger = () => ({ as: town.person('stranger').basic });
  const mount = (query: string) => town.caller.expect(202, 'POST', `/v2/${into}/blobs/uploads/?${query}`, stranger());

  test('from a private repository opens an upload, as from a missing one, and no content comes', async () => {
    const { layer } = town.image('app');
    const answers = [
      await mount(`mount=${layer}&from=acme/app`),
      await mount(`mount=${layer}&from=acme/apq`),
      await mount(`mount=${layer}&from=acme/old`),
      await mount(`mount=${digestOf('nowhere')}&from=acme/app`),
    ];
    for (const answer of answers) expect(plain(answer, '')).toEqual(plain(answers[0] ?? answer, ''));
    await town.caller.expect(404, 'HEAD', `/v2/${into}/blobs/${layer}`, stranger());
  });

  test('with a bearer token for the private repository opens an upload too', async () => {
    const { layer } = town.image('app');
    const scopes = [`repository:${into}:pull,push`, 'repository:acme/app:pull', 'repository:acme/apq:pull'];
    const as = await town.fetchBearer(stranger().as, scopes);
    const answers = [];
    for (const from of ['acme/app', 'acme/apq']) {
      const path = `/v2/${into}/blobs/uploads/?mount=${layer}&from=${from}`;
      answers.push(plain(await town.caller.expect(202, 'POST', path, { as }), ''));
    }
    expect(answers[0]).toEqual(answers[1]);
    await town.caller.expect(404, 'HEAD', `/v2/${into}/blobs/${layer}`, { as });
  });

  test('from wherever takes a blob of a private repository for one that is nowhere', async () => {
    const there = await mount(`mount=${town.image('app').layer}`);
    const nowhere = await mount(`mount=${digestOf('nowhere')}`);
    expect(plain(there, '')).toEqual(plain(nowhere, ''));
  });

  test('from wherever finds what is public', async () => {
    const path = `/v2/${into}/blobs/uploads/?mount=${town.image('open').layer}`;
    await town.caller.expect(201, 'POST', path, stranger());
  });
});

describe('lists', () => {
  /** A repository that everyone sees; of the rest nothing may show. */
  const OPEN = REPOSITORY.open;
  const AROUND = ['', 'acme', 'acme/ao', 'acme/app', 'acme/apq', 'acme/open', 'acme/opq', 'olivia/tool', 'zzz'];

  test('of /v2/_catalog leave out what is private, also around its name and page by page', async () => {
    for (const person of ['nobody', 'stranger', 'browser'] as const) {
      const as = await town.fetchBearer(town.person(person).basic, ['registry:catalog:*']);
      for (const last of AROUND) {
        for (const n of [1, 100]) {
          const answer = await town.caller.expect(200, 'GET', `/v2/_catalog?n=${n}&last=${last}`, { as });
          const repositories = visible(person).filter((name) => name > last);
          expect([person, last, answer.json()]).toEqual([person, last, { repositories: repositories.slice(0, n) }]);
          expect(answer.headers.has('link')).toBe(repositories.length > n);
        }
      }
    }
  });

  test('of the API leave it out too, whatever is searched for', async () => {
    const queries = ['', 'q=app', 'q=hush', 'q=tool', 'namespace=acme', 'namespace=olivia', 'visibility=private'];
    for (const person of ['stranger', 'member', 'otherbot', 'browser'] as const) {
      for (const query of [...queries, ...AROUND.map((last) => `n=1&last=${last}`)]) {
        const answer = await town.caller.expect(200, 'GET', `/api/v1/repositories?${query}`, ofPerson(person));
        const { repositories, next } = answer.json() as { repositories: { name: string }[]; next: string | null };
        expect(repositories.map(({ name }) => name).filter((name) => !listed(person).includes(name))).toEqual([]);
        if (query === '') expect(repositories.map(({ name }) => name)).toEqual(listed(person));
        if (next !== null) expect(listed(person)).toContain(next);
      }
    }
  });

  /** What the catalog has: repositories with a manifest. */
  function visible(person: PersonName): string[] {
    return person === 'otherbot' ? [OPEN, REPOSITORY.third] : [OPEN];
  }

  /** The API has the empty ones too: the tests above have made the stranger's own. */
  function listed(person: PersonName): string[] {
    return person === 'stranger' || person === 'browser' ? [OPEN, 'stella/mine'] : visible(person);
  }
});

describe('making and moving', () => {
  test('a repository to a name that is taken by a private one is refused as to one that is free', async () => {
    for (const person of ['stranger', 'member', 'reader', 'otherbot'] as const) {
      const answers = [];
      for (const name of ['acme/app', 'acme/apq']) {
        const answer = await town.caller.send('POST', '/api/v1/repositories', { ...ofPerson(person), json: { name } });
        answers.push(plain(answer, name));
      }
      expect([person, answers[0]]).toEqual([person, answers[1]]);
      expect(answers[0]?.status).toBe(403);
    }
  });

  test('by who administers another repository of the organization is refused alike', async () => {
    const as = town.person('boss').basic;
    await town.caller.expect(200, 'PUT', '/api/v1/repositories/acme/third/grants', {
      as,
      json: { user: 'mia', role: 'admin' },
    });
    const answers = [];
    for (const to of ['acme/app', 'acme/apq', 'acme/old']) {
      const parts = { ...ofPerson('member'), json: { to } };
      answers.push(plain(await town.caller.send('POST', '/api/v1/repositories/acme/third/rename', parts), to));
    }
    expect(answers[0]?.status).toBe(403);
    for (const answer of answers) expect(answer).toEqual(answers[0] ?? answer);
  });
});

describe('time', () => {
  const digest = digestOf('nowhere');
  const LOOKS = [
    ['a manifest', 'GET', '/v2/NAME/manifests/v1'],
    ['a blob', 'HEAD', `/v2/NAME/blobs/${digest}`],
    ['a push', 'POST', '/v2/NAME/blobs/uploads/'],
    ['a bearer token', 'GET', '/auth/token?scope=repository:NAME:pull,push'],
    ['a page of the API', 'GET', '/api/v1/repositories/NAME'],
    ['a mount', 'POST', `/v2/stella/mine/blobs/uploads/?mount=${digest}&from=NAME`],
  ] as const;

  test.each(LOOKS)('of %s does not tell a private name from a missing one', async (_, method, path) => {
    for (const person of ['nobody', 'stranger'] as const) {
      if (person === 'nobody' && path.includes('mount')) continue;
      // A token, not the password: its hash would hide every difference.
      const as = person === 'nobody' ? undefined : await tokenOf('stella');
      await expectAlike(() => medians(method, path, { as }));
    }
  });

  async function tokenOf(username: string): Promise<string> {
    const json = { name: 'time', level: 'admin' };
    const answer = await town.caller.expect(201, 'POST', '/api/v1/tokens', { ...ofPerson('stranger'), json });
    const { secret } = answer.json() as { secret: string };
    return `Basic ${Buffer.from(`${username}:${secret}`).toString('base64')}`;
  }

  /** The one place where this suite looks at a clock: so with much room, and three tries on a busy machine. */
  async function expectAlike(measure: () => Promise<readonly [number, number]>): Promise<void> {
    let factor = 0;
    for (let tries = 0; tries < 3; tries++) {
      const [first, second] = await measure();
      factor = Math.max(first, second) / Math.min(first, second);
      if (factor < 1.5) return;
    }
    expect(factor).toBeLessThan(1.5);
  }

  async function medians(method: string, path: string, parts: Parts): Promise<readonly [number, number]> {
    const times: [number[], number[]] = [[], []];
    for (let i = 0; i < 400; i++) {
      const url = path.replace('NAME', i % 2 === 0 ? 'acme/app' : 'acme/apq');
      const started = performance.now();
      await town.caller.send(method, url, parts);
      times[i % 2]?.push(performance.now() - started);
    }
    return [median(times[0]), median(times[1])];
  }
});

testLog(() => town.caller);

function median(times: number[]): number {
  return times.sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0;
}

function ofPerson(person: PersonName): { as?: string | undefined; headers: Record<string, string> } {
  const { basic: as, cookie } = town.person(person);
  return { as, headers: cookie === undefined ? {} : { Cookie: cookie } };
}

/** On /v2/: the credential itself, a bearer token for both names, and one for neither. */
async function credentials(person: PersonName, there: string, missing: string) {
  const { basic } = town.person(person);
  const scopes = [there, missing].map((name) => `repository:${name}:pull,push,delete`);
  const bearers = [
    await town.fetchBearer(basic, scopes),
    await town.fetchBearer(basic, [`repository:${REPOSITORY.open}:pull`]),
  ];
  return [{ as: basic }, ...bearers.map((as) => ({ as }))];
}

function renamed(text: string, name: string): string {
  return text.replaceAll(REPOSITORY.app, name);
}

function inParts({ params: _, query: __, json, ...sent }: Sent, name: string): Parts {
  return json === undefined ? sent : { ...sent, json: JSON.parse(renamed(JSON.stringify(json), name)) as unknown };
}

/** An answer without what differs between any two: the name, the request's id, ids of uploads, the time. */
function plain(answer: Answer, name: string): { status: number; headers: [string, string][]; body: string } {
  const same = (text: string) =>
    (name === '' ? text : text.replaceAll(name, 'NAME').replaceAll(encodeURIComponent(name), 'NAME'))
      .replace(/[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'UUID')
      .replace(/"requestId":"[^"]*"/g, '"requestId":"ID"');
  const headers = [...answer.headers]
    .filter(([header]) => !['x-request-id', 'date', 'content-length'].includes(header))
    .map(([header, value]): [string, string] => [header, same(value)]);
  return { status: answer.status, headers, body: same(answer.text()) };
}
