// Limits on requests hold over all workers, say when to come back, and leave alone whom they are not for.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { canMount, smallDisk } from '../bad-input/disks.ts';
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

describe('a rate limit on tokens', () => {
  let server: RunningBerth;
  let data: string;
  beforeAll(async () => {
    data = mkdtempSync(join(tmpdir(), 'berth-token-rates-'));
    await berth(['setup', '--data', data, '--username', 'alice', '--password-stdin'], { stdin: `${PASSWORD}\n` });
    server = await startBerth({ data, args: ['--workers', '2', '--anonymous', 'none', '--rate-limit-token', '20/1h'] });
    await started(server);
  });
  afterAll(async () => {
    await server?.stop();
    rmSync(data, { recursive: true, force: true });
  });

  const basic = (secret: string) => `Basic ${Buffer.from(`alice:${secret}`).toString('base64')}`;
  const ask = (path: string, authorization: string) =>
    fetch(`${server.url}${path}`, {
      headers: { Connection: 'close', Authorization: authorization },
      keepalive: false,
    });
  const newToken = async (name: string): Promise<string> => {
    const made = await fetch(`${server.url}/api/v1/tokens`, {
      method: 'POST',
      headers: { Authorization: basic(PASSWORD), 'Content-Type': 'application/json' },
      body: JSON.stringify({ name, level: 'read' }),
    });
    expect(made.status).toBe(201);
    return ((await made.json()) as { secret: string }).secret;
  };
  const bearerOf = async (secret: string, query = '') => {
    const answered = await ask(`/auth/token?scope=repository:alice/app:pull${query}`, basic(secret));
    expect(answered.status).toBe(200);
    return (await answered.json()) as { token: string; refresh_token?: string };
  };

  test('counts one token by whichever way it comes: Basic, at the token endpoint, as a bearer, in the API', async () => {
    const secret = await newToken('robot of the night');
    const { token } = await bearerOf(secret);
    const { token: another } = await bearerOf(secret);
    const ways = [
      () => ask('/v2/', basic(secret)),
      () => ask('/v2/', `Bearer ${secret}`),
      () => ask('/v2/', `Bearer ${token}`),
      () => ask('/v2/', `Bearer ${another}`),
      () => ask('/api/v1/instance', `Bearer ${secret}`),
      () => ask('/auth/token', basic(secret)),
    ];
    const statuses: number[] = [];
    // Two requests have been for the bearers.
    for (let i = 0; i < 24; i++) {
      const response = await ways[i % ways.length]?.();
      statuses.push(response?.status ?? 0);
      await response?.arrayBuffer();
    }
    expect(statuses).toEqual([...Array.from({ length: 18 }, () => 200), ...Array.from({ length: 6 }, () => 429)]);
    const refused = await ask('/v2/', `Bearer ${token}`);
    expect(Number(refused.headers.get('retry-after'))).toBeWithin(100, 181);
    expect(await refused.json()).toMatchObject({
      errors: [
        {
          code: 'TOOMANYREQUESTS',
          message: expect.stringContaining(
            'too many requests with one access token of alice: 20 are allowed in 3600 s; try again in ',
          ),
        },
      ],
    });
    const problem = await ask('/api/v1/tokens', `Bearer ${secret}`);
    expect([problem.status, problem.headers.get('content-type')]).toEqual([429, 'application/problem+json']);
    expect(await (await fetch(`${server.url}/metrics`)).text()).toContain(
      'berth_rate_limited_requests_total{limit="token"} 8\n',
    );
  });

  test('leaves another token of the same user alone, and the password', async () => {
    const spent = await newToken('spent');
    for (let i = 0; i < 25; i++) await (await ask('/v2/', basic(spent))).arrayBuffer();
    expect((await ask('/v2/', basic(spent))).status).toBe(429);
    expect((await ask('/v2/', basic(await newToken('fresh')))).status).toBe(200);
    expect((await ask('/v2/', basic(PASSWORD))).status).toBe(200);
  });

  test('is one for a token and for what docker login got with it', async () => {
    const secret = await newToken('parent');
    const { refresh_token: child = '' } = await bearerOf(secret, '&offline_token=true&client_id=docker');
    expect(child).not.toBe(secret);
    const statuses: number[] = [];
    for (let i = 0; i < 20; i++) {
      const response = await ask('/v2/', basic(i % 2 === 0 ? child : secret));
      statuses.push(response.status);
      await response.arrayBuffer();
    }
    expect(statuses).toEqual([...Array.from({ length: 19 }, () => 200), 429]);
  });
});

test.skipIf(!canMount('limits on a full disk'))(
  'limits hold on a disk that is full, and end no worker',
  async () => {
    const disk = await smallDisk(24);
    let server: RunningBerth | undefined;
    try {
      const data = join(disk.path, 'data');
      const args = ['--workers', '1', '--gc-interval', '0s', '--anonymous', 'pull', '--rate-limit-address', '5/1h'];
      const statuses = async (url: string) => {
        const found: number[] = [];
        for (let i = 0; i < 8; i++) found.push((await fetch(`${url}/v2/`)).status);
        return found;
      };
      const expected = [200, 200, 200, 200, 200, 429, 429, 429];
      server = await startBerth({ data, args });
      // The first count is on the disk that is full.
      disk.fill();
      expect(await statuses(server.url)).toEqual(expected);
      expect(await server.stop()).toBe(0);
      rmSync(join(data, 'rate-limits'));
      disk.fill();
      server = await startBerth({ data, args });
      expect(await statuses(server.url)).toEqual(expected);
      expect(server.output()).toContain('no room on the disk for the limits on requests');
    } finally {
      await server?.stop();
      await disk.unmount();
    }
  },
  120_000,
);
