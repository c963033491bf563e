// Limits on requests hold over all workers, say when to come back, and leave alone whom they are not for.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { berth, type RunningBerth, startBerth } from '../support/berth.ts';
import { started } from '../support/processes.ts';

const PASSWORD = 'correct horse battery';

describe('rate limits', () => {
  let server: RunningBerth;
  let data: string;

  beforeAll(async () => {
    data = mkdtempSync(join(tmpdir(), 'berth-rates-'));
    await berth(['setup', '--data', data, '--username', 'alice', '--password-stdin'], { stdin: `${PASSWORD}\n` });
    const limits = ['--rate-limit-address', '20/1h', '--rate-limit-account', '50/1h', '--slow-request', '1ms'];
    server = await startBerth({ data, args: ['--workers', '2', '--anonymous', 'push', ...limits] });
    await started(server);
  });
  afterAll(async () => {
    await server?.stop();
    rmSync(data, { recursive: true, force: true });
  });

  /** Each on a connection of its own, so that both workers take part. */
  const ask = (path: string, authorization?: string) =>
    fetch(`${server.url}${path}`, {
      headers: { Connection: 'close', ...(authorization === undefined ? {} : { Authorization: authorization }) },
      keepalive: false,
    });
  const statuses = async (count: number, path: string, authorization?: string) => {
    const found = new Map<number, number>();
    for (let i = 0; i < count; i++) {
      const { status } = await ask(path, authorization);
      found.set(status, (found.get(status) ?? 0) + 1);
    }
    return Object.fromEntries(found);
  };

  test('an address gets so many requests from all workers together, then 429 and when to come back', async () => {
    expect(await statuses(30, '/v2/_catalog')).toEqual({ 200: 20, 429: 10 });
    const refused = await ask('/v2/_catalog');
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeWithin(100, 181);
    expect(await refused.json()).toMatchObject({
      errors: [
        {
          code: 'TOOMANYREQUESTS',
          message: expect.stringContaining(
            'too many requests without a log-in from 127.0.0.1: 20 are allowed in 3600 s',
          ),
        },
      ],
    });
    const problem = await ask('/api/v1/instance');
    expect([problem.status, problem.headers.get('content-type')]).toEqual([429, 'application/problem+json']);
  });

  test('probes and metrics are not counted', async () => {
    for (const path of ['/livez', '/readyz', '/metrics']) expect(await statuses(30, path)).toEqual({ 200: 30 });
  });

  test('an account has a limit of its own, and a wrong password counts for the address', async () => {
    const basic = `Basic ${Buffer.from(`alice:${PASSWORD}`).toString('base64')}`;
    expect(await statuses(60, '/v2/_catalog', basic)).toEqual({ 200: 50, 429: 10 });
    const wrong = `Basic ${Buffer.from('alice:wrong').toString('base64')}`;
    expect((await ask('/v2/_catalog', wrong)).status).toBe(429);
  });

  test('a slow request is logged with its route, who asked and how long it took', async () => {
    // The first log-in took longer than a millisecond: argon2id.
    const lines = server
      .output()
      .split('\n')
      .filter((line) => line.includes('"slow request"'))
      .map((line): unknown => JSON.parse(line));
    expect(lines).toContainEqual(
      expect.objectContaining({
        level: 'warn',
        method: 'GET',
        route: '/v2/_catalog',
        who: 'alice',
        client: '127.0.0.1',
      }),
    );
  });
});
