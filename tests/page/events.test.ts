// Events: who may read a place sees what happens there, newest first, by kind, and while it happens.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { EVENT_KINDS, WANTED_KINDS } from '../../src/events/kinds.ts';
import { ASKED_KINDS, GROUPS, KINDS } from '../../src/web/events/kinds.ts';
import { canBrowse, PageRig, type Person } from './rig.ts';

test('the page has words for every kind of event, and groups them as the server does', () => {
  const asked = Object.entries(EVENT_KINDS).flatMap(([kind, about]) => (about.asked ? [kind] : []));
  expect(new Set<string>(KINDS)).toEqual(new Set(Object.keys(EVENT_KINDS)));
  expect(new Set<string>(ASKED_KINDS)).toEqual(new Set(asked));
  expect(new Set(GROUPS.map((group) => `${group}.*`))).toEqual(
    new Set(WANTED_KINDS.filter((kind) => kind.endsWith('.*'))),
  );
});

describe.skipIf(!canBrowse)('events', () => {
  let rig: PageRig;
  let alice: Person;
  beforeAll(async () => {
    rig = await PageRig.start();
    alice = await rig.join('alice');
    for (const tag of ['1.0', '1.1']) await alice.pusher.image('alice/app', tag);
    await rig.chief.pusher.image('chief/secret', '1.0');
  }, 60_000);
  afterAll(() => rig?.stop(), 30_000);

  test('a repository shows its own, newest first, and the next one by itself', async () => {
    const visit = await rig.visit({ as: alice });
    const { page } = visit;
    await visit.open('/r/alice/app');
    await page.getByRole('link', { name: 'Events' }).click();
    const rows = page.getByRole('table', { name: 'Events' }).getByRole('row');
    await rows.filter({ hasText: 'Repository made' }).waitFor();
    expect(await rows.nth(1).textContent()).toContain('alice/app:1.1');
    expect(await rows.nth(2).textContent()).toContain('alice/app:1.0');
    await alice.pusher.image('alice/app', '1.2');
    await rows.filter({ hasText: 'alice/app:1.2' }).waitFor();
    expect(await rows.nth(1).textContent()).toContain('Tag pushed');
    expect(await visit.audit()).toEqual([]);

    await page.getByLabel('Follow').uncheck();
    await alice.api.tags.delete('alice/app', '1.2');
    await page.getByLabel('Follow').check();
    await page.getByLabel('Show').selectOption('tag.delete');
    await rows.filter({ hasText: 'Tag deleted' }).waitFor();
    await rows.filter({ hasText: 'Tag pushed' }).first().waitFor({ state: 'detached' });
    await rows.nth(1).getByText('Details').last().click();
    await rows.nth(1).getByText('"tag.delete"').waitFor();
    await page.getByLabel('Show').selectOption('deployment.*');
    await page.getByText('There is no such event').waitFor();
    await page.getByLabel('Show').selectOption('tag.*');
    await rows.nth(1).getByRole('link', { name: 'alice/app:1.2' }).click();
    await page.getByRole('heading', { level: 1, name: /1\.2/ }).waitFor();
    expect(visit.complaints).toEqual([]);
    await visit.close();
  }, 90_000);

  test('nobody sees what happens where they may not read, on a phone in the dark; administrators see all', async () => {
    const visit = await rig.visit({ as: alice, phone: true, dark: true });
    await visit.open('/o/alice/events');
    const rows = visit.page.getByRole('table', { name: 'Events' }).getByRole('row');
    await rows.filter({ hasText: 'alice/app:1.0' }).first().waitFor();
    expect(await visit.page.content()).not.toContain('chief/secret');
    expect(await visit.audit()).toEqual([]);
    expect(await visit.sideways()).toBe(0);
    expect(visit.complaints).toEqual([]);
    await visit.close();

    const chief = await rig.visit({ as: rig.chief, phone: true, dark: true });
    await chief.open('/admin/events');
    const all = chief.page.getByRole('table', { name: 'Events' }).getByRole('row');
    await all.filter({ hasText: 'chief/secret:1.0' }).first().waitFor();
    await all.filter({ hasText: 'alice/app:1.0' }).first().waitFor();
    expect(await chief.audit()).toEqual([]);
    expect(await chief.sideways()).toBe(0);
    await chief.close();
  }, 90_000);
});
