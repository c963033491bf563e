// The few requests of the distribution protocol that the rows make themselves, worded so that both registries take them.
import { createHash } from 'node:crypto';

export const manifestType = 'application/vnd.oci.image.manifest.v1+json';

/** Thrown when a request has another status than the protocol wants: the bench then ends with exit code 1. */
export class RequestFailed extends Error {}

export function digestOf(content: Uint8Array | string): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}

export interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
}

/** Sends a request and throws unless it has the wanted status. */
export async function request(url: string, wanted: number, init: RequestInit = {}): Promise<Response> {
  const response = await fetch(url, init);
  if (response.status === wanted) return response;
  const body = (await response.text()).slice(0, 500);
  throw new RequestFailed(`${init.method ?? 'GET'} ${url}: ${response.status} instead of ${wanted}: ${body}`);
}

/** Starts an upload; returns the absolute URL to send it to. */
export async function startUpload(server: string, repository: string): Promise<string> {
  const url = `${server}/v2/${repository}/blobs/uploads/`;
  const response = await request(url, 202, { method: 'POST' });
  return locationOf(response, url);
}

/** Where an answer's `Location` (relative from Berth, absolute from docker-registry) points. */
export function locationOf(response: Response, url: string): string {
  const location = response.headers.get('location');
  if (location === null) throw new RequestFailed(`${url}: no Location`);
  return new URL(location, url).href;
}

export function withDigest(location: string, digest: string): string {
  return `${location}${location.includes('?') ? '&' : '?'}digest=${digest}`;
}

/** POST, then PUT with the content: two requests, as many clients do for small blobs. */
export async function pushBlob(
  server: string,
  repository: string,
  content: Uint8Array<ArrayBuffer>,
  mediaType: string,
): Promise<Descriptor> {
  const digest = digestOf(content);
  const location = await startUpload(server, repository);
  const response = await request(withDigest(location, digest), 201, {
    method: 'PUT',
    body: content,
    headers: { 'content-type': 'application/octet-stream' },
  });
  await response.arrayBuffer();
  return { mediaType, digest, size: content.byteLength };
}

export function imageManifest(config: Descriptor, layers: Descriptor[], annotations?: Record<string, string>): string {
  return JSON.stringify({ schemaVersion: 2, mediaType: manifestType, config, layers, annotations });
}

export async function putManifest(
  server: string,
  repository: string,
  reference: string,
  body: string,
): Promise<string> {
  const response = await request(`${server}/v2/${repository}/manifests/${reference}`, 201, {
    method: 'PUT',
    body,
    headers: { 'content-type': manifestType },
  });
  await response.arrayBuffer();
  return digestOf(body);
}

/** Fetches a manifest and compares its bytes with the digest that the push computed. */
export async function checkManifest(
  server: string,
  repository: string,
  reference: string,
  digest: string,
  headers: Record<string, string> = {},
): Promise<void> {
  const url = `${server}/v2/${repository}/manifests/${reference}`;
  const response = await request(url, 200, { headers: { accept: manifestType, ...headers } });
  const got = digestOf(await response.text());
  if (got !== digest) throw new RequestFailed(`${url}: ${got} instead of ${digest}`);
}

/** Streams a blob and compares its bytes with its digest. */
export async function checkBlob(server: string, repository: string, digest: string): Promise<void> {
  const url = `${server}/v2/${repository}/blobs/${digest}`;
  const response = await request(url, 200);
  const hash = createHash('sha256');
  if (response.body !== null) for await (const chunk of response.body) hash.update(chunk);
  const got = `sha256:${hash.digest('hex')}`;
  if (got !== digest) throw new RequestFailed(`${url}: ${got} instead of ${digest}`);
}
