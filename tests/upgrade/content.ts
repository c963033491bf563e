// What is in the fixtures, so that a test knows what to look for.
import { describeBytes, digestOf, mediaTypes } from '../support/registry.ts';

export const ALICE = { name: 'alice', password: 'correct horse battery' };
export const BOB = { name: 'bob', password: 'bob likes long walks' };
/** Before there were accounts, a repository was nobody's. */
export const repositoryOf = (schema: number) => (schema === 1 ? 'team/app' : 'acme/app');
export const STACK = 'acme/shop';
export const SECRET = { name: 'DATABASE_PASSWORD', value: 'only servers know it' };
export const VARIABLE = { name: 'GREETING', value: 'hello' };

/** Nobody listens there. */
export const HOOK = 'http://127.0.0.1:9/hook';
export const QUOTA = '3GiB';

export interface Image {
  config: string;
  layer: string;
  manifest: string;
  digest: string;
}

/** The same bytes for the same word. */
export function imageOf(word: string): Image {
  const config = JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] }, word });
  const layer = `the layer of ${word}\n`;
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: describeBytes(config, mediaTypes.ociConfig),
    layers: [describeBytes(layer, mediaTypes.ociLayer)],
  });
  return { config, layer, manifest, digest: digestOf(manifest) };
}

/** The tag `1.0` was `FIRST`, then `SECOND`. */
export const FIRST = imageOf('first');
export const SECOND = imageOf('second');
/** `latest` of it; an index. */
export const INDEX = JSON.stringify({
  schemaVersion: 2,
  mediaType: mediaTypes.ociIndex,
  manifests: [
    describeBytes(FIRST.manifest, mediaTypes.ociManifest),
    describeBytes(SECOND.manifest, mediaTypes.ociManifest),
  ],
});

/** What a fixture's maker was told once and a test must know. */
export interface FixtureFacts {
  schema: number;
  commit: string;
  /** Alice's token that never ends; from schema 2 on. */
  token?: string;
  /** The server's of the environment; from schema 3 on. */
  targetToken?: string;
}
