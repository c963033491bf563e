import { alternate, type Row } from '../bench.ts';
import { request } from '../distribution.ts';
import type { Measurement } from '../measurement.ts';
import { memoryOf } from '../processes.ts';
import { numbered, seedBerth } from '../seed.ts';
import { type Contender, contenders, type Server, withRegistry } from '../servers.ts';
import { median } from '../statistics.ts';
import { number } from '../table.ts';

const repository = 'bench/tagged';

/** Start to first answer, and memory when nothing happens, with 100,000 manifests. */
export const start: Row = {
  key: 'start',
  title: 'start to first answer and idle memory with 100,000 manifests',
  async run(bench) {
    const manifests = bench.quick ? 10_000 : 100_000;
    const data = { 'docker-registry': bench.directory('start'), berth: bench.directory('start') };
    const pss: Record<Contender, number[]> = { 'docker-registry': [], berth: [] };
    const rss: Record<Contender, number[]> = { 'docker-registry': [], berth: [] };
    let processes = 0;
    try {
      await seedBerth(bench, data.berth, { tagged: { repository, tags: manifests } });
      // Berth's first answer is a manifest of the 100,000; docker-registry reads nothing when it starts, so its own is /v2/.
      const firstRequest = {
        'docker-registry': '/v2/',
        berth: `/v2/${repository}/manifests/${numbered('tag-', 4321)}`,
      };
      const startOnce = (contender: Contender) => () =>
        withRegistry(
          bench,
          contender,
          { data: data[contender], firstRequest: firstRequest[contender] },
          async (server) => {
            await idle(server, bench.quick ? 3000 : 10_000);
            const memory = memoryOf(server.pid);
            pss[contender].push(memory.pss / 1e6);
            rss[contender].push(memory.rss / 1e6);
            if (contender === 'berth') processes = memory.processes;
            return server.startedIn / 1000;
          },
        );
      const started = await alternate(bench.runs, {
        'docker-registry': startOnce('docker-registry'),
        berth: startOnce('berth'),
      });
      const base = { row: 'start', better: 'lower', subject: 'berth' } satisfies Partial<Measurement>;
      return [
        {
          ...base,
          label: `start to first answer, ${number(manifests)} manifests`,
          unit: 's',
          samples: started,
          bar: { kind: 'value', atMost: 0.3 },
          notes: ['from the spawn of `bin/berth serve` to the 200 for a manifest by tag'],
        },
        {
          ...base,
          label: `memory idle, ${number(manifests)} manifests`,
          unit: 'MB',
          samples: pss,
          bar: { kind: 'value', atMost: 90 },
          notes: [
            `PSS summed over ${processes} processes of \`berth serve\`, default workers; RSS summed (shared pages counted again in each): Berth ${number(median(rss.berth))} MB, docker-registry ${number(median(rss['docker-registry']))} MB`,
          ],
        },
      ];
    } finally {
      for (const contender of contenders) bench.remove(data[contender]);
    }
  },
};

/** A hundred requests, so that what is made on first use is there, then a pause. */
async function idle(server: Server, pause: number): Promise<void> {
  for (let n = 0; n < 100; n++) await (await request(`${server.url}/v2/`, 200)).arrayBuffer();
  await Bun.sleep(pause);
}
