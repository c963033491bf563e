import { alternate, type Row } from '../bench.ts';
import { memoryOf } from '../processes.ts';
import { type Contender, withRegistry } from '../servers.ts';
import { median } from '../statistics.ts';
import { number } from '../table.ts';
import { flood } from '../upload-flood.ts';

const GIB = 1024 * 1024 * 1024;
const uploads = 64;

/** The most memory that a registry takes while 64 uploads of 1 GiB each are on their way. */
export const uploadMemory: Row = {
  key: 'upload-memory',
  title: `memory while ${uploads} uploads of 1 GiB run at once`,
  async run(bench) {
    const budget = bench.quick ? 4 * GIB : 16 * GIB;
    const rss: Record<Contender, number[]> = { 'docker-registry': [], berth: [] };
    const sentGb: number[] = [];
    const peak = (contender: Contender) => async (round: number) => {
      const data = bench.directory('upload-memory');
      try {
        return await withRegistry(bench, contender, { data }, async (server) => {
          let most = { pss: 0, rss: 0 };
          const options = {
            server: server.url,
            repository: 'bench/flood',
            uploads,
            declared: GIB,
            budget,
            limit: 60_000,
          };
          const { sent, seconds } = await flood(options, () => {
            const memory = memoryOf(server.pid);
            most = { pss: Math.max(most.pss, memory.pss), rss: Math.max(most.rss, memory.rss) };
          });
          rss[contender].push(most.rss / 1e6);
          if (contender === 'berth') sentGb.push(sent / 1e9);
          const rate = number(sent / 1e6 / seconds);
          bench.say(`round ${round + 1}: ${contender} ${number(most.pss / 1e6)} MB at ${rate} MB/s`);
          return most.pss / 1e6;
        });
      } finally {
        bench.remove(data);
      }
    };
    // A peak has little spread, and a round writes up to 16 GiB twice.
    const samples = await alternate(Math.min(bench.runs, 2), {
      'docker-registry': peak('docker-registry'),
      berth: peak('berth'),
    });
    return [
      {
        row: 'upload-memory',
        label: `memory while ${uploads} uploads of 1 GiB run`,
        unit: 'MB',
        better: 'lower',
        subject: 'berth',
        samples,
        bar: { kind: 'value', atMost: 300 },
        notes: [
          `highest PSS of four samples a second, summed over all processes; RSS summed: Berth ${number(median(rss.berth))} MB, docker-registry ${number(median(rss['docker-registry']))} MB`,
          `each PATCH declares 1 GiB; all send as fast as the server takes it and are cut after ${number(median(sentGb))} GB in all, or 60 s, so that the disk is spared 64 GiB`,
        ],
      },
    ];
  },
};
