// The files of a release: this machine's binary runs; of the others CI builds one, and looks at what its file is for.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { chmodSync, copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { readExecutable } from '../support/executable.ts';
import { fillWithMusl, OtherSystem, requireOtherSystem, serveOneBlob } from '../support/other-system.ts';
import { run, tryRun } from '../support/tools.ts';

const root = new URL('../../', import.meta.url).pathname;
const host = `${process.platform}-${process.arch}`;
/** A folder with a release that was built before (`npm run build -- --target all --out FOLDER`): all of it is looked at. */
const built = process.env.BERTH_TEST_RELEASE;
const folder = built ?? mkdtempSync(join(tmpdir(), 'berth-release-'));

const FILES = {
  'berth-linux-x64': { format: 'elf', machine: 'x64', loader: '/lib64/ld-linux-x86-64.so.2' },
  'berth-linux-arm64': { format: 'elf', machine: 'arm64', loader: '/lib/ld-linux-aarch64.so.1' },
  'berth-linux-x64-musl': { format: 'elf', machine: 'x64', loader: '/lib/ld-musl-x86_64.so.1' },
  'berth-linux-arm64-musl': { format: 'elf', machine: 'arm64', loader: '/lib/ld-musl-aarch64.so.1' },
  'berth-darwin-x64': { format: 'mach-o', machine: 'x64' },
  'berth-darwin-arm64': { format: 'mach-o', machine: 'arm64' },
} as const;
const MUSL = 'berth-linux-x64-musl';
const expected = built === undefined ? [`berth-${host}`, MUSL, 'berth-linux-arm64-musl'] : Object.keys(FILES);
const canRunMusl = host === 'linux-x64' && requireOtherSystem('musl', ['gcc', '/lib/ld-musl-x86_64.so.1']);

setDefaultTimeout(180_000);

describe('a release', () => {
  beforeAll(async () => {
    if (built !== undefined) return;
    const targets = expected.flatMap((name) => ['--target', name.replace('berth-', '')]);
    await run([process.execPath, 'scripts/build.ts', ...targets, '--out', folder], { cwd: root, within: 170_000 });
  });
  afterAll(() => {
    if (built === undefined) rmSync(folder, { recursive: true, force: true });
  });

  test('has one file a target, the bill of materials and the sums of all', async () => {
    const names = readdirSync(folder).sort();
    expect(names).toEqual(['SHA256SUMS', ...expected, 'berth.cdx.json'].sort());
    const checked = await run(['sha256sum', '--check', '--strict', 'SHA256SUMS'], { cwd: folder });
    expect(checked.split('\n').sort()).toEqual(
      names
        .slice(1)
        .map((name) => `${name}: OK`)
        .sort(),
    );
  });

  test.each(Object.entries(FILES).filter(([name]) => expected.includes(name)))(
    '%s is for what it is named after',
    (name, is) => {
      expect(readExecutable(join(folder, name))).toEqual(is);
    },
  );

  test('the one for this machine runs', async () => {
    expect(await run([join(folder, `berth-${host}`), '--version'])).toMatch(/^\d+\.\d+\.\d+$/);
  });

  test.if(canRunMusl)('the one for musl serves where there is musl and no glibc', async () => {
    const system = OtherSystem.native();
    try {
      await fillWithMusl(system);
      copyFileSync(join(folder, MUSL), join(system.root, 'berth'));
      chmodSync(join(system.root, 'berth'), 0o755);
      expect(await run(system.command(['/berth', '--version']))).toMatch(/^\d+\.\d+\.\d+$/);
      expect(await serveOneBlob(system, '/berth', 60_000)).toBe(0);
    } finally {
      system.remove();
    }
  });

  test('the bill of materials is CycloneDX, and names Berth, Bun and every package that Berth is made of', () => {
    const text = z.string().min(1);
    const component = z.looseObject({
      'bom-ref': text,
      type: z.enum(['application', 'framework', 'library']),
      name: text,
      version: text,
      purl: text.startsWith('pkg:npm/'),
    });
    const bill = z
      .looseObject({
        bomFormat: z.literal('CycloneDX'),
        specVersion: z.literal('1.5'),
        serialNumber: z.string().regex(/^urn:uuid:[0-9a-f-]{36}$/),
        version: z.literal(1),
        metadata: z.looseObject({ timestamp: z.iso.datetime(), component }),
        components: z.array(component),
        dependencies: z.array(z.object({ ref: text, dependsOn: z.array(text).optional() })),
      })
      .parse(JSON.parse(readFileSync(join(folder, 'berth.cdx.json'), 'utf8')));
    const { version, dependencies, devDependencies } = z
      .object({ version: text, dependencies: z.record(text, text), devDependencies: z.record(text, text) })
      .parse(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')));
    expect(bill.metadata.component).toMatchObject({ type: 'application', name: 'berth', version });
    const listed = new Map(bill.components.map((one) => [one.name, one]));
    for (const [name, wanted] of Object.entries(dependencies)) {
      expect({ name, version: listed.get(name)?.version }).toEqual({ name, version: wanted });
    }
    expect(listed.get('bun')).toMatchObject({ type: 'framework', version: dependencies.bun });
    for (const name of ['@biomejs/biome', 'playwright-core', 'typescript']) {
      expect(devDependencies).toHaveProperty([name]);
      expect(listed.has(name)).toBe(false);
    }
    const refs = new Set([bill.metadata.component['bom-ref'], ...bill.components.map((one) => one['bom-ref'])]);
    for (const { ref, dependsOn = [] } of bill.dependencies) {
      expect([ref, ...dependsOn].filter((one) => !refs.has(one))).toEqual([]);
    }
  });

  test('a target that is none is named, with those that are', async () => {
    const { code, stderr } = await tryRun([process.execPath, 'scripts/build.ts', '--target', 'amiga'], { cwd: root });
    expect(code).toBe(1);
    expect(stderr).toContain('"amiga" is not one of all, linux-x64, ');
  });
});
