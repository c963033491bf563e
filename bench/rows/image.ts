import { join } from 'node:path';
import type { Bench, Row } from '../bench.ts';
import { twentyLayers, writeImage } from '../images.ts';
import { skopeoCopy } from '../load.ts';
import type { Measurement } from '../measurement.ts';
import { run } from '../processes.ts';
import { contenders, type Server, withRegistry } from '../servers.ts';
import { median } from '../statistics.ts';
import { number } from '../table.ts';

const clients = 8;

/** Eight skopeos at once, each with its own repository and its own image of twenty layers that no other image has. */
export const image: Row = {
  key: 'image',
  title: `push and pull of a 20-layer image by skopeo, ${clients} at once`,
  async run(bench) {
    // The clients' side is in memory where it can be, so that the only disk work is the server's.
    const memory = bench.memoryDirectory();
    const samples = {
      push: { 'docker-registry': [] as number[], berth: [] as number[] },
      pull: { 'docker-registry': [] as number[], berth: [] as number[] },
    };
    const alone: number[] = [];
    try {
      let bytes = 0;
      for (let n = 0; n < clients; n++) {
        bytes += await writeImage(join(memory, `image-${n}`), twentyLayers);
        await writeImage(join(memory, `warm-${n}`), twentyLayers);
      }
      for (let round = 0; round < bench.runs; round++) {
        for (const contender of contenders) {
          const { push, pull } = await pushAndPull(bench, contender, memory);
          bench.say(`round ${round + 1}: ${contender} push ${number(push)} s, pull ${number(pull)} s`);
          samples.push[contender].push(push);
          samples.pull[contender].push(pull);
        }
        alone.push(await all(bench, memory, 'image', (n) => `dir:${join(memory, 'copies', String(n))}`, 'from layout'));
      }
      const base = {
        row: 'image',
        unit: 's',
        better: 'lower',
        subject: 'berth',
        bar: { kind: 'times', atLeast: 1.5, than: 'docker-registry' },
      } satisfies Partial<Measurement>;
      const what = `20 layers by skopeo, ${clients} at once`;
      return [
        {
          ...base,
          label: `push, ${what}`,
          samples: samples.push,
          notes: [
            `${clients} images of 20 layers, ${number(bytes / 1e6)} MB in all, no layer in two of them; a new server and new skopeo caches each round; before the clock starts, each server takes and gives eight other such images`,
            `the clients alone, copying the same from directory to directory: ${number(median(alone))} s`,
          ],
        },
        { ...base, label: `pull, ${what}`, samples: samples.pull, notes: [] },
      ];
    } finally {
      bench.remove(memory);
    }
  },
};

async function pushAndPull(
  bench: Bench,
  contender: (typeof contenders)[number],
  memory: string,
): Promise<{ push: number; pull: number }> {
  const data = bench.directory('image');
  try {
    return await withRegistry(bench, contender, { data }, async (server) => {
      // A registry runs for months: what is asked is how fast it is then, not in its first second.
      await roundTrip(bench, memory, server, 'warm');
      return await roundTrip(bench, memory, server, 'image');
    });
  } finally {
    bench.remove(data);
  }
}

async function roundTrip(
  bench: Bench,
  memory: string,
  server: Server,
  images: 'image' | 'warm',
): Promise<{ push: number; pull: number }> {
  const remote = (n: number) => `docker://${server.host}/bench/${images}-${n}:latest`;
  return {
    push: await all(bench, memory, images, remote, 'from layout'),
    pull: await all(bench, memory, images, remote, 'to directory'),
  };
}

/** Runs the eight copies at once; returns seconds from the first start to the last end. skopeo checks the digests. */
async function all(
  bench: Bench,
  memory: string,
  images: 'image' | 'warm',
  remote: (n: number) => string,
  direction: 'from layout' | 'to directory',
): Promise<number> {
  const copies = join(memory, 'copies');
  const caches = join(memory, 'caches');
  try {
    await run(['sync']);
    await run(['mkdir', '-p', copies, caches]);
    const started = performance.now();
    await Promise.all(
      Array.from({ length: clients }, (_, n) => {
        const cache = join(caches, String(n));
        if (direction === 'from layout')
          return skopeoCopy(`oci:${join(memory, `${images}-${n}`)}:latest`, remote(n), cache);
        return skopeoCopy(remote(n), `dir:${join(copies, String(n))}`, cache);
      }),
    );
    return (performance.now() - started) / 1000;
  } finally {
    bench.remove(copies);
    bench.remove(caches);
  }
}
