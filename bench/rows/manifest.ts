import { alternate, type Row } from '../bench.ts';
import { checkManifest, imageManifest, manifestType, pushBlob, putManifest } from '../distribution.ts';
import { wrk } from '../load.ts';
import type { Measurement } from '../measurement.ts';
import { cpuSecondsOf, run } from '../processes.ts';
import { type Contender, contenders, type Server, withRegistry } from '../servers.ts';
import { median } from '../statistics.ts';
import { number } from '../table.ts';

const repository = 'bench/app';
const ACCEPT = { Accept: `${manifestType}, application/vnd.docker.distribution.manifest.v2+json` };

/** A registry that is closed answers 401 at `/v2/`. */
const FIRST_REQUEST = { 'docker-registry': {}, berth: { firstRequest: '/readyz' } };
const CLOSED = ['--anonymous', 'none'];
const USER = 'bench-admin';
const PASSWORD = 'a password for the benchmark';

/** GET of a manifest by tag, the request behind every `docker pull`. */
export const manifest: Row = {
  key: 'manifest',
  title: 'manifest GET by tag (wrk)',
  async run(bench) {
    const data = { 'docker-registry': bench.directory('manifest'), berth: bench.directory('manifest') };
    const seconds = bench.quick ? 3 : 8;
    const cpu: Record<string, number[]> = {};
    try {
      let digest = '';
      for (const contender of contenders) {
        digest = await withRegistry(bench, contender, { data: data[contender] }, async (server) => {
          const pushed = await pushImage(server);
          if (contender === 'berth') await makePrivate(server);
          return pushed;
        });
      }
      await run([bench.berth, 'setup', '--data', data.berth, '--username', USER, '--password-stdin'], {
        input: PASSWORD,
      });
      const load = (name: string, contender: Contender, args: string[]) => (round: number) =>
        withRegistry(bench, contender, { data: data[contender], args, ...FIRST_REQUEST[contender] }, async (server) => {
          const accept = contender === 'berth' ? { ...ACCEPT, ...(await authorization(server.url)) } : ACCEPT;
          await checkManifest(server.url, repository, 'latest', digest, accept);
          const url = `${server.url}/v2/${repository}/manifests/latest`;
          await wrk(url, 1, accept); // warm: JIT, caches, connections
          const before = cpuSecondsOf(server.pid);
          const result = await wrk(url, seconds, accept);
          const used = ((cpuSecondsOf(server.pid) - before) / result.requests) * 1e6;
          cpu[name] = [...(cpu[name] ?? []), used];
          bench.say(`round ${round + 1}: ${name} ${number(result.perSecond)}/s, p99 ${number(result.p99)} ms`);
          return result.perSecond;
        });
      const samples = await alternate(bench.runs, {
        'docker-registry': load('docker-registry', 'docker-registry', []),
        one: load('Berth, one process', 'berth', [...CLOSED, '--workers', '1']),
        workers: load('Berth, default workers', 'berth', CLOSED),
      });
      const reference = samples['docker-registry'];
      const label = 'manifest GET by tag, bearer token checked';
      return [
        measurement(`${label}, one process`, reference, samples.one, 20, cpu['Berth, one process'], cpu),
        measurement(`${label}, default workers`, reference, samples.workers, 30, cpu['Berth, default workers'], cpu),
      ];
    } finally {
      for (const contender of contenders) bench.remove(data[contender]);
    }
  },
};

function measurement(
  label: string,
  reference: number[],
  berth: number[],
  atLeast: number,
  berthCpu: number[] | undefined,
  cpu: Record<string, number[]>,
): Measurement {
  return {
    row: 'manifest',
    label,
    unit: '/s',
    better: 'higher',
    subject: 'berth',
    samples: { 'docker-registry': reference, berth },
    bar: { kind: 'times', atLeast, than: 'docker-registry' },
    notes: [
      'wrk -t1 -c32, the same for both; it shares the cores with the server',
      'Berth checks a bearer token for a private repository; docker-registry lets everyone in',
      `server CPU a request: docker-registry ${number(median(cpu['docker-registry'] ?? []))} µs, Berth ${number(median(berthCpu ?? []))} µs`,
    ],
  };
}

async function makePrivate(server: Server): Promise<void> {
  const response = await fetch(`${server.url}/api/v1/repositories/${repository}`, {
    method: 'PATCH',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ visibility: 'private' }),
  });
  if (!response.ok) throw new Error(`${repository} could not be made private: ${await response.text()}`);
}

/** As a client does: the challenge, then a token for the repository. */
async function authorization(server: string): Promise<Record<string, string>> {
  const challenge = await fetch(`${server}/v2/${repository}/manifests/latest`);
  await challenge.arrayBuffer();
  const header = challenge.headers.get('www-authenticate') ?? '';
  const field = (name: string) => new RegExp(`${name}="([^"]*)"`).exec(header)?.[1] ?? '';
  const url = `${field('realm')}?service=${field('service')}&scope=${field('scope')}`;
  const basic = Buffer.from(`${USER}:${PASSWORD}`).toString('base64');
  const response = await fetch(url, { headers: { Authorization: `Basic ${basic}` } });
  const { token } = (await response.json()) as { token?: string };
  if (token === undefined) throw new Error(`${url}: no token (${response.status})`);
  return { Authorization: `Bearer ${token}` };
}

/** An image of eight layers, so that the manifest has the size of a usual one. */
async function pushImage(server: Server): Promise<string> {
  const encoder = new TextEncoder();
  const config = await pushBlob(
    server.url,
    repository,
    encoder.encode('{"architecture":"amd64","os":"linux"}'),
    'application/vnd.oci.image.config.v1+json',
  );
  const layers = [];
  for (let n = 0; n < 8; n++) {
    const layer = encoder.encode(`layer ${n}`);
    layers.push(await pushBlob(server.url, repository, layer, 'application/vnd.oci.image.layer.v1.tar+gzip'));
  }
  return putManifest(server.url, repository, 'latest', imageManifest(config, layers));
}
