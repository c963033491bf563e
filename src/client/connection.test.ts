import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test';
import { z } from 'zod';
import { pageOf } from '../api/page.ts';
import { Connection } from './connection.ts';
import { ApiError, ServerUnreachableError } from './errors.ts';
import { path, repositoryPath } from './path.ts';

const numbers = pageOf('numbers', z.int());
const TOKEN = 'berth_pat_secret';

let answer: (request: Request) => Response;
let asked: string[] = [];
let server: ReturnType<typeof Bun.serve>;
const connection = () => new Connection(`http://127.0.0.1:${server.port}/`, { kind: 'token', token: TOKEN });

beforeAll(() => {
  server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch(request) {
      const { pathname, search } = new URL(request.url);
      asked.push(pathname + search);
      return answer(request);
    },
  });
});
beforeEach(() => {
  asked = [];
});
afterAll(() => server.stop(true));

async function failure(work: Promise<unknown>): Promise<Error> {
  try {
    await work;
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error('it did not fail');
}

/** 0 to 2,499 in pages. */
function count(request: Request): Response {
  const { searchParams } = new URL(request.url);
  const first = Number(searchParams.get('last') ?? '-1') + 1;
  const end = Math.min(first + Number(searchParams.get('n')), 2_500);
  const page = Array.from({ length: end - first }, (_, i) => first + i);
  return Response.json({ numbers: page, next: end < 2_500 ? String(end - 1) : null });
}

test('a list is read page after page, and not further than it is asked for', async () => {
  answer = count;
  const list = (limit?: number) =>
    Array.fromAsync(
      connection().list(numbers, '/list', (page) => page.numbers, {
        query: { q: 'a&b', none: undefined },
        ...(limit === undefined ? {} : { limit }),
      }),
    );
  expect(await list()).toEqual(Array.from({ length: 2_500 }, (_, i) => i));
  expect(asked).toEqual(['/list?q=a%26b&n=1000', '/list?q=a%26b&n=1000&last=999', '/list?q=a%26b&n=1000&last=1999']);
  asked = [];
  expect(await list(1_200)).toHaveLength(1_200);
  expect(asked).toEqual(['/list?q=a%26b&n=1000', '/list?q=a%26b&n=200&last=999']);
  asked = [];
  for await (const _ of connection().list(numbers, '/list', (page) => page.numbers)) break;
  expect(asked).toHaveLength(1);
});

test('problem details become an ApiError; one of the server’s own faults names the request', async () => {
  const problem = (status: number) =>
    Response.json({ type: 'about:blank', detail: 'name: taken', code: 'NAME_TAKEN', requestId: 'r1' }, { status });
  answer = () => problem(409);
  const refused = await failure(connection().send('POST', '/x', {}));
  expect(refused).toBeInstanceOf(ApiError);
  expect(refused).toMatchObject({ status: 409, code: 'NAME_TAKEN', detail: 'name: taken', requestId: 'r1' });
  expect(refused.message).toBe('name: taken');
  answer = () => problem(500);
  expect((await failure(connection().send('POST', '/x'))).message).toBe('name: taken (request r1)');
});

test('what is no Berth is named as such, and its address; the token never', async () => {
  const answers: [() => Response, string][] = [
    [() => new Response('<h1>It works!</h1>'), 'is no Berth of this version'],
    [() => Response.json({ numbers: ['one'], next: null }), 'is no Berth of this version'],
    [() => new Response('bad gateway', { status: 502 }), 'is no Berth (status 502)'],
    [() => Response.redirect('https://elsewhere.example.com/'), 'redirects to https://elsewhere.example.com/'],
  ];
  for (const [given, message] of answers) {
    answer = given;
    const error = await failure(connection().call(numbers, 'GET', '/x'));
    expect(error).toBeInstanceOf(ServerUnreachableError);
    expect(error.message).toContain(message);
    expect(error.message).toContain(`http://127.0.0.1:${server.port}`);
    expect(error.message).not.toContain(TOKEN);
  }
  expect(asked).toHaveLength(answers.length);
});

test('a credential is sent as it is, whatever letters a password has', async () => {
  const seen: (string | null)[] = [];
  answer = ({ headers }) => {
    seen.push(headers.get('authorization'));
    return new Response(null, { status: 204 });
  };
  await connection().send('GET', '/x');
  const basic = { kind: 'password', username: 'alice', password: 'pässwörd: ✓' } as const;
  await new Connection(`http://127.0.0.1:${server.port}`, basic).send('GET', '/x');
  await new Connection(`http://127.0.0.1:${server.port}`).send('GET', '/x');
  const encoded = Buffer.from('alice:pässwörd: ✓').toString('base64');
  expect(seen).toEqual([`Bearer ${TOKEN}`, `Basic ${encoded}`, null]);
  const make = () => new Connection('http://localhost', { kind: 'token', token: 'berth_pat_x\nY: z' });
  expect(make).toThrow('characters');
  expect(make).not.toThrow('berth_pat');
});

test('no value leads to another path', () => {
  expect(path`/api/v1/users/${'a/../b?c#d'}`).toBe('/api/v1/users/a%2F..%2Fb%3Fc%23d');
  for (const value of ['', '.', '..']) expect(() => path`/api/v1/users/${value}`).toThrow('is not a name');
  expect(() => repositoryPath('alice/../users')).toThrow('is not a name');
  expect(repositoryPath('alice/app')).toBe('/api/v1/repositories/alice/app');
  expect(repositoryPath('alice/tags')).toBe('/api/v1/repositories/alice%2Ftags');
});
