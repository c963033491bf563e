// The registry under test: a Berth of two workers, started for one test file. With BERTH_TEST_TARGET=HOST:PORT the
// suites speak to a registry that runs already instead, which tells a client's fault from Berth's.
import { berth, startBerth } from '../support/berth.ts';

export interface RegistryUnderTest {
  /** `http://127.0.0.1:PORT` */
  url: string;
  /** `127.0.0.1:PORT` */
  host: string;
  port: number;
  /**
   * Ends it.
   *
   * @throws when it answered any request with a 5xx, did not end well, or `berth verify` finds a blob that is wrong
   */
  stop: () => Promise<void>;
}

export async function startRegistry(): Promise<RegistryUnderTest> {
  const target = process.env.BERTH_TEST_TARGET;
  if (target !== undefined) {
    const port = Number(target.split(':')[1]);
    return { url: `http://${target}`, host: target, port, stop: () => Promise.resolve() };
  }
  const server = await startBerth({ args: ['--workers', '2'] });
  return {
    url: server.url,
    host: server.host,
    port: server.port,
    async stop() {
      const failed = server
        .output()
        .split('\n')
        .filter((line) => /"status":5\d\d|"level":"?(error|fatal|50|60)\b/.test(line));
      const verified = await berth(['verify', '--data', server.data]);
      const code = await server.stop();
      if (failed.length > 0) throw new Error(`the server failed:\n${failed.slice(0, 20).join('\n')}`);
      if (verified.code !== 0) throw new Error(`berth verify: ${verified.stdout}${verified.stderr}`);
      if (code !== 0) throw new Error(`berth serve ended with code ${code}:\n${server.output().slice(-4000)}`);
    },
  };
}

const accepted = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

export interface StoredManifest {
  digest: string;
  mediaType: string;
  config?: { digest: string; size: number; mediaType: string };
  layers?: { digest: string; size: number; mediaType: string }[];
  manifests?: { digest: string; platform?: { architecture: string; os: string; variant?: string } }[];
  subject?: { digest: string };
}

/** The manifest that the registry holds by this name. */
export async function storedManifest(
  registry: RegistryUnderTest,
  name: string,
  reference: string,
): Promise<StoredManifest> {
  const response = await fetch(`${registry.url}/v2/${name}/manifests/${reference}`, { headers: { Accept: accepted } });
  const body = await response.text();
  if (response.status !== 200) throw new Error(`GET ${name}:${reference}: ${response.status} ${body}`);
  return {
    ...(JSON.parse(body) as object),
    digest: response.headers.get('Docker-Content-Digest') ?? '',
    mediaType: response.headers.get('Content-Type') ?? '',
  };
}

/** The status of a manifest or blob, asked with HEAD. */
export async function statusOf(registry: RegistryUnderTest, path: string): Promise<number> {
  return (await fetch(`${registry.url}/v2/${path}`, { method: 'HEAD', headers: { Accept: accepted } })).status;
}

/** A blob's SHA-256 as its bytes come off the wire, and their number. */
export async function hashOfBlob(
  registry: RegistryUnderTest,
  name: string,
  digest: string,
): Promise<{ digest: string; size: number }> {
  const response = await fetch(`${registry.url}/v2/${name}/blobs/${digest}`);
  if (response.status !== 200 || response.body === null) throw new Error(`GET blob ${digest}: ${response.status}`);
  const hasher = new Bun.CryptoHasher('sha256');
  let size = 0;
  for await (const chunk of response.body) {
    hasher.update(chunk);
    size += chunk.byteLength;
  }
  return { digest: `sha256:${hasher.digest('hex')}`, size };
}
