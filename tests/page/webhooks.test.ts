// Webhooks: made, tried, followed while the receiver fails, sent again, given another secret, and taken away, with a real receiver.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { eventually } from '../support/processes.ts';
import { Receiver } from '../webhooks/receiver.ts';
import { canBrowse, PageRig, type Person } from './rig.ts';

describe.skipIf(!canBrowse)('webhooks', () => {
  let rig: PageRig;
  let alice: Person;
  let receiver: Receiver;
  beforeAll(async () => {
    receiver = await Receiver.start();
    // Who is no administrator may name the receiver's address too.
    rig = await PageRig.start({ args: ['--webhook-networks', '127.0.0.0/8'] });
    alice = await rig.join('alice');
    await alice.pusher.image('alice/app', '1.0');
  }, 60_000);
  afterAll(async () => {
    await rig?.stop();
    await receiver?.down();
  }, 60_000);

  test('one of a repository is made, tried, changed, given another secret, disabled and deleted', async () => {
    const visit = await rig.visit({ as: alice });
    const { page } = visit;
    await visit.open('/r/alice/app/-/settings');
    await page.getByText('There is no webhook yet').waitFor();
    await page.getByRole('button', { name: 'New webhook' }).click();
    const dialog = page.getByRole('dialog', { name: 'New webhook' });
    await dialog.getByLabel('Address').fill('ftp://ci.example.com/hook');
    await dialog.getByRole('button', { name: 'Make the webhook' }).click();
    await dialog.getByText('is not an address such as').waitFor();
    expect(await dialog.getByLabel('Address').getAttribute('aria-invalid')).toBe('true');
    await dialog.getByLabel('Address').fill(receiver.url);
    await dialog.getByLabel('Description').fill('Starts the pipeline');
    await dialog.getByLabel('Authorization header', { exact: true }).fill('Bearer open-sesame');
    await dialog.getByLabel('Events').selectOption('chosen');
    expect(await dialog.getByRole('button', { name: 'Make the webhook' }).isDisabled()).toBe(true);
    await dialog.getByRole('group', { name: 'Tags' }).getByLabel('Tag pushed').check();
    await dialog.getByRole('group', { name: 'Manifests' }).getByLabel('All of them').check();
    await dialog.getByLabel('Manifest pulled').check();
    expect(await visit.audit()).toEqual([]);
    await dialog.getByRole('button', { name: 'Make the webhook' }).click();

    const secret = page.getByRole('dialog', { name: 'The secret of the webhook' });
    const first = await secret.getByText(/^whsec_/).textContent();
    await page.keyboard.press('Escape');
    expect(await secret.isVisible()).toBe(true);
    expect(await visit.audit()).toEqual([]);
    await secret.getByRole('button', { name: 'I have copied it' }).click();
    const [made] = await alice.api.webhooks.list({ repository: 'alice/app' });
    expect(made).toMatchObject({
      url: receiver.url,
      shape: 'berth',
      events: ['tag.push', 'manifest.*', 'manifest.pull'],
      description: 'Starts the pipeline',
      hasAuthorization: true,
    });
    const table = page.getByRole('table', { name: 'Webhooks' });
    await table.getByText('Fine').waitFor();
    await table.getByRole('link', { name: receiver.url }).click();

    await page.getByRole('button', { name: 'Send a test' }).click();
    const delivery = page.getByRole('dialog', { name: 'Delivery' });
    await delivery.getByText('Delivered').waitFor();
    await delivery.getByText('"webhook.test"').waitFor();
    await delivery.getByText('204').waitFor();
    expect(receiver.received.at(-1)?.headers.authorization).toBe('Bearer open-sesame');
    expect(await page.content()).not.toContain('open-sesame');
    expect(await visit.audit()).toEqual([]);
    await page.keyboard.press('Escape');
    await delivery.waitFor({ state: 'detached' });

    await page.getByRole('button', { name: 'Change' }).click();
    const change = page.getByRole('dialog', { name: 'Change the webhook' });
    // Another server is not sent what was given for this one.
    await change.getByLabel('Address').fill('http://127.0.0.1:1/elsewhere');
    await change.getByRole('button', { name: 'Save' }).click();
    await change.getByText('another server needs its own').waitFor();
    await change.getByLabel('Address').fill(receiver.url);
    await change.getByLabel('Send no Authorization header any more').check();
    await change.getByLabel('Shape').selectOption('docker-hub');
    await change.getByRole('button', { name: 'Save' }).click();
    await change.waitFor({ state: 'detached' });
    await page.getByText('Docker Hub').waitFor();
    expect(await alice.api.webhooks.get(made?.id ?? '')).toMatchObject({
      shape: 'docker-hub',
      hasAuthorization: false,
    });

    const menu = async (name: string) => {
      await page.getByRole('button', { name: 'What else can be done' }).click();
      await page.getByRole('menuitem', { name }).click();
    };
    await menu('Give it a new secret');
    await page.getByRole('dialog').getByRole('button', { name: 'Give it a new secret' }).click();
    await secret.getByText('Until then messages are signed with the former secret too').waitFor();
    expect(await secret.getByText(/^whsec_/).textContent()).not.toBe(first);
    await secret.getByRole('button', { name: 'I have copied it' }).click();

    await menu('Disable');
    await page.getByRole('dialog').getByRole('button', { name: 'Disable' }).click();
    await page.getByText('It is disabled: nothing is sent').waitFor();
    expect(await visit.audit()).toEqual([]);
    await page.getByRole('button', { name: 'Enable' }).click();
    await page.getByRole('button', { name: 'Send a test' }).waitFor();

    await menu('Delete the webhook');
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await page.getByText('There is no webhook yet').waitFor();
    expect(await alice.api.webhooks.list({ repository: 'alice/app' })).toEqual([]);
    expect(visit.complaints).toEqual([]);
    await visit.close();
  }, 120_000);

  test('while the receiver fails the page says since when and what it answered, and sees by itself that it is back', async () => {
    const { webhook } = await alice.api.webhooks.create({ namespace: 'alice', url: receiver.url, events: ['tag.*'] });
    receiver.usual = 503;
    await alice.pusher.image('alice/app', '2.0');
    const visit = await rig.visit({ as: alice, phone: true, dark: true });
    const { page } = visit;
    await visit.open('/o/alice/webhooks');
    await page.getByText('Failing').waitFor();
    expect(await visit.audit()).toEqual([]);
    expect(await visit.sideways()).toBe(0);
    await page.getByRole('link', { name: receiver.url }).click();
    await page.getByText('The receiver has not taken a message since').waitFor();
    const deliveries = page.getByRole('table', { name: 'Deliveries' });
    await deliveries.getByText('503', { exact: true }).waitFor();
    await deliveries.getByText('Waiting').waitFor();
    expect(await visit.audit()).toEqual([]);
    expect(await visit.sideways()).toBe(0);

    receiver.usual = 204;
    await deliveries.getByText('Delivered').waitFor({ timeout: 90_000 });
    await page.getByText('The receiver has not taken a message since').waitFor({ state: 'detached' });

    const before = receiver.received.length;
    await deliveries.getByRole('button', { name: 'Look at the delivery of alice/app:2.0' }).click();
    const delivery = page.getByRole('dialog', { name: 'Delivery' });
    await delivery.getByRole('button', { name: 'Send again' }).click();
    await eventually('the message comes again', 30_000, () => receiver.received.length > before);
    expect(await visit.audit()).toEqual([]);
    expect(await visit.sideways()).toBe(0);
    await page.keyboard.press('Escape');
    await delivery.waitFor({ state: 'detached' });
    await page.getByLabel('Show').selectOption('failed');
    await page.getByText('There is no such delivery').waitFor();
    await alice.api.webhooks.delete(webhook.id);
    expect(visit.complaints).toEqual([]);
    await visit.close();
  }, 150_000);

  test('what a receiver answers is shown as text, and only to administrators where one chose the address', async () => {
    const { webhook } = await rig.chief.api.webhooks.create({ namespace: 'alice', url: receiver.url });
    receiver.answer = '<img src=x onerror="window.pwned = 1"> \u202eecret';
    receiver.next = [500];
    await rig.chief.api.webhooks.test(webhook.id);
    const visit = await rig.visit({ as: rig.chief });
    await visit.open(`/webhooks/${webhook.id}`);
    await visit.page.getByRole('table', { name: 'Deliveries' }).getByText('Failed').waitFor();
    await visit.page.getByRole('button', { name: 'Look at the delivery of Test' }).click();
    await visit.page.getByText('onerror="window.pwned = 1"> \\u{202e}ecret').waitFor();
    expect(await visit.hacked()).toBe(false);
    expect(visit.complaints).toEqual([]);
    await visit.close();

    const owner = await rig.visit({ as: alice });
    await owner.open(`/webhooks/${webhook.id}`);
    await owner.page.getByRole('button', { name: 'Look at the delivery of Test' }).click();
    await owner.page.getByText('only administrators see the answer').waitFor();
    expect(await owner.page.content()).not.toContain('pwned');
    await owner.close();

    const stranger = await rig.visit({ as: await rig.join('mallory') });
    await stranger.open(`/webhooks/${webhook.id}`);
    await stranger.page.getByText('There is no such thing here.').waitFor();
    await stranger.close();
  }, 90_000);
});
