// A certificate that is exchanged while clients come, push and pull.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { createHash, randomBytes } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { Authority, type Certified } from '../support/authority.ts';
import { type RunningBerth, startBerth } from '../support/berth.ts';
import { requireTools } from '../support/tools.ts';

setDefaultTimeout(90_000);
const canRun = requireTools('a certificate that is exchanged', ['openssl']);

const PIECE = randomBytes(1 << 20);
const PIECES = 200;
const SIZE = PIECES * PIECE.length;

describe.if(canRun)('A certificate that is exchanged', () => {
  let folder: string;
  let authority: Authority;
  let certified: Certified[];
  let server: RunningBerth;
  let live: Certified;
  let ca: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'berth-reload-'));
    live = { certificate: join(folder, 'tls.crt'), key: join(folder, 'tls.key') };
    authority = await Authority.make();
    ca = readFileSync(authority.certificate, 'utf8');
    certified = await Promise.all(['one', 'two', 'three', 'four'].map((name) => authority.certify(name)));
    await place(0);
    server = await startBerth({
      args: ['--tls-certificate', live.certificate, '--tls-key', live.key, '--workers', '2'],
      tls: { ca },
    });
  });
  afterAll(async () => {
    await server?.stop();
    authority?.remove();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  /** As certbot does: one file after the other. */
  async function place(index: number): Promise<void> {
    for (const name of ['certificate', 'key'] as const) {
      cpSync(certified[index]?.[name] ?? '', `${live[name]}.new`);
      renameSync(`${live[name]}.new`, live[name]);
    }
  }

  /** A new connection with one request: whose certificate was shown. */
  function visit(): Promise<string> {
    return new Promise((resolve, reject) => {
      let text = '';
      let shown = '';
      const socket = connect({ port: server.port, host: '127.0.0.1', ca, timeout: 20_000 }, () => {
        shown = String(socket.getPeerCertificate().subject.CN);
        socket.write('GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
      });
      socket.on('data', (chunk) => {
        text += chunk.toString();
      });
      socket.on('error', reject);
      socket.on('timeout', () => socket.destroy(new Error('no answer in time')));
      socket.on('close', () =>
        text.startsWith('HTTP/1.1 200') ? resolve(shown) : reject(new Error(`answered ${JSON.stringify(text)}`)),
      );
    });
  }

  /** Visits until `stop`, `width` at a time; every failure is kept. */
  function visitors(width: number) {
    const failures: string[] = [];
    const shown = new Map<string, number>();
    let going = true;
    const all = Promise.all(
      Array.from({ length: width }, async () => {
        while (going) {
          await visit().then(
            (name) => shown.set(name, (shown.get(name) ?? 0) + 1),
            (error: Error) => failures.push(error.message),
          );
        }
      }),
    );
    return {
      failures,
      shown,
      async stop() {
        going = false;
        await all;
      },
    };
  }

  /** Until new connections get this one from every worker. */
  async function served(name: string): Promise<void> {
    const deadline = Date.now() + 20_000;
    for (let inARow = 0; inARow < 20; ) {
      if (Date.now() > deadline) throw new Error(`${name} is not served`);
      inARow = (await visit()) === name ? inARow + 1 : 0;
    }
  }

  async function startUpload(): Promise<string> {
    const { headers } = await fetch(`${server.url}/v2/big/blobs/uploads/`, { method: 'POST', tls: { ca } });
    return `${server.url}${headers.get('location')}`;
  }

  test('cuts off neither a long push nor a long pull, and no new connection fails', async () => {
    const hash = createHash('sha256');
    for (let piece = 0; piece < PIECES; piece++) hash.update(PIECE);
    const digest = `sha256:${hash.digest('hex')}`;
    const whole = new ReadableStream<Uint8Array>({
      start(controller) {
        for (let piece = 0; piece < PIECES; piece++) controller.enqueue(PIECE);
        controller.close();
      },
    });
    const stored = await fetch(`${await startUpload()}?digest=${digest}`, { method: 'PUT', body: whole, tls: { ca } });
    expect(stored.status).toBe(201);

    // Both go on while the certificates are exchanged, and end after it.
    let exchanged = false;
    const heldUntil = Date.now() + 90_000;
    const heldAt = async (half: boolean) => {
      while (half && !exchanged && Date.now() < heldUntil) await Bun.sleep(20);
    };
    let sent = 0;
    const slowly = new ReadableStream<Uint8Array>({
      async pull(controller) {
        if (!exchanged && sent > 20) await Bun.sleep(50);
        await heldAt(sent > PIECES / 2);
        if (sent++ < PIECES) controller.enqueue(PIECE);
        else controller.close();
      },
    });
    const push = fetch(await startUpload(), { method: 'PATCH', body: slowly, tls: { ca } });
    const received = createHash('sha256');
    let size = 0;
    const pull = (async () => {
      const { body } = await fetch(`${server.url}/v2/big/blobs/${digest}`, { tls: { ca } });
      for await (const chunk of body ?? []) {
        received.update(chunk);
        size += chunk.length;
        if (!exchanged) await Bun.sleep(5);
        await heldAt(size > SIZE / 2);
      }
    })();
    const visiting = visitors(10);
    for (const [index, name] of ['two', 'three', 'four'].entries()) {
      await place(index + 1);
      await served(name);
    }
    expect(sent).toBeLessThan(PIECES);
    expect(size).toBeLessThan(SIZE);
    const metrics = await (await fetch(`${server.url}/metrics`, { tls: { ca } })).text();
    // The two of before, and the one that asks.
    expect(Number(/^berth_http_requests_in_flight (\d+)$/m.exec(metrics)?.[1])).toBeGreaterThanOrEqual(3);
    exchanged = true;
    await visiting.stop();
    expect(visiting.failures).toEqual([]);
    expect([...visiting.shown.keys()].sort()).toEqual(['four', 'one', 'three', 'two']);
    const pushed = await push;
    expect(pushed.status).toBe(202);
    const completed = await fetch(`${server.url}${pushed.headers.get('location')}?digest=${digest}`, {
      method: 'PUT',
      tls: { ca },
    });
    expect(completed.status).toBe(201);
    await pull;
    expect(size).toBe(SIZE);
    expect(`sha256:${received.digest('hex')}`).toBe(digest);
  });

  test('leaves one socket a worker, and a stop waits for what began before it', async () => {
    const upload = await startUpload();
    let enough = false;
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        if (sent > 0 && !enough) await Bun.sleep(100);
        if (enough) controller.close();
        else {
          controller.enqueue(PIECE);
          sent++;
        }
      },
    });
    const push = fetch(upload, { method: 'PATCH', body, tls: { ca } });
    await place(0);
    await served('one');
    const deadline = Date.now() + 10_000;
    while (listening(server.port) !== 2) {
      if (Date.now() > deadline) throw new Error(`${listening(server.port)} sockets listen`);
      await Bun.sleep(50);
    }
    const stopped = server.stop();
    while (!server.output().includes('"msg":"stopping"')) await Bun.sleep(20);
    await Bun.sleep(500);
    enough = true;
    expect((await push).status).toBe(202);
    expect(await stopped).toBe(0);
    expect(server.output()).not.toContain('cut off');
  });
});

/** How many sockets of IPv4 listen on a port. */
function listening(port: number): number {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const lines = readFileSync('/proc/net/tcp', 'utf8').split('\n');
  return lines.filter((line) => {
    const [, address, , state] = line.trim().split(/\s+/);
    return state === '0A' && address?.endsWith(local) === true;
  }).length;
}
