// Quotas: an administrator sets the default and a namespace's own; its owner sees what it holds.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { canBrowse, PageRig, type Person } from './rig.ts';

describe.skipIf(!canBrowse)('quotas', () => {
  let rig: PageRig;
  let alice: Person;
  beforeAll(async () => {
    rig = await PageRig.start();
    alice = await rig.join('alice');
  }, 60_000);
  afterAll(() => rig?.stop(), 30_000);

  test('an administrator sets the default, gives a namespace its own and takes it away', async () => {
    const visit = await rig.visit({ as: rig.chief });
    const { page } = visit;
    await visit.open('/admin/quotas');
    await page.getByText('may hold as much as the disk takes').waitFor();
    await page.getByRole('button', { name: 'Change the default' }).click();
    const dialog = page.getByRole('dialog', { name: 'Change the default' });
    await dialog.getByLabel('Limited').check();
    await dialog.getByLabel('May hold').fill('much');
    await dialog.getByText('Give a number').waitFor();
    await dialog.getByLabel('May hold').fill('1.5');
    await dialog.getByRole('button', { name: 'Save' }).click();
    await page.getByText('may hold 1.5 GiB').waitFor();
    expect((await rig.chief.api.quotas.default()).bytes).toBe(1.5 * 1024 ** 3);

    await page.getByRole('button', { name: 'Set a quota' }).click();
    const set = page.getByRole('dialog', { name: 'Set a quota' });
    await set.getByLabel('Namespace').fill('alice');
    await set.getByLabel('May hold').fill('0');
    expect(await visit.audit()).toEqual([]);
    await set.getByRole('button', { name: 'Save' }).click();
    const row = page.getByRole('row').filter({ hasText: 'alice' });
    await row.getByText('Full').waitFor();
    expect(await visit.audit()).toEqual([]);

    await page.getByRole('button', { name: 'Remove the quota of alice' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    expect((await rig.chief.api.quotas.get('alice')).fromDefault).toBe(true);
    expect(visit.complaints).toEqual([]);
    await visit.close();
  }, 60_000);

  test('an owner sees what the own place holds of what it may, on a phone in the dark', async () => {
    await rig.chief.api.quotas.set('alice', 2 * 1024 ** 2);
    const visit = await rig.visit({ as: alice, phone: true, dark: true });
    await visit.open('/o/alice');
    await visit.page.getByText('Holds 0 B of 2.0 MiB').waitFor();
    expect(await visit.audit()).toEqual([]);
    expect(await visit.sideways()).toBe(0);
    await visit.open('/account');
    await visit.page.getByText('Holds 0 B of 2.0 MiB').waitFor();
    expect(await visit.audit()).toEqual([]);
    expect(visit.complaints).toEqual([]);
    await visit.close();

    const chief = await rig.visit({ as: rig.chief, phone: true, dark: true });
    await chief.open('/admin/quotas');
    await chief.page.getByRole('row').filter({ hasText: 'alice' }).waitFor();
    expect(await chief.audit()).toEqual([]);
    expect(await chief.sideways()).toBe(0);
    if (Bun.env.SHOTS !== undefined) await chief.page.screenshot({ path: `${Bun.env.SHOTS}/quotas-phone.png` });
    await chief.close();
  }, 60_000);
});
