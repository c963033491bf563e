// The agent as a program of the system: its exit codes, its state directory, systemd, SIGTERM.

import { dlopen, ptr } from 'bun:ffi';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serverEngineTools } from '../support/server-engine.ts';
import { requireTools } from '../support/tools.ts';
import { type Agent, deployment, eventually, type Shop, shopFile, startShop } from './shop.ts';

const here = requireTools('agent as a service', [...serverEngineTools, 'busybox', 'docker']);

describe.skipIf(!here)('the agent as a program', () => {
  let shop: Shop;
  let agent: Agent;
  let db = '';
  let good: string[] = [];
  let unhealthy = '';
  const images = (web: string | undefined) => ({ db, web: web ?? '' });

  beforeAll(async () => {
    shop = await startShop();
    db = await shop.push('alice/db', 'sleeps', '1');
    good = [await shop.push('alice/web', 'good', '1'), await shop.push('alice/web', 'good', '2')];
    unhealthy = await shop.push('alice/web', 'unhealthy', '3');
  }, 90_000);
  afterAll(() => shop?.stop(), 60_000);
  afterEach(() => shop.clear(), 60_000);

  const reaches = (number: number, phase: string) =>
    eventually(
      `deployment ${number} ${phase}`,
      () => shop.control.deployment(number)?.phase === phase,
      () => `${JSON.stringify(shop.control.reports.slice(-8))}\n${agent.log()}`,
    );

  test('tells with --once how a deployment ended', async () => {
    shop.control.want({ deployment: deployment(1, images(good[0])) });
    agent = shop.startAgent({ args: ['--once'] });
    expect(await agent.exited).toBe(0);
    expect(shop.control.deployment(1)?.phase).toBe('stable');
    shop.control.want({ deployment: deployment(2, images(unhealthy)) });
    agent = shop.startAgent({ args: ['--once'] });
    expect(await agent.exited).toBe(3);
    expect(shop.control.deployment(2)).toMatchObject({ phase: 'reverted', revertedTo: 1 });
  }, 60_000);

  test('is alone in its state directory, which nobody else can read', async () => {
    agent = shop.startAgent();
    await eventually(
      'started',
      () => shop.control.asked() > 0,
      () => agent.log(),
    );
    const second = shop.startAgent({ args: ['--once'] });
    expect(await second.exited).toBe(1);
    expect(second.log()).toContain(`pid ${agent.pid}`);
    expect(statSync(shop.state).mode & 0o777).toBe(0o700);
    for (const file of readdirSync(shop.state, { recursive: true, withFileTypes: true })) {
      if (file.isFile()) expect(statSync(join(file.parentPath, file.name)).mode & 0o077).toBe(0);
    }
  }, 60_000);

  test('takes no state directory of another environment', async () => {
    shop.control.want({ deployment: deployment(1, images(good[0])) });
    agent = shop.startAgent({ args: ['--once'] });
    expect(await agent.exited).toBe(0);
    shop.control.want({ stack: 'bob/shop' });
    agent = shop.startAgent();
    expect(await agent.exited).toBe(1);
    expect(agent.log()).toContain('belongs to alice/shop in test');
    expect(await shop.running('web')).toHaveLength(1);
  }, 60_000);

  test('is stopped in the middle of a switch, and goes on with the next start', async () => {
    shop.control.want({ deployment: deployment(1, images(good[0])) });
    agent = shop.startAgent();
    await reaches(1, 'stable');
    shop.control.want({ deployment: deployment(2, images(good[1])) });
    await reaches(2, 'switching');
    expect(await agent.stop()).toBe(0);
    expect((await shop.running('web')).length).toBeGreaterThan(0);
    agent = shop.startAgent();
    await reaches(2, 'stable');
    expect((await shop.running('web')).map(({ digest }) => digest)).toEqual([good[1] ?? '']);
  }, 60_000);

  test('is killed while compose replaces a container that is stopped first, again and again', async () => {
    const file = shopFile({ web: 'deploy: { update_config: { order: stop-first } }' });
    shop.control.want({ deployment: deployment(1, images(good[0]), { file }) });
    agent = shop.startAgent();
    await reaches(1, 'stable');
    for (const [at, delay] of [30, 120, 250, 500, 900].entries()) {
      const number = at + 2;
      const image = good[number % 2 === 0 ? 1 : 0];
      shop.control.want({ deployment: deployment(number, images(image), { file }) });
      await reaches(number, 'switching');
      await Bun.sleep(delay);
      agent.signal('SIGKILL');
      await agent.exited;
      agent = shop.startAgent();
      await reaches(number, 'stable');
      expect((await shop.running('web')).map(({ digest }) => digest)).toEqual([image ?? '']);
    }
  }, 120_000);

  test('tells systemd that it is ready, alive and stopping', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'berth-notify-'));
    const socket = notifySocket(join(folder, 'notify'));
    try {
      agent = shop.startAgent({ env: { NOTIFY_SOCKET: join(folder, 'notify'), WATCHDOG_USEC: '300000' } });
      await eventually(
        'ready',
        () => socket.received().includes('READY=1'),
        () => agent.log(),
      );
      await eventually('alive', () => socket.received().filter((text) => text === 'WATCHDOG=1').length > 2);
      expect(await agent.stop()).toBe(0);
      expect(socket.received()).toContain('STOPPING=1');
    } finally {
      socket.close();
      rmSync(folder, { recursive: true });
    }
  }, 60_000);

  test('reports only what changed, and its clock', async () => {
    shop.control.want({ deployment: deployment(1, images(await shop.push('alice/web', 'good', 'another'))) });
    agent = shop.startAgent();
    await reaches(1, 'stable');
    const sent = shop.control.reports.length;
    await eventually('a sign of life', () => shop.control.reports.length > sent);
    expect(Object.keys(shop.control.reports.at(-1) ?? {})).toEqual(['now']);
    expect(Math.abs((shop.control.reports.at(-1)?.now ?? 0) - Date.now())).toBeLessThan(60_000);
    expect(shop.control.reports.some(({ engine }) => engine?.startsWith('Docker ') === true)).toBe(true);
    expect(shop.control.deployment(1)?.pull).toBeDefined();
  }, 60_000);
});

/** The other end of sd_notify: Bun has no datagram sockets of this kind. */
function notifySocket(path: string): { received: () => string[]; close: () => void } {
  const { symbols: libc } = dlopen('libc.so.6', {
    socket: { args: ['i32', 'i32', 'i32'], returns: 'i32' },
    bind: { args: ['i32', 'ptr', 'u32'], returns: 'i32' },
    recv: { args: ['i32', 'ptr', 'u64', 'i32'], returns: 'i64' },
    close: { args: ['i32'], returns: 'i32' },
  });
  const descriptor = libc.socket(1, 2, 0);
  const address = Buffer.alloc(110);
  address.writeUInt16LE(1, 0);
  address.write(path, 2);
  if (libc.bind(descriptor, ptr(address), address.length) !== 0) throw new Error(`bind ${path}`);
  const all: string[] = [];
  const buffer = Buffer.alloc(4096);
  return {
    received() {
      for (;;) {
        const length = Number(libc.recv(descriptor, ptr(buffer), buffer.length, 0x40));
        if (length <= 0) return all;
        all.push(...buffer.toString('utf8', 0, length).split('\n'));
      }
    },
    close: () => void libc.close(descriptor),
  };
}
