// A disk that is slow to make things durable, descriptors that run out, and bytes that rotted.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { berth } from '../support/berth.ts';
import { eventually, isAlive, workersOf } from '../support/processes.ts';
import { digestOf } from '../support/registry.ts';
import { requireTools, run } from '../support/tools.ts';
import { type Answer, Connection, NoAnswer } from '../support/wire.ts';
import { Place, REPOSITORY, workFolder } from './place.ts';

function openPlace() {
  const work = workFolder();
  let opened: Place | undefined;
  beforeAll(async () => {
    opened = await Place.start({ data: join(work.path, 'data') });
    for (let i = 0; i < 3; i++) await opened.expectPush();
  }, 120_000);
  afterAll(async () => {
    await opened?.stop();
    work.remove();
  }, 60_000);
  return () => {
    if (opened === undefined) throw new Error('nothing was started');
    return opened;
  };
}

describe.skipIf(!requireTools('faults of a slow disk', ['root', 'strace']))('a slow disk', () => {
  const places = openPlace();

  /** Every sync of the workers takes `ms` more, until the function that this returns is called. */
  async function slowSyncs(pids: number[], ms: number): Promise<() => Promise<void>> {
    const calls = 'fsync,fdatasync';
    const inject = [`trace=${calls}`, `inject=${calls}:delay_enter=${ms * 1000}`].flatMap((one) => ['-e', one]);
    const tracer = Bun.spawn(
      ['strace', '-f', '-qq', '-o', '/dev/null', ...inject, ...pids.flatMap((pid) => ['-p', `${pid}`])],
      {
        stdin: 'ignore',
        stdout: 'ignore',
        stderr: 'ignore',
      },
    );
    const traced = (pid: number) => !/^TracerPid:\s+0$/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
    await eventually('the workers are traced', 20_000, () => pids.every(traced));
    return async () => {
      // It lets go of them.
      tracer.kill('SIGTERM');
      await tracer.exited;
    };
  }

  test('makes pushes wait and nothing else: pulls and /livez are answered meanwhile, and what is acknowledged survives a kill', async () => {
    const place = places();
    const workers = workersOf(place.server.pid);
    const fast = await slowSyncs(workers, 400);
    const answers: Answer[] = [];
    try {
      let pushing = 3;
      const pushes = Array.from({ length: pushing }, async () => {
        answers.push(await place.push(200_000));
        pushing--;
      });
      const before = [...place.acknowledged];
      let pulls = 0;
      while (pushing > 0) {
        expect((await place.request('GET', '/livez')).status).toBe(200);
        for (const [path, content] of before) {
          const answer = await place.request('GET', path);
          expect([path, answer.status, answer.body.equals(content)]).toEqual([path, 200, true]);
          pulls++;
        }
      }
      await Promise.all(pushes);
      expect(pulls).toBeGreaterThan(before.length);
    } finally {
      await fast();
    }
    // Late, and not refused.
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 201));
    expect(workers.filter(isAlive)).toEqual(workers);
    await place.kill();
    await place.startAgain();
    await place.expectAll();
    await place.expectVerified();
  }, 180_000);
});

describe.skipIf(!requireTools('faults of descriptors', ['root', 'prlimit']))('descriptors that run out', () => {
  const places = openPlace();

  test('end no worker, and all is well when connections go', async () => {
    const place = places();
    const workers = workersOf(place.server.pid);
    const most: number[] = [];
    for (const pid of workers) {
      const open = readdirSync(`/proc/${pid}/fd`).length;
      most.push(open);
      await run(['prlimit', `--pid=${pid}`, `--nofile=${open + 12}:${open + 12}`]);
    }
    const held: Connection[] = [];
    try {
      // More than both can take; the rest waits in the kernel.
      for (let i = 0; i < 80; i++) held.push(await Connection.open(place.server.port));
      const asked = held.map(async (connection) => {
        connection.send(Buffer.from(`GET /livez HTTP/1.1\r\nHost: 127.0.0.1:${place.server.port}\r\n\r\n`));
        return connection.answer('GET', 3_000).then(
          ({ status }) => status,
          (error: unknown) => {
            if (error instanceof NoAnswer) return 0;
            throw error;
          },
        );
      });
      const statuses = await Promise.all(asked);
      expect(statuses).toContain(200);
      expect(statuses.filter((status) => status !== 200).length).toBeGreaterThan(0);
      expect(workers.filter(isAlive)).toEqual(workers);
    } finally {
      for (const connection of held) connection.close();
    }
    await eventually('the server answers new connections', 60_000, async () => {
      const answers = await Promise.all(
        Array.from({ length: 6 }, () => place.request('GET', '/readyz', {}, 2_000).catch(() => undefined)),
      );
      return answers.every((answer) => answer?.status === 200);
    });
    await eventually('a push goes well', 30_000, async () => (await place.push()).status === 201);
    expect(workers.filter(isAlive)).toEqual(workers);
    expect(most.every((open) => open > 0)).toBe(true);
    await place.expectAll();
    await place.expectVerified();
  }, 180_000);
});

describe('bytes that rotted under a running server', () => {
  const places = openPlace();

  test('are sent as they are under the digest that they no longer have, which clients compare; verify names them, and a push mends them', async () => {
    const place = places();
    const [path = '', content = Buffer.alloc(0)] =
      [...place.acknowledged].find(([name]) => name.includes('/blobs/')) ?? [];
    const digest = digestOf(content);
    const hex = digest.slice('sha256:'.length);
    const file = join(place.server.data, 'blobs/sha256', hex.slice(0, 2), hex);
    const rotted = Buffer.from(content);
    rotted[7] = (rotted[7] ?? 0) ^ 1;
    writeFileSync(file, rotted);
    expect(statSync(file).size).toBe(content.byteLength);
    const pulled = await place.request('GET', path);
    expect([pulled.status, pulled.headers.get('docker-content-digest')]).toEqual([200, digest]);
    expect(digestOf(pulled.body)).not.toBe(digest);
    const verified = await berth(['verify', '--data', place.server.data]);
    expect([verified.code, verified.stdout]).toEqual([1, expect.stringContaining(`blob-damaged ${digest}`)]);
    const pushed = await place.request('POST', `/v2/${REPOSITORY}/blobs/uploads/?digest=${digest}`, { body: content });
    expect(pushed.status).toBe(201);
    await place.expectAll();
    await place.expectVerified();
  }, 60_000);
});
