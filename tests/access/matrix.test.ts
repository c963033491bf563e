// Every route of Berth, asked for by everybody: who is let in, who is not, and that who is not changes nothing.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { allRoutes } from '../../scripts/reference.ts';
import type { Answer } from '../support/wire.ts';
import { testLog } from './caller.ts';
import { expected, isAllowed, isPlace, targetsOf, type Way } from './expected.ts';
import { PEOPLE, type PersonName, REPOSITORY, Town } from './people.ts';
import { type Call, pathOf, type Row, type Sent, statusOf } from './row.ts';
import { ROWS } from './rows.ts';
import { Snapshot } from './snapshot.ts';

const ROUTES = allRoutes().map(({ method, path }) => ({ key: `${method} ${path}`, method, path }));
/** What the credential is worth nothing of, so that it buys no bearer token. */
const BAD: readonly PersonName[] = ['expired', 'revoked', 'disabled'];

let town: Town;
beforeAll(async () => {
  town = await Town.start();
}, 60_000);
afterAll(() => town?.stop(), 30_000);

test('the matrix has a row for every route, and no row without a route', () => {
  expect(ROUTES.length).toBeGreaterThan(40);
  expect(Object.keys(ROWS).sort()).toEqual(ROUTES.map(({ key }) => key).sort());
});

describe.each(ROUTES)('$key', ({ key, method, path }) => {
  const row = ROWS[key];
  // The test above names it.
  if (row === undefined) return;

  test('refuses whom it should, and nothing is changed', async () => {
    const faults: string[] = [];
    for (const { way, target } of waysInto(row, path)) {
      const refused: { call: Call; sent: Sent; wanted: number }[] = [];
      for (const person of peopleOf(path)) {
        const wanted = expected(person, row.asks, target, way);
        const call = { town, person, target, allowed: false };
        if (wanted !== 'ok') refused.push({ call, sent: (await row.send?.(call)) ?? {}, wanted });
      }
      const before = Snapshot.take(town);
      for (const { call, sent, wanted } of refused) {
        if (way === 'bearer' && BAD.includes(call.person)) continue;
        const answer = await ask(method, path, call, sent, way);
        const fault = faultOf(call, way, answer, wanted);
        if (fault !== undefined) faults.push(fault);
      }
      const changed = Snapshot.take(town).since(before);
      if (changed.length > 0) faults.push(`${way} at ${target} changed ${changed.join(', ')}`);
    }
    expect(faults).toEqual([]);
  });

  test('lets in whom it should', async () => {
    const faults: string[] = [];
    const reads = method === 'GET' || method === 'HEAD';
    const start = Snapshot.take(town);
    for (const { way, target } of waysInto(row, path)) {
      for (const person of peopleOf(path)) {
        if (!isAllowed(person, row.asks, target, way)) continue;
        const call = { town, person, target, allowed: true };
        const sent = (await row.send?.(call)) ?? {};
        const before = reads || row.send === undefined ? start : Snapshot.take(town);
        const answer = await ask(method, path, call, sent, way);
        const fault = faultOf(call, way, answer, statusOf(row, target));
        if (fault !== undefined) faults.push(fault);
        if (reads) continue;
        const changes = answer.status < 300 && row.idle?.(call) !== true;
        const changed = Snapshot.take(town).since(before);
        if (changes !== changed.length > 0) {
          faults.push(`${person} at ${target} with ${way} changed ${changed.join(', ') || 'nothing'}`);
        }
        start.restore();
      }
    }
    expect(faults).toEqual([]);
  });
});

testLog(() => town.caller);

/** Each place that the route is about, with each way to come there. */
function waysInto(row: Row, path: string): { way: Way; target: string | undefined }[] {
  const ways: readonly Way[] = path.startsWith('/v2') ? ['basic', 'bearer'] : ['api'];
  const targets = row.targets ?? targetsOf(row.asks, path);
  return ways.flatMap((way) => targets.map((target) => ({ way, target })));
}

/** The session cookie is the API's alone. */
function peopleOf(path: string): readonly PersonName[] {
  return path.startsWith('/v2') ? PEOPLE.filter((person) => person !== 'browser') : PEOPLE;
}

async function ask(method: string, path: string, call: Call, sent: Sent, way: Way): Promise<Answer> {
  const { basic, cookie } = town.person(call.person);
  const as = way === 'bearer' ? await bearerOf(call) : basic;
  const headers = { ...sent.headers, ...(cookie === undefined ? {} : { Cookie: cookie }) };
  const url = pathOf(path, call, sent);
  if (ROWS[`${method} ${path}`]?.endless && call.allowed)
    return headOf(`${town.berth.url}${url}`, { ...headers, ...(as === undefined ? {} : { Authorization: as }) });
  return town.caller.send(method, url, { ...sent, as, headers });
}

async function headOf(url: string, headers: Record<string, string>): Promise<Answer> {
  const leaving = new AbortController();
  const answer = await fetch(url, { headers, signal: leaving.signal });
  leaving.abort();
  return {
    ...answer,
    status: answer.status,
    headers: answer.headers,
    body: Buffer.alloc(0),
    text: () => '',
    json: () => null,
  };
}

function bearerOf({ person, target }: Call): Promise<string> {
  if (target === 'catalog') return town.fetchBearer(town.person(person).basic, ['registry:catalog:*']);
  return town.bearer(person, REPOSITORY[isPlace(target) ? target : 'open']);
}

function faultOf({ person, target }: Call, way: Way, answer: Answer, wanted: number): string | undefined {
  const { status } = answer;
  const where = `${person} at ${target} with ${way}: ${status}`;
  if (status !== wanted) return `${where}, not ${wanted} ${answer.text().slice(0, 200)}`;
  return status === 401 && !answer.headers.has('www-authenticate') ? `${where} without a challenge` : undefined;
}
