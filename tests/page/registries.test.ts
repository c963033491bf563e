// Other registries: what is fetched from a second, real registry, whether it answers, and a mirror that is run by hand.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { ManagementClient } from '../../src/client/management.ts';
import { type RunningBerth, startBerth } from '../support/berth.ts';
import { eventually } from '../support/processes.ts';
import { Pusher } from './pusher.ts';
import { canBrowse, PASSWORD, PageRig, setupSecret } from './rig.ts';

const OWNER = { username: 'owner', password: PASSWORD };

describe.skipIf(!canBrowse)('other registries', () => {
  let rig: PageRig;
  let other: RunningBerth;
  let pusher: Pusher;
  beforeAll(async () => {
    [rig, other] = await Promise.all([
      PageRig.start(),
      startBerth({ args: ['--workers', '1', '--anonymous', 'none'] }),
    ]);
    const theirs = new ManagementClient(other.url);
    await theirs.instance.setUp({ secret: setupSecret(other), ...OWNER });
    pusher = new Pusher(other.url, `Basic ${btoa(`${OWNER.username}:${OWNER.password}`)}`);
    await pusher.image('owner/app', '1.0');
  }, 60_000);
  afterAll(async () => {
    await rig?.stop();
    await other?.stop();
  }, 30_000);

  test('are listed with caches and mirrors, tried, and a mirror is run at once', async () => {
    const { api } = rig.chief;
    const visit = await rig.visit({ as: rig.chief });
    const { page } = visit;
    await visit.open('/admin/registries');
    await page.getByText('No other registry is known here').waitFor();
    expect(await visit.audit()).toEqual([]);

    await api.upstreams.create({ name: 'other', address: other.url, ...OWNER });
    await api.upstreams.create({ name: 'gone', address: 'http://127.0.0.1:1' });
    await api.caches.set('cached', { upstream: 'other', freshSeconds: 3600 });
    await page.reload();
    const upstreams = page.getByRole('table', { name: 'Registries', exact: true });
    await upstreams.getByRole('row').filter({ hasText: 'cached/…' }).waitFor();
    await page.getByRole('table', { name: 'Caches' }).getByText('1 h', { exact: true }).waitFor();
    await upstreams.getByRole('button', { name: 'Try other' }).click();
    await upstreams.getByText('It answers and takes the log-in').waitFor();
    await upstreams.getByRole('button', { name: 'Try gone' }).click();
    await upstreams
      .getByRole('row')
      .filter({ hasText: 'gone' })
      .getByRole('status')
      .filter({ hasText: /\w/ })
      .waitFor();

    // Its first run is at once.
    await api.mirrors.create({ repository: 'chief/app', upstream: 'other', from: 'owner/app' });
    await page.reload();
    const row = page.getByRole('table', { name: 'Mirrors' }).getByRole('row').filter({ hasText: 'chief/app' });
    await row.getByText('Done').waitFor();
    await pusher.image('owner/app', '2.0');
    await row.getByRole('button', { name: 'Run now: the mirror of chief/app' }).click();
    await row.getByText('1 tag set').waitFor();
    // Its first run said so, too.
    await eventually('both tags are there', 60_000, async () => {
      return (await Array.fromAsync(api.tags.list('chief/app'))).length === 2;
    });
    expect(await visit.audit()).toEqual([]);
    await row.getByRole('link', { name: 'chief/app' }).click();
    await page.getByRole('heading', { level: 1, name: /app/ }).waitFor();
    await page.getByRole('link', { name: 'Tags (2)' }).waitFor();
    expect(visit.complaints).toEqual([]);
    await visit.close();
  }, 120_000);

  test('a mirror that fails says what went wrong, on a phone in the dark', async () => {
    await rig.chief.api.mirrors.create({ repository: 'chief/lost', upstream: 'gone', from: 'owner/app' });
    await rig.chief.api.mirrors.run('chief/lost');
    const visit = await rig.visit({ as: rig.chief, phone: true, dark: true });
    await visit.open('/admin/registries');
    const row = visit.page.getByRole('table', { name: 'Mirrors' }).getByRole('row').filter({ hasText: 'chief/lost' });
    await row.getByText('Failed').waitFor({ timeout: 90_000 });
    await row.getByText('What went wrong').click();
    expect(await visit.audit()).toEqual([]);
    expect(await visit.sideways()).toBe(0);
    expect(visit.complaints).toEqual([]);
    await visit.close();
  }, 120_000);
});
