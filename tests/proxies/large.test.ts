// A layer of 5 GiB through nginx and Apache httpd, of 1 GiB through Caddy: up in chunks without a length, as Docker sends it, and down again. The proxy keeps
// none of it on its disk, and Berth none in memory.
import { describe, expect, setDefaultTimeout, test } from 'bun:test';
import { createHash } from 'node:crypto';
import { statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { workersOf } from '../support/processes.ts';
import { curl } from './curl.ts';
import { proxiesHere, type Site, startSite } from './site.ts';

const GIB = 2 ** 30;
const SIZES: Record<string, number> = { nginx: 5 * GIB, apache: 5 * GIB, caddy: GIB };
const FREE = 15 * GIB;
/** Twice what one stream's buffers have been seen to hold; a fiftieth of the layer. */
const MOST_IN_MEMORY = 100 * 2 ** 20;
/** Beside the layer a proxy has small files open, such as a cache of TLS sessions. */
const MOST_SPOOLED = 16 * 2 ** 20;

setDefaultTimeout(400_000);

/** @throws on CI when there is too little */
function roomFor(bytes: number): boolean {
  const { bavail, bsize } = statfsSync(tmpdir());
  if (bavail * bsize >= bytes) return true;
  const reason = `large behind a proxy: less than ${bytes / GIB} GiB free in ${tmpdir()}`;
  if (process.env.CI) throw new Error(reason);
  console.error(`left out: ${reason}`);
  return false;
}

const here = roomFor(FREE) ? proxiesHere('large', ['head', 'setpriv']) : [];

/** Zeros compress on no way between: what is counted is what is sent. */
const zeros = new Uint8Array(4 * 2 ** 20);

function digestOfZeros(size: number): string {
  const hash = createHash('sha256');
  for (let at = 0; at < size; at += zeros.length) hash.update(zeros);
  return `sha256:${hash.digest('hex')}`;
}

describe.if(here.length > 0)('a layer larger than any buffer', () => {
  test.each(here)('goes through %s up and down', async (name) => {
    const size = SIZES[name] ?? 0;
    const layer = digestOfZeros(size);
    const site = await startSite(name);
    try {
      const before = rssOf(workersOf(site.berth().pid));
      const seen = watch(site);
      try {
        await push(site, size, layer);
        expect(await pull(site, layer)).toEqual({ size, digest: layer });
      } finally {
        seen.stop();
      }
      expect(seen.times()).toBeGreaterThan(5);
      expect(seen.spooled()).toBeLessThan(MOST_SPOOLED);
      expect(seen.memory() - before).toBeLessThan(MOST_IN_MEMORY);
    } finally {
      await site.stop();
    }
  });

  async function push(site: Site, size: number, layer: string): Promise<void> {
    const { url, authority, authorization } = site.through('1.1');
    const opened = await curl(site.through('1.1'), 'POST', '/v2/alice/large/blobs/uploads/', { body: '' });
    const location = opened.headers.get('location') ?? '';
    const flags = `--silent --show-error --fail-with-body --http1.1 --cacert "$1" --header "Authorization: $2"`;
    const chunk = `head -c ${size} /dev/zero | curl ${flags} --header "Content-Type: application/octet-stream" --request PATCH --upload-file - "$3"`;
    const at = new URL(location, url).href;
    await shell(chunk, [authority, authorization ?? '', at]);
    const finish = `${new URL(at).pathname}?digest=${layer}`;
    const done = await curl(site.through('1.1'), 'PUT', finish, { body: '' });
    expect(done.status, done.text()).toBe(201);
  }

  async function pull(site: Site, layer: string): Promise<{ size: number; digest: string }> {
    const { url, authority, authorization = '' } = site.through('2');
    const child = Bun.spawn(
      [
        ...['curl', '--silent', '--fail', '--http2', '--cacert', authority],
        ...['--header', `Authorization: ${authorization}`, `${url}/v2/alice/large/blobs/${layer}`],
      ],
      { stdin: 'ignore', stdout: 'pipe', stderr: 'inherit' },
    );
    const hash = createHash('sha256');
    let size = 0;
    for await (const piece of child.stdout) {
      size += piece.length;
      hash.update(piece);
    }
    expect(await child.exited).toBe(0);
    return { size, digest: `sha256:${hash.digest('hex')}` };
  }
});

async function shell(script: string, args: string[]): Promise<void> {
  const child = Bun.spawn(['setpriv', '--pdeathsig', 'TERM', 'sh', '-c', script, 'sh', ...args], {
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const said = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  const code = await child.exited;
  if (code !== 0) throw new Error(`${script}: exit code ${code}: ${said.join('')}`);
}

interface Watched {
  /** How often it looked. */
  times: () => number;
  /** The most bytes that the proxy had in files. */
  spooled: () => number;
  /** The most memory that Berth's workers had together, in bytes. */
  memory: () => number;
  stop: () => void;
}

function watch(site: Site): Watched {
  const workers = workersOf(site.berth().pid);
  let [times, spooled, memory] = [0, 0, 0];
  const timer = setInterval(() => {
    times += 1;
    spooled = Math.max(spooled, site.proxy.spooled());
    memory = Math.max(memory, rssOf(workers));
  }, 250);
  return { times: () => times, spooled: () => spooled, memory: () => memory, stop: () => clearInterval(timer) };
}

function rssOf(pids: number[]): number {
  const { stdout } = Bun.spawnSync(['ps', '-o', 'rss=', '-p', pids.join(',')]);
  return stdout
    .toString()
    .trim()
    .split(/\s+/)
    .reduce((sum, kib) => sum + Number(kib) * 1024, 0);
}
