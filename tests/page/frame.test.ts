// What is around every page: the document, its policy, theme, language, weight, and what happens when the server is away.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { canBrowse, PageRig, type Person } from './rig.ts';

describe.skipIf(!canBrowse)('the page', () => {
  let rig: PageRig;
  let alice: Person;
  beforeAll(async () => {
    rig = await PageRig.start();
    alice = await rig.join('alice');
    await alice.pusher.image('alice/app', '1.0');
  }, 60_000);
  afterAll(() => rig?.stop(), 30_000);

  test('is a document with a strict policy, in the language and theme of who asks', async () => {
    const korean = await fetch(rig.url, {
      headers: { 'Accept-Language': 'fr;q=0.9, ko-KR, en', Cookie: 'berth_theme=dark' },
    });
    expect(await korean.text()).toContain('<html lang="ko" data-theme="dark">');
    const policy = korean.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toContain('unsafe');
    const hostile = await fetch(rig.url, {
      headers: { 'Accept-Language': '"><script>', Cookie: 'berth_theme="><script>' },
    });
    expect(await hostile.text()).toContain('<html lang="en">');
    const head = await fetch(rig.url, { method: 'HEAD' });
    expect(Number(head.headers.get('content-length'))).toBeGreaterThan(300);
  });

  test('loads at most 200 KB at the first view, all of it from here', async () => {
    const visit = await rig.visit();
    const sizes: Promise<number>[] = [];
    visit.page.on('requestfinished', (request) => {
      sizes.push(request.sizes().then(({ responseBodySize }) => responseBodySize));
    });
    await visit.open('/');
    await visit.page.waitForLoadState('networkidle');
    const total = (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
    console.log(`first view: ${Math.round(total / 1000)} KB in ${sizes.length} requests`);
    expect(total).toBeGreaterThan(50_000);
    expect(total).toBeLessThanOrEqual(200_000);
    expect(visit.complaints).toEqual([]);
    await visit.close();
  });

  test('says so at an address where nothing is', async () => {
    const answer = await fetch(`${rig.url}/nowhere/at/all`, { headers: { Accept: 'text/html' } });
    expect(answer.status).toBe(404);
    expect((await fetch(`${rig.url}/nowhere/at/all`)).headers.get('content-type')).toContain('problem+json');
    const visit = await rig.visit();
    await visit.open('/nowhere/at/all');
    await visit.page.getByRole('heading', { name: 'Nothing is at this address' }).waitFor();
    expect(await visit.audit()).toEqual([]);
    await visit.close();
  });

  test('keeps the theme and the language that were chosen, and needs no reload for them', async () => {
    const visit = await rig.visit();
    await visit.open('/');
    await visit.page.getByRole('button', { name: 'Theme' }).click();
    await visit.page.getByRole('menuitem', { name: 'Dark' }).click();
    expect(await visit.page.evaluate(() => document.documentElement.dataset.theme)).toBe('dark');
    await visit.page.getByRole('button', { name: 'Language' }).click();
    await visit.page.getByRole('menuitem', { name: '한국어' }).click();
    await visit.page.getByRole('link', { name: '시작하기' }).first().waitFor();
    await visit.page.reload();
    await visit.page.getByRole('link', { name: '시작하기' }).first().waitFor();
    expect(await visit.page.evaluate(() => document.documentElement.outerHTML.slice(0, 60))).toContain('lang="ko"');
    expect(await visit.page.evaluate(() => document.documentElement.dataset.theme)).toBe('dark');
    expect(visit.complaints).toEqual([]);
    await visit.close();
  });

  test('can be walked with the keyboard: past the menu, through a menu and back', async () => {
    const visit = await rig.visit({ as: alice });
    await visit.open('/');
    await visit.page.keyboard.press('Tab');
    await visit.page.keyboard.press('Enter');
    expect(await visit.page.evaluate(() => document.activeElement?.id)).toBe('content');
    await visit.page.getByRole('button', { name: 'Account of alice' }).focus();
    await visit.page.keyboard.press('Enter');
    await visit.page.getByRole('menu').waitFor();
    await visit.page.keyboard.press('ArrowDown');
    await visit.page.keyboard.press('Escape');
    await visit.page.getByRole('menu').waitFor({ state: 'detached' });
    expect(await visit.page.evaluate(() => document.activeElement?.getAttribute('aria-label'))).toBe(
      'Account of alice',
    );
    await visit.close();
  });

  test('keeps what it shows while the server is away, says so, and goes on when it is back', async () => {
    const visit = await rig.visit({ as: alice });
    await visit.open('/repositories');
    await visit.page.getByRole('link', { name: 'alice/app' }).first().waitFor();
    await visit.context.route('**/api/**', (route) => route.abort('connectionrefused'));
    await visit.page.getByRole('searchbox').fill('app');
    await visit.page.getByText('The server cannot be reached. What is shown may be old').waitFor();
    expect(await visit.page.getByRole('link', { name: 'alice/app' }).count()).toBeGreaterThan(0);
    expect(await visit.audit()).toEqual([]);
    await visit.context.unroute('**/api/**');
    await visit.page.getByText('The server cannot be reached').waitFor({ state: 'detached' });
    await visit.page.getByRole('link', { name: 'alice/app' }).first().waitFor();
    await visit.close();
  });

  test.each([
    ['en', 'The page has not loaded yet. If it stays like this, load it again.'],
    ['ko', '페이지를 아직 불러오지 못했습니다. 계속 이 상태라면 다시 불러오세요.'],
  ] as const)('says so when its script was lost on the way (%s)', async (language, words) => {
    const visit = await rig.visit({ language, phone: language === 'ko' });
    await visit.context.route(/\.js$/, (route) => route.abort('connectionreset'));
    await visit.page.goto(`${rig.url}/repositories`);
    const said = visit.page.locator('#root span');
    expect([await said.count(), await said.filter({ visible: true }).count()]).toEqual([2, 0]);
    await visit.page.getByText(words).waitFor();
    expect(await said.filter({ visible: true }).allTextContents()).toEqual([words]);
    expect(await visit.audit()).toEqual([]);
    await visit.context.unroute(/\.js$/);
    await visit.open('/repositories');
    expect(await said.filter({ hasText: words }).count()).toBe(0);
    await visit.close();
  });

  test('of which a part was lost on the way says so, and is loaded again with a click', async () => {
    const visit = await rig.visit();
    await visit.open('/repositories');
    await visit.context.route(/pages-\w+\.js$/, (route) => route.abort('connectionreset'));
    await visit.page.getByRole('link', { name: 'Getting started' }).first().click();
    const again = visit.page.getByRole('button', { name: 'Load the page anew' });
    await again.waitFor();
    await visit.context.unroute(/pages-\w+\.js$/);
    await again.click();
    await visit.page.getByRole('heading', { name: 'Getting started' }).waitFor();
    await visit.close();
  });

  test('of one person shows nothing to the next one in the same browser', async () => {
    const visit = await rig.visit({ as: alice });
    await visit.open('/repositories');
    await visit.page.getByRole('link', { name: 'alice/app' }).first().waitFor();
    await visit.page.getByRole('button', { name: 'Account of alice' }).click();
    await visit.page.getByRole('menuitem', { name: 'Log out' }).click();
    await visit.page.getByRole('link', { name: 'Log in' }).first().waitFor();
    await visit.open('/repositories');
    expect(await visit.page.getByText('alice/app').count()).toBe(0);
    await visit.close();
  });
});
