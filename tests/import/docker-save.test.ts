// What docker save writes is an OCI layout since Docker 25: it comes in as it is.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { berth, type RunningBerth, startBerth } from '../support/berth.ts';
import { type Engine, newerEngine, startEngine } from '../support/engine.ts';
import { requireTools, run } from '../support/tools.ts';

const canRun = requireTools('import of docker save', ['root', 'tar', 'skopeo', ...newerEngine]);
setDefaultTimeout(120_000);

describe.if(canRun)('docker save', () => {
  let work: string;
  let server: RunningBerth;
  let engine: Engine;

  beforeAll(async () => {
    work = mkdtempSync(join(tmpdir(), 'berth-save-'));
    [server, engine] = await Promise.all([startBerth({ args: ['--workers', '1'] }), startEngine({ release: 'newer' })]);
  });
  afterAll(async () => {
    await Promise.all([server?.stop(), engine?.stop()]);
    rmSync(work, { recursive: true, force: true });
  });

  test('gives every image under its name and tags', async () => {
    writeFileSync(join(work, 'file'), 'of a saved image');
    await run(['tar', '-C', work, '-cf', join(work, 'root.tar'), 'file']);
    await engine.docker(['import', join(work, 'root.tar'), 'team/saved:1.0']);
    await engine.docker(['tag', 'team/saved:1.0', 'team/saved:latest']);
    await engine.docker(['tag', 'team/saved:1.0', 'plain']);
    const saved = join(work, 'saved.tar');
    await engine.docker(['save', '-o', saved, 'team/saved:1.0', 'team/saved:latest', 'plain']);
    const { code, stdout, stderr } = await berth(['import', 'oci', saved, '--data', server.data, '--output', 'json']);
    expect([stderr, code]).toEqual(['', 0]);
    expect(JSON.parse(stdout)).toMatchObject({ tags: 3, faults: [] });
    for (const name of ['team/saved:1.0', 'team/saved:latest', 'plain:latest']) {
      await run(['skopeo', 'inspect', '--tls-verify=false', `docker://${server.host}/${name}`]);
    }
    const id = await engine.docker(['image', 'inspect', '--format', '{{.Id}}', 'plain']);
    const manifest = await run(['skopeo', 'inspect', '--raw', '--tls-verify=false', `docker://${server.host}/plain`]);
    expect((JSON.parse(manifest) as { config: { digest: string } }).config.digest).toBe(id);
  });
});
