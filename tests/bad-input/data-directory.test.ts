import { Database } from 'bun:sqlite';
import { afterAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { berth, startBerth } from '../support/berth.ts';
import { freePort } from '../support/ports.ts';
import { digestOf, Registry } from '../support/registry.ts';
import { canMount, readOnlyView } from './disks.ts';

const made: string[] = [];
function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'berth-data-'));
  made.push(path);
  return path;
}
afterAll(() => {
  for (const path of made) rmSync(path, { recursive: true, force: true });
});

/** A data directory with one image in it. */
async function filled(): Promise<{ data: string; manifest: string }> {
  const data = directory();
  const running = await startBerth({ data });
  const registry = new Registry(running.port);
  const { body } = await registry.pushImage('some/image', 'v1');
  registry.close();
  await running.stop();
  return { data, manifest: body };
}

async function serveRefused(data: string): Promise<string> {
  const ended = await berth(['serve', '--host', '127.0.0.1', '--port', String(await freePort()), '--data', data]);
  expect(ended.code).toBe(1);
  expect(ended.stderr).not.toMatch(/^\s+at .+:\d+/m);
  return ended.stderr + ended.stdout;
}

async function expectServed(data: string, manifest: string): Promise<void> {
  const running = await startBerth({ data });
  const registry = new Registry(running.port);
  expect((await registry.get('/v2/some/image/manifests/v1')).text()).toBe(manifest);
  registry.close();
  await running.stop();
}

describe('a data directory from a newer version', () => {
  test('is refused by every command, which says so, and is left as it was', async () => {
    const { data, manifest } = await filled();
    const database = join(data, 'berth.db');
    const setVersion = (version: number) => {
      const db = new Database(database);
      db.run('update schema_version set version = ?', [version]);
      db.run('PRAGMA wal_checkpoint(TRUNCATE)');
      db.close();
    };
    const db = new Database(database, { readonly: true });
    const { version } = db.query('select version from schema_version').get() as { version: number };
    db.close();
    setVersion(version + 7);
    expect(await serveRefused(data)).toMatch(/newer/);
    for (const command of [['gc'], ['gc', '--dry-run'], ['verify'], ['why', digestOf('x')]]) {
      const ended = await berth([...command, '--data', data]);
      expect([command.join(' '), ended.code]).toEqual([command.join(' '), 1]);
      expect(ended.stderr).toMatch(/newer/);
    }
    setVersion(version);
    await expectServed(data, manifest);
  }, 60_000);
});

describe('a data directory that is none', () => {
  test('a file is refused by name', async () => {
    const path = join(directory(), 'file');
    writeFileSync(path, 'x');
    expect(await serveRefused(path)).toContain(path);
    expect(readFileSync(path, 'utf8')).toBe('x');
  }, 60_000);

  test('a path below a file is refused by name', async () => {
    const path = join(directory(), 'file');
    writeFileSync(path, 'x');
    expect(await serveRefused(join(path, 'data'))).toContain(path);
  }, 60_000);

  test('a database that is no database is refused and left as it was', async () => {
    const data = directory();
    const path = join(data, 'berth.db');
    writeFileSync(path, 'this is not a database, however long one looks at it'.repeat(100));
    const before = digestOf(readFileSync(path));
    expect(await serveRefused(data)).toMatch(/berth\.db|database/);
    expect(digestOf(readFileSync(path))).toBe(before);
  }, 60_000);

  test('one that is not there is made by serve, and refused by name by the commands that look at data', async () => {
    const data = join(directory(), 'a', 'b');
    for (const command of [['gc'], ['verify'], ['why', digestOf('x')]]) {
      const ended = await berth([...command, '--data', data]);
      expect([command[0], [1, 2].includes(ended.code)]).toEqual([command[0], true]);
      expect(ended.stderr).toContain(data);
    }
    const running = await startBerth({ data });
    await running.stop();
  }, 60_000);
});

describe.if(canMount('a data directory that is read-only'))('a data directory that is read-only', () => {
  test('is refused, and the message says what cannot be written', async () => {
    const { data, manifest } = await filled();
    const view = await readOnlyView(data);
    try {
      const said = await serveRefused(view.path);
      expect(said).toContain(view.path);
      expect(said).toMatch(/read-only|cannot be written|can't be written|cannot write|can't write|EROFS/i);
    } finally {
      await view.unmount();
    }
    await expectServed(data, manifest);
  }, 60_000);

  test('and empty is refused too', async () => {
    const view = await readOnlyView(directory());
    try {
      expect(await serveRefused(view.path)).toMatch(
        /read-only|cannot be written|can't be written|cannot write|can't write|EROFS/i,
      );
    } finally {
      await view.unmount();
    }
  }, 60_000);
});
