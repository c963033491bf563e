// Retention: a rule is typed, its outcome shown for each tag before it is saved, saved and taken away.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { canBrowse, PageRig } from './rig.ts';

describe.skipIf(!canBrowse)('retention', () => {
  let rig: PageRig;
  beforeAll(async () => {
    rig = await PageRig.start();
    for (const tag of ['ci-1', 'ci-2', 'ci-3', 'latest']) await rig.chief.pusher.image('chief/app', tag);
  }, 60_000);
  afterAll(() => rig?.stop(), 30_000);

  test('a rule says of each tag whether it goes and why, changes nothing until it is saved, and is removed', async () => {
    const { api } = rig.chief;
    const visit = await rig.visit({ as: rig.chief });
    const { page } = visit;
    await visit.open('/r/chief/app/-/settings');
    await page.getByText('There is no policy').waitFor();
    await page.getByRole('button', { name: 'Add a rule' }).click();
    const rule = page.getByRole('group', { name: 'Rule 1' });
    await rule.getByText('names no tags').waitFor();
    await rule.getByLabel('Tags').fill('ci-*');
    await rule.getByLabel('Keep the last').fill('1');
    await page.getByText('2 of 4 tags would go.').waitFor();
    const preview = page.getByRole('table', { name: 'What it would do now' });
    const row = (tag: string) => preview.getByRole('row').filter({ hasText: tag });
    await row('ci-1').getByText('goes', { exact: true }).waitFor();
    await row('ci-3').getByText('stays', { exact: true }).waitFor();
    await page.getByLabel('Show').selectOption('remove');
    await row('latest').waitFor({ state: 'detached' });
    expect(await visit.audit()).toEqual([]);
    expect((await api.retention.get({ repository: 'chief/app' })).own).toBeNull();

    await rule.getByLabel('Pushed within').fill('soon');
    await rule.getByText('not a duration').waitFor();
    await rule.getByLabel('Pushed within').fill('');
    await page.getByRole('button', { name: 'Save the policy' }).click();
    await page.getByText('The policy that is given here holds.').waitFor();
    expect((await api.retention.get({ repository: 'chief/app' })).own).toEqual({
      rules: [{ match: ['ci-*'], keepLast: 1 }],
    });
    if (Bun.env.SHOTS !== undefined) await page.screenshot({ path: `${Bun.env.SHOTS}/retention.png`, fullPage: true });

    const phone = await rig.visit({ as: rig.chief, phone: true, dark: true });
    await phone.open('/r/chief/app/-/settings');
    await phone.page.getByText('2 of 4 tags would go.').waitFor();
    expect(await phone.audit()).toEqual([]);
    expect(await phone.sideways()).toBe(0);
    if (Bun.env.SHOTS !== undefined)
      await phone.page.screenshot({ path: `${Bun.env.SHOTS}/retention-phone.png`, fullPage: true });
    await phone.close();

    await api.retention.apply('chief/app');
    await page.reload();
    await page.getByRole('table', { name: 'Removed lately' }).getByRole('row').filter({ hasText: 'ci-1' }).waitFor();
    await page.getByRole('button', { name: 'Remove the policy' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Remove the policy' }).click();
    await page.getByText('There is no policy').waitFor();

    await api.retention.set({ namespace: 'chief' }, { rules: [{ match: ['*'], always: true }] });
    await visit.open('/o/chief/retention');
    await page.getByLabel('Try it on a repository').waitFor();
    await page.getByText('0 of 2 tags would go.').waitFor();
    expect(await visit.audit()).toEqual([]);
    await page.getByRole('group', { name: 'Rule 1' }).getByLabel('Keep all of them').uncheck();
    await page.getByRole('group', { name: 'Rule 1' }).getByLabel('Keep the last').fill('1');
    await page.getByText('1 of 2 tags would go.').waitFor();
    expect(visit.complaints).toEqual([]);
    await visit.close();
  }, 90_000);

  test('an administrator gives the instance a policy, tries it on a repository, and takes it away', async () => {
    const { api } = rig.chief;
    const visit = await rig.visit({ as: rig.chief, phone: true, dark: true });
    const { page } = visit;
    await visit.open('/admin/retention');
    await page.getByText('There is no policy').waitFor();
    await page.getByRole('button', { name: 'Add a rule' }).click();
    const rule = page.getByRole('group', { name: 'Rule 1' });
    await rule.getByLabel('Tags').fill('*');
    await rule.getByLabel('Keep the last').fill('1');
    await page.getByLabel('Try it on a repository').waitFor();
    await page.getByText(/tags would go\./).waitFor();
    expect(await visit.audit()).toEqual([]);
    expect(await visit.sideways()).toBe(0);
    await page.getByRole('button', { name: 'Save the policy' }).click();
    await page.getByText('The policy that is given here holds.').waitFor();
    expect((await api.retention.get('instance')).own).toEqual({ rules: [{ match: ['*'], keepLast: 1 }] });
    await page.getByRole('button', { name: 'Remove the policy' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('no tag goes by itself then').waitFor();
    await dialog.getByRole('button', { name: 'Remove the policy' }).click();
    await page.getByText('There is no policy').waitFor();
    expect((await api.retention.get('instance')).own).toBeNull();
    expect(visit.complaints).toEqual([]);
    await visit.close();
  }, 90_000);
});
