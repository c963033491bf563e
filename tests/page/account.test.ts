// One's own account: profile, password and second factor, access tokens, sessions; and a session that ends in the middle of things.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { encode } from 'uqr';
import { authenticatorCode } from '../../src/http/session/testing.ts';
import { canBrowse, PASSWORD, PageRig, type Person, type Visit } from './rig.ts';

const HOSTILE = '<img src=x onerror="window.pwned=1">';

describe.skipIf(!canBrowse)('the account', () => {
  let rig: PageRig;
  let alice: Person;
  beforeAll(async () => {
    rig = await PageRig.start();
    alice = await rig.join('alice');
  }, 60_000);
  afterAll(() => rig?.stop(), 30_000);

  /** Ends every session of a person but that of a browser which does it. */
  async function endSessions(person: Person): Promise<void> {
    const elsewhere = await rig.visit({ as: person });
    const answer = await elsewhere.context.request.delete(`${rig.url}/api/v1/auth/sessions`);
    expect(((await answer.json()) as { ended: number }).ended).toBeGreaterThan(0);
    await elsewhere.close();
  }

  async function logInAgain({ page }: Visit, password = PASSWORD): Promise<void> {
    const dialog = page.getByRole('dialog', { name: 'Your session has ended' });
    await dialog.getByLabel('Password', { exact: true }).fill(password);
    await dialog.getByLabel('Password', { exact: true }).press('Enter');
  }

  test('the profile can be changed, and what is wrong is said beside its field', async () => {
    const visit = await rig.visit({ as: alice });
    const { page } = visit;
    await visit.open('/account');
    await page.getByLabel('Name').fill(`Alice ${HOSTILE}`);
    await page.getByLabel('E-mail address').fill('alice@users.invalid');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('not an address that mail reaches').waitFor();
    await page.getByLabel('E-mail address').fill('alice@example.com');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('status').getByText('Saved.').waitFor();
    expect(await alice.api.users.own()).toMatchObject({ name: `Alice ${HOSTILE}`, email: 'alice@example.com' });
    expect(await visit.audit()).toEqual([]);

    await page.getByLabel('Theme', { exact: true }).last().selectOption('dark');
    await page.getByLabel('Language', { exact: true }).last().selectOption('ko');
    await page.getByRole('heading', { name: '프로필', level: 1 }).waitFor();
    expect(await page.evaluate(() => document.documentElement.dataset.theme)).toBe('dark');
    expect(await visit.audit()).toEqual([]);
    expect(await visit.hacked()).toBe(false);
    expect(visit.complaints).toEqual([]);
    await visit.close();
  });

  test('a token is made, its secret shown once with the line for docker, used, and revoked', async () => {
    const visit = await rig.visit({ as: alice });
    const { page } = visit;
    await visit.context.grantPermissions(['clipboard-read', 'clipboard-write']);
    await visit.open('/account/tokens');
    await page.getByRole('button', { name: 'New token' }).click();
    const form = page.getByRole('dialog', { name: 'New access token' });
    await form.getByLabel('Name', { exact: true }).fill(HOSTILE);
    await form.getByLabel('Level').selectOption('read');
    await form.getByText('For servers that run images.').waitFor();
    await form.getByLabel('For', { exact: true }).selectOption('one');
    await form.getByLabel('Name of the repository').fill('Not A Name');
    await form.getByLabel('Expires').selectOption('date');
    await form.getByLabel('Last day').fill('2999-01-31');
    expect(await visit.audit()).toEqual([]);
    await form.getByRole('button', { name: 'New token' }).click();
    await form.getByText('not a repository name').waitFor();
    await form.getByLabel('Name of the repository').fill('alice/app');
    await form.getByRole('button', { name: 'New token' }).click();

    const made = page.getByRole('dialog', { name: `Token ${HOSTILE} is made` });
    await made.getByText(`docker login -u alice ${rig.host}`, { exact: true }).waitFor();
    await made.getByText(`echo "$TOKEN" | docker login -u alice --password-stdin ${rig.host}`).waitFor();
    await made.getByRole('button', { name: 'Copy the secret' }).click();
    await made.getByText('Copied', { exact: true }).waitFor();
    const secret = await page.evaluate(() => navigator.clipboard.readText());
    expect(await visit.audit()).toEqual([]);
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Show it again' }).click();
    await made.getByText(secret).waitFor();
    await made.getByRole('button', { name: 'I have copied it' }).click();
    await made.waitFor({ state: 'detached' });
    expect(await page.content()).not.toContain(secret);

    const own = () =>
      fetch(`${rig.url}/v2/alice/app/tags/list`, { headers: { Authorization: `Basic ${btoa(`alice:${secret}`)}` } });
    expect((await own()).status).toBe(404);
    await page.reload();
    const row = page.getByRole('table', { name: 'Access tokens' }).getByRole('row').filter({ hasText: HOSTILE });
    await row.getByText('from 127.0.0.1').waitFor();
    await row.getByText('read', { exact: true }).waitFor();
    await row.getByText('alice/app').waitFor();
    await row.getByText('in 972 years').waitFor();
    await row.getByRole('button', { name: `Revoke ${HOSTILE}` }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
    await row.waitFor({ state: 'detached' });
    expect((await own()).status).toBe(401);
    expect(await visit.audit()).toEqual([]);
    expect(await visit.hacked()).toBe(false);
    expect(visit.complaints).toEqual([]);
    await visit.close();
  });

  test('without a token the page says what to do, on a phone in the dark too', async () => {
    await rig.chief.api.users.create({ username: 'fresh', password: PASSWORD });
    const visit = await rig.visit({ as: { ...alice, username: 'fresh' }, phone: true, dark: true });
    await visit.open('/account/tokens');
    await visit.page.getByText('You have no access tokens').waitFor();
    await visit.page.getByText(`docker login -u fresh ${rig.host}`).waitFor();
    expect(await visit.audit()).toEqual([]);
    await visit.page.getByRole('button', { name: 'New token' }).click();
    await visit.page.getByRole('dialog').getByLabel('Name', { exact: true }).fill('phone');
    await visit.page.getByRole('dialog').getByRole('button', { name: 'New token' }).click();
    await visit.page.getByRole('dialog').getByText(`docker login -u fresh ${rig.host}`, { exact: true }).waitFor();
    expect(await visit.sideways()).toBeLessThanOrEqual(0);
    expect(await visit.audit()).toEqual([]);
    for (const place of ['', '/security', '/sessions']) {
      await visit.open(`/account${place}`);
      await visit.page.getByRole('navigation', { name: 'Your account' }).waitFor();
      await visit.page.waitForLoadState('networkidle');
      expect([place, await visit.audit()]).toEqual([place, []]);
      const current = visit.page.getByRole('navigation', { name: 'Your account' }).locator('[aria-current="page"]');
      expect(await current.count()).toBe(1);
      // In sight, though the tabs are wider than the phone.
      const box = await current.boundingBox();
      expect((box?.x ?? 0) + (box?.width ?? 1_000)).toBeLessThanOrEqual(390);
      expect(await visit.sideways()).toBeLessThanOrEqual(0);
    }
    await visit.close();
  });

  test('a new password ends the other sessions, and this one goes on', async () => {
    const bob = await rig.join('bob');
    const visit = await rig.visit({ as: bob });
    const other = await rig.visit({ as: bob });
    await other.open('/account/sessions');
    const { page } = visit;
    await visit.open('/account/security');
    await page.getByLabel('Current password', { exact: true }).fill('wrong password');
    await page.getByLabel('New password', { exact: true }).fill('another horse battery');
    await page.getByRole('button', { name: 'Change the password' }).click();
    await page.getByText('is wrong').waitFor();
    await page.getByLabel('Current password', { exact: true }).fill(PASSWORD);
    await page.getByRole('button', { name: 'Change the password' }).click();
    await page.getByText('The password is changed.').waitFor();
    await page.getByRole('link', { name: 'Sessions' }).click();
    await page.getByText('this browser').waitFor();
    expect(await page.getByRole('table').getByRole('row').count()).toBe(2);

    await other.page.getByRole('link', { name: 'Access tokens' }).first().click();
    await logInAgain(other, 'another horse battery');
    await other.page.getByRole('heading', { name: 'Log-ins of docker and berth' }).waitFor();
    expect(visit.complaints).toEqual([]);
    await visit.close();
    await other.close();
  });

  test('the second factor is turned on with an app, its backup codes renewed, and turned off', async () => {
    const carol = await rig.join('carol');
    const visit = await rig.visit({ as: carol });
    const { page } = visit;
    const confirm = async (password: string, action: string) => {
      await page.getByRole('dialog').getByLabel('Your password', { exact: true }).fill(password);
      await page.getByRole('dialog').getByRole('button', { name: action }).click();
    };
    await visit.open('/account/security');
    await page.getByRole('button', { name: 'Turn on' }).click();
    await confirm('wrong password', 'Go on');
    await page.getByRole('dialog').getByText('is wrong').waitFor();
    expect(await visit.audit()).toEqual([]);
    await confirm(PASSWORD, 'Go on');
    const secret =
      (await page
        .locator('code')
        .filter({ hasText: /^[A-Z2-7]{16,}$/ })
        .textContent()) ?? '';
    const uri = `otpauth://totp/Berth%20${encodeURIComponent(rig.host)}:carol?secret=${secret}&issuer=Berth%20${encodeURIComponent(rig.host)}&digits=6&period=30`;
    const { data, size } = encode(uri, { ecc: 'M', border: 4 });
    const path = await page.getByRole('img', { name: 'QR code' }).locator('path').getAttribute('d');
    const drawn = Array.from({ length: size }, () => new Array<boolean>(size).fill(false));
    for (const [, x, y] of (path ?? '').matchAll(/M(\d+) (\d+)h1v1h-1z/g)) (drawn[Number(y)] ?? [])[Number(x)] = true;
    expect(drawn).toEqual(data);
    expect(await visit.audit()).toEqual([]);

    const code = page.getByLabel('Code of the authenticator app');
    await code.fill('000000');
    await code.press('Enter');
    await page.getByText('is wrong, or was used before').waitFor();
    // A wrong code is no session that has ended.
    expect(await page.getByRole('dialog').count()).toBe(0);
    await code.fill(authenticatorCode(secret));
    await code.press('Enter');
    const codes = page.getByRole('list', { name: 'Backup codes' }).getByRole('listitem');
    await codes.first().waitFor();
    const first = await codes.allTextContents();
    expect(first).toHaveLength(10);
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: 'Download' }).click(),
    ]);
    expect(download.suggestedFilename()).toBe('berth-carol-backup-codes.txt');
    expect(readFileSync(await download.path(), 'utf8')).toBe(
      `Backup codes of Berth at ${rig.host} for carol. Each lets in once.\n\n${first.join('\n')}\n`,
    );
    expect(await visit.audit()).toEqual([]);
    await page.getByRole('button', { name: 'I have kept them' }).click();
    await page.getByText('On', { exact: true }).waitFor();

    await page.getByRole('button', { name: 'Make new backup codes' }).click();
    await confirm(PASSWORD, 'Make new backup codes');
    await codes.first().waitFor();
    const renewed = await codes.allTextContents();
    expect(renewed.filter((text) => first.includes(text))).toEqual([]);
    await page.getByRole('button', { name: 'I have kept them' }).click();

    const again = await rig.visit();
    await again.open('/login');
    await again.page.getByLabel('Username').fill('carol');
    await again.page.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await again.page.getByLabel('Password', { exact: true }).press('Enter');
    await again.page.getByRole('button', { name: 'Use a backup code' }).click();
    await again.page.getByLabel('Backup code').fill(renewed[0] ?? '');
    await again.page.getByLabel('Backup code').press('Enter');
    await again.page.getByRole('button', { name: 'Account of carol' }).waitFor();
    await again.close();

    await page.getByRole('button', { name: 'Turn off' }).click();
    await confirm(PASSWORD, 'Turn off');
    await page.getByText('Off', { exact: true }).waitFor();
    expect((await carol.api.users.own()).twoFactor).toBe(false);
    expect(visit.complaints).toEqual([]);
    await visit.close();
  });

  test('sessions are named, and ended one by one or all at once', async () => {
    const dave = await rig.join('dave');
    const others = [await rig.visit({ as: dave }), await rig.visit({ as: dave }), await rig.visit({ as: dave })];
    const visit = await rig.visit({ as: dave });
    const { page } = visit;
    await visit.open('/account/sessions');
    const rows = page.getByRole('table', { name: 'Sessions' }).getByRole('row');
    await rows.filter({ hasText: 'this browser' }).filter({ hasText: '127.0.0.1' }).waitFor();
    expect(await rows.count()).toBe(5);
    expect(await rows.nth(1).textContent()).toMatch(/Chrome \d+ on Linux/);
    await rows.nth(2).getByRole('button', { name: 'End' }).click();
    await rows.nth(4).waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'End all others' }).click();
    await page.getByRole('dialog').getByText('2 browsers must log in again').waitFor();
    await page.getByRole('dialog').getByRole('button', { name: 'End all others' }).click();
    await page.getByRole('status').getByText('2 sessions ended.').waitFor();
    expect(await rows.count()).toBe(2);
    expect(await visit.audit()).toEqual([]);
    for (const other of others) {
      await other.open('/account/sessions');
      await other.page.getByRole('heading', { name: 'Log in' }).waitFor();
      await other.close();
    }
    await visit.close();
  });

  test('a session that ends in the middle of a form costs nothing: one logs in again, and sends it', async () => {
    const erin = await rig.join('erin');
    const visit = await rig.visit({ as: erin });
    const { page } = visit;
    await visit.open('/account');
    await page.getByLabel('Name').fill('Erin, after all');
    await endSessions(erin);
    await page.getByRole('button', { name: 'Save' }).click();
    const dialog = page.getByRole('dialog', { name: 'Your session has ended' });
    await dialog.waitFor();
    expect(await dialog.getByLabel('Username').inputValue()).toBe('erin');
    expect(await visit.audit()).toEqual([]);
    await page.getByText('You were not logged in any more').waitFor();
    await logInAgain(visit, 'wrong password');
    await dialog.getByText('The username or the password is wrong.').waitFor();
    await logInAgain(visit);
    await dialog.waitFor({ state: 'detached' });
    expect(await page.getByLabel('Name').inputValue()).toBe('Erin, after all');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('status').getByText('Saved.').waitFor();
    expect((await erin.api.users.own()).name).toBe('Erin, after all');
    expect(visit.complaints).toEqual([]);
    await visit.close();
  });

  test('coming back to a page whose session has ended meanwhile, one finds what one typed', async () => {
    const ivan = await rig.join('ivan');
    const visit = await rig.visit({ as: ivan });
    const { page } = visit;
    await page.clock.install();
    await visit.open('/account');
    await page.getByLabel('Name').fill('Ivan, after all');
    await endSessions(ivan);
    await page.clock.fastForward('02:00');
    await page.evaluate(() => window.dispatchEvent(new Event('visibilitychange')));
    await logInAgain(visit);
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    expect(await page.getByLabel('Name').inputValue()).toBe('Ivan, after all');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('status').getByText('Saved.').waitFor();
    await visit.close();
  });

  test('a window with a form outlives a session too, and the second factor of the next one', async () => {
    const frank = await rig.join('frank');
    const visit = await rig.visit({ as: frank, phone: true });
    const { page } = visit;
    const post = async (path: string, data: object) =>
      (await visit.context.request.post(`${rig.url}/api/v1/auth${path}`, { data })).text();
    const { secret } = JSON.parse(await post('/two-factor', { password: PASSWORD })) as { secret: string };
    await post('/two-factor/confirm', { code: authenticatorCode(secret) });
    await visit.open('/account/tokens');
    await page.getByRole('button', { name: 'New token' }).first().click();
    const form = page.getByRole('dialog', { name: 'New access token' });
    await form.getByLabel('Name', { exact: true }).fill('kept');
    await rig.chief.api.users.disable('frank');
    await rig.chief.api.users.enable('frank');
    await form.getByRole('button', { name: 'New token' }).click();
    // With the finger, beside the window beneath: that is no sign to close it.
    await page
      .getByRole('dialog', { name: 'Your session has ended' })
      .getByRole('button', { name: 'Show Password' })
      .click();
    await logInAgain(visit);
    const code = page.getByLabel('Code of the authenticator app');
    await code.fill(authenticatorCode(secret));
    await code.press('Enter');
    await page.getByRole('dialog', { name: 'Your session has ended' }).waitFor({ state: 'detached' });
    expect(await form.getByLabel('Name', { exact: true }).inputValue()).toBe('kept');
    await form.getByRole('button', { name: 'New token' }).click();
    await page.getByRole('dialog', { name: 'Token kept is made' }).waitFor();
    await visit.close();
  });

  test('logged in again at another tab, this one goes on by itself; as somebody else, it says so', async () => {
    const grace = await rig.join('grace');
    await rig.join('heidi');
    const visit = await rig.visit({ as: grace });
    const { page } = visit;
    const signIn = (username: string) =>
      visit.context.request.post(`${rig.url}/api/v1/auth/sign-in`, { data: { username, password: PASSWORD } });
    const lookHere = () => page.evaluate(() => window.dispatchEvent(new Event('focus')));
    await visit.open('/account');
    await page.getByLabel('Name').fill('Grace H.');
    await endSessions(grace);
    await page.getByRole('button', { name: 'Save' }).click();
    const dialog = page.getByRole('dialog', { name: 'Your session has ended' });
    await dialog.waitFor();
    await signIn('heidi');
    await lookHere();
    await dialog.getByText('This browser is now logged in as heidi.').waitFor();
    await signIn('grace');
    await lookHere();
    await dialog.waitFor({ state: 'detached' });
    expect(await page.getByLabel('Name').inputValue()).toBe('Grace H.');
    await visit.close();
  });
});
