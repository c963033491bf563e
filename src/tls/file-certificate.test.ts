import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Authority, type Certified } from '../../tests/support/authority.ts';
import { requireTools } from '../../tests/support/tools.ts';
import { fileAuthorities, fileCertificate } from './file-certificate.ts';
import type { TlsMaterial } from './tls-material.ts';

setDefaultTimeout(30_000);
const canRun = requireTools('certificates in files', ['openssl']);

describe.if(canRun)('A certificate in files', () => {
  let authority: Authority;
  let first: Certified;
  let second: Certified;
  let folder: string;
  beforeAll(async () => {
    authority = await Authority.make();
    first = await authority.certify('first', { names: ['registry.example.com', '*.example.com', '10.0.0.1'] });
    second = await authority.certify('second');
    folder = mkdtempSync(join(tmpdir(), 'berth-certificate-'));
  });
  afterAll(() => {
    authority?.remove();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  let made = 0;
  /** The two files in a folder of their own. */
  function place(pair: Certified): Certified {
    const own = join(folder, String(made++));
    mkdirSync(own);
    const placed = { certificate: join(own, 'tls.crt'), key: join(own, 'tls.key') };
    put(pair, placed);
    return placed;
  }
  function put(pair: Certified, placed: Certified): void {
    cpSync(pair.certificate, placed.certificate);
    cpSync(pair.key, placed.key);
  }
  /** What is told of files, and what is said of them. */
  async function watched(paths: Certified) {
    const problems: string[] = [];
    const told: TlsMaterial[] = [];
    const source = fileCertificate(paths, { everyMs: 10, onProblem: ({ message }) => problems.push(message) });
    const before = await source.current();
    const end = source.watch((material) => told.push(material));
    return { before, told, problems, end };
  }
  async function until(what: () => boolean): Promise<void> {
    const deadline = Date.now() + 15_000;
    while (!what()) {
      if (Date.now() > deadline) throw new Error('it did not come to that');
      await Bun.sleep(5);
    }
  }
  const message = (paths: Certified, now?: () => number): Promise<string> =>
    fileCertificate(paths, { onProblem: () => {}, ...(now === undefined ? {} : { now }) })
      .current()
      .then(
        () => 'taken',
        (error: Error) => error.message,
      );

  test('is read with its chain, its names and its end', async () => {
    const material = await fileCertificate(first, { onProblem: () => {} }).current();
    expect(material?.names).toEqual(['registry.example.com', '*.example.com', '10.0.0.1']);
    expect(material?.certificate.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
    expect(Math.round(((material?.notAfter ?? 0) - Date.now()) / 86_400_000)).toBe(30);
  });

  test('that is written over is told once, and not while only its time changes', async () => {
    const paths = place(first);
    const { told, end } = await watched(paths);
    put(first, paths);
    await Bun.sleep(100);
    expect(told).toEqual([]);
    put(second, paths);
    await until(() => told.length > 0);
    await Bun.sleep(100);
    end();
    expect(told.map(({ key }) => key)).toEqual([readFileSync(second.key, 'utf8')]);
  });

  test('that is half written, or has the other key, is not taken and is said once; the whole pair is', async () => {
    const paths = place(first);
    const { told, problems, end } = await watched(paths);
    const whole = readFileSync(second.certificate, 'utf8');
    writeFileSync(paths.certificate, whole.slice(0, 300));
    await until(() => problems.length === 1);
    writeFileSync(paths.certificate, whole);
    await until(() => problems.length === 2);
    await Bun.sleep(100);
    expect(told).toEqual([]);
    cpSync(second.key, paths.key);
    await until(() => told.length === 1);
    end();
    expect(problems).toEqual([
      `--tls-certificate: ${paths.certificate} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)`,
      `--tls-key: ${paths.key} is not the key of the certificate; give the two that were made together`,
    ]);
  });

  test('behind symbolic links is followed, as certbot turns them', async () => {
    const live = join(folder, `live-${made++}`);
    mkdirSync(live);
    const paths = { certificate: join(live, 'fullchain.pem'), key: join(live, 'privkey.pem') };
    symlinkSync(first.certificate, paths.certificate);
    symlinkSync(first.key, paths.key);
    const { told, end } = await watched(paths);
    for (const name of ['certificate', 'key'] as const) {
      symlinkSync(second[name], `${paths[name]}.new`);
      renameSync(`${paths[name]}.new`, paths[name]);
    }
    await until(() => told.length === 1);
    end();
    expect(told[0]?.key).toBe(readFileSync(second.key, 'utf8'));
  });

  test('in a folder that is exchanged as a whole is followed, as Kubernetes mounts secrets', async () => {
    const mount = join(folder, `mount-${made++}`);
    mkdirSync(join(mount, '..1'), { recursive: true });
    mkdirSync(join(mount, '..2'));
    put(first, { certificate: join(mount, '..1', 'tls.crt'), key: join(mount, '..1', 'tls.key') });
    put(second, { certificate: join(mount, '..2', 'tls.crt'), key: join(mount, '..2', 'tls.key') });
    symlinkSync('..1', join(mount, '..data'));
    for (const name of ['tls.crt', 'tls.key']) symlinkSync(join('..data', name), join(mount, name));
    const { told, problems, end } = await watched({ certificate: join(mount, 'tls.crt'), key: join(mount, 'tls.key') });
    symlinkSync('..2', join(mount, '..data_tmp'));
    renameSync(join(mount, '..data_tmp'), join(mount, '..data'));
    await until(() => told.length === 1);
    end();
    expect(told[0]?.key).toBe(readFileSync(second.key, 'utf8'));
    expect(problems.length).toBeLessThanOrEqual(1);
  });

  test('that is removed is said, and taken when it is there again', async () => {
    const paths = place(first);
    const { told, problems, end } = await watched(paths);
    rmSync(paths.key);
    await until(() => problems.length === 1);
    put(second, paths);
    await until(() => told.length === 1);
    end();
    expect(problems[0]).toStartWith(`--tls-key: cannot read ${paths.key}: ENOENT`);
  });

  test('names flag and file of what is wrong with it', async () => {
    const other = { certificate: first.certificate, key: second.key };
    expect(await message(other)).toBe(
      `--tls-key: ${second.key} is not the key of the certificate; give the two that were made together`,
    );
    expect(await message({ certificate: first.key, key: first.key })).toStartWith(
      `--tls-certificate: ${first.key} holds no`,
    );
    expect(await message({ certificate: first.certificate, key: first.certificate })).toStartWith(
      `--tls-key: ${first.certificate} holds no private key`,
    );
    expect(await message({ certificate: folder, key: first.key })).toStartWith(
      `--tls-certificate: cannot read ${folder}: EISDIR`,
    );
  });

  test('that has expired is taken, and one of the future is not', async () => {
    const future = await authority.certify('future', { notBefore: '20490101000000Z', days: 9_000 });
    expect(await message(future)).toStartWith(
      `--tls-certificate: ${future.certificate} is not valid before 2049-01-01T00:00:00.000Z`,
    );
    expect(await message(await authority.certify('past', { days: -2 }))).toBe('taken');
  });

  test('of an authority for clients must be that of an authority', async () => {
    const read = (path: string) =>
      fileAuthorities(path, { onProblem: () => {} })
        .current()
        .then(
          () => 'taken',
          (error: Error) => error.message,
        );
    expect(await read(authority.certificate)).toBe('taken');
    expect(await read(first.certificate)).toContain("which is no authority's");
    expect(await read(first.key)).toStartWith(`--tls-client-ca: ${first.key} holds no certificate`);
  });
});
