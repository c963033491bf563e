// What clients say when `--anonymous` does not let them in.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startBerth } from '../support/berth.ts';
import { type Engine, startEngine } from '../support/engine.ts';
import { busyboxImage, type TestImage, twentyLayerImage } from '../support/images.ts';
import { requireTools, run, tryRun } from '../support/tools.ts';

const canRun = requireTools('access', ['root', 'dockerd', 'docker', 'skopeo']);
setDefaultTimeout(60_000);

describe.if(canRun)('a client without a login', () => {
  let engine: Engine;
  let image: TestImage;
  let data: string;

  beforeAll(async () => {
    data = mkdtempSync(join(tmpdir(), 'berth-access-'));
    engine = await startEngine();
    image = await busyboxImage();
    await run([
      'skopeo',
      'copy',
      '--dest-daemon-host',
      engine.socket,
      (await twentyLayerImage()).source,
      'docker-daemon:mine:1',
    ]);
    const server = await startBerth({ data });
    await run(['skopeo', 'copy', '--dest-tls-verify=false', image.source, `docker://${server.host}/app:1`]);
    // What everyone pushes, everyone may read, until it is made private.
    const made = await fetch(`${server.url}/api/v1/repositories/app`, {
      method: 'PATCH',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ visibility: 'private' }),
    });
    expect(made.status).toBe(200);
    await server.stop();
  });

  afterAll(async () => {
    await engine?.stop();
    rmSync(data, { recursive: true, force: true });
  });

  test('pulls but does not push with --anonymous pull', async () => {
    const server = await startBerth({ data, args: ['--anonymous', 'pull', '--workers', '2'] });
    try {
      await engine.docker(['pull', `${server.host}/app:1`]);
      expect(await engine.docker(['run', '--rm', '--network', 'none', `${server.host}/app:1`])).toBe(image.prints);
      await engine.docker(['tag', 'mine:1', `${server.host}/app:2`]);
      const docker = await engine.tryDocker(['push', `${server.host}/app:2`]);
      expect([docker.code, docker.stderr]).toEqual([1, expect.stringMatching(/unauthorized|denied/)]);
      const skopeo = await tryRun([
        'skopeo',
        'copy',
        '--dest-tls-verify=false',
        image.source,
        `docker://${server.host}/other:1`,
      ]);
      expect([skopeo.code, skopeo.stderr]).toEqual([1, expect.stringMatching(/unauthorized|denied/)]);
      const deletion = await tryRun(['skopeo', 'delete', '--tls-verify=false', `docker://${server.host}/app:1`]);
      expect(deletion.code).toBe(1);
      const tags = (await (await fetch(`${server.url}/v2/app/tags/list`)).json()) as { tags: string[] };
      expect(tags.tags).toEqual(['1']);
    } finally {
      await server.stop();
    }
  });

  test('is told to authenticate, for pull and push alike, with --anonymous none', async () => {
    const server = await startBerth({ data, args: ['--anonymous', 'none', '--workers', '2'] });
    try {
      await engine.docker(['tag', 'mine:1', `${server.host}/app:2`]);
      for (const command of [
        ['pull', `${server.host}/app:1`],
        ['push', `${server.host}/app:2`],
      ]) {
        const { code, stderr } = await engine.tryDocker(command);
        expect([code, stderr]).toEqual([1, expect.stringMatching(/unauthorized|denied|no basic auth credentials/)]);
      }
      const skopeo = await tryRun(['skopeo', 'inspect', '--tls-verify=false', `docker://${server.host}/app:1`]);
      expect([skopeo.code, skopeo.stderr]).toEqual([1, expect.stringMatching(/unauthorized|denied/)]);
    } finally {
      await server.stop();
    }
  });
});
