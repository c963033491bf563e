// The acts of a team's story that have a page, as a person plays them: sign up, push, see it, run it on a server, a bad release, undo. The
// server, the Docker Engines and the agents are real. With BERTH_SCREENSHOTS=DIR the pages are kept as pictures, for docs/.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { type ServerEngine, serverEngineTools, startServerEngine } from '../support/server-engine.ts';
import { type RunningAgent, startAgent, startTeam, type Team } from '../support/stack.ts';
import { requireTools } from '../support/tools.ts';
import { loadImage, type WebVersion, webImage, webImageTools } from '../support/web-image.ts';
import { openVisit, startBrowser, type Visit } from './rig.ts';

const canPlay = requireTools('page story', ['chromium-headless-shell', ...serverEngineTools, ...webImageTools]);
const dana = { username: 'dana', password: 'correct horse battery' };
/** How long what servers do may take, ms: two cores run it all. */
const LATER = { timeout: 90_000 };

const composeFile = (host: string) => `x-berth:
  watch: 5s
  min_healthy_time: 1s
  healthy_deadline: 10s
  progress_deadline: 30s
  drain: 1s
services:
  web:
    image: ${host}/dana/web:latest
    restart: unless-stopped
`;

describe.skipIf(!canPlay)('a team at the page', () => {
  let team: Team;
  let browser: Browser;
  let laptop: ServerEngine;
  let visit: Visit;
  const engines: ServerEngine[] = [];
  const agents: RunningAgent[] = [];
  let token = '';

  beforeAll(async () => {
    team = await startTeam({
      env: { BERTH_DEPLOY_LEASE: '12s', BERTH_TARGET_AWAY: '8s', BERTH_AGENT_POLL: '1s', BERTH_AGENT_REPORT: '1s' },
    });
    browser = await startBrowser();
    laptop = await startServerEngine({ name: 'laptop', insecure: [team.host] });
    engines.push(laptop);
    visit = await openVisit(browser, team.url);
    visit.context.setDefaultTimeout(30_000);
  }, 120_000);

  afterAll(async () => {
    for (const agent of agents) await agent.stop();
    for (const engine of engines) await engine.stop();
    await browser?.close();
    await team?.stop();
  }, 120_000);

  const button = (name: string | RegExp) => visit.page.getByRole('button', { name });
  const field = (name: string | RegExp) => visit.page.getByRole('textbox', { name });
  const text = (what: string | RegExp) => visit.page.getByText(what).first();
  const dialog = () => visit.page.getByRole('dialog');
  const column = (environment: string) => visit.page.getByRole('region', { name: environment });

  async function picture(name: string, of: Visit = visit): Promise<void> {
    const folder = process.env.BERTH_SCREENSHOTS;
    if (folder !== undefined) await of.page.screenshot({ path: join(folder, `${name}.png`) });
  }

  /** As CI would: another image under the same tag. */
  async function push(tag: string, version: WebVersion): Promise<void> {
    const name = `${team.host}/dana/web:${tag}`;
    await loadImage(laptop, await webImage(version), name);
    await laptop.docker(['push', '--quiet', name]);
  }

  /** Enrolls a server on the environment's page, and runs the line that the page gives on it. */
  async function enroll(environment: string): Promise<void> {
    await visit.open(`/s/dana/shop/environments/${environment}`);
    await button(/^Enroll a server/)
      .first()
      .click();
    await dialog().getByRole('button', { name: 'Enroll' }).click();
    const line = await dialog()
      .getByText(/berth agent/)
      .first()
      .textContent();
    const command = (line ?? '').trim();
    const engine = await startServerEngine({ name: environment, insecure: [team.host] });
    engines.push(engine);
    agents.push(startAgent(engine, { command }));
    await dialog().getByRole('button', { name: 'I have copied it' }).click();
    await text(/^online$/).waitFor();
    expect(await visit.page.getByText(command).count()).toBe(0);
  }

  test('an account is made on the page', async () => {
    await visit.open('/');
    await visit.page.getByRole('link', { name: 'Sign up' }).first().click();
    await field('Username').fill(dana.username);
    await visit.page.getByLabel(/^Password/).fill(dana.password);
    await button('Sign up').click();
    await button('Account of dana').waitFor();
  }, 60_000);

  test('a repository is made, and its page says how to push to this host', async () => {
    await visit.open('/repositories');
    await button('New repository').first().click();
    await dialog().getByRole('textbox', { name: /^Name/ }).fill('web');
    await dialog()
      .getByRole('textbox', { name: /^Description/ })
      .fill('The shop window');
    await dialog().getByRole('button', { name: 'Make the repository' }).click();
    await visit.page.getByRole('heading', { level: 1, name: /dana\/web/ }).waitFor();
    await text(new RegExp(`docker push ${team.host}/dana/web`)).waitFor();
    await picture('empty-repository');
  }, 60_000);

  test('a token is made and shown once, and Docker logs in with it', async () => {
    await visit.open('/account/tokens');
    await button('New token').first().click();
    await dialog().getByRole('textbox', { name: /^Name/ }).fill('laptop');
    await dialog().getByRole('button', { name: 'New token' }).click();
    await dialog()
      .getByText(/berth_pat_/)
      .first()
      .waitFor();
    token = /berth_pat_\w{32}/.exec((await dialog().textContent()) ?? '')?.[0] ?? '';
    expect(token).not.toBe('');
    expect(await dialog().textContent()).toContain(`docker login -u dana ${team.host}`);
    await visit.page.keyboard.press('Escape');
    await visit.page.reload();
    await text('laptop').waitFor();
    expect(await visit.page.getByText(token).count()).toBe(0);
    await laptop.docker(['login', '--username', 'dana', '--password', token, team.host]);
  }, 60_000);

  test('a push shows on the page without a reload', async () => {
    await visit.open('/r/dana/web/-/tags');
    await push('latest', { version: 'v1' });
    await visit.page.getByRole('link', { name: 'latest' }).first().waitFor();
    await text('linux/amd64').waitFor();
    await text('dana').waitFor();
    await picture('tags');
    await visit.page.getByRole('link', { name: 'latest' }).first().click();
    await visit.page.getByRole('heading', { level: 2, name: /Layers/ }).waitFor();
    await picture('image');
  }, 120_000);

  test('a stack and its environments are made of a compose file', async () => {
    await visit.open('/stacks');
    await button('New stack').first().click();
    await field(/^Name/).fill('shop');
    await field(/^Compose file/).fill(composeFile(team.host));
    await button('Make the stack').click();
    await visit.page.getByRole('heading', { level: 1, name: 'dana/shop' }).waitFor();
    for (const [name, kind] of [
      ['test', 'follows'],
      ['production', 'protected'],
    ]) {
      await visit.open('/s/dana/shop/settings');
      await button('New environment').first().click();
      await field(/^Name/)
        .last()
        .fill(name ?? '');
      if (kind === 'protected') await visit.page.getByRole('checkbox', { name: /^Protected/ }).check();
      await button('Make the environment').click();
      await visit.page
        .getByRole('heading', { name: new RegExp(`^(dana/shop|${name})`) })
        .first()
        .waitFor();
    }
    await enroll('test');
    await enroll('production');
  }, 240_000);

  test('a release is deployed after its plan was shown, and followed until it is stable', async () => {
    await visit.open('/s/dana/shop');
    await column('test')
      .getByRole('button', { name: /^Deploy to test/ })
      .click();
    await dialog().getByText('What would happen').waitFor();
    await dialog().getByText('Added').first().waitFor();
    await picture('plan');
    await dialog().getByRole('button', { name: 'Deploy to test' }).click();
    await visit.page.getByRole('heading', { level: 1, name: 'v1 of test' }).waitFor();
    await text('Stable: healthy through its watch').waitFor(LATER);
    expect(visit.complaints).toEqual([]);
  }, 180_000);

  test('it is promoted: the same digest, without a build', async () => {
    await visit.open('/s/dana/shop');
    await column('test')
      .getByRole('button', { name: /^Promote to production/ })
      .click();
    await dialog().getByRole('button', { name: 'Promote to production' }).click();
    await visit.page.getByRole('heading', { level: 1, name: 'v1 of production' }).waitFor();
    await text('Stable: healthy through its watch').waitFor(LATER);
    await visit.open('/s/dana/shop');
    await column('production').getByText('Stable').waitFor();
    await picture('board');
    expect(await visit.audit()).toEqual([]);
    await visit.open('/s/dana/shop/environments/production');
    await text('as wanted').waitFor(LATER);
    await picture('environment');
    expect(await visit.audit()).toEqual([]);
  }, 180_000);

  test('a bad release goes back by itself, and the page says why with the last lines of its log', async () => {
    await push('latest', { version: 'bad', behaviour: 'unhealthy' });
    const phone = await openVisit(browser, team.url, { as: dana, phone: true });
    await phone.open('/s/dana/shop');
    await visit.open('/s/dana/shop');
    await column('test')
      .getByRole('button', { name: /^Deploy to test/ })
      .click();
    await dialog().getByRole('button', { name: 'Deploy to test' }).click();
    await visit.page.getByRole('heading', { level: 1, name: 'v2 of test' }).waitFor();
    await text('In progress').waitFor();
    await picture('deployment-live');
    await text('Failed and was rolled back: the service is fine').waitFor(LATER);
    await picture('deployment-failed');
    // The other window was told of all that without being touched.
    await phone.page.getByRole('region', { name: 'test' }).getByText('Stable').waitFor(LATER);
    await picture('board-phone', phone);
    expect(await phone.sideways()).toBe(0);
    expect([...visit.complaints, ...phone.complaints]).toEqual([]);
    await phone.close();
  }, 180_000);

  test('a tag is pointed back from its history', async () => {
    await visit.open('/r/dana/web/-/tags/latest');
    await picture('history');
    await button('Undo the last change').click();
    await dialog().getByRole('button', { name: 'Point the tag here' }).click();
    await text('Pointed back').waitFor();
  }, 60_000);

  test('what runs is undone with a button, from a phone', async () => {
    await push('latest', { version: 'v3' });
    await visit.open('/s/dana/shop');
    await column('test')
      .getByRole('button', { name: /^Deploy to test/ })
      .click();
    await dialog().getByRole('button', { name: 'Deploy to test' }).click();
    await text('Stable: healthy through its watch').waitFor(LATER);
    const phone = await openVisit(browser, team.url, { as: dana, phone: true });
    await phone.open('/s/dana/shop');
    await phone.page
      .getByRole('region', { name: 'test' })
      .getByRole('button', { name: /^Roll back test/ })
      .click();
    await phone.page.getByRole('dialog').getByText('What would happen').waitFor();
    await phone.page.getByRole('dialog').getByRole('button', { name: 'Roll back test' }).click();
    await phone.page.getByRole('heading', { level: 1, name: /^v\d+ of test/ }).waitFor(LATER);
    await phone.page.getByText('Stable: healthy through its watch').first().waitFor(LATER);
    await picture('rollback-phone', phone);
    expect(phone.complaints).toEqual([]);
  }, 180_000);
});
