// The proxy takes a new configuration in the middle of a transfer, and Berth is restarted behind it: what runs goes on, or is
// taken up where it was, and nobody has to touch the proxy.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { randomBytes } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../support/processes.ts';
import { digestOf } from '../support/registry.ts';
import { type Curl, curl } from './curl.ts';
import { proxiesHere, type Site, startSite } from './site.ts';

setDefaultTimeout(60_000);

const layer = randomBytes(48 * 2 ** 20);
const HALF = layer.length / 2;
const stream = { 'Content-Type': 'application/octet-stream' };

describe.each(proxiesHere('restarts', []))('behind %s', (name) => {
  let site: Site;
  beforeAll(async () => {
    site = await startSite(name);
  });
  afterAll(() => site?.stop());

  /** As the administrator does, and waits for the processes with the new configuration. */
  async function reload(): Promise<void> {
    const before = site.proxy.pids();
    await site.proxy.reload();
    // Caddy is one process, whose command ends when the new configuration serves.
    if (name === 'caddy') return;
    await eventually(`${name} has new processes`, 20_000, () => site.proxy.pids().some((pid) => !before.includes(pid)));
  }

  describe.each(['1.1', '2'] as const)('over HTTP/%s', (version) => {
    const repository = `alice/app-${version}`;
    const digest = digestOf(layer);

    /** A transfer that runs while the test does something else. */
    function spawn(
      { url, authority, authorization = '' }: Curl,
      path: string,
      flags: string[],
      stdin: 'pipe' | 'ignore',
    ) {
      return Bun.spawn(
        [
          ...['curl', '--silent', '--show-error', '--no-buffer', `--http${version}`, '--cacert', authority],
          ...['--header', `Authorization: ${authorization}`, ...flags, `${url}${path}`],
        ],
        { stdin, stdout: 'pipe', stderr: 'pipe' },
      );
    }

    test('a push goes on while the proxy reloads', async () => {
      const as = site.through(version);
      const opened = await curl(as, 'POST', `/v2/${repository}/blobs/uploads/`, { body: '' });
      const { pathname } = new URL(opened.headers.get('location') ?? '', site.proxy.url);
      const flags = ['--request', 'PATCH', '--header', 'Content-Type: application/octet-stream', '--upload-file', '-'];
      const pushing = spawn(as, pathname, [...flags, '--write-out', '%{http_code}'], 'pipe');
      pushing.stdin?.write(layer.subarray(0, HALF));
      await pushing.stdin?.flush();
      await eventually('bytes of the push are with Berth', 30_000, () => sizeOfUploads(site.data) > 2 ** 20);
      await reload();
      expect((await curl(as, 'GET', '/v2/')).status).toBe(200);
      if (name === 'caddy') await goOn(as, pathname, pushing);
      else {
        pushing.stdin?.write(layer.subarray(HALF));
        await pushing.stdin?.end();
        expect(await new Response(pushing.stdout).text()).toBe('202');
      }
      const done = await curl(as, 'PUT', `${pathname}?digest=${digest}`, { headers: stream, body: '' });
      expect(done.status, done.text()).toBe(201);
    });

    test('a pull goes on while the proxy reloads', async () => {
      const path = `/v2/${repository}/blobs/${digest}`;
      const pulling = spawn(site.through(version), path, ['--fail'], 'ignore');
      const pieces: Uint8Array[] = [];
      // What is not read stays in the proxy and in Berth: the pipe and the sockets hold less than the layer.
      for await (const piece of pulling.stdout) {
        if (pieces.length === 0) await reload();
        pieces.push(piece);
      }
      const code = await pulling.exited;
      if (name !== 'caddy') expect(code).toBe(0);
      const came = Buffer.concat(pieces);
      const rest = code === 0 ? [] : [await restOf(path, came.length)];
      expect(digestOf(Buffer.concat([came, ...rest]))).toBe(digest);
    });

    /** Caddy 2.6 ends what runs when it reloads. The client asks Berth how far it came, and sends the rest. */
    async function goOn(as: Curl, path: string, pushing: ReturnType<typeof spawn>): Promise<void> {
      pushing.kill();
      await pushing.exited;
      let from = 0;
      await eventually('Berth has let go of the push that was cut off', 20_000, async () => {
        const { status, headers } = await curl(as, 'GET', path);
        from = Number(/^0-(\d+)$/.exec(headers.get('range') ?? '')?.[1] ?? -1) + 1;
        return status === 204 && from > 2 ** 20;
      });
      const range = { ...stream, 'Content-Range': `${from}-${layer.length - 1}` };
      const sent = await curl(as, 'PATCH', path, { headers: range, body: layer.subarray(from) });
      expect(sent.status, sent.text()).toBe(202);
    }

    async function restOf(path: string, from: number): Promise<Buffer> {
      const answer = await curl(site.through(version), 'GET', path, { headers: { Range: `bytes=${from}-` } });
      expect(answer.status).toBe(206);
      return answer.body;
    }
  });

  test('while Berth is away the proxy says so, and when it is back all is as before', async () => {
    const as = site.through('2');
    const open = () => curl(as, 'POST', '/v2/alice/app/blobs/uploads/', { body: '' });
    // Connections that the proxy keeps, and Berth will have closed.
    expect((await Promise.all([open(), open(), open()])).map(({ status }) => status)).toEqual([202, 202, 202]);
    await site.stopBerth();
    for (let tries = 0; tries < 3; tries++) expect([502, 503]).toContain((await open()).status);
    await site.startBerth();
    expect((await Promise.all([open(), open(), open()])).map(({ status }) => status)).toEqual([202, 202, 202]);
  });
});

/** Bytes of the uploads that are not finished. */
function sizeOfUploads(data: string): number {
  const folder = join(data, 'uploads');
  return readdirSync(folder).reduce((sum, file) => sum + statSync(join(folder, file)).size, 0);
}
