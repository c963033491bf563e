// What a registry holds, seen from its disk and through its protocol.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { type Client, persist } from '../support/client.ts';

/** The digests of the files below DATA/blobs. */
export function storedDigests(data: string): Set<string> {
  const found = new Set<string>();
  for (const algorithm of readdirSync(join(data, 'blobs'))) {
    for (const prefix of readdirSync(join(data, 'blobs', algorithm))) {
      for (const file of readdirSync(join(data, 'blobs', algorithm, prefix))) found.add(`${algorithm}:${file}`);
    }
  }
  return found;
}

const catalog = z.object({ repositories: z.array(z.string()) });
const tagList = z.object({ tags: z.array(z.string()) });
const manifest = z.object({
  config: z.object({ digest: z.string() }).optional(),
  layers: z.array(z.object({ digest: z.string() })).optional(),
  manifests: z.array(z.object({ digest: z.string() })).optional(),
});

/** Every blob that a tag of any repository reaches. */
export async function walkTags(client: Client): Promise<Set<string>> {
  const blobs = new Set<string>();
  const get = async (path: string) => {
    const answer = await persist(client, 'GET', path);
    if (answer.status !== 200) throw new Error(`GET ${path}: ${answer.status} ${answer.text()}`);
    return answer.json();
  };
  const walk = async (repository: string, reference: string): Promise<void> => {
    const found = manifest.parse(await get(`/v2/${repository}/manifests/${reference}`));
    if (found.config !== undefined) blobs.add(found.config.digest);
    for (const layer of found.layers ?? []) blobs.add(layer.digest);
    for (const entry of found.manifests ?? []) await walk(repository, entry.digest);
  };
  for (const repository of catalog.parse(await get('/v2/_catalog?n=1000')).repositories) {
    const { tags } = tagList.parse(await get(`/v2/${repository}/tags/list?n=10000`));
    for (const tag of tags) await walk(repository, tag);
  }
  return blobs;
}
