// When a manifest was last pulled outlives the process that noted it.
import { Database } from 'bun:sqlite';
import { expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startBerth } from '../support/berth.ts';
import { started } from '../support/processes.ts';
import { Registry } from '../support/registry.ts';

test('a stop writes down what every worker noted since the last minute', async () => {
  const data = mkdtempSync(join(tmpdir(), 'berth-pull-times-'));
  try {
    const berth = await startBerth({ data, args: ['--workers', '2'] });
    await started(berth);
    const registry = new Registry(berth.port);
    const pulled: string[] = [];
    // Many connections, so that both workers get some.
    for (let i = 0; i < 12; i++) pulled.push((await registry.pushImage('app', `pulled-${i}`)).digest);
    const looked = (await registry.pushImage('app', 'looked')).digest;
    const before = Date.now();
    await Promise.all(
      pulled.map((digest) =>
        fetch(`${berth.url}/v2/app/manifests/${digest}`, { headers: { Connection: 'close' } }).then((it) => it.text()),
      ),
    );
    await fetch(`${berth.url}/v2/app/manifests/looked`, { method: 'HEAD' });
    registry.close();
    expect(await berth.stop()).toBe(0);
    const database = new Database(join(data, 'berth.db'), { readonly: true });
    const times = new Map(
      database
        .query<{ digest: string; pulled_at: number | null }, []>('select digest, pulled_at from manifests')
        .all()
        .map((row) => [row.digest, row.pulled_at]),
    );
    database.close();
    expect(times.get(looked)).toBeNull();
    for (const digest of pulled) expect(times.get(digest)).toBeWithin(before, Date.now() + 1);
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
}, 60_000);
