// A pull-through cache of two private registries: real servers, what lies between them, and real clients.
import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PASSWORD, Site, USER } from '../mirror/site.ts';
import { berth, type RunningBerth, startBerth } from '../support/berth.ts';
import { newerEngine, startEngine } from '../support/engine.ts';
import { busyboxImage } from '../support/images.ts';
import { eventually, holderOf, workersOf } from '../support/processes.ts';
import { digestOf, mediaTypes } from '../support/registry.ts';
import { requireTools, run, tryRun } from '../support/tools.ts';
import { CountingProxy } from './counting-proxy.ts';

setDefaultTimeout(120_000);
const SOON = 60_000;

let first: Site;
let second: Site;
let here: Site;
let near: CountingProxy;
let far: CountingProxy;
let work: string;
let env: Record<string, string>;

const call = (args: string[], stdin?: string) => berth(args, stdin === undefined ? { env } : { env, stdin });
const well = async (args: string[], stdin?: string): Promise<string> => {
  const { code, stdout, stderr } = await call(args, stdin);
  if (code !== 0) throw new Error(`berth ${args.join(' ')}: ${code} ${stderr}`);
  return stdout;
};

beforeAll(async () => {
  work = mkdtempSync(join(tmpdir(), 'berth-cache-'));
  [first, second, here] = await Promise.all([
    Site.start(['--workers', '1']),
    Site.start(['--workers', '1']),
    Site.start(['--workers', '2']),
  ]);
  near = await CountingProxy.start(first.server.url);
  far = await CountingProxy.start(second.server.url);
  env = { BERTH_CONFIG_HOME: work, BERTH_SERVER: here.server.url, BERTH_TOKEN: await here.token() };
  const login = { username: USER, password: PASSWORD };
  await here.client.upstreams.create({ name: 'near', address: near.url, ...login });
  await here.client.upstreams.create({ name: 'far', address: far.url, ...login });
}, 120_000);

afterAll(async () => {
  await Promise.all([near?.stop(), far?.stop()]);
  await Promise.all([first?.stop(), second?.stop(), here?.stop()]);
  rmSync(work, { recursive: true, force: true });
}, 60_000);

beforeEach(() => {
  for (const proxy of [near, far]) {
    proxy.refusal = undefined;
    proxy.damage = false;
    proxy.piece = async () => {};
  }
});

interface Manifest {
  config: { digest: string };
  layers: [{ digest: string; size: number }];
}

const anyone = (path: string, init: RequestInit = {}) =>
  fetch(here.server.url + path, { ...init, headers: { Connection: 'close', ...init.headers } });
/** As the administrator. */
const ask = (path: string, init: RequestInit = {}) =>
  anyone(path, { ...init, headers: { Authorization: here.authorization, ...init.headers } });
const manifestOf = async (name: string, reference: string): Promise<Manifest> => {
  const answer = await ask(`/v2/${name}/manifests/${reference}`);
  if (answer.status !== 200) throw new Error(`${answer.status} ${await answer.text()}`);
  return (await answer.json()) as Manifest;
};
const codeIn = async (answer: Response): Promise<string> =>
  ((await answer.json()) as { errors: [{ code: string }] }).errors[0].code;
/** The digest of what came; `cut` when the connection broke before its end. */
const digestOfBody = (answer: Response): Promise<string> =>
  answer.arrayBuffer().then(
    (bytes) => digestOf(new Uint8Array(bytes)),
    () => 'cut',
  );
const verified = async () =>
  expect((await berth(['verify', '--data', here.server.data])).stdout).toContain('all is well');

test('a prefix that is made a cache gives what its registry has, to everyone when it is public', async () => {
  const digest = await first.push('alice/app', '1.0', 'an app');
  expect((await ask('/v2/pub/app/manifests/1.0')).status).toBe(404);
  const made = await well([
    'cache',
    'set',
    'pub',
    '--upstream',
    'near',
    '--remote-prefix',
    'alice',
    '--visibility',
    'public',
  ]);
  expect(made).toContain(`pub is a cache of ${near.url}`);
  await well(['cache', 'set', 'ops/priv', '--upstream', 'far', '--remote-prefix', USER, '--fresh-for', '1s']);
  expect(await well(['cache', 'list'])).toMatch(/ops\/priv.*far.*1s.*private/);
  const head = await anyone('/v2/pub/app/manifests/1.0', { method: 'HEAD' });
  expect([head.status, head.headers.get('docker-content-digest')]).toEqual([200, digest]);
  const { layers } = await manifestOf('pub/app', '1.0');
  expect(await digestOfBody(await anyone(`/v2/pub/app/blobs/${layers[0].digest}`))).toBe(layers[0].digest);
  expect(near.count('GET /v2/alice/app/manifests/1.0')).toBe(1);
  expect((await anyone('/v2/ops/priv/app/manifests/1.0')).status).toBe(401);
  await expect(here.client.upstreams.delete('near')).rejects.toThrow('near is used by the cache pub');
});

test('twenty clients at two workers are one request of the upstream for each blob', async () => {
  await first.push('alice/large', '1.0', 'a large one', 2_000_000);
  const { layers } = await manifestOf('pub/large', '1.0');
  const path = `/blobs/${layers[0].digest}`;
  near.piece = () => Bun.sleep(20);
  const got = await Promise.all(
    Array.from({ length: 20 }, async () => digestOfBody(await anyone(`/v2/pub/large${path}`))),
  );
  expect(new Set(got)).toEqual(new Set([layers[0].digest]));
  expect(near.count(`GET /v2/alice/large${path}`)).toBe(1);
  const range = await anyone(`/v2/pub/large${path}`, { headers: { Range: 'bytes=10-19' } });
  expect([range.status, (await range.arrayBuffer()).byteLength]).toEqual([206, 10]);
});

test('a range of what is not here comes from what is on its way, and HEAD asks for the size alone', async () => {
  await first.push('alice/ranged', '1.0', 'in parts', 300_000);
  const { layers } = await manifestOf('pub/ranged', '1.0');
  const path = `/v2/pub/ranged/blobs/${layers[0].digest}`;
  const head = await anyone(path, { method: 'HEAD' });
  expect([head.status, head.headers.get('content-length')]).toEqual([200, '300000']);
  expect(near.count(`GET /v2/alice/ranged/blobs/${layers[0].digest}`)).toBe(0);
  const part = await anyone(path, { headers: { Range: 'bytes=100000-100099' } });
  expect([part.status, part.headers.get('content-range')]).toEqual([206, 'bytes 100000-100099/300000']);
  const whole = Buffer.alloc(300_000, 'in parts');
  expect(Buffer.compare(Buffer.from(await part.arrayBuffer()), whole.subarray(100_000, 100_100))).toBe(0);
});

describe('when the worker that fetches is killed', () => {
  test('others go on where it ended, nobody gets wrong bytes, and the layer is whole afterwards', async () => {
    await first.push('alice/killed', '1.0', 'killed', 3_000_000);
    const { layers } = await manifestOf('pub/killed', '1.0');
    const { digest } = layers[0];
    let pieces = 0;
    const rest = Promise.withResolvers<void>();
    near.piece = () => (pieces++ < 12 ? Promise.resolve() : rest.promise);
    const answers = Array.from({ length: 12 }, () => anyone(`/v2/pub/killed/blobs/${digest}`));
    const bodies = answers.map((answer) => answer.then(digestOfBody, () => 'cut'));
    let holder: number | undefined;
    await eventually('a worker fetches it', SOON, () => {
      holder = holderOf('/uploads/', workersOf(here.server.pid));
      return holder !== undefined && pieces >= 12;
    });
    if (holder !== undefined) process.kill(holder, 'SIGKILL');
    near.piece = async () => {};
    rest.resolve();
    const got = await Promise.all(bodies);
    // Those of the killed worker are cut, those of the other one have all of it.
    expect(new Set(got)).toEqual(new Set([digest, 'cut']));
    let after = '';
    await eventually('it can be pulled', SOON, async () => {
      after = await anyone(`/v2/pub/killed/blobs/${digest}`).then(digestOfBody, () => 'cut');
      return after !== 'cut';
    });
    expect(after).toBe(digest);
    await eventually('two workers serve again', SOON, () => workersOf(here.server.pid).length === 2);
    await verified();
  });
});

test('damaged bytes are never served to a good end, and are not kept', async () => {
  await first.push('alice/damaged', '1.0', 'damaged', 500_000);
  const { layers } = await manifestOf('pub/damaged', '1.0');
  const path = `/v2/pub/damaged/blobs/${layers[0].digest}`;
  near.damage = true;
  near.piece = () => Bun.sleep(20);
  const got = await Promise.all(
    Array.from({ length: 6 }, () =>
      anyone(path).then(
        (answer) => (answer.ok ? digestOfBody(answer) : 'refused'),
        () => 'cut',
      ),
    ),
  );
  expect(got.filter((end) => end !== 'cut' && end !== 'refused')).toEqual([]);
  near.damage = false;
  await eventually(
    'it is fetched anew',
    SOON,
    async () => (await anyone(path).then(digestOfBody, () => 'cut')) !== 'cut',
  );
  expect(await digestOfBody(await anyone(path))).toBe(layers[0].digest);
  await verified();
});

describe('when the upstream fails', () => {
  const stale = async (name: string, tag: string) => {
    const answer = await ask(`/v2/${name}/manifests/${tag}`);
    await answer.arrayBuffer();
    return {
      status: answer.status,
      digest: answer.headers.get('docker-content-digest'),
      warning: answer.headers.get('warning'),
    };
  };
  let digest: string;
  beforeAll(async () => {
    digest = await second.push(`${USER}/tool`, '1.0', 'a tool');
    await manifestOf('ops/priv/tool', '1.0');
    await Bun.sleep(1_100);
  });

  test('with 503, and when nobody listens, the copy is served with a warning; what is not here is unavailable', async () => {
    far.refusal = { status: 503 };
    const served = await stale('ops/priv/tool', '1.0');
    expect([served.status, served.digest]).toEqual([200, digest]);
    expect(served.warning).toContain('110 - "Response is Stale"');
    expect(served.warning).toContain('299 - "');
    const missing = await ask('/v2/ops/priv/tool/manifests/9.9');
    expect([missing.status, await codeIn(missing)]).toEqual([503, 'UNAVAILABLE']);
    await far.stop();
    expect(await stale('ops/priv/tool', '1.0')).toMatchObject({ status: 200, digest });
    expect((await ask('/v2/ops/priv/tool/manifests/9.9')).status).toBe(503);
    await far.listen();
    far.refusal = undefined;
    await eventually('it is asked again', SOON, async () => (await stale('ops/priv/tool', '1.0')).warning === null);
  });

  test('with 429 it is left alone until the time that it said, by both workers', async () => {
    await eventually('it is no longer fresh', SOON, async () => {
      far.refusal = { status: 429, retryAfter: 5 };
      return (await stale('ops/priv/tool', '1.0')).warning !== null;
    });
    const asked = far.asked.length;
    const refused = await Promise.all(Array.from({ length: 6 }, () => ask('/v2/ops/priv/tool/manifests/9.9')));
    expect(await Promise.all(refused.map(async (answer) => [answer.status, await codeIn(answer)]))).toEqual(
      refused.map(() => [429, 'TOOMANYREQUESTS']),
    );
    expect(refused.every((answer) => Number(answer.headers.get('retry-after')) > 0)).toBe(true);
    expect((await stale('ops/priv/tool', '1.0')).digest).toBe(digest);
    expect(far.asked).toHaveLength(asked);
    far.refusal = undefined;
    await eventually('it is asked again', SOON, async () => (await stale('ops/priv/tool', '1.0')).warning === null);
  });
});

test('two upstreams are pulled from while pushes go on elsewhere, and take no pushes themselves', async () => {
  const names = Array.from({ length: 6 }, (_, i) => `mix-${i}`);
  await Promise.all(
    names.flatMap((name) => [
      first.push(`alice/${name}`, '1.0', `first ${name}`, 100_000),
      second.push(`${USER}/${name}`, '1.0', `second ${name}`, 100_000),
    ]),
  );
  const pull = async (repository: string) => {
    const { layers } = await manifestOf(repository, '1.0');
    expect(await digestOfBody(await ask(`/v2/${repository}/blobs/${layers[0].digest}`))).toBe(layers[0].digest);
  };
  await Promise.all(
    names.flatMap((name) => [
      pull(`pub/${name}`),
      pull(`ops/priv/${name}`),
      here.push(`alice/${name}`, '1.0', `pushed ${name}`, 100_000),
    ]),
  );
  const refused = await ask('/v2/pub/mine/blobs/uploads/', { method: 'POST' });
  expect([refused.status, await refused.text()]).toEqual([
    403,
    expect.stringContaining(`pub, which is a cache of ${near.url}`),
  ]);
  await verified();
});

test.if(requireTools('cache', ['skopeo']))(
  'skopeo pulls all of an image through it, and is told why a push is refused',
  async () => {
    await first.push('alice/skopeo', '1.0', 'for skopeo', 400_000);
    const name = `docker://${here.server.host}/pub/skopeo:1.0`;
    const read = await tryRun(['skopeo', 'copy', '--src-tls-verify=false', name, `dir:${work}/pulled`]);
    expect([read.stderr, read.code]).toEqual(['', 0]);
    const creds = `${USER}:${PASSWORD}`;
    const pushed = await tryRun([
      'skopeo',
      'copy',
      '--dest-tls-verify=false',
      '--dest-creds',
      creds,
      `dir:${work}/pulled`,
      `docker://${here.server.host}/pub/other:1.0`,
    ]);
    expect(pushed.code).not.toBe(0);
    expect(pushed.stderr).toContain('takes no pushes');
    // As docs/how-to/cache.md says for podman and its like: the name stays that of the other registry.
    const conf = join(work, 'registries.conf');
    const lines = [
      '[[registry]]',
      'prefix = "docker.io/team"',
      `location = "${here.server.host}/pub"`,
      'insecure = true',
    ];
    writeFileSync(conf, `${lines.join('\n')}\n`);
    await run(['skopeo', '--registries-conf', conf, 'inspect', '--raw', 'docker://docker.io/team/skopeo:1.0']);
  },
);

const dockers = requireTools('cache with Docker', ['root', 'dockerd', 'docker', 'skopeo', ...newerEngine]);

test.if(dockers)('Docker Engine pulls and runs an image that is only there', async () => {
  const { source, prints } = await busyboxImage();
  const there = `docker://${first.server.host}/alice/busybox:1.0`;
  await run(['skopeo', 'copy', '--dest-tls-verify=false', '--dest-creds', `${USER}:${PASSWORD}`, source, there]);
  const engine = await startEngine({ release: 'newer', containerdStore: true });
  try {
    const name = `${here.server.host}/pub/busybox:1.0`;
    await engine.docker(['pull', name]);
    expect(await engine.docker(['run', '--rm', '--network', 'none', name])).toBe(prints);
    await engine.docker(['rmi', name]);
    const asked = near.asked.length;
    await engine.docker(['pull', name]);
    expect(near.asked).toHaveLength(asked);
    await engine.docker(['tag', name, `${here.server.host}/pub/mine:1.0`]);
    await engine.docker(['login', '--username', USER, '--password-stdin', here.server.host], { stdin: PASSWORD });
    const pushed = await engine.tryDocker(['push', `${here.server.host}/pub/mine:1.0`]);
    expect(pushed.code).not.toBe(0);
    // containerd shows the status alone.
    expect(pushed.stderr + pushed.stdout).toMatch(/takes no pushes|403 Forbidden/);
  } finally {
    await engine.stop();
  }
});

test('what was served from where is in the metrics, and who changed the caches in the audit log', async () => {
  const metrics = await (await anyone('/metrics', { headers: { Authorization: here.authorization } })).text();
  for (const result of ['hit', 'miss', 'stale', 'revalidated', 'failed']) {
    expect(metrics).toMatch(new RegExp(`berth_cache_requests_total\\{part="manifest",result="${result}"\\} [1-9]`));
  }
  expect(metrics).toMatch(/berth_cache_fetched_bytes_total [1-9]/);
  expect(await well(['audit', '--action', 'cache.*'])).toContain('ops/priv');
});

test('without log-ins it works by what --anonymous lets; a removed cache keeps what it has and asks nobody', async () => {
  await second.push(`${USER}/late`, '1.0', 'late');
  const { data } = here.server;
  await here.server.stop();
  let open: RunningBerth | undefined;
  try {
    open = await startBerth({
      data,
      port: here.server.port,
      args: ['--anonymous', 'pull', '--workers', '1'],
      readyWithin: SOON,
    });
    const path = '/v2/ops/priv/late/manifests/1.0';
    const answer = await anyone(path, { headers: { Accept: mediaTypes.ociManifest } });
    expect(answer.status).toBe(200);
    expect(far.count(`GET /v2/${USER}/late/manifests/1.0`)).toBe(1);
  } finally {
    await open?.stop();
  }
  await here.restart();
  await well(['cache', 'remove', 'pub']);
  near.asked.length = 0;
  expect((await ask('/v2/pub/app/manifests/1.0')).status).toBe(200);
  expect((await ask('/v2/pub/app/manifests/9.9')).status).toBe(404);
  expect(near.asked).toEqual([]);
  expect(await here.push('pub/app', '3.0', 'ordinary again')).toStartWith('sha256:');
  await verified();
});
