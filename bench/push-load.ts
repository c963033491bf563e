// A steady load of small pushes over HTTP, with the time that each took.
import { randomBytes } from 'node:crypto';
import { checkBlob, checkManifest, type Descriptor, imageManifest, pushBlob, putManifest } from './distribution.ts';

export interface Push {
  /** `performance.now()` when it was due; waiting for a free client counts as time that the push took. */
  due: number;
  /** ms from `due` to the last 201. */
  took: number;
  repository: string;
  tag: string;
  manifest: string;
  blobs: Descriptor[];
}

const clients = 4;

/**
 * Pushes `perSecond` small images a second (config, layer, manifest, tag; all new), by four clients, until `until`
 * resolves. The rate is fixed so that a slower server cannot lower its own load. Throws at the first push that fails.
 */
export async function pushSteadily(server: string, perSecond: number, until: Promise<unknown>): Promise<Push[]> {
  const pushes: Push[] = [];
  let over = false;
  const stop = () => {
    over = true;
  };
  void until.then(stop, stop); // why it ended is the caller's business
  const started = performance.now();
  const interval = (1000 / perSecond) * clients;
  const client = async (number: number) => {
    for (let n = 0; !over; n++) {
      const due = started + (number / clients + n) * interval;
      const early = due - performance.now();
      if (early > 0) await Bun.sleep(early);
      if (over) break;
      pushes.push(await push(server, `bench/load-${number}`, due));
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, number) => client(number)));
  return pushes;
}

async function push(server: string, repository: string, due: number): Promise<Push> {
  const id = randomBytes(8).toString('hex');
  const config = new TextEncoder().encode(JSON.stringify({ architecture: 'amd64', os: 'linux', id }));
  const configBlob = await pushBlob(server, repository, config, 'application/vnd.oci.image.config.v1+json');
  const layer = new Uint8Array(randomBytes(4096));
  const layerBlob = await pushBlob(server, repository, layer, 'application/vnd.oci.image.layer.v1.tar+gzip');
  const manifest = await putManifest(server, repository, id, imageManifest(configBlob, [layerBlob]));
  const took = performance.now() - due;
  return { due, took, repository, tag: id, manifest, blobs: [configBlob, layerBlob] };
}

/** Reads back everything that was pushed and compares its digests. */
export async function checkPushes(server: string, pushes: readonly Push[]): Promise<void> {
  for (const push of pushes) {
    await checkManifest(server, push.repository, push.tag, push.manifest);
    for (const blob of push.blobs) await checkBlob(server, push.repository, blob.digest);
  }
}
