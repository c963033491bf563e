// `berth retention`, and what it removes brought back by `berth tag rollback`.
import { beforeAll, expect, test } from 'bun:test';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { retentionInfo, retentionPreview, retentionRemoval, retentionTag } from '../../src/api/retention.ts';
import { digestOf, mediaTypes } from '../support/registry.ts';
import { type Person, serveAccounts } from './person.ts';

const place = serveAccounts();
let alice: Person;

beforeAll(async () => {
  alice = place.person();
  await alice.logIn();
  await alice.run('repository create alice/app');
  for (const tag of ['ci-1', 'ci-2', 'ci-3', 'v1', 'main']) await push('alice/app', tag);
}, 60_000);

/** An index of nothing: a manifest that needs no blobs. */
async function push(repository: string, tag: string): Promise<void> {
  const body = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: [],
    annotations: { tag, digest: digestOf(tag) },
  });
  const { name, password } = { name: 'alice', password: 'correct horse battery' };
  const { status } = await fetch(`${place.server.url}/v2/${repository}/manifests/${tag}`, {
    method: 'PUT',
    headers: { 'Content-Type': mediaTypes.ociIndex, Authorization: `Basic ${btoa(`${name}:${password}`)}` },
    body,
  });
  if (status !== 201) throw new Error(`push of ${tag}: ${status}`);
}

const tags = async () => ((await alice.json('tag list alice/app')) as { name: string }[]).map(({ name }) => name);
const info = async (line: string) => retentionInfo.parse(await alice.json(line));

test('a policy of one rule is set by flags, shown and removed', async () => {
  expect((await info('retention show alice/app')).holds).toBeNull();
  const flags = '--match ci-* --match pr-* --keep-last 1 --pulled-within 30d --untagged 7d';
  const set = await alice.run(`retention set alice/app ${flags}`);
  expect(set).toMatch(/^policy, set .* by alice\n/);
  expect(set).toContain('rule 1: of ci-* pr-* keep the last 1, or used within 30d');
  expect(set).toContain('what no tag names any more: for 7d');
  expect((await info('retention show alice/app')).own).toEqual({
    rules: [{ match: ['ci-*', 'pr-*'], keepLast: 1, pulledWithin: '30d' }],
    untagged: { after: '7d' },
  });
  expect(await alice.run('retention remove alice/app')).toBe('removed the retention policy of alice/app\n');
  expect(await alice.refused(1, 'retention remove alice/app')).toContain('no retention policy of its own');
});

test('a policy of several rules comes from a file, for a namespace or the instance', async () => {
  const file = join(alice.home, 'policy.yaml');
  writeFileSync(file, 'rules:\n  - match: ["ci-*"]\n    keepLast: 2\n  - match: ["v*"]\n    always: true\n');
  await alice.run(`retention set alice --file ${file}`);
  await alice.run('retention set --match * --pushed-within 52w');
  expect(await info('retention show alice/app')).toMatchObject({ own: null, from: 'namespace' });
  expect(await alice.run('retention show alice/app')).toContain('policy, of the namespace, set');
  await alice.run('retention remove alice');
  expect(await info('retention show alice/app')).toMatchObject({ own: null, from: 'instance' });
  await alice.run('retention remove');
  writeFileSync(file, 'rules:\n  - match: ["ci-*"]\n');
  expect(await alice.refused(2, `retention set alice --file ${file}`)).toContain('rules.0: keeps nothing');
});

test('what would go is said with its reason; then it goes, is logged, and can be brought back', async () => {
  const flags = '--match ci-* --keep-last 1';
  const previewed = await alice.run(`retention preview alice/app ${flags}`);
  expect(previewed).toContain('removed: rule 1 is about ci-*: not among the last 1');
  expect(previewed).not.toContain('main');
  await alice.run(`retention set alice/app ${flags}`);
  const all = (await alice.json('retention preview alice/app --all')) as { counts: unknown; tags: unknown };
  expect(retentionPreview.shape.counts.parse(all.counts)).toMatchObject({ tags: 5, removed: 2 });
  expect(retentionTag.array().parse(all.tags)).toHaveLength(5);
  expect(await alice.run('retention apply alice/app --dry-run')).toBe(previewed);
  expect(await tags()).toHaveLength(5);
  expect(await alice.run('retention apply alice/app')).toStartWith('removed 2 tag(s)');
  expect(await tags()).toEqual(['ci-3', 'main', 'v1']);
  const log = retentionRemoval.array().parse(await alice.json('retention log alice/app'));
  expect(log.map(({ tag }) => tag).toSorted()).toEqual(['ci-1', 'ci-2']);
  expect(await alice.run('tag history alice/app:ci-1')).toContain('retention');
  await alice.run('tag rollback alice/app:ci-1');
  expect(await tags()).toContain('ci-1');
});

test('what can not be used is refused, naming the flag', async () => {
  await alice.refusesAll(2, {
    'retention set alice/app': 'give a policy',
    'retention set alice/app --match v*': '--match: say what to keep',
    'retention set alice/app --keep-last 3': '--match: say which tags',
    'retention set alice/app --match v* --keep-last none': '--keep-last: "none"',
    'retention set alice/app --match v* --pushed-within 30': '--pushed-within: "30"',
    'retention set alice/app --file /nowhere --always': '--file: holds the whole policy',
    'retention set alice/app --file /nowhere': "/nowhere can't be read",
    'retention show Alice': 'PLACE: "Alice"',
  });
  expect(await alice.refused(1, 'retention preview alice/none')).toContain('alice/none');
  await alice.run('repository create alice/other');
  expect(await alice.refused(1, 'retention apply alice/other')).toContain('no retention policy holds');
});
