// Set-up, log-in with its second step, sign-up and log-in providers, as a person does them.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { ManagementClient } from '../../src/client/management.ts';
import { authenticatorCode } from '../../src/http/session/testing.ts';
import { CLIENT, startProvider, type TestProvider } from '../oidc/provider.ts';
import { freePort } from '../support/ports.ts';
import { canBrowse, PASSWORD, PageRig, setupSecret, type Visit } from './rig.ts';

/** Types into the fields of a log-in and sends it. */
async function logIn({ page }: Visit, username: string, password = PASSWORD): Promise<void> {
  await page.getByLabel('Username').fill(username);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByLabel('Password', { exact: true }).press('Enter');
}

function loggedIn({ page }: Visit, username: string): Promise<void> {
  return page.getByRole('button', { name: `Account of ${username}` }).waitFor();
}

const pathOf = ({ page }: Visit) => page.url().slice(new URL(page.url()).origin.length);

describe.skipIf(!canBrowse)('getting in', () => {
  let rig: PageRig;
  let chief: ManagementClient;
  beforeAll(async () => {
    rig = await PageRig.start({ setUp: false });
    chief = new ManagementClient(rig.url, { kind: 'password', username: 'chief', password: PASSWORD });
  }, 60_000);
  afterAll(() => rig?.stop(), 30_000);

  const join = (username: string) => chief.users.create({ username, password: PASSWORD });

  test('the set-up link makes the first account, once, and its secret leaves the address bar', async () => {
    const visit = await rig.visit();
    const { page } = visit;
    await visit.open('/setup?secret=berth_setup_wrong');
    await page.waitForURL(`${rig.url}/setup`);
    await page.getByLabel('Username').fill('chief');
    await page.getByLabel('Password', { exact: false }).first().fill(PASSWORD);
    await page.getByRole('button', { name: 'Make the account' }).click();
    await page.getByText('setup: the link was used, or a newer one was printed since').waitFor();
    expect(await page.getByLabel('Set-up secret').inputValue()).toBe('berth_setup_wrong');
    expect(await visit.audit()).toEqual([]);

    await visit.open('/setup');
    await page.getByText('Open the link that “berth serve” printed').waitFor();
    await visit.open(`/setup?secret=${setupSecret(rig.berth)}`);
    await page.waitForURL(`${rig.url}/setup`);
    await page.getByLabel('Username').fill('no one');
    await page.getByLabel('Password (required)').fill(PASSWORD);
    await page.getByLabel('E-mail address').fill('chief@example.com');
    await page.getByLabel('E-mail address').press('Enter');
    await page.locator('input[name="username"][aria-invalid="true"]').waitFor();
    await page.getByLabel('Username').fill('chief');
    await page.getByRole('button', { name: 'Make the account' }).click();
    await loggedIn(visit, 'chief');
    expect(pathOf(visit)).toBe('/');
    expect((await chief.users.own()).email).toBe('chief@example.com');

    await visit.open('/setup');
    await page.getByText('This registry is set up already').waitFor();
    expect(await visit.audit()).toEqual([]);
    expect(visit.complaints).toEqual([]);
    await visit.close();
  });

  test('a wrong password is said to be wrong; the right one leads to where one wanted to go', async () => {
    await join('alice');
    const visit = await rig.visit({ phone: true });
    const { page } = visit;
    await visit.open('/account/tokens?x=1');
    await page.getByRole('heading', { name: 'Log in', level: 1 }).waitFor();
    expect(await page.getByLabel('Username').getAttribute('autocomplete')).toBe('username');
    expect(await page.getByLabel('Password', { exact: true }).getAttribute('autocomplete')).toBe('current-password');
    await logIn(visit, 'alice', 'wrong password');
    await page.getByRole('alert').getByText('The username or the password is wrong.').waitFor();
    expect(await visit.audit()).toEqual([]);
    expect(await visit.sideways()).toBeLessThanOrEqual(0);
    await logIn(visit, 'alice');
    await page.getByRole('heading', { name: 'Access tokens', level: 1 }).waitFor();
    expect(pathOf(visit)).toStartWith('/account/tokens');

    await visit.open('/login?next=/account/sessions');
    await page.getByRole('heading', { name: 'Sessions', level: 1 }).waitFor();
    expect(visit.complaints).toEqual([]);
    await visit.close();
  });

  test('no log-in leads to another site', async () => {
    const visit = await rig.visit();
    for (const next of ['//evil.test/', '/\\evil.test/', 'https://evil.test/', 'javascript:window.pwned=1']) {
      await visit.open(`/login?next=${encodeURIComponent(next)}`);
      await logIn(visit, 'alice');
      await loggedIn(visit, 'alice');
      await visit.page.waitForURL(`${rig.url}/`);
      await visit.context.clearCookies();
    }
    expect(await visit.hacked()).toBe(false);
    expect(visit.complaints).toEqual([]);
    await visit.close();
  });

  test('the second step takes the code of the app, or a backup code', async () => {
    await join('second');
    const enrolling = await rig.visit();
    const post = (path: string, data: object) =>
      enrolling.context.request.post(`${rig.url}/api/v1/auth${path}`, { data });
    await post('/sign-in', { username: 'second', password: PASSWORD });
    const begun = await post('/two-factor', { password: PASSWORD });
    const { secret, backupCodes } = (await begun.json()) as { secret: string; backupCodes: string[] };
    expect((await post('/two-factor/confirm', { code: authenticatorCode(secret) })).status()).toBe(204);
    await enrolling.close();

    const visit = await rig.visit();
    const { page } = visit;
    await visit.open('/login?next=/account');
    await logIn(visit, 'second');
    const code = page.getByLabel('Code of the authenticator app');
    await code.waitFor();
    expect(await code.getAttribute('autocomplete')).toBe('one-time-code');
    expect(await code.evaluate((field) => field === document.activeElement)).toBe(true);
    await code.fill('000000');
    await code.press('Enter');
    await page.getByRole('alert').getByText('The code is wrong, or was used before.').waitFor();
    expect(await visit.audit()).toEqual([]);
    const right = authenticatorCode(secret);
    await code.fill(`${right.slice(0, 3)} ${right.slice(3)}`);
    await code.press('Enter');
    await loggedIn(visit, 'second');
    await page.getByRole('heading', { name: 'Profile', level: 1 }).waitFor();

    await visit.context.clearCookies();
    await visit.open('/login');
    await logIn(visit, 'second');
    await page.getByRole('button', { name: 'Use a backup code' }).click();
    await page.getByLabel('Backup code').fill(backupCodes[0] ?? '');
    await page.getByLabel('Backup code').press('Enter');
    await loggedIn(visit, 'second');
    expect(visit.complaints).toEqual([]);
    await visit.close();
  });

  test('after too many wrong passwords it says how long to wait', async () => {
    await join('locked');
    const sign = (password: string) =>
      fetch(`${rig.url}/api/v1/auth/sign-in`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ username: 'locked', password }),
      });
    for (let i = 0; i < 10; i++) expect((await sign('wrong password')).status).toBe(401);
    const visit = await rig.visit({ dark: true });
    await visit.open('/login');
    await logIn(visit, 'locked');
    await visit.page.getByText('Too many wrong attempts').waitFor();
    await visit.page.getByText('try again in 15 min').waitFor();
    expect(await visit.audit()).toEqual([]);
    await visit.close();
  });

  test('behind a proxy that forwards another host it says what is wrong', async () => {
    const proxy = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      fetch: (request) => {
        const { pathname, search } = new URL(request.url);
        const headers = new Headers(request.headers);
        headers.set('Host', rig.host);
        return fetch(`${rig.url}${pathname}${search}`, {
          method: request.method,
          headers,
          ...(request.body === null ? {} : { body: request.body }),
          decompress: false,
        });
      },
    });
    const visit = await rig.visit({ url: `http://127.0.0.1:${proxy.port}` });
    await visit.open('/login');
    await logIn(visit, 'alice');
    await visit.page.getByText('The address of this page is not the one that the server sees').waitFor();
    await visit.page.getByRole('link', { name: 'Open the self-check' }).click();
    await visit.page.waitForURL('**/getting-started');
    await visit.close();
    proxy.stop(true);
  });

  test('an invitation makes an account; its secret leaves the address bar; it is no use twice', async () => {
    const { path } = await chief.invitations.create({ email: 'guest@example.com' });
    const visit = await rig.visit();
    const { page } = visit;
    await visit.open('/signup');
    await page.getByText('One needs an invitation here').waitFor();
    expect(await visit.audit()).toEqual([]);
    await page.goto('about:blank');
    await visit.open(path);
    await page.getByText('You have been invited').waitFor();
    await page.waitForURL(`${rig.url}/signup`);
    expect(await visit.audit()).toEqual([]);
    await page.getByLabel('Username').fill('alice');
    await page.getByLabel('Password (required)').fill(PASSWORD);
    await page.getByRole('button', { name: 'Sign up' }).click();
    // Beside the field, and the field says so to those who hear it.
    await page.locator('input[name="username"][aria-invalid="true"]').waitFor();
    await page.getByLabel('Username').fill('guest');
    await page.getByRole('button', { name: 'Sign up' }).click();
    await loggedIn(visit, 'guest');
    expect((await chief.users.get('guest')).email).toBe('guest@example.com');

    await page.goto('about:blank');
    await visit.open(path);
    await page.getByText('You are logged in as guest').waitFor();
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByLabel('Username').fill('guest2');
    await page.getByLabel('Password (required)').fill(PASSWORD);
    await page.getByRole('button', { name: 'Sign up' }).click();
    await page.getByRole('alert').getByText('invitation:').waitFor();
    expect(visit.complaints).toEqual([]);
    await visit.close();
  });

  test('it speaks Korean', async () => {
    const visit = await rig.visit({ language: 'ko', phone: true, dark: true });
    await visit.open('/login');
    await visit.page.getByLabel('사용자 이름').fill('alice');
    await visit.page.getByLabel('비밀번호', { exact: true }).fill(PASSWORD);
    await visit.page.locator('form').getByRole('button', { name: '로그인' }).click();
    await visit.page.getByRole('button', { name: 'alice 계정' }).waitFor();
    await visit.close();
  });
});

describe.skipIf(!canBrowse)('log-in at a provider', () => {
  let rig: PageRig;
  let provider: TestProvider;
  beforeAll(async () => {
    const port = await freePort();
    provider = await startProvider(`http://127.0.0.1:${port}/api/v1/auth/callback/corp`);
    provider.people.set('ada', { sub: 'ada', preferred_username: 'ada', name: 'Ada Lovelace' });
    const corp = { id: 'corp', name: 'Corporation <b>', issuer: provider.issuer, ...CLIENT };
    rig = await PageRig.start({ port, args: ['--sign-up', 'open', '--oidc', JSON.stringify([corp])] });
  }, 60_000);
  afterAll(async () => {
    await rig?.stop();
    provider?.stop();
  }, 60_000);

  /** On the provider's own pages. */
  async function agree({ page }: Visit, login: string): Promise<void> {
    await page.locator('input[name="login"]').fill(login);
    await page.locator('input[name="password"]').fill('any');
    await page.locator('button[type="submit"]').click();
    await page.getByRole('button', { name: 'Continue' }).click();
  }

  test('a button leads there, and back to where one wanted to go, logged in', async () => {
    const visit = await rig.visit();
    await visit.open('/account');
    await visit.page.getByRole('heading', { name: 'Log in' }).waitFor();
    await visit.page.getByRole('link', { name: 'Log in with Corporation <b>' }).waitFor();
    expect(await visit.audit()).toEqual([]);
    await visit.page.getByRole('link', { name: 'Log in with Corporation <b>' }).click();
    await visit.page.waitForURL(`${provider.issuer}/**`);
    await agree(visit, 'ada');
    await loggedIn(visit, 'ada');
    await visit.page.getByRole('heading', { name: 'Profile' }).waitFor();
    expect(await visit.page.getByLabel('Name').inputValue()).toBe('Ada Lovelace');

    // The only way in is not taken away.
    await visit.page.getByRole('link', { name: 'Security' }).click();
    await visit.page.getByText('Your account has no password').waitFor();
    await visit.page.getByRole('button', { name: 'Unlink the account at Corporation <b>' }).click();
    await visit.page.getByRole('dialog').getByRole('button', { name: 'Unlink' }).click();
    await visit.page.getByRole('alert').getByText('your only way to log in').waitFor();
    expect(await visit.audit()).toEqual([]);
    await visit.close();
  });

  test('an account there can be linked, and one that is somebody else’s cannot', async () => {
    const linker = await rig.join('linker');
    provider.people.set('other', { sub: 'other', preferred_username: 'other' });
    const visit = await rig.visit({ as: linker });
    const link = visit.page.getByRole('button', { name: 'Link an account at Corporation <b>' });
    await visit.open('/account/security');
    await link.click();
    await agree(visit, 'other');
    await visit.page.getByText('Linked', { exact: true }).waitFor();
    await visit.page.getByRole('button', { name: 'Unlink the account at Corporation <b>' }).click();
    await visit.page.getByRole('dialog').getByRole('button', { name: 'Unlink' }).click();
    await visit.page.getByText('Not linked', { exact: true }).waitFor();

    await visit.context.clearCookies({ domain: '127.0.0.1', name: /^_(session|interaction)/ });
    await link.click();
    await agree(visit, 'ada');
    await visit.page.getByText('The accounts were not linked').waitFor();
    await visit.page.getByText('linked to somebody else’s account').waitFor();
    expect(await visit.audit()).toEqual([]);
    await visit.page.getByRole('link', { name: 'Back to Security' }).click();
    await visit.page.getByText('Not linked', { exact: true }).waitFor();
    await visit.close();
  });

  test('why nobody was logged in is said in words, whatever the address bar holds', async () => {
    const visit = await rig.visit();
    for (const [error, said] of [
      ['cancelled', 'was cancelled at the provider'],
      ['not-linked', 'Log in to it with the password'],
      ['toString', 'The provider’s answer could not be used'],
      ['<img src=x onerror="window.pwned=1">', 'The provider’s answer could not be used'],
    ] as const) {
      await visit.open(`/login?error=${encodeURIComponent(error)}`);
      await visit.page.getByRole('alert').getByText(said).waitFor();
    }
    expect(await visit.hacked()).toBe(false);
    expect(visit.complaints).toEqual([]);
    await visit.close();
  });

  test('where everyone may sign up, the log-in page leads to it', async () => {
    const visit = await rig.visit({ phone: true });
    await visit.open('/login');
    await visit.page.getByRole('link', { name: 'Sign up' }).click();
    await visit.page.getByLabel('Username').fill('newcomer');
    await visit.page.getByLabel('Password (required)').fill(PASSWORD);
    expect(await visit.sideways()).toBeLessThanOrEqual(0);
    await visit.page.getByRole('button', { name: 'Sign up' }).click();
    await loggedIn(visit, 'newcomer');
    await visit.close();
  });
});
