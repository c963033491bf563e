// The settings of a stack's environments when two people change them at once, and what the list of stacks says of each environment.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { canBrowse, PageRig, type Person } from './rig.ts';
import { SimulatedTarget } from './simulated-target.ts';

const SHOP = { namespace: 'alice', stack: 'shop' };
const TEST = { ...SHOP, environment: 'test' };

describe.skipIf(!canBrowse)('environments', () => {
  let rig: PageRig;
  let alice: Person;
  beforeAll(async () => {
    rig = await PageRig.start();
    alice = await rig.join('alice');
    for (const name of ['web', 'api']) await alice.pusher.image(`alice/${name}`, 'latest');
    const service = (name: string) => `  ${name}:\n    image: ${rig.host}/alice/${name}:latest\n`;
    await alice.api.stacks.create('alice', { name: 'shop', file: `services:\n${service('web')}${service('api')}` });
    await alice.api.environments.create(SHOP, { name: 'test' });
    await alice.api.environments.create(SHOP, { name: 'production' });
  }, 60_000);
  afterAll(() => rig?.stop(), 30_000);

  test('keep what somebody else set while the settings were open', async () => {
    const visit = await rig.visit({ as: alice });
    const { page } = visit;
    await visit.open('/s/alice/shop/environments/test/settings');
    await page.getByLabel('Targets that are changed at a time').fill('3');
    await page.getByLabel('web follows').selectOption('a range of versions');
    await page.getByLabel('Of web').fill('^1.4');
    await alice.api.environments.change(TEST, { protected: true, track: { api: { kind: 'tag', value: 'latest' } } });
    await page.locator('input[type="checkbox"]:checked').and(page.getByLabel('Protected')).waitFor();
    expect(await page.getByLabel('Targets that are changed at a time').inputValue()).toBe('3');
    expect(await page.getByLabel('Of web').inputValue()).toBe('^1.4');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Saved.').waitFor();
    expect(await alice.api.environments.get(TEST)).toMatchObject({
      protected: true,
      deployOnPush: false,
      maxParallel: 3,
      track: { api: { kind: 'tag', value: 'latest' }, web: { kind: 'semver', value: '^1.4' } },
    });
    expect(await visit.audit()).toEqual([]);
    expect(visit.complaints).toEqual([]);
    await visit.close();
  }, 60_000);

  test('have their state in a word in the list of stacks', async () => {
    const { token } = await alice.api.targets.enroll(TEST, {});
    const target = new SimulatedTarget(rig.url, token);
    await target.report();
    await alice.api.deployments.deploy(TEST, { images: { web: 'latest' } });
    await target.run(1);
    const visit = await rig.visit({ as: alice });
    await visit.open('/stacks');
    const row = visit.page.getByRole('row').filter({ hasText: 'alice/shop' });
    await row.getByText('Stable').waitFor();
    await row.getByText('Nothing deployed yet').waitFor();
    expect(await visit.audit()).toEqual([]);
    expect(visit.complaints).toEqual([]);
    await visit.close();
  }, 60_000);

  test('are deleted after their name was typed, and so is a stack that nothing runs', async () => {
    await alice.api.stacks.create('alice', {
      name: 'old',
      file: `services:\n  web:\n    image: ${rig.host}/alice/web:latest\n`,
    });
    await alice.api.environments.create({ namespace: 'alice', stack: 'old' }, { name: 'gone' });
    const visit = await rig.visit({ as: alice });
    const { page } = visit;
    const remove = async (what: string, name: string) => {
      await page.getByRole('button', { name: what }).click();
      const dialog = page.getByRole('dialog');
      const button = dialog.getByRole('button', { name: what });
      expect(await button.isDisabled()).toBe(true);
      await dialog.getByRole('textbox').fill(name);
      await button.click();
    };
    await visit.open('/s/alice/old/environments/gone/settings');
    await remove('Delete the environment', 'gone');
    await page.getByRole('heading', { level: 1, name: 'alice/old' }).waitFor();
    await visit.open('/s/alice/old/settings');
    await remove('Delete the stack', 'alice/old');
    await page.getByRole('heading', { level: 1, name: 'Stacks' }).waitFor();
    // Not with `rejects`: it holds everything up while it waits, and what the browser says meanwhile comes in a wrong order.
    const answer = await alice.api.stacks.get({ namespace: 'alice', stack: 'old' }).catch((error: unknown) => error);
    expect(answer).toMatchObject({ status: 404 });
    expect(visit.complaints).toEqual([]);
    await visit.close();
  }, 60_000);
});
