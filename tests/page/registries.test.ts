// Other registries: a second, real one is named, tried, cached and mirrored with the page's forms alone.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import type { Locator, Page } from 'playwright-core';
import { ManagementClient } from '../../src/client/management.ts';
import { type RunningBerth, startBerth } from '../support/berth.ts';
import { eventually } from '../support/processes.ts';
import { Pusher } from './pusher.ts';
import { canBrowse, PASSWORD, PageRig, setupSecret } from './rig.ts';

const OWNER = { username: 'owner', password: PASSWORD };

/** Chooses from the menu of a row. */
const menuOf = (page: Page, button: Locator) => async (name: string) => {
  await button.click();
  await page.getByRole('menuitem', { name }).click();
};

describe.skipIf(!canBrowse)('other registries', () => {
  let rig: PageRig;
  let other: RunningBerth;
  let pusher: Pusher;
  beforeAll(async () => {
    [rig, other] = await Promise.all([
      PageRig.start(),
      startBerth({ args: ['--workers', '1', '--anonymous', 'none'] }),
    ]);
    const theirs = new ManagementClient(other.url);
    await theirs.instance.setUp({ secret: setupSecret(other), ...OWNER });
    pusher = new Pusher(other.url, `Basic ${btoa(`${OWNER.username}:${OWNER.password}`)}`);
    await pusher.image('owner/app', '1.0');
  }, 60_000);
  afterAll(async () => {
    await rig?.stop();
    await other?.stop();
  }, 60_000);

  test('are named with a log-in, tried, changed and deleted', async () => {
    const { api } = rig.chief;
    const visit = await rig.visit({ as: rig.chief });
    const { page } = visit;
    await visit.open('/admin/registries');
    await page.getByText('No other registry is known here').waitFor();
    expect(await visit.audit()).toEqual([]);

    await page.getByRole('button', { name: 'Add a registry' }).click();
    const dialog = page.getByRole('dialog', { name: 'Add a registry' });
    const add = dialog.getByRole('button', { name: 'Add', exact: true });
    await dialog.getByLabel('Name (required)', { exact: true }).fill('The Other');
    await dialog.getByLabel('Address').fill(other.url);
    expect(await add.isDisabled()).toBe(false);
    await dialog.getByLabel('User name').fill(OWNER.username);
    // Whose user name is given, their password is missing.
    expect(await add.isDisabled()).toBe(true);
    await dialog.getByLabel('Password or token').fill(OWNER.password);
    expect(await visit.audit()).toEqual([]);
    await add.click();
    await dialog.getByText('is not lower-case letters and digits').waitFor();
    await dialog.getByLabel('Name (required)', { exact: true }).fill('other');
    await add.click();
    await dialog.waitFor({ state: 'detached' });
    const upstreams = page.getByRole('table', { name: 'Registries', exact: true });
    const row = upstreams.getByRole('row').filter({ hasText: 'other' });
    await row.getByText(OWNER.username, { exact: true }).waitFor();
    await row.getByRole('button', { name: 'Try other' }).click();
    await row.getByText('It answers and takes the log-in').waitFor();
    expect(await page.content()).not.toContain(OWNER.password);

    const menu = menuOf(page, row.getByRole('button', { name: 'What can be done with other' }));
    await menu('Change');
    const change = page.getByRole('dialog', { name: 'Change other' });
    // Another registry is not sent what was given for this one.
    await change.getByLabel('Address').fill('http://127.0.0.1:1');
    await change.getByRole('button', { name: 'Save' }).click();
    await change.getByText('another registry needs its own').waitFor();
    await change.getByLabel('User name').fill('');
    await change.getByLabel('Certificates of its authority').fill('not a certificate');
    await change.getByRole('button', { name: 'Save' }).click();
    await change.getByText('holds no certificates in PEM form').waitFor();
    await change.getByLabel('Certificates of its authority').fill('');
    await change.getByRole('button', { name: 'Save' }).click();
    await change.waitFor({ state: 'detached' });
    expect(await api.upstreams.get('other')).toMatchObject({ address: 'http://127.0.0.1:1', username: null });
    await row.getByText('nobody').waitFor();
    await row.getByRole('button', { name: 'Try other' }).click();
    await row.getByRole('status').filter({ hasText: /\w/ }).waitFor();

    await menu('Delete');
    const removal = page.getByRole('dialog', { name: 'Delete other' });
    expect(await visit.audit()).toEqual([]);
    await removal.getByRole('button', { name: 'Delete' }).click();
    await page.getByText('No other registry is known here').waitFor();
    expect(await api.upstreams.list()).toEqual([]);
    expect(visit.complaints).toEqual([]);
    await visit.close();
  }, 120_000);

  test('are cached below a prefix that is made, changed and ended', async () => {
    const { api } = rig.chief;
    await api.upstreams.create({ name: 'other', address: other.url, ...OWNER });
    const visit = await rig.visit({ as: rig.chief });
    const { page } = visit;
    await visit.open('/admin/registries');
    await page.getByText('There is no cache.').waitFor();
    await page.getByRole('button', { name: 'Add a cache' }).click();
    const dialog = page.getByRole('dialog', { name: 'Add a cache' });
    const add = dialog.getByRole('button', { name: 'Add', exact: true });
    await dialog.getByLabel('Names that begin with').fill('Chief/Theirs');
    await dialog.getByLabel('Names there begin with').fill('owner');
    await dialog.getByLabel('Asked again after').fill('1.5');
    await dialog.getByText('Give a whole number such as 6').waitFor();
    expect(await add.isDisabled()).toBe(true);
    await dialog.getByLabel('Asked again after').fill('30');
    await dialog.getByLabel('Unit').selectOption('Minutes');
    expect(await visit.audit()).toEqual([]);
    await add.click();
    await dialog.getByText('is not the beginning of repository names').waitFor();
    await dialog.getByLabel('Names that begin with').fill('chief/theirs');
    await add.click();
    await dialog.waitFor({ state: 'detached' });
    expect(await api.caches.list()).toMatchObject([
      { prefix: 'chief/theirs', upstream: 'other', remotePrefix: 'owner', freshSeconds: 1_800, visibility: 'private' },
    ]);
    const row = page.getByRole('table', { name: 'Caches' }).getByRole('row').filter({ hasText: 'chief/theirs' });
    await row.getByText('30 min').waitFor();
    await page.getByRole('table', { name: 'Registries', exact: true }).getByText('chief/theirs/…').waitFor();

    // A pull through it works, as what the form says.
    const pulled = await fetch(`${rig.url}/v2/chief/theirs/app/manifests/1.0`, {
      headers: { Authorization: rig.chief.pusher.authorization },
    });
    expect(pulled.status).toBe(200);
    await page.reload();
    await row.getByText('1', { exact: true }).waitFor();

    const menu = menuOf(page, row.getByRole('button', { name: 'What can be done with chief/theirs/' }));
    await menu('Change');
    const change = page.getByRole('dialog', { name: 'Change chief/theirs/' });
    expect(await change.getByLabel('Asked again after').inputValue()).toBe('30');
    await change.getByLabel('Who may pull').selectOption('Everyone');
    await change.getByText('Everyone, without a log-in').waitFor();
    await change.getByRole('button', { name: 'Save' }).click();
    await row.getByText('Everyone').waitFor();
    expect(await api.caches.list()).toMatchObject([
      { remotePrefix: 'owner', freshSeconds: 1_800, visibility: 'public' },
    ]);

    await menu('End the cache');
    await page.getByRole('dialog').getByRole('button', { name: 'End the cache' }).click();
    await page.getByText('There is no cache.').waitFor();
    expect(await api.repositories.get('chief/theirs/app')).toMatchObject({ name: 'chief/theirs/app' });
    expect(visit.complaints).toEqual([]);
    await visit.close();
  }, 120_000);

  test('are mirrored: a mirror is made, run at once, changed and ended', async () => {
    const { api } = rig.chief;
    const visit = await rig.visit({ as: rig.chief });
    const { page } = visit;
    await visit.open('/admin/registries');
    await page.getByText('There is no mirror.').waitFor();
    await page.getByRole('button', { name: 'Add a mirror' }).click();
    const dialog = page.getByRole('dialog', { name: 'Add a mirror' });
    const add = dialog.getByRole('button', { name: 'Add', exact: true });
    await dialog.getByLabel('Repository (required)', { exact: true }).fill('chief/app');
    await dialog.getByLabel('Repository there').fill('Owner/App');
    await dialog.getByLabel('Tags').fill('1.*, 2.*');
    await dialog.getByLabel('Copied every').fill('10');
    await dialog.getByLabel('Unit').selectOption('Seconds');
    await dialog.getByLabel('MiB a second, at most').fill('fast');
    await dialog.getByText('Give a number such as 5 or 0.5').waitFor();
    expect(await add.isDisabled()).toBe(true);
    await dialog.getByLabel('MiB a second, at most').fill('2.5');
    expect(await visit.audit()).toEqual([]);
    await add.click();
    await dialog.getByText('is no name for a repository').waitFor();
    await dialog.getByLabel('Repository there').fill('owner/app');
    await add.click();
    await dialog.getByText('60').waitFor();
    await dialog.getByLabel('Unit').selectOption('Days');
    await add.click();
    await dialog.waitFor({ state: 'detached' });
    expect(await api.mirrors.get('chief/app')).toMatchObject({
      upstream: 'other',
      from: 'owner/app',
      tags: ['1.*', '2.*'],
      referrers: true,
      everySeconds: 864_000,
      bytesPerSecond: 2.5 * 1024 ** 2,
    });

    // Its first run is at once.
    const row = page.getByRole('table', { name: 'Mirrors' }).getByRole('row').filter({ hasText: 'chief/app' });
    await row.getByText('Done').waitFor();
    await pusher.image('owner/app', '2.0');
    await row.getByRole('button', { name: 'Run now: the mirror of chief/app' }).click();
    await row.getByText('1 tag set').waitFor();
    // Its first run said so, too.
    await eventually('both tags are there', 60_000, async () => {
      return (await Array.fromAsync(api.tags.list('chief/app'))).length === 2;
    });
    expect(await visit.audit()).toEqual([]);

    const menu = menuOf(page, row.getByRole('button', { name: 'What can be done with chief/app' }));
    await menu('Change');
    const change = page.getByRole('dialog', { name: 'Change chief/app' });
    expect(await change.getByLabel('MiB a second, at most').inputValue()).toBe('2.5');
    await change.getByLabel('MiB a second, at most').fill('');
    await change.getByLabel('Signatures and what else').uncheck();
    await change.getByRole('button', { name: 'Save' }).click();
    await change.waitFor({ state: 'detached' });
    expect(await api.mirrors.get('chief/app')).toMatchObject({
      tags: ['1.*', '2.*'],
      referrers: false,
      everySeconds: 864_000,
      bytesPerSecond: null,
    });
    await menu('End the mirror');
    const removal = page.getByRole('dialog', { name: 'End the mirror chief/app' });
    await removal.getByRole('button', { name: 'End the mirror' }).click();
    await page.getByText('There is no mirror.').waitFor();
    await visit.open('/r/chief/app');
    await page.getByRole('link', { name: 'Tags (2)' }).waitFor();
    expect(visit.complaints).toEqual([]);
    await visit.close();
  }, 120_000);

  test('a mirror that fails says what went wrong, on a phone in the dark', async () => {
    await rig.chief.api.upstreams.create({ name: 'gone', address: 'http://127.0.0.1:1' });
    await rig.chief.api.mirrors.create({ repository: 'chief/lost', upstream: 'gone', from: 'owner/app' });
    await rig.chief.api.mirrors.run('chief/lost');
    const visit = await rig.visit({ as: rig.chief, phone: true, dark: true });
    await visit.open('/admin/registries');
    const row = visit.page.getByRole('table', { name: 'Mirrors' }).getByRole('row').filter({ hasText: 'chief/lost' });
    await row.getByText('Failed').waitFor({ timeout: 90_000 });
    await row.getByText('What went wrong').click();
    expect(await visit.audit()).toEqual([]);
    expect(await visit.sideways()).toBe(0);
    expect(visit.complaints).toEqual([]);
    await visit.close();
  }, 120_000);
});
