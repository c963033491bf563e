// The load generators: wrk for many small requests, curl for one large body, skopeo for whole images.

import { locationOf, RequestFailed, request, startUpload, withDigest } from './distribution.ts';
import { type CommandResult, run } from './processes.ts';

export interface WrkResult {
  perSecond: number;
  requests: number;
  /** Latency in ms. */
  p50: number;
  p99: number;
}

/**
 * One wrk thread on 32 kept-alive connections. On a machine of two cores the generator shares them with the server:
 * one thread can take at most one core, so a server in one process has a core of its own, and a server on both cores
 * pays for the generator, the same way for both contenders. Throws when any answer was not 2xx or any socket failed.
 */
export async function wrk(url: string, seconds: number, headers: Record<string, string>): Promise<WrkResult> {
  const command = ['wrk', '-t1', '-c32', `-d${seconds}s`, '--timeout', '10s', '--latency'];
  for (const [name, value] of Object.entries(headers)) command.push('-H', `${name}: ${value}`);
  const { stdout } = await run([...command, url], { timeout: (seconds + 30) * 1000 });
  const failed = /^\s*(Non-2xx or 3xx responses|Socket errors):.*$/m.exec(stdout)?.[0];
  if (failed !== undefined) throw new RequestFailed(`wrk ${url}: ${failed.trim()}`);
  return {
    perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]),
    requests: Number(/(\d+) requests in/.exec(stdout)?.[1]),
    p50: latency(stdout, '50%'),
    p99: latency(stdout, '99%'),
  };
}

function latency(output: string, share: string): number {
  const [, value, unit] = new RegExp(`${share}\\s+([\\d.]+)(us|ms|s)`).exec(output) ?? [];
  return Number(value) * (unit === 'us' ? 0.001 : unit === 's' ? 1000 : 1);
}

/** Reads a URL to /dev/null by curl; returns MB/s. Throws when the length is not `size`. */
export async function download(url: string, size: number): Promise<number> {
  const format = '%{http_code} %{size_download} %{time_total}';
  const { stdout } = await run(['curl', '-sS', '-o', '/dev/null', '-w', format, url]);
  const [status, length, seconds] = stdout.split(' ').map(Number);
  if (status !== 200 || length !== size || seconds === undefined) throw new RequestFailed(`GET ${url}: ${stdout}`);
  return size / 1e6 / seconds;
}

/**
 * As Docker uploads a layer: POST, one PATCH with the content in chunked transfer coding (its length is not known to
 * the client), PUT with the digest. Returns seconds from the first request to the 201.
 */
export async function uploadStreamed(
  server: string,
  repository: string,
  file: string,
  digest: string,
): Promise<number> {
  const started = performance.now();
  const location = await startUpload(server, repository);
  const { headers } = await sendFile('PATCH', location, file, 202, ['-H', 'Transfer-Encoding: chunked']);
  const next = locationOf(new Response(null, { headers }), location);
  const response = await request(withDigest(next, digest), 201, { method: 'PUT' });
  await response.arrayBuffer();
  return (performance.now() - started) / 1000;
}

/** POST, then one PUT with the content and its length. Returns seconds from the first request to the 201. */
export async function uploadWhole(server: string, repository: string, file: string, digest: string): Promise<number> {
  const started = performance.now();
  const location = await startUpload(server, repository);
  await sendFile('PUT', withDigest(location, digest), file, 201, []);
  return (performance.now() - started) / 1000;
}

/** Sends a file as a request's body by `curl -T`, which costs 0.3 s of CPU a GiB: less than any server here. */
async function sendFile(
  method: string,
  url: string,
  file: string,
  wanted: number,
  args: string[],
): Promise<{ headers: Headers }> {
  const command = ['curl', '-sS', '-X', method, '-T', file, '-D', '-', '-o', '/dev/null'];
  // curl would wait up to a second for "100 Continue", which Docker does not ask for.
  command.push('-H', 'Expect:', '-H', 'Content-Type: application/octet-stream', ...args, url);
  const { stdout } = await run(command);
  const [statusLine = '', ...lines] = stdout.trim().split('\r\n');
  if (Number(statusLine.split(' ')[1]) !== wanted) throw new RequestFailed(`${method} ${url}: ${statusLine}`);
  const headers = new Headers();
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon > 0) headers.append(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  return { headers };
}

/**
 * `skopeo copy`, with a blob-info cache of its own: skopeo remembers where it has seen a layer, and would otherwise
 * skip or mount what an earlier round pushed. (Its cache directory follows XDG_DATA_HOME for all but root, and the
 * variable _CONTAINERS_ROOTLESS_UID says that we are not.)
 */
export function skopeoCopy(from: string, to: string, cache: string): Promise<CommandResult> {
  const command = ['skopeo', '--insecure-policy', 'copy', '-q', '--src-tls-verify=false', '--dest-tls-verify=false'];
  return run([...command, from, to], { env: { XDG_DATA_HOME: cache, _CONTAINERS_ROOTLESS_UID: '1000' } });
}
