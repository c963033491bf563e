// A PostgreSQL server that goes away in several ways, and comes back.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import pg from 'pg';
import { type RunningPostgres, requirePostgres, startPostgres } from '../support/postgres.ts';
import { eventually, isAlive, workersOf } from '../support/processes.ts';
import type { Answer } from '../support/wire.ts';
import { expectUnavailable, Place, workFolder } from './place.ts';

describe.skipIf(!requirePostgres('faults of PostgreSQL'))('a PostgreSQL server', () => {
  const work = workFolder();
  let cluster: RunningPostgres | undefined;
  let place: Place | undefined;
  let url = '';
  let workers: number[] = [];
  beforeAll(async () => {
    cluster = await startPostgres();
    url = await cluster.newDatabase();
    place = await Place.start({ data: `${work.path}/data` }, ['--database', url]);
    await place.expectPush();
    workers = workersOf(place.server.pid);
  }, 180_000);
  afterAll(async () => {
    await place?.stop();
    await cluster?.stop();
    work.remove();
  }, 60_000);
  const parts = () => {
    if (cluster === undefined || place === undefined) throw new Error('nothing was started');
    return { cluster, place };
  };

  /** Everything acknowledged is there, the same processes serve, and pushes go well again, without anybody's help. */
  async function expectRecovered(place: Place): Promise<void> {
    await eventually('the server is ready again', 60_000, async () => (await place.ready()).status === 200);
    await eventually('a push goes well', 60_000, async () => (await place.push()).status === 201);
    await place.expectAll();
    await place.expectVerified();
    expect(workers.filter(isAlive)).toEqual(workers);
  }

  /** Pushes by several clients until `fault` is done, and what they were answered. */
  async function whilePushing(place: Place, fault: (answers: Answer[]) => Promise<void>): Promise<Answer[]> {
    const answers: Answer[] = [];
    let stopped = false;
    const pushing = Array.from({ length: 4 }, async () => {
      while (!stopped) answers.push(await place.push());
    });
    try {
      await eventually('pushes go well', 30_000, () => answers.filter(({ status }) => status === 201).length > 4);
      await fault(answers);
    } finally {
      stopped = true;
      await Promise.all(pushing);
    }
    return answers;
  }

  test('that dies in the middle of pushes refuses with 503, never 404, and loses nothing', async () => {
    const { cluster, place } = parts();
    const answers = await whilePushing(place, async (answers) => {
      await cluster.crash();
      await eventually('pushes are refused', 30_000, () => answers.filter(({ status }) => status === 503).length > 4);
    });
    for (const answer of answers) if (answer.status !== 201) expectUnavailable(answer);
    for (const path of [...place.acknowledged.keys()].slice(0, 6)) expectUnavailable(await place.request('GET', path));
    const { status, text } = await place.ready();
    expect([status, text]).toEqual([503, expect.stringContaining('the database does not answer')]);
    expect([await place.metric('database'), await place.metric('storage')]).toEqual([0, 1]);
    expect((await place.request('GET', '/livez')).status).toBe(200);
    await cluster.restart();
    await expectRecovered(place);
  }, 180_000);

  test('that ends every connection, as in a failover, costs at most the requests under way', async () => {
    const { place } = parts();
    const client = new pg.Client(url);
    await client.connect();
    try {
      const answers = await whilePushing(place, async (answers) => {
        for (let i = 0; i < 5; i++) {
          await client.query(
            'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
          );
          const before = answers.length;
          await eventually('pushes are answered', 30_000, () => answers.length > before + 4);
        }
      });
      for (const answer of answers) if (answer.status !== 201) expectUnavailable(answer);
    } finally {
      await client.end();
    }
    await expectRecovered(place);
  }, 180_000);

  test('that hangs answers pulls and pushes with 503 in bounded time, and the metrics go on', async () => {
    const { cluster, place } = parts();
    const [tag = ''] = [...place.acknowledged.keys()].filter((path) => path.includes('/manifests/'));
    const goOn = cluster.hang();
    try {
      const pulls = Promise.all(Array.from({ length: 20 }, () => place.request('GET', tag, {}, 60_000)));
      const push = place.request('POST', '/v2/some/image/blobs/uploads/', {}, 100_000);
      expect((await place.request('GET', '/livez')).status).toBe(200);
      expect(await place.metric('database')).toBe(0);
      const { status, text } = await place.ready();
      expect([status, text]).toEqual([503, expect.stringContaining('no answer in time')]);
      for (const answer of await pulls) expectUnavailable(answer);
      expectUnavailable(await push);
    } finally {
      goOn();
    }
    await expectRecovered(place);
  }, 180_000);
});
