// A layer of more than 2 GiB: beyond a signed 32-bit length, and more than may be held in memory.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { type Engine, newerEngine, startEngine } from '../support/engine.ts';
import { largeImage, type TestImage } from '../support/images.ts';
import { requireTools, run } from '../support/tools.ts';
import { hashOfBlob, type RegistryUnderTest, startRegistry, storedManifest } from './registry.ts';

const canRun = requireTools('large', ['root', 'dockerd', 'docker', 'skopeo', ...newerEngine]);
const minute = 60_000;
setDefaultTimeout(5 * minute);

describe.if(canRun)('a layer of 2 GiB', () => {
  let registry: RegistryUnderTest;
  let image: TestImage;
  let layer: { digest: string; size: number };

  beforeAll(async () => {
    registry = await startRegistry();
    image = await largeImage();
    layer = image.layers[1]!.descriptor;
    expect(layer.size).toBeGreaterThan(2 ** 31);
  });

  afterAll(async () => {
    await registry?.stop();
  });

  async function withEngine(
    options: Parameters<typeof startEngine>[0],
    use: (engine: Engine) => Promise<void>,
  ): Promise<void> {
    const engine = await startEngine(options);
    try {
      await use(engine);
    } finally {
      await engine.stop();
    }
  }

  test('is pushed by skopeo and read back with its digest', async () => {
    const copy = [
      'skopeo',
      'copy',
      '--dest-tls-verify=false',
      '--preserve-digests',
      image.source,
      `docker://${registry.host}/large/image:1`,
    ];
    await run(copy, { within: 2 * minute });
    expect((await storedManifest(registry, 'large/image', '1')).digest).toBe(image.manifest.digest);
    expect(await hashOfBlob(registry, 'large/image', layer.digest)).toEqual({
      digest: layer.digest,
      size: layer.size,
    });
  });

  test('answers a range at its end, beyond 2 GiB', async () => {
    const bytes = Bun.file(`${image.path}/blobs/${layer.digest.replace(':', '/')}`);
    const response = await fetch(`${registry.url}/v2/large/image/blobs/${layer.digest}`, {
      headers: { Range: `bytes=${2 ** 31}-` },
    });
    expect(response.status).toBe(206);
    expect(response.headers.get('Content-Range')).toBe(`bytes ${2 ** 31}-${layer.size - 1}/${layer.size}`);
    const expected = await bytes.slice(2 ** 31).bytes();
    expect(Buffer.from(await response.arrayBuffer()).equals(expected)).toBe(true);
  });

  test('is pulled, run, mounted elsewhere by Docker Engine, and its content is right', async () => {
    await withEngine({}, async (engine) => {
      const name = `${registry.host}/large/image:1`;
      await engine.docker(['pull', name], { within: 3 * minute });
      expect(await engine.docker(['run', '--rm', '--network', 'none', name])).toBe(image.prints);
      await engine.docker(['tag', name, `${registry.host}/large/mounted:1`]);
      expect(await engine.docker(['push', `${registry.host}/large/mounted:1`])).toContain('Mounted from large/image');
    });
  });

  test('is pulled and pushed to another registry by an engine that keeps images in containerd', async () => {
    const other = await startRegistry();
    try {
      await withEngine({ release: 'newer', containerdStore: true }, async (engine) => {
        const name = `${other.host}/large/copy:1`;
        await engine.docker(['pull', `${registry.host}/large/image:1`], { within: 3 * minute });
        await engine.docker(['tag', `${registry.host}/large/image:1`, name]);
        await engine.docker(['push', name], { within: 3 * minute });
        expect((await storedManifest(other, 'large/copy', '1')).digest).toBe(image.manifest.digest);
        expect(await hashOfBlob(other, 'large/copy', layer.digest)).toEqual({
          digest: layer.digest,
          size: layer.size,
        });
      });
    } finally {
      await other.stop();
    }
  });
});
