import { afterAll, beforeEach, describe, expect, test } from 'bun:test';
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { testFolder } from '../storage/contract.ts';
import { ConfigError, loadSettings } from './load.ts';
import { readSecretKey, secretKeyPath } from './secret-key.ts';

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

describe('the key file', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = testFolder('secret-key');
    folders.push(folder);
    path = join(folder, 'secret.key');
  });
  const failure = (): string => {
    try {
      readSecretKey(path);
      return 'no failure';
    } catch (error) {
      return error instanceof ConfigError ? error.message : `not a ConfigError: ${error}`;
    }
  };

  test('is in the data directory, or where the setting says', () => {
    expect(secretKeyPath(loadSettings({ data: '/a' }, {}, undefined))).toBe('/a/secret.key');
    expect(secretKeyPath(loadSettings({ data: '/a', secretKeyFile: '/b' }, {}, undefined))).toBe('/b');
  });

  test('is made when it is missing: for its owner alone, and the same from then on', () => {
    const first = readSecretKey(path);
    expect(first).toMatchObject({ path, made: true, warnings: [] });
    expect(first.key.length).toBe(32);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readSecretKey(path)).toEqual({ ...first, made: false });
    expect(readdirSync(folder)).toEqual(['secret.key']);
  });

  test('is made in a folder that is not there yet', () => {
    path = join(folder, 'data', 'secret.key');
    expect(readSecretKey(path).made).toBe(true);
  });

  test('is decided by one of many that start at once', async () => {
    const script = `import { readSecretKey } from ${JSON.stringify(resolve(import.meta.dir, 'secret-key.ts'))};
      const { key, made } = readSecretKey(${JSON.stringify(path)});
      console.log(made, Buffer.from(key).toString('hex'));`;
    const file = join(folder, 'start.ts');
    writeFileSync(file, script);
    const answers = await Promise.all(
      Array.from({ length: 6 }, async () => {
        const child = Bun.spawn([process.execPath, file], { stdout: 'pipe' });
        return (await new Response(child.stdout).text()).trim().split(' ');
      }),
    );
    expect(new Set(answers.map(([, key]) => key)).size).toBe(1);
    expect(answers.filter(([made]) => made === 'true')).toHaveLength(1);
    expect(readdirSync(folder).toSorted()).toEqual(['secret.key', 'start.ts']);
  });

  test('that others can read is used, with a warning', () => {
    const { key } = readSecretKey(path);
    chmodSync(path, 0o644);
    const { warnings, ...again } = readSecretKey(path);
    expect(again).toEqual({ key, path, made: false });
    expect(warnings).toEqual([`secretKeyFile: others can read ${path}: chmod 600 it`]);
  });

  test('that its own group can read, and nobody change, is used without one', () => {
    readSecretKey(path);
    chmodSync(path, 0o440);
    expect(readSecretKey(path).warnings).toEqual([]);
    chmodSync(path, 0o460);
    expect(readSecretKey(path).warnings).toHaveLength(1);
  });

  test.each([
    ['nothing', ''],
    ['too few bytes', `${Buffer.alloc(31).toString('base64')}\n`],
    ['too many bytes', Buffer.alloc(33).toString('base64')],
    ['no base64', `${'!'.repeat(44)}\n`],
    ['two lines', `${Buffer.alloc(32).toString('base64')}\nx`],
    ['a large file', 'A'.repeat(1000)],
  ])('with %s is refused, says what to do, is not shown and not replaced', (_, text) => {
    writeFileSync(path, text, { mode: 0o600 });
    expect(failure()).toStartWith('secretKeyFile: ');
    expect(failure()).toContain(path);
    if (text !== '') expect(failure()).not.toContain(text.trim());
    expect(readFileSync(path, 'utf8')).toBe(text);
  });

  test('that is a folder, or can not be made, is refused', () => {
    mkdirSync(path);
    expect(failure()).toStartWith(`secretKeyFile: cannot read ${path}: `);
    writeFileSync(join(folder, 'file'), '');
    path = join(folder, 'file', 'secret.key');
    expect(failure()).toStartWith('secretKeyFile: cannot ');
  });
});
