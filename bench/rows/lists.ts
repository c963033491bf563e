import type { Bench, Row } from '../bench.ts';
import { alternate } from '../bench.ts';
import { RequestFailed, request } from '../distribution.ts';
import type { Measurement } from '../measurement.ts';
import { numbered, seedBerth, seedDockerRegistry } from '../seed.ts';
import { type Server, withBerth, withRegistry } from '../servers.ts';
import { median, percentile } from '../statistics.ts';
import { number } from '../table.ts';

const tagged = 'bench/tagged';
const prefix = 'catalog/r';
const pageSize = 100;
const few = 1000;

interface Kind {
  name: string;
  path: string;
  item: (n: number) => string;
  /** The names in an answer's body. */
  names: (body: unknown) => unknown;
  /** docker-registry 2.8 knows no `n` and `last` here and always sends the whole list. */
  ignoresPage: boolean;
}

const kinds: readonly Kind[] = [
  {
    name: 'tag page',
    path: `/v2/${tagged}/tags/list`,
    item: (n) => numbered('tag-', n),
    names: (body) => (body as { tags?: unknown }).tags,
    ignoresPage: true,
  },
  {
    name: 'catalog page',
    path: '/v2/_catalog',
    item: (n) => numbered(prefix, n),
    names: (body) => (body as { repositories?: unknown }).repositories,
    ignoresPage: false,
  },
];

/** Pages of a long tag list and of a long catalog, and whether their time depends on the length. */
export const lists: Row = {
  key: 'lists',
  title: 'tag page and catalog page of 100,000, and of 1,000',
  async run(bench) {
    const many = bench.quick ? 10_000 : 100_000;
    const data = { few: bench.directory('lists'), many: bench.directory('lists'), registry: bench.directory('lists') };
    try {
      for (const [directory, count] of [
        [data.few, few],
        [data.many, many],
      ] as const) {
        await seedBerth(bench, directory, {
          tagged: { repository: tagged, tags: count },
          repositories: { prefix, count },
        });
      }
      bench.say(`seeded Berth with ${few} and ${many}`);
      seedDockerRegistry(data.registry, {
        tagged: { repository: tagged, tags: many },
        repositories: { prefix, count: many },
      });
      bench.say(`seeded docker-registry with ${many}`);
      const measurements: Measurement[] = [];
      for (const kind of kinds) measurements.push(...(await measureKind(bench, data, kind, many)));
      return measurements;
    } finally {
      for (const directory of Object.values(data)) bench.remove(directory);
    }
  },
};

async function measureKind(
  bench: Bench,
  data: { few: string; many: string; registry: string },
  kind: Kind,
  many: number,
): Promise<Measurement[]> {
  const slowest: number[] = [];
  const berth = (directory: string, count: number) => () =>
    withBerth(bench, { data: directory }, async (server) => {
      const times = await readPages(server, kind, count, bench.quick ? 100 : 300, false);
      if (count === many) slowest.push(percentile(times, 0.99));
      return median(times);
    });
  const samples = await alternate(bench.runs, {
    // docker-registry takes so long for a page that a few must do.
    'docker-registry': () =>
      withRegistry(bench, 'docker-registry', { data: data.registry }, async (server) =>
        median(await readPages(server, kind, many, 3, kind.ignoresPage)),
      ),
    few: berth(data.few, few),
    many: berth(data.many, many),
  });
  const base = { row: 'lists', unit: 'ms', better: 'lower', subject: 'berth' } satisfies Partial<Measurement>;
  return [
    {
      ...base,
      label: `${kind.name} of ${number(many)}`,
      samples: { 'docker-registry': samples['docker-registry'], berth: samples.many },
      bar: { kind: 'value', atMost: 5 },
      notes: [
        `n=${pageSize}, \`last\` spread over the whole list; one connection; p99 of Berth's pages ${number(median(slowest))} ms`,
        ...(kind.ignoresPage ? ['docker-registry 2.8 knows no `n` here and always sends the whole list'] : []),
      ],
    },
    {
      ...base,
      label: `${kind.name}: ${number(many)} against ${number(few)}`,
      samples: { 'Berth with 1,000': samples.few, berth: samples.many },
      // "Flat": the sizes differ by a factor of 100; what is left is noise and two more levels of a B-tree.
      bar: { kind: 'growth', atMost: 1.5, from: 'Berth with 1,000' },
      notes: [],
    },
  ];
}

/** Reads pages that begin all over the list, a few first to warm up; returns ms for each. Throws on a wrong page. */
async function readPages(server: Server, kind: Kind, count: number, pages: number, whole: boolean): Promise<number[]> {
  const times: number[] = [];
  for (let page = -5; page < pages; page++) {
    // A stride that is prime to the length visits the list out of order.
    const start = (Math.abs(page) * 7919) % (count - pageSize);
    const url = `${server.url}${kind.path}?n=${pageSize}&last=${kind.item(start)}`;
    const started = performance.now();
    const response = await request(url, 200);
    const names = kind.names(await response.json());
    if (page >= 0) times.push(performance.now() - started);
    const first = whole ? undefined : kind.item(start + 1);
    const length = whole ? count : pageSize;
    if (Array.isArray(names) && names.length === length && (first === undefined || names[0] === first)) continue;
    throw new RequestFailed(`${url}: not the ${length} names it should be: ${JSON.stringify(names).slice(0, 200)}`);
  }
  return times;
}
