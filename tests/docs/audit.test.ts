// The page of the audit log has a row for each action, and none for another.
import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { AUDIT_ACTIONS } from '../../src/accounts/audit.ts';

const page = readFileSync(new URL('../../docs/reference/audit.md', import.meta.url), 'utf8');

test('docs/reference/audit.md has exactly the actions that are written', () => {
  const rows = [...page.matchAll(/^\| `([a-z-]+\.[a-z-]+)`/gm)].map((match) => match[1] ?? '');
  expect(rows.toSorted()).toEqual([...AUDIT_ACTIONS].sort());
});

test('docs/reference/audit.md says of each action when it is written', () => {
  const silent = page.match(/^\| `[a-z-]+\.[a-z-]+` +\| +\|.*$/gm) ?? [];
  expect(silent).toEqual([]);
});
