// What is in a release, as CycloneDX: `bun scripts/sbom.ts [FILE]`. npm reads package-lock.json; Bun, which the binary is made of, is one of its packages.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { runProgram } from './run-program.ts';

const component = z.looseObject({
  'bom-ref': z.string(),
  type: z.string(),
  name: z.string(),
  version: z.string(),
  properties: z.array(z.object({ name: z.string(), value: z.string() })).default([]),
});
const bill = z.looseObject({
  bomFormat: z.literal('CycloneDX'),
  metadata: z.looseObject({ component }),
  components: z.array(component),
  dependencies: z.array(z.looseObject({ ref: z.string(), dependsOn: z.array(z.string()).optional() })),
});

/** @throws when npm can not say it */
export function writeBill(root: string, file: string): void {
  const args = ['sbom', '--sbom-format', 'cyclonedx', '--sbom-type', 'application', '--package-lock-only'];
  const read = bill.parse(JSON.parse(runProgram(['npm', ...args], root)));
  const { name, version } = z
    .object({ name: z.string(), version: z.string() })
    .parse(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')));
  const bun = read.components.find((one) => one.name === 'bun');
  if (bun === undefined) throw new Error('npm sbom: bun is not among the components');
  // npm calls the package after the folder that it is in, and takes the program for a library.
  const main = { ...read.metadata.component, name, version, type: 'application' };
  const runtime = { ...bun, type: 'framework', description: 'JavaScript runtime that the binary is made of' };
  // `npm sbom --omit dev` leaves out what packages for development need too.
  const left = read.components.filter((one) => !isForDevelopment(one));
  const components = left.map((one) => (one === bun ? runtime : one));
  const refs = new Set([main['bom-ref'], ...left.map((one) => one['bom-ref'])]);
  const dependencies = read.dependencies
    .filter(({ ref }) => refs.has(ref))
    .map((one) => ({ ...one, dependsOn: one.dependsOn?.filter((ref) => refs.has(ref)) ?? [] }));
  mkdirSync(dirname(file), { recursive: true });
  const written = { ...read, metadata: { ...read.metadata, component: main }, components, dependencies };
  writeFileSync(file, `${JSON.stringify(written, null, 2)}\n`);
}

function isForDevelopment({ properties }: z.infer<typeof component>): boolean {
  return properties.some(({ name, value }) => name === 'cdx:npm:package:development' && value === 'true');
}

if (import.meta.main) {
  const root = resolve(import.meta.dir, '..');
  const file = resolve(root, process.argv[2] ?? 'dist/berth.cdx.json');
  writeBill(root, file);
  console.log(file);
}
