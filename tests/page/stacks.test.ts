// Stacks as a person has them: made, given servers, deployed to, followed live, held and rolled back.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { canBrowse, PageRig, type Person, type Visit } from './rig.ts';
import { SimulatedTarget } from './simulated-target.ts';

const SHOP = { namespace: 'alice', stack: 'shop' };
const TEST = '/s/alice/shop/environments/test';

describe.skipIf(!canBrowse)('stacks', () => {
  let rig: PageRig;
  let alice: Person;
  let compose: string;
  /** The server of `test`. */
  let server: SimulatedTarget;
  beforeAll(async () => {
    rig = await PageRig.start();
    alice = await rig.join('alice');
    for (const [index, tag] of ['1.0.0', '1.1.0', '2.0.0', 'latest'].entries()) {
      await alice.pusher.image('alice/web', tag, {
        manifest: {
          annotations: {
            'org.opencontainers.image.revision': `${index}f3a9c21e4b7d6508c9a1b2c3d4e5f60718293a4b`.slice(0, 40),
            'org.opencontainers.image.version': tag,
          },
        },
      });
    }
    compose = `services:\n  web:\n    image: ${rig.host}/alice/web:latest\n    environment:\n      DB_PASSWORD: \${DB_PASSWORD:-}\n`;
  }, 60_000);
  afterAll(() => rig?.stop(), 30_000);

  const dialog = ({ page }: Visit) => page.getByRole('dialog');
  const button = ({ page }: Visit, name: string) => page.getByRole('button', { name });
  const headline = ({ page }: Visit, state: string) => page.locator(`[data-status="${state}"]`);

  test('a stack is made of a compose file; what is wrong with the file is said by it', async () => {
    const visit = await rig.visit({ as: alice });
    const { page } = visit;
    await visit.open('/stacks');
    await page.getByText('There is no stack yet').waitFor();
    expect(await visit.audit()).toEqual([]);
    await button(visit, 'New stack').click();
    await dialog(visit).getByLabel('Name (required)').fill('shop');
    const file = dialog(visit).getByLabel('Compose file (required)');
    await file.fill('services:\n  web: {}\n');
    await button(visit, 'Make the stack').click();
    await dialog(visit).locator('textarea[aria-invalid="true"]').waitFor();
    expect(await file.getAttribute('aria-describedby')).toBeTruthy();
    await dialog(visit).getByText(/image/).last().waitFor();
    expect(await file.inputValue()).toContain('web: {}');
    await file.fill(compose);
    await button(visit, 'Make the stack').click();
    await page.getByText('This stack runs nowhere yet').waitFor();
    expect(new URL(page.url()).pathname).toBe('/s/alice/shop');
    expect(await visit.audit()).toEqual([]);

    await page.getByRole('link', { name: 'Settings' }).click();
    for (const [name, isProtected] of [['test', false], ['production', true]] as const) {
      await button(visit, 'New environment').click();
      await dialog(visit).getByLabel('Name (required)').fill(name);
      if (isProtected) await dialog(visit).getByLabel('Protected').check();
      await button(visit, 'Make the environment').click();
      await page.getByRole('main').getByRole('link', { name, exact: true }).waitFor();
    }
    expect(await visit.audit()).toEqual([]);
    expect(visit.complaints).toEqual([]);
    await visit.close();
  }, 60_000);

  test('a server is enrolled: its token is shown once, and it is online when it speaks', async () => {
    const visit = await rig.visit({ as: alice });
    const { page } = visit;
    await visit.open(TEST);
    await button(visit, 'Enroll a server').click();
    await dialog(visit).getByLabel('Name of the target').fill('web-1');
    await dialog(visit).getByRole('button', { name: 'Enroll' }).click();
    const line = (await dialog(visit).locator('code, pre').first().textContent()) ?? '';
    const token = /berth_agt_\w+|--token[ =]['"]?([\w.-]+)/.exec(line)?.slice().reverse().find((part) => part !== undefined) ?? '';
    expect(line).toContain(rig.url);
    expect(token.length).toBeGreaterThan(20);
    expect(await visit.audit()).toEqual([]);
    await button(visit, 'I have copied it').click();
    const row = page.getByRole('row').filter({ hasText: 'web-1' });
    await row.getByText('offline').waitFor();
    expect(await page.content()).not.toContain(token);

    server = new SimulatedTarget(rig.url, token);
    await server.report();
    await row.getByText('online').waitFor();
    expect(await visit.audit()).toEqual([]);
    expect(visit.complaints).toEqual([]);
    await visit.close();
  }, 60_000);
});
