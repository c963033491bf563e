import { describe, expect, test } from 'bun:test';
import { digestOf, errorsOf, freshName } from '../support/registry.ts';
import { serve } from '../support/serve.ts';
import type { Answer } from '../support/wire.ts';

const served = serve({ args: ['--log-level', 'debug'] });

/** The log lines of a request, once they have arrived. */
async function logLines(id: string): Promise<Record<string, unknown>[]> {
  for (let i = 0; i < 50; i++) {
    const lines = served.berth
      .output()
      .split('\n')
      .filter((line) => line.startsWith('{') && line.includes(id));
    if (lines.length > 0) return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    await Bun.sleep(20);
  }
  return [];
}

const refusals: [what: string, ask: () => Promise<Answer>][] = [
  ['an unknown repository', () => served.registry.get(`/v2/${freshName()}/tags/list`)],
  ['a bad name', () => served.registry.get('/v2/UPPER/tags/list')],
  ['a bad digest', () => served.registry.get(`/v2/${freshName()}/blobs/sha256:abc`)],
  ['a bad manifest', () => served.registry.putManifest(freshName(), 'v1', '{')],
  ['a manifest too large', () => served.registry.putManifest(freshName(), 'v1', ' '.repeat(5_000_000))],
  ['a wrong method', () => served.registry.request('POST', '/v2/')],
  ['no such path', () => served.registry.get('/v2/some/thing')],
  ['no such path of the API', () => served.registry.get('/api/v1/nothing')],
  ['an unknown tag of the API', () => served.registry.get(`/api/v1/repositories/${freshName()}/tags/v1/history`)],
  [
    'a wrong digest of an upload',
    async () => {
      const location = await served.registry.startUpload(freshName());
      return served.registry.request('PUT', `${location}?digest=${digestOf('a')}`, { body: 'b' });
    },
  ],
];

describe('a refusal', () => {
  for (const [what, ask] of refusals) {
    test(`carries a request id that its log line has too: ${what}`, async () => {
      const answer = await ask();
      expect(answer.status).toBeGreaterThanOrEqual(400);
      const id = answer.headers.get('x-request-id') ?? '';
      expect(id).toMatch(/^[A-Za-z0-9-]{8,}$/);
      expect(answer.text()).toContain(id);
      const lines = await logLines(id);
      expect(lines.length).toBeGreaterThan(0);
      expect(lines.some((line) => line.status === answer.status && line.requestId === id)).toBe(true);
    });
  }

  test('of a change is in the log at the default level', async () => {
    const answer = await served.registry.putManifest(freshName(), 'v1', '{');
    const [line] = await logLines(answer.headers.get('x-request-id') ?? '');
    expect(['info', 'warn', 'error']).toContain(String(line?.level));
  });
});

test('ids differ, and one that a client sends is not taken into the log as it stands', async () => {
  const ids = new Set<string>();
  for (let i = 0; i < 20; i++) {
    const answer = await served.registry.get('/v2/', { 'X-Request-Id': 'mine"},{"level":60' });
    ids.add(answer.headers.get('x-request-id') ?? '');
  }
  expect(ids.size).toBe(20);
  expect(served.berth.output()).not.toContain('mine"},{');
});

test('what a client sends does not break a log line, and an error body quotes it as JSON', async () => {
  const answer = await served.registry.get('/v2/a%0a%22b/tags/list', { 'User-Agent': 'x"\\y\u00e9' });
  expect([400, 404]).toContain(answer.status);
  expect(errorsOf(answer)).toHaveLength(1);
  const id = answer.headers.get('x-request-id') ?? '';
  const lines = await logLines(id);
  expect(lines).toHaveLength(1);
});

test('no body and no header of a refusal shows a path of the server or a query of its database', async () => {
  for (const [, ask] of refusals) {
    const answer = await ask();
    const said = `${answer.text()}${JSON.stringify([...answer.headers])}`;
    expect(said).not.toContain(served.berth.data);
    expect(said).not.toMatch(/node_modules|\.ts:\d|sqlite|select .* from/i);
  }
});
