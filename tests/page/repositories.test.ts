// Repositories as a person finds, makes, reads and changes them; tags, their history and the way back; and a README that would like to run.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { canBrowse, PageRig, type Person, type Visit } from './rig.ts';

const SHOP = 'alice/shop';

const HOSTILE_README = [
  '# Shop\n\nIt <b onmouseover="window.pwned=1">sells</b>.',
  '<script>window.pwned = 1</script>',
  '<img src="x" onerror="window.pwned=1">',
  '[click me](javascript:window.pwned=1) and [this](JaVaScRiPt:window.pwned=1) and [that](data:text/html,<script>1</script>)',
  '![a picture](https://tracker.example/pixel.png) [![badge](https://tracker.example/b.svg)](https://example.org/ci)',
  '<javascript:window.pwned=1> <https://example.org/plain>',
  '[to the end](#the-end)\n\n| a | b |\n| --- | ---: |\n| 1 | 2 |\n\n- [x] bought\n- [ ] sold\n\n## The end',
].join('\n\n');

/** `platform` of an index's entry, with its variant. */
const ARM64_V8: Record<string, unknown> = { platform: { os: 'linux', architecture: 'arm64', variant: 'v8' } };

describe.skipIf(!canBrowse)('repositories', () => {
  let rig: PageRig;
  let alice: Person;
  let bob: Person;
  beforeAll(async () => {
    rig = await PageRig.start();
    alice = await rig.join('alice');
    bob = await rig.join('bob');
    await alice.api.organizations.create({ name: 'acme' });
    await alice.pusher.image(SHOP, '1.0');
    await alice.api.repositories.change(SHOP, { description: 'Sells <i>things</i> to people', visibility: 'public' });
    await alice.api.repositories.create({ name: 'alice/empty' });
  }, 60_000);
  afterAll(() => rig?.stop(), 30_000);

  const button = (visit: Visit, name: string) => visit.page.getByRole('button', { name, exact: true });
  const link = (visit: Visit, name: string) => visit.page.getByRole('link', { name, exact: true });
  const dialog = (visit: Visit) => visit.page.getByRole('dialog');
  const tagNames = (visit: Visit) =>
    visit.page.getByRole('table', { name: 'Tags' }).getByRole('row').locator('td:first-child a').allInnerTexts();
  /** Until the page shows it; the page is not loaded anew. */
  const settles = async (look: () => Promise<unknown>, wanted: unknown) => {
    for (let tries = 0; tries < 150 && !Bun.deepEquals(await look(), wanted); tries++) await Bun.sleep(100);
    expect(await look()).toEqual(wanted);
  };

  test('greet a visitor with what is public, a search, and how to get in', async () => {
    const visit = await rig.visit();
    await visit.open('/');
    await link(visit, SHOP).waitFor();
    expect(await visit.page.getByText('alice/empty').count()).toBe(0);
    await visit.page.getByText('Sells <i>things</i> to people').waitFor();
    await visit.page.getByText(`docker login ${rig.host}`).waitFor();
    expect(await visit.audit()).toEqual([]);
    await visit.page.getByRole('searchbox', { name: 'Search repositories' }).fill('things');
    await visit.page.waitForURL('**/repositories?q=things');
    await link(visit, SHOP).waitFor();
    expect(visit.complaints).toEqual([]);
    await visit.close();
  });

  test('are where somebody new begins: the commands of this registry, with its name', async () => {
    const visit = await rig.visit({ as: bob, phone: true });
    await visit.open('/');
    await visit.page.getByRole('heading', { name: 'Getting started' }).waitFor();
    await visit.page.getByText(`docker push ${rig.host}/bob/my-app:1.0`).waitFor();
    await visit.page.getByText('No stack yet').waitFor();
    expect(await visit.sideways()).toBe(0);
    expect(await visit.audit()).toEqual([]);
    await visit.close();
  });

  test('are found as one types, by name and by description, and the address keeps what was typed', async () => {
    const visit = await rig.visit({ as: alice });
    await visit.open('/repositories');
    await link(visit, 'alice/empty').waitFor();
    const search = visit.page.getByRole('searchbox', { name: 'Search repositories' });
    await search.pressSequentially('PEOPLE', { delay: 20 });
    await link(visit, 'alice/empty').waitFor({ state: 'detached' });
    await link(visit, SHOP).waitFor();
    await visit.page.waitForURL('**/repositories?q=PEOPLE');
    await visit.page.reload();
    await link(visit, SHOP).waitFor();
    expect(await search.inputValue()).toBe('PEOPLE');
    await search.fill('nothing has this');
    await visit.page.getByText('Nothing with “nothing has this”').waitFor();
    await button(visit, 'Clear the search').click();
    await link(visit, 'alice/empty').waitFor();
    expect(await visit.audit()).toEqual([]);
    expect(visit.complaints).toEqual([]);
    await visit.close();
  });

  test('are made in a window, which says what is wrong with a name and keeps what was typed', async () => {
    const visit = await rig.visit({ as: alice });
    await visit.open('/repositories');
    await button(visit, 'New repository').click();
    await dialog(visit).getByLabel('Namespace').selectOption('acme');
    await dialog(visit).getByLabel('Name (required)').fill('Not A Name');
    await dialog(visit).getByLabel('Description').fill('What it is for');
    await button(visit, 'Make the repository').click();
    await dialog(visit).getByText('is not lower-case path components').waitFor();
    expect(await visit.audit()).toEqual([]);
    expect(await dialog(visit).getByLabel('Description').inputValue()).toBe('What it is for');
    await dialog(visit).getByLabel('Name (required)').fill('tools/made');
    await button(visit, 'Make the repository').click();
    await visit.page.waitForURL('**/r/acme/tools/made');
    await visit.page.getByText(`docker push ${rig.host}/acme/tools/made:1.0`).waitFor();
    expect(await alice.api.repositories.get('acme/tools/made')).toMatchObject({
      description: 'What it is for',
      visibility: 'private',
    });
    expect(visit.complaints).toEqual([]);
    await visit.close();
  });

  test('that are empty show the commands, and the first push without a reload', async () => {
    const visit = await rig.visit({ as: alice, phone: true, dark: true });
    await visit.open('/r/alice/empty');
    await visit.page.getByText(`docker tag my-app ${rig.host}/alice/empty:1.0`).waitFor();
    expect(await visit.audit()).toEqual([]);
    expect(await visit.sideways()).toBe(0);
    await alice.pusher.image('alice/empty', '0.1');
    await visit.page.getByText(`docker pull ${rig.host}/alice/empty:0.1`).waitFor();
    await visit.close();
  });

  test('have a README that is written here, and nothing that stands in it runs or is loaded', async () => {
    const visit = await rig.visit({ as: alice });
    await visit.open(`/r/${SHOP}`);
    await button(visit, 'Write a README').click();
    await visit.page.getByLabel('Markdown').fill(HOSTILE_README);
    await button(visit, 'Preview').click();
    await visit.page.getByRole('heading', { name: 'The end' }).waitFor();
    await visit.context.route('**/api/v1/repositories/alice/shop', (route) => route.abort('connectionrefused'));
    await button(visit, 'Save').click();
    await visit.page.getByRole('alert').getByText('The server cannot be reached').waitFor();
    await visit.context.unroute('**/api/v1/repositories/alice/shop');
    await button(visit, 'Save').click();
    await button(visit, 'Edit').waitFor();
    expect((await alice.api.repositories.get(SHOP)).readme).toBe(HOSTILE_README);
    const levels = await visit.page.getByRole('heading').evaluateAll((all) => all.map(({ tagName }) => tagName));
    expect(levels.filter((level) => level === 'H1')).toHaveLength(1);
    await visit.page.getByText('<script>window.pwned = 1</script>').waitFor();
    const addresses = await visit.page
      .locator('main a')
      .evaluateAll((all) => all.map((one) => one.getAttribute('href')));
    expect(addresses).toContain('https://tracker.example/pixel.png');
    expect(addresses).toContain('#readme-the-end');
    expect(addresses.filter((address) => !/^(https?:|[/#])/.test(address ?? ''))).toEqual([]);
    expect(await visit.page.locator('main img').count()).toBe(0);
    await visit.page.getByText('click me').click();
    expect(await visit.hacked()).toBe(false);
    expect(visit.complaints).toEqual([]);
    for (const dark of [false, true]) {
      await visit.page.emulateMedia({ colorScheme: dark ? 'dark' : 'light' });
      await visit.open(`/r/${SHOP}`);
      await visit.page.getByRole('heading', { name: 'The end' }).waitFor();
      expect(await visit.audit()).toEqual([]);
    }
    await visit.close();
  });

  test('have a README that somebody else changed meanwhile only overwritten when one has seen it', async () => {
    const visit = await rig.visit({ as: alice });
    await visit.open(`/r/${SHOP}`);
    await button(visit, 'Edit').click();
    await visit.page.getByLabel('Markdown').fill('mine');
    await alice.api.repositories.change(SHOP, { readme: 'theirs' });
    await button(visit, 'Save').click();
    await visit.page.getByText('Somebody else changed it meanwhile').waitFor();
    await visit.page.getByText('theirs', { exact: true }).waitFor();
    expect((await alice.api.repositories.get(SHOP)).readme).toBe('theirs');
    await button(visit, 'Save mine in its place').click();
    await button(visit, 'Edit').waitFor();
    expect((await alice.api.repositories.get(SHOP)).readme).toBe('mine');
    await visit.close();
  });

  test('have a README that is as large and as nested as can be, and stay usable', async () => {
    const visit = await rig.visit();
    for (const [readme, shown] of [
      [`${'>'.repeat(100_000)} deep`, 'It would take too long to lay this README out'],
      ['A paragraph of *some* words.\n\n'.repeat(8_500), 'The rest is too long to be laid out'],
    ] as const) {
      await alice.api.repositories.change(SHOP, { readme });
      await visit.open(`/r/${SHOP}`);
      await visit.page.getByText(shown).waitFor();
      await link(visit, 'Tags (1)').click();
      await visit.page.getByRole('table', { name: 'Tags' }).waitFor();
    }
    expect(visit.complaints).toEqual([]);
    await alice.api.repositories.change(SHOP, { readme: '' });
    await visit.close();
  });

  test('show a push within seconds, and tags filtered and ordered as one asks', async () => {
    const visit = await rig.visit({ as: alice });
    await visit.open(`/r/${SHOP}/-/tags`);
    await settles(() => tagNames(visit), ['1.0']);
    const arm = await alice.pusher.image(SHOP, undefined, { architecture: 'arm64' });
    const amd = await alice.pusher.image(SHOP, undefined);
    await alice.pusher.index(SHOP, '2.0', [
      { ...arm, ...ARM64_V8 },
      { ...amd, platform: { os: 'linux', architecture: 'amd64' } },
    ]);
    await settles(() => tagNames(visit), ['2.0', '1.0']);
    await visit.page.getByText('linux/arm64/v8, linux/amd64').waitFor();
    await link(visit, 'Tags (2)').waitFor();
    await visit.page.getByLabel('Order').selectOption('A to Z');
    await settles(() => tagNames(visit), ['1.0', '2.0']);
    const filter = visit.page.getByRole('searchbox', { name: 'Filter tags' });
    await filter.pressSequentially('2.', { delay: 20 });
    await settles(() => tagNames(visit), ['2.0']);
    expect(await visit.audit()).toEqual([]);
    await filter.fill('no such');
    await visit.page.getByText('No tag has “no such” in its name').waitFor();
    await button(visit, 'Clear the filter').last().click();
    await settles(() => tagNames(visit), ['1.0', '2.0']);
    expect(visit.complaints).toEqual([]);
    await visit.close();
  });

  test('have tags that are compared, followed into their history, and deleted, from their menu', async () => {
    await alice.pusher.image(SHOP, 'old');
    const visit = await rig.visit({ as: alice });
    await visit.open(`/r/${SHOP}/-/tags`);
    await button(visit, 'More about old').click();
    await visit.page.getByRole('menuitem', { name: 'Compare with another tag…' }).click();
    await dialog(visit).getByRole('searchbox').fill('1.');
    await dialog(visit).getByRole('link', { name: '2.0' }).waitFor({ state: 'detached' });
    await dialog(visit).getByRole('link', { name: '1.0' }).click();
    await visit.page.waitForURL(`**/r/${SHOP}/-/compare/1.0/old`);
    await visit.open(`/r/${SHOP}/-/tags`);
    await button(visit, 'More about old').click();
    await visit.page.getByRole('menuitem', { name: 'History' }).click();
    await visit.page.waitForURL(`**/r/${SHOP}/-/tags/old`);
    await link(visit, 'All tags').click();
    await button(visit, 'More about old').click();
    await visit.page.getByRole('menuitem', { name: 'Delete…' }).click();
    await dialog(visit).getByText('The name goes').waitFor();
    expect(await visit.audit()).toEqual([]);
    await button(visit, 'Delete the tag').click();
    await link(visit, 'old').waitFor({ state: 'detached' });
    expect((await alice.api.tags.page(SHOP, { q: 'old' })).tags).toEqual([]);
    expect(visit.complaints).toEqual([]);
    await visit.close();
  });

  test('tell what a tag was, and point it back: to any entry, or before its last change, also after it was deleted', async () => {
    const first = await alice.pusher.image('alice/back', 'live');
    const second = await alice.pusher.image('alice/back', 'live');
    const third = await alice.pusher.image('alice/back', 'live');
    const now = async () => (await alice.api.tags.get('alice/back', 'live')).digest;
    const visit = await rig.visit({ as: alice });
    await visit.open('/r/alice/back/-/tags/live');
    const entries = visit.page.getByRole('list', { name: 'Changes, newest first' }).getByRole('listitem');
    await settles(() => entries.count(), 3);
    await entries.first().getByText('by alice').waitFor();
    await entries.first().getByText('from 127.0.0.1').waitFor();
    await button(visit, 'Undo the last change').click();
    await dialog(visit).getByText(third.digest).waitFor();
    await dialog(visit).getByText(second.digest).waitFor();
    expect(await visit.audit()).toEqual([]);
    await button(visit, 'Point the tag here').last().click();
    await visit.page.getByText(`The tag points at ${second.digest.slice(0, 19)} now.`).waitFor();
    expect(await now()).toBe(second.digest);
    await settles(() => entries.count(), 4);
    await entries.last().getByRole('button', { name: 'Point the tag here' }).click();
    await dialog(visit).getByText(first.digest).waitFor();
    // Somebody else is quicker: nothing is done that was not shown.
    const fourth = await alice.pusher.image('alice/back', 'live');
    await dialog(visit).getByText('The tag was changed meanwhile').waitFor();
    await dialog(visit).getByRole('button', { name: 'Point the tag here' }).click();
    await dialog(visit).waitFor({ state: 'detached' });
    expect(await now()).toBe(fourth.digest);
    await alice.api.tags.delete('alice/back', 'live');
    await visit.page.getByText('This tag is deleted.').waitFor();
    await button(visit, 'Undo the last change').click();
    await dialog(visit).getByText(fourth.digest).waitFor();
    await dialog(visit).getByRole('button', { name: 'Point the tag here' }).click();
    await dialog(visit).waitFor({ state: 'detached' });
    expect(await now()).toBe(fourth.digest);
    expect(visit.complaints).toEqual([]);
    await visit.close();
    const reader = await rig.visit({ as: bob, phone: true, dark: true });
    await alice.api.grants.set({ repository: 'alice/back' }, { user: 'bob' }, 'read');
    await reader.open('/r/alice/back/-/tags/live');
    await reader.page.getByText('Pushed').first().waitFor();
    expect(await reader.page.getByRole('button', { name: /Undo|Point/ }).count()).toBe(0);
    expect(await reader.sideways()).toBe(0);
    expect(await reader.audit()).toEqual([]);
    await reader.close();
  });

  test('have settings: who may see it, which tags never move, who has a role', async () => {
    await alice.pusher.image('alice/set', 'v1');
    const visit = await rig.visit({ as: alice });
    await visit.open('/r/alice/set');
    await link(visit, 'Settings').click();
    await visit.page.getByLabel('Visibility').selectOption('Public: everyone may pull');
    await visit.page.getByText('Everyone who reaches this registry will be able to pull').waitFor();
    await visit.page.getByLabel('Description').fill('Set up');
    await button(visit, 'Save').first().click();
    await visit.page.getByText('Saved.').waitFor();
    expect(await alice.api.repositories.get('alice/set')).toMatchObject({
      visibility: 'public',
      description: 'Set up',
    });
    const patterns = visit.page.getByLabel('Patterns, one a line');
    await patterns.fill('v*\nü');
    await visit.page.getByText('“ü” is no pattern').waitFor();
    expect(await button(visit, 'Save').last().isDisabled()).toBe(true);
    await patterns.fill('v*');
    await button(visit, 'Save').last().click();
    await visit.page.getByText('Saved.').nth(1).waitFor();
    expect(await alice.api.tags.immutable('alice/set')).toEqual(['v*']);
    await visit.page.getByLabel('Username').fill('nobody-there');
    await button(visit, 'Give the role').click();
    await visit.page.getByText(/nobody-there/).waitFor();
    await visit.page.getByLabel('Username').fill('bob');
    await visit.page.getByLabel('Role', { exact: true }).selectOption('write');
    await button(visit, 'Give the role').click();
    await visit.page.getByText('bob has the role now.').waitFor();
    await visit.page.getByLabel('Role: bob').selectOption('admin');
    await settles(async () => {
      for await (const grant of alice.api.grants.list({ repository: 'alice/set' })) return grant.role;
    }, 'admin');
    expect(await visit.audit()).toEqual([]);
    await button(visit, 'Take away bob').click();
    await dialog(visit).getByRole('button', { name: 'Take away' }).click();
    await visit.page.getByText('Nobody was given a role in this repository alone.').waitFor();
    await link(visit, 'Tags (1)').click();
    await visit.page.getByText('immutable').waitFor();
    await button(visit, 'More about v1').click();
    await visit.page.getByRole('menuitem', { name: 'History' }).waitFor();
    expect(await visit.page.getByRole('menuitem', { name: 'Delete…' }).count()).toBe(0);
    expect(visit.complaints).toEqual([]);
    await visit.close();
  });

  test('are renamed, keep their former names until they are given free, and are deleted by typing their name', async () => {
    const pushed = await alice.pusher.image('alice/before', '1');
    const visit = await rig.visit({ as: alice, phone: true });
    await visit.open('/r/alice/before/-/settings');
    await visit.page.getByLabel('New full name').fill('acme/after');
    await button(visit, 'Rename').click();
    await dialog(visit).getByText('It will belong to acme').waitFor();
    await dialog(visit).getByRole('button', { name: 'Rename' }).click();
    await visit.page.waitForURL('**/r/acme/after/-/settings');
    await button(visit, 'Give free alice/before').click();
    await dialog(visit).getByRole('button', { name: 'Give free' }).click();
    await visit.page.getByText('It never had another name.').waitFor();
    expect(await visit.sideways()).toBe(0);
    expect(await visit.audit()).toEqual([]);
    await alice.api.stacks.create('acme', {
      name: 'uses',
      file: `services:\n  app:\n    image: ${rig.host}/acme/after:1\n`,
    });
    await button(visit, 'Delete this repository').click();
    await dialog(visit).getByText('1 manifest').waitFor();
    const remove = dialog(visit).getByRole('button', { name: 'Delete this repository' });
    expect(await remove.isDisabled()).toBe(true);
    await dialog(visit).getByLabel('Type acme/after to confirm').fill('acme/after');
    await remove.click();
    await link(visit, SHOP).waitFor();
    expect(await visit.page.getByText('acme/after').count()).toBe(0);
    const gone = await fetch(`${rig.url}/v2/acme/after/manifests/${pushed.digest}`, {
      headers: { Authorization: alice.pusher.authorization },
    });
    expect(gone.status).toBe(404);
    expect(visit.complaints).toEqual([]);
    await visit.close();
  });

  test('speak Korean', async () => {
    const visit = await rig.visit({ as: alice, language: 'ko' });
    for (const [path, text] of [
      ['/', '최근 저장소'],
      ['/repositories', '새 저장소'],
      [`/r/${SHOP}/-/tags`, '마지막 풀'],
      [`/r/${SHOP}/-/tags/1.0`, '변경 기록 (최신순)'],
      [`/r/${SHOP}/-/settings`, '변경 불가 태그'],
    ] as const) {
      await visit.open(path);
      await visit.page.getByText(text).first().waitFor();
    }
    expect(await visit.audit()).toEqual([]);
    await visit.close();
  });

  test('say so where there is nothing that one may see', async () => {
    const visit = await rig.visit({ as: bob });
    await visit.open('/r/alice/none-of-that');
    await visit.page.getByText('There is no such thing here.').waitFor();
    await visit.open(`/r/${SHOP}/-/nowhere/at`);
    await visit.page.getByText('Nothing is at this address').first().waitFor();
    await visit.close();
  });
});
