import { describe, expect, test } from 'bun:test';
import { createServer } from 'node:net';
import { berth, startBerth } from '../support/berth.ts';
import { freePort } from '../support/ports.ts';
import { freshName } from '../support/registry.ts';
import { serve } from '../support/serve.ts';

const served = serve();

/** Runs a `serve` that must not come up. */
async function refused(args: string[]): Promise<string> {
  const second = await berth(['serve', '--host', '127.0.0.1', '--anonymous', 'push', ...args]);
  expect(second.code).toBe(1);
  expect(second.stderr).not.toMatch(/^\s+at .+:\d+/m);
  return second.stdout + second.stderr;
}

async function stillServes(): Promise<void> {
  const repository = freshName();
  const image = await served.registry.pushImage(repository, 'v1');
  for (let i = 0; i < 10; i++) {
    served.registry.close();
    expect((await served.registry.get(`/v2/${repository}/manifests/v1`)).text()).toBe(image.body);
  }
}

describe('a second serve', () => {
  test('on the same port is refused, names the port, and the first goes on', async () => {
    const said = await refused(['--port', String(served.berth.port), '--data', `${served.berth.data}-other`]);
    expect(said).toContain(String(served.berth.port));
    expect(said).toMatch(/taken|in use/);
    await stillServes();
  }, 60_000);

  test('on the same data directory is refused, names the directory and who has it, and the first goes on', async () => {
    const said = await refused(['--port', String(await freePort()), '--data', served.berth.data]);
    expect(said).toContain(served.berth.data);
    expect(said).toContain(String(served.berth.pid));
    await stillServes();
  }, 60_000);

  test('on the same data directory by another path is refused too', async () => {
    const said = await refused([
      '--port',
      String(await freePort()),
      '--data',
      `${served.berth.data}/../${served.berth.data.split('/').at(-1)}/.`,
    ]);
    expect(said).toMatch(/in use/);
    await stillServes();
  }, 60_000);
});

describe('a port', () => {
  test('that another program has is refused', async () => {
    const other = createServer();
    const port = await new Promise<number>((resolve) => {
      other.listen(0, '127.0.0.1', () => resolve((other.address() as { port: number }).port));
    });
    try {
      expect(await refused(['--port', String(port), '--data', `${served.berth.data}-other`])).toContain(String(port));
    } finally {
      other.close();
    }
  }, 60_000);

  test('at an address that this machine does not have is refused, and the address is named', async () => {
    const args = [
      'serve',
      '--host',
      '192.0.2.77',
      '--port',
      String(await freePort()),
      '--data',
      `${served.berth.data}-other`,
    ];
    const second = await berth(args);
    expect(second.code).toBe(1);
    expect(second.stderr + second.stdout).toContain('192.0.2.77');
  }, 60_000);
});

test('after the first was killed, the next starts on its port and data with nothing lost', async () => {
  const first = await startBerth();
  await first.kill();
  const second = await startBerth({ port: first.port, data: first.data });
  expect(await second.stop()).toBe(0);
  const third = await startBerth({ port: first.port, data: first.data });
  expect(await third.stop()).toBe(0);
}, 60_000);
