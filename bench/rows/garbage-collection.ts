import { Database } from 'bun:sqlite';
import { join } from 'node:path';
import type { Bench, Row } from '../bench.ts';
import { RequestFailed } from '../distribution.ts';
import { run } from '../processes.ts';
import { checkPushes, type Push, pushSteadily } from '../push-load.ts';
import { seedBerth } from '../seed.ts';
import { withBerth } from '../servers.ts';
import { median, percentile } from '../statistics.ts';
import { number } from '../table.ts';

const repository = 'bench/garbage';

interface Round {
  without: number[];
  during: number[];
  /** How long `berth gc` ran, in s. */
  seconds: number;
  layersLeft: number;
}

/** Pushes while `berth gc` removes 100,000 manifests and their layers, and the same pushes while it does not. */
export const garbageCollection: Row = {
  key: 'gc',
  title: 'garbage collection of 100,000 manifests while pushes run',
  async run(bench) {
    const manifests = bench.quick ? 10_000 : 100_000;
    const perSecond = 20;
    const rounds: Round[] = [];
    const seeded = bench.directory('gc');
    await seedBerth(bench, seeded, { garbage: { repository, manifests } });
    // Three rounds give a p99 of hundreds of pushes.
    for (let round = 0; round < Math.min(bench.runs, 3); round++) {
      const result = await measure(bench, seeded, perSecond);
      bench.say(
        `round ${round + 1}: gc ${number(result.seconds)} s; push p99 ${number(percentile(result.without, 0.99))} ms without, ${number(percentile(result.during, 0.99))} ms during`,
      );
      rounds.push(result);
    }
    bench.remove(seeded);
    const without = rounds.map((round) => percentile(round.without, 0.99));
    const during = rounds.map((round) => percentile(round.during, 0.99));
    const count = rounds.reduce((sum, round) => sum + round.during.length, 0);
    const half = (pick: (round: Round) => number[]) => number(median(rounds.flatMap(pick)));
    return [
      {
        row: 'gc',
        label: `push p99 while ${number(manifests)} manifests are collected`,
        unit: 'ms',
        better: 'lower',
        subject: 'berth',
        samples: { 'without gc': without, berth: during },
        bar: { kind: 'growth', atMost: 2, from: 'without gc' },
        notes: [
          `${perSecond} pushes a second (config, layer, manifest) by four clients; ${count} pushes during gc, none failed, all read back right after it`,
          `median push ${half((round) => round.without)} ms without, ${half((round) => round.during)} ms during; \`berth gc\` took ${number(median(rounds.map((round) => round.seconds)))} s beside the server and left ${rounds.at(-1)?.layersLeft} of as many layers`,
        ],
      },
    ];
  },
};

async function measure(bench: Bench, seeded: string, perSecond: number): Promise<Round> {
  const data = bench.directory('gc');
  try {
    // Blobs never change, so that hard links do for them; the database needs a copy.
    await run(['cp', '-al', `${seeded}/.`, data]);
    await run(['rm', join(data, 'berth.db')]);
    await run(['cp', join(seeded, 'berth.db'), data]);
    await run(['sync']);
    // The server's own schedule must not collect before the clock runs.
    return await withBerth(bench, { data, args: ['--gc-interval', '0s'] }, async (server) => {
      await pushSteadily(server.url, perSecond, Bun.sleep(2000)); // warm up
      const calm = await pushSteadily(server.url, perSecond, Bun.sleep(bench.quick ? 8000 : 20_000));
      const started = performance.now();
      const collection = run([bench.berth, 'gc', '--data', data, '--output', 'json'], { timeout: 1_200_000 });
      const [{ elapsed }, pushes] = await Promise.all([collection, pushSteadily(server.url, perSecond, collection)]);
      const ended = started + elapsed;
      const layersLeft = checkCollected(data);
      await checkPushes(server.url, [...calm, ...pushes]);
      const during = pushes.filter((push) => push.due < ended);
      return { without: times(calm), during: times(during), seconds: elapsed / 1000, layersLeft };
    });
  } finally {
    bench.remove(data);
  }
}

function times(pushes: readonly Push[]): number[] {
  return pushes.map((push) => push.took);
}

/** Throws when garbage is left: a collection that did not do its work proves nothing. Returns the layers that are left. */
function checkCollected(data: string): number {
  const db = new Database(join(data, 'berth.db'), { readonly: true });
  try {
    const count = (sql: string) => (db.query(sql).get(repository) as { n: number }).n;
    const inRepository = 'repository_id = (SELECT id FROM repositories WHERE name = ?)';
    const manifests = count(`SELECT count(*) AS n FROM manifests WHERE ${inRepository}`);
    if (manifests > 0) throw new RequestFailed(`berth gc left ${manifests} manifests`);
    return count(`SELECT count(*) AS n FROM repository_blobs WHERE ${inRepository}`);
  } finally {
    db.close();
  }
}
