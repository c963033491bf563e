import { afterAll, beforeAll, expect, test } from 'bun:test';
import type { Database } from '../database/database.ts';
import { DatabaseUnavailableError } from '../database/database.ts';
import { onEachDatabase } from '../database/test-databases.ts';
import { type Digest, digestOf } from '../oci/digest.ts';
import { deleteManifest } from './manifests.ts';
import { PullTimes } from './pull-times.ts';
import { getRepository } from './repositories.ts';
import {
  ACTOR,
  bytesOf,
  imageOf,
  MINUTE,
  named,
  openTestRegistry,
  pushImage,
  pushManifest,
  type TestRegistry,
} from './testing.ts';

const THEN = 1_750_000_000_000;

onEachDatabase('times of pulls', (newPlace) => {
  let registry: TestRegistry;
  let database: Database;
  beforeAll(async () => {
    registry = await openTestRegistry(await newPlace());
    ({ database } = registry.context);
  });
  afterAll(() => registry?.remove());

  const stored = async (digest: Digest) =>
    (await database.read.selectFrom('manifests').select('pulled_at').where('digest', '=', digest).execute()).map(
      (row) => row.pulled_at,
    );
  const make = async (name: string, seed = name) => {
    const { digest } = await pushImage(registry.context, name, seed, 'latest');
    return { digest, id: (await getRepository(registry.context, named(name))).id };
  };
  /** A database in which the number of write transactions is counted; `fail` says that there is none. */
  const watched = (options: { fail?: boolean } = {}) => {
    const writes = { count: 0 };
    const relaxedTransaction: Database['relaxedTransaction'] = (work) => {
      writes.count++;
      if (options.fail) throw new DatabaseUnavailableError('gone');
      return database.relaxedTransaction(work);
    };
    const wrapped = new Proxy(database, {
      get: (target, key) => (key === 'relaxedTransaction' ? relaxedTransaction : Reflect.get(target, key)),
    });
    return { database: wrapped, writes };
  };

  test('are not there before the first, and are written by a flush', async () => {
    const { digest, id } = await make('first');
    const times = new PullTimes();
    expect(await stored(digest)).toEqual([null]);
    times.note(id, digest, THEN);
    expect(await stored(digest)).toEqual([null]);
    await times.flush(database);
    expect(await stored(digest)).toEqual([THEN]);
  });

  test('are of the repository in which it was pulled', async () => {
    const one = await make('here', 'same');
    await make('there', 'same');
    const times = new PullTimes();
    times.note(one.id, one.digest, THEN);
    await times.flush(database);
    expect((await stored(one.digest)).map(String).sort()).toEqual([String(THEN), 'null']);
  });

  test('stay as they are for five minutes, without a write; and never go back', async () => {
    const { digest, id } = await make('often');
    const times = new PullTimes();
    const { database: watch, writes } = watched();
    const pull = async (at: number) => {
      times.note(id, digest, at);
      await times.flush(watch);
      return [await stored(digest), writes.count];
    };
    expect(await pull(THEN)).toEqual([[THEN], 1]);
    expect(await pull(THEN + 5 * MINUTE)).toEqual([[THEN], 1]);
    expect(await pull(THEN + 5 * MINUTE + 1)).toEqual([[THEN + 5 * MINUTE + 1], 2]);
    expect(await pull(THEN - 60 * MINUTE)).toEqual([[THEN + 5 * MINUTE + 1], 2]);
    await times.flush(watch);
    expect(writes.count).toBe(2);
  });

  test('of many manifests are all written, also by two processes at once', async () => {
    const { context } = registry;
    const { config, digest } = await pushImage(context, 'many', 'one');
    const digests = [digest];
    for (let i = 0; i < 450; i++) {
      digests.push(await pushManifest(context, 'many', imageOf({ config, annotations: { i: String(i) } })));
    }
    const { id } = await getRepository(context, named('many'));
    const processes = [new PullTimes(), new PullTimes()];
    for (const times of processes) for (const each of digests) times.note(id, each, THEN);
    const other = registry.anotherProcess('p2').database;
    await Promise.all(processes.map((times, i) => times.flush(i === 0 ? database : other)));
    const rows = await database.read
      .selectFrom('manifests')
      .select('digest')
      .where('repository_id', '=', id)
      .where('pulled_at', '=', THEN)
      .execute();
    expect(rows).toHaveLength(451);
  }, 60_000);

  test('of what was deleted since are nowhere', async () => {
    const { digest, id } = await make('deleted');
    const times = new PullTimes();
    times.note(id, digest, THEN);
    times.note(id, digestOf(bytesOf('never was')), THEN);
    await deleteManifest(registry.context, named('deleted'), digest, ACTOR);
    await times.flush(database);
    expect(await stored(digest)).toEqual([]);
  });

  test('that could not be written are written by the next flush, at their newest', async () => {
    const { digest, id } = await make('down');
    const other = await make('down-too');
    const times = new PullTimes();
    times.note(id, digest, THEN);
    times.note(other.id, other.digest, THEN);
    const failed = times.flush(watched({ fail: true }).database);
    times.note(id, digest, THEN + 1);
    await expect(failed).rejects.toBeInstanceOf(DatabaseUnavailableError);
    await times.flush(database);
    expect([await stored(digest), await stored(other.digest)]).toEqual([[THEN + 1], [THEN]]);
  });
});
