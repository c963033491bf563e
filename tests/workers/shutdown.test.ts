// SIGTERM: what runs may end, within a bound; nothing new begins.
import { describe, expect, test } from 'bun:test';
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { type RunningBerth, startBerth } from '../support/berth.ts';
import { Client } from '../support/client.ts';
import { eventually, started } from '../support/processes.ts';
import { digestOf } from '../support/registry.ts';
import { Connection } from '../support/wire.ts';

/** More than the buffers of two sockets on loopback take. */
const LARGE = 48 * 1024 * 1024;

async function start(...args: string[]): Promise<RunningBerth> {
  const berth = await startBerth({ args: ['--workers', '2', ...args] });
  await started(berth);
  return berth;
}

async function push(port: number, content: Buffer): Promise<string> {
  const client = new Client(port);
  const digest = digestOf(content);
  const answer = await client.requestOnNew('POST', `/v2/a/blobs/uploads/?digest=${digest}`, { body: content });
  expect([answer.status, answer.text()]).toEqual([201, '']);
  return digest;
}

/** A download whose client reads a little and then stops reading until told. */
class SlowDownload {
  received = 0;
  closed = false;
  readonly #socket: Socket;
  readonly #pieces: Buffer[] = [];

  constructor(port: number, path: string) {
    this.#socket = connect({ port, host: '127.0.0.1' });
    this.#socket.on('data', (data: Buffer) => {
      this.#pieces.push(data);
      this.received += data.length;
      if (this.received < 200_000) this.#socket.pause();
    });
    for (const event of ['close', 'end', 'error']) {
      this.#socket.on(event, () => {
        this.closed = true;
      });
    }
    this.#socket.write(`GET ${path} HTTP/1.1\r\nHost: berth\r\nConnection: close\r\n\r\n`);
  }

  begun(): Promise<void> {
    return eventually('the download has begun', 20_000, () => this.received > 0);
  }

  readOn(): void {
    this.received += 1_000_000;
    this.#socket.resume();
  }

  body(): Buffer {
    const all = Buffer.concat(this.#pieces);
    return all.subarray(all.indexOf('\r\n\r\n') + 4);
  }

  close(): void {
    this.#socket.destroy();
  }
}

describe('SIGTERM', () => {
  test('lets a slow download and a slow upload finish, refuses new connections, and exits 0', async () => {
    const berth = await start('--shutdown-timeout', '20s');
    const large = randomBytes(LARGE);
    const digest = await push(berth.port, large);
    const download = new SlowDownload(berth.port, `/v2/a/blobs/${digest}`);
    await download.begun();

    const client = new Client(berth.port);
    const content = randomBytes(400_000);
    const path = (await client.request('POST', '/v2/a/blobs/uploads/')).headers.get('location') ?? '';
    client.close();
    const upload = await Connection.open(berth.port);
    upload.send(`PUT ${path}?digest=${digestOf(content)} HTTP/1.1\r\nHost: berth\r\n`);
    upload.send(`Content-Length: ${content.length}\r\n\r\n`);
    upload.send(content.subarray(0, 100_000));
    await Bun.sleep(200);

    process.kill(berth.pid, 'SIGTERM');
    await eventually('new connections are refused', 30_000, () => refuses(berth.port));
    await Bun.sleep(500);
    expect(download.closed).toBe(false);
    upload.send(content.subarray(100_000));
    const put = await upload.answer('PUT');
    expect([put.status, put.text()]).toEqual([201, '']);
    download.readOn();
    await eventually('the download has ended', 15_000, () => download.closed);
    expect(digestOf(download.body())).toBe(digest);
    expect(await berth.exited).toBe(0);
    upload.close();

    const again = await startBerth({ data: berth.data });
    const read = await new Client(again.port).requestOnNew('GET', `/v2/a/blobs/${digestOf(content)}`);
    expect(digestOf(read.body)).toBe(digestOf(content));
    await again.stop();
    await berth.stop();
  }, 60_000);

  test('cuts off what takes longer than --shutdown-timeout', async () => {
    const berth = await start('--shutdown-timeout', '1s');
    const digest = await push(berth.port, randomBytes(LARGE));
    const download = new SlowDownload(berth.port, `/v2/a/blobs/${digest}`);
    await download.begun();
    const begun = performance.now();
    process.kill(berth.pid, 'SIGTERM');
    expect(await berth.exited).toBe(0);
    const took = performance.now() - begun;
    expect(took).toBeGreaterThan(900);
    expect(took).toBeLessThan(15_000);
    expect(berth.output().includes('cut off at the shutdown timeout')).toBe(true);
    download.close();
    await berth.stop();
  }, 60_000);

  test('does not wait for connections that are kept alive and idle', async () => {
    const berth = await start('--shutdown-timeout', '20s');
    const client = new Client(berth.port);
    await Promise.all(Array.from({ length: 8 }, () => client.request('GET', '/v2/')));
    const begun = performance.now();
    process.kill(berth.pid, 'SIGTERM');
    expect(await berth.exited).toBe(0);
    expect(performance.now() - begun).toBeLessThan(15_000);
    client.close();
    await berth.stop();
  }, 60_000);

  test('exits 0 also when it comes as soon as the first worker answers', async () => {
    for (let i = 0; i < 3; i++) {
      const berth = await startBerth({ args: ['--workers', '3'] });
      expect(await berth.stop()).toBe(0);
    }
  }, 60_000);
});

async function refuses(port: number): Promise<boolean> {
  try {
    (await Connection.open(port)).close();
    return false;
  } catch {
    return true;
  }
}
