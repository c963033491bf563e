import { expect, test } from 'bun:test';
import { readdirSync, readFileSync } from 'node:fs';
import { requirements } from './requirements.ts';

test('every requirement of the table has a test', () => {
  const tested = new Set<string>();
  for (const file of readdirSync(import.meta.dir).filter((name) => name.endsWith('.test.ts'))) {
    const source = readFileSync(`${import.meta.dir}/${file}`, 'utf8');
    for (const match of source.matchAll(/\bspec\(\s*'([a-z0-9-]+)'/g)) tested.add(match[1] ?? '');
  }
  expect([...tested].sort()).toEqual(Object.keys(requirements).sort());
});
