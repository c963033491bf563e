// Administration: users, invitations, organizations, storage, garbage collection, the audit log, settings.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { canBrowse, PASSWORD, PageRig, type Person, type Visit } from './rig.ts';

const HOSTILE = '<img src=x onerror="window.pwned=1">';

describe.skipIf(!canBrowse)('administration', () => {
  let rig: PageRig;
  let alice: Person;
  beforeAll(async () => {
    rig = await PageRig.start({ args: ['--gc-grace', '1s', '--tag-history-window', '1s'] });
    alice = await rig.join('alice');
    await alice.pusher.image('alice/app', '1.0');
    await rig.chief.pusher.image('chief/tool', '1.0');
    await rig.chief.api.organizations.create({ name: 'acme', displayName: `Acme ${HOSTILE}` });
  }, 60_000);
  afterAll(() => rig?.stop(), 30_000);

  const row = ({ page }: Visit, name: string) => page.getByRole('row').filter({ hasText: name });
  const choose = async (visit: Visit, username: string, entry: string) => {
    await visit.page.getByRole('button', { name: `Actions for ${username}` }).click();
    await visit.page.getByRole('menuitem', { name: entry }).click();
  };

  test('is not shown to others than administrators', async () => {
    const visit = await rig.visit({ as: alice });
    await visit.page.goto(`${rig.url}/admin`);
    await visit.page.getByText('You are not allowed to see this.').waitFor();
    expect(await visit.page.getByRole('table').count()).toBe(0);
    await visit.close();
    const nobody = await rig.visit();
    await nobody.page.goto(`${rig.url}/admin/settings`);
    await nobody.page.waitForURL('**/login?next=%2Fadmin%2Fsettings');
    await nobody.close();
  });

  test('a user is made, found, disabled, enabled, promoted, given a password and deleted', async () => {
    const visit = await rig.visit({ as: rig.chief });
    const { page } = visit;
    await visit.open('/admin');
    await page.getByRole('button', { name: 'New user' }).click();
    const made = page.getByRole('dialog', { name: 'New user' });
    await made.getByLabel('Username').fill('Not A Name');
    await made.getByLabel('Password (required)').fill(PASSWORD);
    await made.getByLabel('Full name').fill(`Bob ${HOSTILE}`);
    await made.getByRole('button', { name: 'Make the user' }).click();
    await made
      .getByRole('alert')
      .getByText(/username/)
      .waitFor();
    await made.getByLabel('Username').fill('bob');
    await made.getByRole('button', { name: 'Make the user' }).click();
    await page.getByRole('status').getByText('bob was made.').waitFor();

    await page.getByLabel('Find by name').fill('BOB');
    await row(visit, 'bob').getByText(HOSTILE).waitFor();
    expect(await row(visit, 'alice').count()).toBe(0);
    expect(await visit.audit()).toEqual([]);

    await choose(visit, 'bob', 'Disable');
    await page.getByRole('dialog').getByRole('button', { name: 'Disable' }).click();
    await row(visit, 'bob').getByText('Disabled').waitFor();
    expect((await rig.chief.api.users.get('bob')).disabledAt).not.toBeNull();
    await choose(visit, 'bob', 'Enable');
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    const focused = await page.evaluate(() => document.activeElement?.getAttribute('aria-label'));
    expect(focused).toBe('Actions for bob');
    await choose(visit, 'bob', 'Enable');
    await page.getByRole('dialog').getByRole('button', { name: 'Enable' }).click();
    await page.getByRole('status').getByText('bob is enabled.').waitFor();

    await choose(visit, 'bob', 'Make administrator');
    await page.getByRole('dialog').getByRole('button', { name: 'Make administrator' }).click();
    await row(visit, 'bob').getByText('Administrator').waitFor();
    await choose(visit, 'bob', 'Take administration away');
    await page.getByRole('dialog').getByRole('button', { name: 'Take administration away' }).click();
    await page.getByRole('status').getByText('bob is no administrator any more.').waitFor();

    await choose(visit, 'bob', 'Set a password');
    await page.getByRole('dialog').getByLabel('New password (required)').fill('quite another one');
    await page.getByRole('dialog').getByRole('button', { name: 'Set it' }).click();
    await page.getByRole('status').getByText('bob has a new password.').waitFor();
    await (await rig.visit({ as: { ...alice, username: 'bob', password: 'quite another one' } })).close();

    await choose(visit, 'bob', 'Delete');
    const gone = page.getByRole('dialog', { name: 'Delete bob' });
    await gone.getByText('Nothing else goes with it.').waitFor();
    expect(await gone.getByRole('button', { name: 'Delete' }).isDisabled()).toBe(true);
    await gone.getByLabel('Type bob to confirm').fill('bob');
    await gone.getByRole('button', { name: 'Delete' }).click();
    await page.getByText('None has that in its name').waitFor();
    expect(await visit.hacked()).toBe(false);
    expect(visit.complaints).toEqual([]);
    await visit.close();
  });

  test('who is deleted leaves the repositories to another one', async () => {
    const carol = await rig.join('carol');
    await carol.pusher.image('carol/cargo', '1.0');
    await carol.api.robots.create('carol', { name: 'ci', role: 'write' });
    const visit = await rig.visit({ as: rig.chief, phone: true });
    const { page } = visit;
    await visit.open('/admin');
    await choose(visit, 'carol', 'Delete');
    const gone = page.getByRole('dialog', { name: 'Delete carol' });
    await gone.getByText('carol/cargo').waitFor();
    await gone.getByText('carol+ci').waitFor();
    await gone.getByLabel('Type carol to confirm').fill('carol');
    expect(await gone.getByRole('button', { name: 'Delete' }).isDisabled()).toBe(true);
    await gone.getByLabel('New owner').fill('alice');
    expect(await visit.audit()).toEqual([]);
    await gone.getByRole('button', { name: 'Delete' }).click();
    await page.getByRole('status').getByText('carol was deleted.').waitFor();
    const { repositories } = await alice.api.repositories.page({ namespace: 'alice' });
    expect(repositories.map(({ name }) => name)).toContain('alice/cargo');
    await visit.close();
  });

  test('an invitation is made, its link shown once, used and seen as used; another is withdrawn', async () => {
    const visit = await rig.visit({ as: rig.chief });
    const { page } = visit;
    await visit.open('/admin/invitations');
    await page.getByText('Nobody is invited').waitFor();
    await page.getByRole('button', { name: 'Invite somebody' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('E-mail address').fill('dora@example.com');
    await dialog.getByLabel('Organization').fill('acme');
    await dialog.getByLabel('Role in the organization').selectOption('Owner: everything');
    await dialog.getByRole('button', { name: 'Make the link' }).click();
    const link = await dialog.getByRole('figure', { name: 'Invitation link' }).locator('pre').textContent();
    expect(link).toStartWith(`${rig.url}/signup#invitation=berth_invite_`);
    expect(await visit.audit()).toEqual([]);
    await dialog.getByRole('button', { name: 'Done' }).click();
    await row(visit, 'dora@example.com').getByText('acme (Owner)').waitFor();
    expect(await page.getByText('berth_invite_').count()).toBe(0);

    const invitation = link?.split('=')[1] ?? '';
    await rig.chief.api.invitations.signUp({ username: 'dora', password: PASSWORD, invitation });
    await page.reload();
    await row(visit, 'dora@example.com').getByText('used by dora').waitFor();

    await page.getByRole('button', { name: 'Invite somebody' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Make the link' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Done' }).click();
    await page.getByRole('button', { name: 'Withdraw the invitation for anyone with the link' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Withdraw' }).click();
    await row(visit, 'anyone with the link').waitFor({ state: 'detached' });
    expect(visit.complaints).toEqual([]);
    await visit.close();
  });

  test('organizations of others are there, with what their owners call them', async () => {
    await alice.api.organizations.create({ name: 'wonderland' });
    const visit = await rig.visit({ as: rig.chief });
    await visit.open('/admin/organizations');
    await row(visit, 'acme').getByText(HOSTILE).waitFor();
    await visit.page.getByLabel('Find by name').fill('wonder');
    expect(await row(visit, 'acme').count()).toBe(0);
    expect(await visit.audit()).toEqual([]);
    await visit.page.getByRole('link', { name: 'wonderland' }).click();
    await visit.page.getByRole('heading', { name: 'wonderland', level: 1 }).waitFor();
    await visit.page.getByRole('link', { name: 'Settings' }).waitFor();
    expect(await visit.hacked()).toBe(false);
    await visit.close();
  });

  test('storage says what is held, what sharing saves, what the disk has left, and which repositories are large', async () => {
    const layers = ['x'.repeat(500_000)];
    await alice.pusher.image('alice/one', '1', { layers });
    await alice.pusher.image('alice/two', '1', { layers });
    const visit = await rig.visit({ as: rig.chief, dark: true });
    const { page } = visit;
    await visit.open('/admin/storage');
    await page.getByText(/What sharing saves: 488 KiB/).waitFor();
    await page.getByText(/ are used, .* are free\./).waitFor();
    await row(visit, 'alice/one').getByText('489 KiB').or(row(visit, 'alice/one').getByText('488 KiB')).waitFor();
    expect(await visit.audit()).toEqual([]);
    await page.getByRole('link', { name: 'alice/two' }).click();
    await page.getByRole('heading', { level: 1 }).filter({ hasText: 'two' }).waitFor();
    await visit.close();
  });

  test('a dry run is followed to its end and says what would go and why; a collection then does it', async () => {
    await alice.pusher.image('alice/old', '1.0', { layers: ['y'.repeat(100_000)] });
    await alice.api.tags.delete('alice/old', '1.0');
    // Longer than the grace window and the history's.
    await Bun.sleep(1_500);
    const visit = await rig.visit({ as: rig.chief });
    const { page } = visit;
    await visit.open('/admin/garbage');
    await page.getByRole('button', { name: 'Dry run' }).click();
    await page.getByRole('heading', { name: 'A run of garbage collection' }).waitFor();
    await page.getByRole('heading', { name: 'What would go' }).waitFor({ timeout: 30_000 });
    const manifests = page.getByRole('table', { name: 'Manifests that nothing names' });
    await manifests.getByRole('row').filter({ hasText: 'alice/old' }).getByText('no tag').waitFor();
    await page.getByLabel('Show').selectOption('Blobs that leave the store');
    expect(await manifests.count()).toBe(0);
    await page.getByLabel('Show').selectOption('Everything');
    await page.getByLabel('Find a repository, a digest or a reason').fill('nothing has this');
    await page.getByText('Nothing of this run matches').waitFor();
    expect(await visit.audit()).toEqual([]);
    const before = await rig.chief.api.administration.storage();

    await page.getByRole('link', { name: 'The last runs' }).click();
    await row(visit, 'Dry run').getByText('done').waitFor();
    await page.getByRole('button', { name: 'Collect now' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Collect now' }).click();
    await page.getByText('A collection counts what it removes.').waitFor({ timeout: 30_000 });
    const after = await rig.chief.api.administration.storage();
    expect(after.manifests).toBeLessThan(before.manifests);
    expect(visit.complaints).toEqual([]);
    await visit.close();
  }, 90_000);

  test('the audit log is filtered by the server, keeps the filter in its address, and shows details', async () => {
    await alice.api.repositories.create({ name: 'alice/logged', description: HOSTILE });
    const visit = await rig.visit({ as: rig.chief });
    const { page } = visit;
    await visit.open('/admin/audit');
    await page.getByLabel('Who').fill('alice');
    await page.getByLabel('What was done').fill('repository.*');
    await page.getByRole('button', { name: 'Show', exact: true }).click();
    await page.waitForURL('**/admin/audit?actor=alice&action=repository.*');
    await row(visit, 'alice/logged').waitFor();
    expect(await row(visit, 'login.success').count()).toBe(0);
    await page.reload();
    await row(visit, 'alice/logged').waitFor();
    expect(await page.getByLabel('Who').inputValue()).toBe('alice');
    expect(await visit.audit()).toEqual([]);

    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: 'Download as JSON lines' }).click(),
    ]);
    const text = await Bun.file(await download.path()).text();
    const lines = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { actor: string });
    expect(new Set(lines.map(({ actor }) => actor))).toEqual(new Set(['alice']));

    await page.getByLabel('To what').fill('nobody/nothing');
    await page.getByRole('button', { name: 'Show', exact: true }).click();
    await page.getByText('No line matches the filter').waitFor();
    await page.getByRole('button', { name: 'Clear the filter' }).click();
    const login = page.getByRole('row').filter({ hasText: 'login.success' }).first();
    await login.locator('summary').click();
    await login.locator('pre').waitFor();
    expect(visit.complaints).toEqual([]);
    await visit.close();
  });

  test('settings say what holds, what was changed and how to change it', async () => {
    const visit = await rig.visit({ as: rig.chief });
    const { page } = visit;
    await visit.open('/admin/settings');
    await row(visit, 'BERTH_GC_GRACE').getByText('changed').waitFor();
    await row(visit, 'BERTH_PUBLIC_URL').getByText('--public-url').waitFor();
    await page.getByLabel('Only what was changed').check();
    expect(await row(visit, 'BERTH_PUBLIC_URL').count()).toBe(0);
    expect(await row(visit, 'BERTH_GC_GRACE').count()).toBe(1);
    expect(await visit.audit()).toEqual([]);
    await visit.close();
  });

  test('every page fits a phone, in Korean and in the dark', async () => {
    const visit = await rig.visit({ as: rig.chief, phone: true, dark: true, language: 'ko' });
    for (const path of ['', '/invitations', '/organizations', '/storage', '/garbage', '/audit', '/settings']) {
      await visit.open(`/admin${path}`);
      await visit.page.getByRole('table').waitFor();
      expect([path, await visit.sideways()]).toEqual([path, 0]);
      expect([path, await visit.audit()]).toEqual([path, []]);
    }
    expect(visit.complaints).toEqual([]);
    await visit.close();
  }, 60_000);
});
