import { describe, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import {
  importDirections,
  noCycles,
  noSwitchedOffChecks,
  ownTrade,
  plainNames,
  type Rule,
  shortFiles,
} from './rules.ts';
import { importsOf, isTestCode, readSources } from './sources.ts';

const root = resolve(import.meta.dir, '../..');
const sources = readSources(resolve(root, 'src'));

/** Each rule with sources that break it, and what it must say of them; an example with no fault must pass. */
const RULES: { name: string; rule: Rule; examples: { files: Record<string, string>; faults: RegExp[] }[] }[] = [
  {
    name: 'imports go one way',
    rule: importDirections,
    examples: [
      { files: { 'oci/digest.ts': "import { z } from 'zod';\nimport { a } from './errors.ts';" }, faults: [] },
      { files: { 'oci/digest.ts': "import { log } from '../log.ts';" }, faults: [/nothing of ours/] },
      {
        files: { 'registry/tags.ts': "import type { App } from '../http/app.ts';" },
        faults: [/registry\/tags.ts imports http/],
      },
      {
        files: { 'registry/tags.ts': "import {\n  open,\n  close,\n} from '../database/sqlite.ts';" },
        faults: [/driver/],
      },
      { files: { 'registry/tags.ts': "export * from '../storage/filesystem/layout.ts';" }, faults: [/driver/] },
      { files: { 'registry/tags.ts': "import '../server.ts';" }, faults: [/server.ts/] },
      { files: { 'registry/tags.ts': "type A = import('../config/load.ts').Settings;" }, faults: [/config/] },
      { files: { 'cli/gc.ts': "const pg = await import('../database/postgres.ts');" }, faults: [/driver/] },
      { files: { 'server.ts': "const pg = await import('./database/postgres.ts');" }, faults: [] },
      { files: { 'database/migrate.ts': "import { Sqlite } from './sqlite.ts';" }, faults: [/driver/] },
      { files: { 'storage/filesystem/store.ts': "import { layout } from './layout.ts';" }, faults: [] },
      { files: { 'storage/blob-store.ts': "import { db } from '../database/database.ts';" }, faults: [/storage may/] },
      {
        files: { 'http/app.ts': "import { sql } from 'kysely';\nimport 'node:fs/promises';" },
        faults: [/kysely/, /node:fs/],
      },
      { files: { 'http/app.ts': "import { schema } from '../database/schema.ts';" }, faults: [/http may/] },
      { files: { 'registry/blobs.ts': "import { Hono } from 'hono';" }, faults: [/hono/] },
      { files: { 'client/api.ts': "import { putManifest } from '../registry/manifests.ts';" }, faults: [/client may/] },
      { files: { 'registry/blobs.ts': "import { pushBlob } from './testing.ts';" }, faults: [/for tests/] },
      {
        files: { 'registry/blobs.ts': "import { run } from '../../tests/support/tools.ts';" },
        faults: [/registry may/],
      },
      { files: { 'registry/blobs.test.ts': "import { run } from '../server.ts';" }, faults: [] },
      { files: { 'room/new.ts': "import { a } from '../oci/digest.ts';" }, faults: [/no line in MAY_IMPORT/] },
      { files: { 'oci/digest.ts': "// import { log } from '../log.ts';\n/* import '../log.ts' */" }, faults: [] },
    ],
  },
  {
    name: 'no file imports itself by way of others',
    rule: noCycles,
    examples: [
      { files: { 'a.ts': "import './b.ts';", 'b.ts': "import './c.ts';", 'c.ts': '' }, faults: [] },
      {
        files: { 'a.ts': "import './b.ts';", 'b.ts': "import type { A } from './a.ts';" },
        faults: [/a.ts → b.ts → a.ts/],
      },
      {
        files: {
          'a.ts': "import './d.ts';\nimport './b.ts';",
          'b.ts': "import './c.ts';",
          'c.ts': "import './b.ts';",
          'd.ts': '',
        },
        faults: [/b.ts → c.ts → b.ts/],
      },
      { files: { 'a.ts': "import type { B } from './a.ts';" }, faults: [/a.ts → a.ts/] },
    ],
  },
  {
    name: 'no file is longer than 400 lines',
    rule: shortFiles,
    examples: [
      { files: { 'a.ts': 'x\n'.repeat(400) }, faults: [] },
      { files: { 'a.ts': 'x\n'.repeat(401) }, faults: [/401 lines/] },
      { files: { 'a.test.ts': `${'x\n'.repeat(400)}x` }, faults: [/401 lines/] },
    ],
  },
  {
    name: 'names are kebab-case and say what is in the file',
    rule: plainNames,
    examples: [
      { files: { 'http/v2/public-address.test.ts': '', 'migrations/0001-registry.ts': '' }, faults: [] },
      {
        files: { 'http/publicAddress.ts': '', 'Http/a.ts': '', 'a_b.ts': '' },
        faults: [/publicAddress/, /Http/, /a_b/],
      },
      { files: { 'utils/a.ts': '', 'helpers.ts': '', 'http/common/a.ts': '' }, faults: [/utils/, /helpers/, /common/] },
    ],
  },
  {
    name: 'the registry and the accounts know no HTTP, and HTTP knows no files',
    rule: ownTrade,
    examples: [
      { files: { 'registry/a.ts': 'function answer(): Response {}' }, faults: [/Response/] },
      { files: { 'accounts/a.ts': 'const h = new Headers();' }, faults: [/Headers/] },
      { files: { 'registry/a.ts': "// the Request\nconst a = 'Response';\nconst b = /Headers/;" }, faults: [] },
      { files: { 'registry/a.ts': 'const a = `$' + '{new Response()}`;' }, faults: [/Response/] },
      { files: { 'http/a.ts': 'const a = new Response(Bun.file(path));' }, faults: [/Bun.file/] },
    ],
  },
  {
    name: 'no check is switched off in a file',
    rule: noSwitchedOffChecks,
    examples: [
      { files: { 'a.ts': '// @ts-expect-error: later' }, faults: [/@ts-expect-error/] },
      { files: { 'a.ts': '// biome-ignore lint/suspicious/noExplicitAny: later' }, faults: [/noExplicitAny/] },
      { files: { 'a.ts': '// biome-ignore lint/correctness/useYield: the interface asks for it' }, faults: [] },
    ],
  },
];

for (const { name, rule, examples } of RULES) {
  describe(name, () => {
    test('in src', () => {
      expect(sources.size).toBeGreaterThan(50);
      expect(rule(sources)).toEqual([]);
    });

    test('and the check sees when it is not so', () => {
      expect(examples.some((example) => example.faults.length > 0)).toBe(true);
      for (const { files, faults } of examples) {
        const found = rule(new Map(Object.entries(files)));
        expect(found, JSON.stringify(files)).toHaveLength(faults.length);
        for (const [index, fault] of faults.entries()) expect(found[index]).toMatch(fault);
      }
    });
  });
}

describe('the reader of imports', () => {
  test('misses nothing that Bun’s own parser finds', () => {
    const transpiler = new Bun.Transpiler({ loader: 'ts' });
    let compared = 0;
    for (const [path, source] of sources) {
      if (!path.endsWith('.ts')) continue;
      const ours = new Set(importsOf(path, source).map((found) => found.specifier));
      for (const { path: specifier } of transpiler.scanImports(source.replace(/^#!.*/, ''))) {
        expect(ours, path).toContain(specifier);
        compared++;
      }
    }
    expect(compared).toBeGreaterThan(200);
  });

  test('finds a file for every relative import', () => {
    const missing = [...sources].flatMap(([path, source]) =>
      path.endsWith('.ts') && !isTestCode(path)
        ? importsOf(path, source).flatMap(({ path: target }) =>
            target === undefined || target === '../package.json' || sources.has(target) ? [] : [`${path}: ${target}`],
          )
        : [],
    );
    expect(missing).toEqual([]);
  });

  test('refuses an import whose target is computed', () => {
    expect(() => importsOf('a.ts', 'await import(name)')).toThrow(/not a plain string/);
  });
});

describe('the linter', () => {
  const ANY = 'export function read(value: any): void {\n  value.close();\n}\n';
  const ASSERTION = 'export const first = (list: string[]) => list[0]!.length;\n';
  const FLOATING = 'export const save = async () => {};\nexport const stop = () => {\n  save();\n};\n';
  const CLEAN = "export const first = (list: string[]) => list[0] ?? '';\n";

  test.each([
    ['any', 'src/oci/example.ts', ANY, 'noExplicitAny'],
    ['any in a test', 'src/oci/example.test.ts', ANY, 'noExplicitAny'],
    ['a non-null assertion', 'src/oci/example.ts', ASSERTION, 'noNonNullAssertion'],
    ['a promise that nobody waits for', 'src/oci/example.ts', FLOATING, 'noFloatingPromises'],
  ])('with our configuration refuses %s', (_, path, code, rule) => {
    const { code: exitCode, said } = lint(path, code);
    expect(said).toContain(rule);
    expect(exitCode).toBe(1);
  });

  test('takes a file without them, and a non-null assertion in a test', () => {
    for (const [path, code] of [
      ['src/oci/example.ts', CLEAN] as const,
      ['src/oci/example.test.ts', ASSERTION] as const,
    ]) {
      expect(lint(path, code)).toMatchObject({ code: 0 });
    }
  });

  function lint(path: string, code: string): { code: number; said: string } {
    const folder = mkdtempSync(join(tmpdir(), 'berth-lint-'));
    try {
      const configuration = JSON.parse(readFileSync(join(root, 'biome.json'), 'utf8'));
      writeFileSync(join(folder, 'biome.json'), JSON.stringify({ ...configuration, vcs: undefined }));
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), code);
      const { exitCode, stdout, stderr } = Bun.spawnSync([join(root, 'node_modules/.bin/biome'), 'lint', '.'], {
        cwd: folder,
      });
      return { code: exitCode, said: `${stdout}${stderr}` };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
});
