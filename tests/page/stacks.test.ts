// Stacks as a person has them: made, given servers, deployed to, followed live, held and rolled back.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { canBrowse, PageRig, type Person, type Visit } from './rig.ts';
import { SimulatedTarget } from './simulated-target.ts';

const SHOP = { namespace: 'alice', stack: 'shop' };
const TEST = '/s/alice/shop/environments/test';
const HOSTILE = '<img src=x onerror="window.pwned=1">';

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
    for (const [name, isProtected] of [
      ['test', false],
      ['production', true],
    ] as const) {
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
    const [, token = ''] = /--token (\S+)/.exec(line) ?? [];
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

  /** Asks in the dialog that is open for one image, waits for its plan and begins. */
  async function deployImage(visit: Visit, tag: string): Promise<void> {
    const asked = dialog(visit);
    await asked.getByLabel('Images that I choose').check();
    await asked.getByLabel('Image of web').fill(tag);
    await asked.getByRole('listitem').filter({ hasText: tag }).waitFor();
    await asked.getByRole('button', { name: 'Deploy to test' }).click();
  }

  test('a deployment begins with its plan, and is followed live until it is stable', async () => {
    const visit = await rig.visit({ as: alice });
    const { page } = visit;
    await visit.open('/s/alice/shop');
    await button(visit, 'Deploy to test').click();
    await dialog(visit).getByRole('heading', { name: 'What would happen' }).waitFor();
    expect(await visit.audit()).toEqual([]);
    await deployImage(visit, '1.0.0');
    await page.getByRole('heading', { name: 'v1 of test', level: 1 }).waitFor();
    await page.evaluate(() => Object.assign(window, { sameDocument: true }));

    await server.ordered(1);
    const place = page.getByRole('listitem', { name: 'web-1' });
    await server.report({
      deployment: { number: 1, phase: 'pulling', pull: { bytes: 31_000_000, total: 84_000_000 } },
    });
    const pull = place.getByRole('progressbar', { name: 'Images pulled on web-1' });
    await pull.waitFor();
    expect(await pull.getAttribute('aria-valuenow')).toBe('36');
    expect(await visit.audit()).toEqual([]);
    await server.report({
      deployment: { number: 1, phase: 'pulling', pull: { bytes: 63_000_000, total: 84_000_000 } },
    });
    await place.locator('[aria-valuenow="75"]').waitFor();
    await server.report({ deployment: { number: 1, phase: 'switching' } });
    await place.getByText('Switching containers').waitFor();
    await server.healthy(1, 'monitoring');
    await headline(visit, 'watched').waitFor();
    await server.healthy(1, 'stable');
    await headline(visit, 'stable').getByText('Stable: healthy through its watch').waitFor();
    await page.getByText('This is what the environment is to run.').waitFor();
    expect(await page.evaluate(() => 'sameDocument' in window)).toBe(true);
    expect(await visit.audit()).toEqual([]);
    expect(visit.complaints).toEqual([]);
    await visit.close();
  }, 60_000);

  test('a bad release is undone, and a hostile log stays text', async () => {
    const visit = await rig.visit({ as: alice });
    const { page } = visit;
    await visit.open('/s/alice/shop');
    await button(visit, 'Deploy to test').click();
    await deployImage(visit, '2.0.0');
    await page.getByRole('heading', { name: 'v2 of test', level: 1 }).waitFor();
    await server.ordered(2);
    const error = `web is unhealthy: ${HOSTILE}\u001b[2J\u202e`;
    const log = `\u001b[31mFATAL\u001b[0m no database\r\n<script>window.pwned=1</script>\n${HOSTILE}\u0008\u0007\n`;
    await server.report({
      deployment: {
        number: 2,
        phase: 'reverting',
        error,
        log,
        blame: 'release',
        revertedTo: 1,
        warnings: [`old engine ${HOSTILE}`],
      },
    });
    await headline(visit, 'going-back').waitFor();
    await server.report({ deployment: { number: 2, phase: 'reverted', error, revertedTo: 1 } });
    await server.run(3);
    await headline(visit, 'rolled-back').getByText('Failed and was rolled back: the service is fine').waitFor();
    await page.getByText(`web is unhealthy: ${HOSTILE}`).first().waitFor();
    const shown = await page.getByRole('region', { name: 'Last lines of the log on web-1' }).textContent();
    expect(shown).toContain('FATAL no database');
    expect(shown).toContain('<script>window.pwned=1</script>');
    const text = (await page.getByRole('main').textContent()) ?? '';
    expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u202e]/u);
    expect(await page.locator('main img, main script').count()).toBe(0);
    expect(await visit.hacked()).toBe(false);
    expect(await visit.audit()).toEqual([]);
    await page.getByRole('link', { name: 'v3', exact: true }).first().click();
    await page.getByRole('heading', { name: 'v3 of test', level: 1 }).waitFor();
    await headline(visit, 'stable').waitFor();
    expect(visit.complaints).toEqual([]);
    await visit.close();
  }, 60_000);

  test('two windows show the same, and one that is cut off keeps what it had until it is back', async () => {
    const [one, other] = [await rig.visit({ as: alice }), await rig.visit({ as: alice })];
    await one.open(TEST);
    await other.open('/s/alice/shop');
    const column = other.page.getByRole('region', { name: 'test' });
    await button(one, 'Hold test').click();
    await dialog(one).getByLabel('Reason').fill(`freeze ${HOSTILE}`);
    await dialog(one).getByRole('button', { name: 'Hold test' }).click();
    await column.getByText(`Reason: freeze ${HOSTILE}`).waitFor();
    await button(other, 'Resume test').click();
    await dialog(other).getByRole('button', { name: 'Resume test' }).click();
    await button(one, 'Hold test').waitFor();

    await alice.api.deployments.deploy({ ...SHOP, environment: 'test' }, { images: { web: '1.1.0' } });
    await server.run(4);
    await column.getByRole('link', { name: 'v4' }).waitFor();
    await column.getByText('Stable').waitFor();
    await other.context.route('**/api/**', (route) => route.abort());
    await button(one, 'Roll back test').click();
    await dialog(one).getByText('The last stable one: v3').waitFor();
    await dialog(one).getByLabel('Reason').fill('too slow');
    await dialog(one).getByRole('button', { name: 'Roll back test' }).click();
    await one.page.getByRole('heading', { name: 'v5 of test', level: 1 }).waitFor();
    await server.run(5);
    await headline(one, 'stable').waitFor();
    expect(await alice.api.deployments.get({ ...SHOP, environment: 'test' }, 5)).toMatchObject({
      restores: 3,
      undoes: 4,
    });
    await other.page.getByText('The server cannot be reached.').waitFor();
    await column.getByRole('link', { name: 'v4' }).waitFor();
    await other.context.unroute('**/api/**');
    await column.getByRole('link', { name: 'v5' }).waitFor();
    expect([await one.hacked(), await other.hacked()]).toEqual([false, false]);
    expect(one.complaints).toEqual([]);
    expect(other.complaints).toEqual([]);
    await one.close();
    await other.close();
  }, 90_000);

  test('variables are set; a secret is never shown again', async () => {
    const visit = await rig.visit({ as: alice });
    const { page } = visit;
    const answers: Promise<string>[] = [];
    page.on('response', (response) => {
      if (response.url().includes('/api/')) answers.push(response.text().catch(() => ''));
    });
    await visit.open(TEST);
    for (const [name, value, secret] of [
      ['LOG_LEVEL', HOSTILE, false],
      ['DB_PASSWORD', 'hunter2-in-the-clear', true],
    ] as const) {
      await button(visit, 'Set a variable').click();
      await dialog(visit).getByLabel('Name').fill(name);
      await dialog(visit).getByLabel('Value').fill(value);
      if (secret) await dialog(visit).getByLabel('Secret').check();
      await dialog(visit).getByRole('button', { name: 'Set it' }).click();
      await dialog(visit).waitFor({ state: 'detached' });
    }
    const table = page.getByRole('table', { name: 'Variables' });
    await table.getByRole('row').filter({ hasText: 'LOG_LEVEL' }).getByText(HOSTILE).waitFor();
    await table.getByRole('row').filter({ hasText: 'DB_PASSWORD' }).getByText('secret').waitFor();
    expect(await page.content()).not.toContain('hunter2');
    await button(visit, 'Change DB_PASSWORD').click();
    expect(await dialog(visit).getByLabel('Value').inputValue()).toBe('');
    expect(await visit.audit()).toEqual([]);
    await page.keyboard.press('Escape');
    await button(visit, 'Unset LOG_LEVEL').click();
    await dialog(visit).getByRole('button', { name: 'Unset' }).click();
    await button(visit, 'Unset LOG_LEVEL').waitFor({ state: 'detached' });
    expect((await Promise.all(answers)).filter((answer) => answer.includes('hunter2'))).toEqual([]);
    expect(await visit.hacked()).toBe(false);
    expect(visit.complaints).toEqual([]);
    await visit.close();
  }, 60_000);

  test('what was stable is promoted; a release shows its difference, and is revoked', async () => {
    const production = { ...SHOP, environment: 'production' };
    const { token } = await alice.api.targets.enroll(production, { name: 'prod-1' });
    const prod = new SimulatedTarget(rig.url, token);
    await prod.report();
    const visit = await rig.visit({ as: alice });
    const { page } = visit;
    await visit.open('/s/alice/shop');
    await button(visit, 'Promote to production').click();
    await dialog(visit).getByRole('listitem').filter({ hasText: '1.0.0' }).waitFor();
    expect(await visit.audit()).toEqual([]);
    await dialog(visit).getByRole('button', { name: 'Promote to production' }).click();
    await page.getByRole('heading', { name: 'v1 of production', level: 1 }).waitFor();
    await prod.run(1);
    await headline(visit, 'stable').waitFor();

    await visit.open('/s/alice/shop/releases');
    const releases = page.getByRole('table', { name: 'Releases' });
    await releases.getByRole('row').filter({ hasText: '1.0.0' }).getByRole('link', { name: 'production' }).waitFor();
    await releases.getByRole('link', { name: 'Release 2' }).click();
    await page.getByRole('heading', { name: 'Release 2', level: 1 }).waitFor();
    const difference = page.getByRole('heading', { name: 'To production, which runs Release 1' }).locator('..');
    await difference.getByText('2.0.0').waitFor();
    await difference.getByText('1.0.0').waitFor();
    await button(visit, 'Revoke').click();
    await dialog(visit).getByLabel('Reason').fill(`leaks ${HOSTILE}`);
    expect(await visit.audit()).toEqual([]);
    await dialog(visit).getByRole('button', { name: 'Revoke' }).click();
    await page.getByText(`Revoked by alice: leaks ${HOSTILE}`).waitFor();
    await page.getByText('Show it').click();
    await page.getByText(/DB_PASSWORD: \$/).waitFor();
    expect(await visit.hacked()).toBe(false);
    expect(visit.complaints).toEqual([]);
    await visit.close();
  }, 60_000);

  test('who may only read has no buttons, and is told why', async () => {
    const bob = await rig.join('bob');
    await alice.api.grants.set({ namespace: 'alice' }, { user: 'bob' }, 'read');
    const visit = await rig.visit({ as: bob });
    const buttons = visit.page.getByRole('main').getByRole('button');
    for (const [path, why] of [
      ['/s/alice/shop', 'You may look at this stack.'],
      [TEST, 'You may look at this stack.'],
      ['/s/alice/shop/settings', 'This needs the role "admin" in alice.'],
      [`${TEST}/settings`, 'This needs the role "admin" in alice.'],
    ] as const) {
      await visit.open(path);
      await visit.page.getByText(why).waitFor();
      await visit.page.waitForLoadState('networkidle').catch(() => {});
      const names = await buttons.evaluateAll((all) => all.map((each) => each.ariaLabel ?? each.textContent ?? ''));
      expect({ path, names: names.filter((name) => !/^Copy/.test(name)) }).toEqual({ path, names: [] });
    }
    expect(visit.complaints).toEqual([]);
    await visit.close();
  }, 60_000);
});
