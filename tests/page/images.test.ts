// An image as a person looks at it, compares it and reads what is said about it; and content that would like to run.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mediaTypes } from '../support/registry.ts';
import { PACKAGES, pushHostile, pushShop, REVISIONS, type Shop } from './pushed-images.ts';
import { canBrowse, PageRig, type Person, type Visit } from './rig.ts';

const REPOSITORY = 'alice/shop';
const HOSTILE = 'alice/hostile';

describe.skipIf(!canBrowse)('an image', () => {
  let rig: PageRig;
  let alice: Person;
  let shop: Shop;
  beforeAll(async () => {
    rig = await PageRig.start();
    alice = await rig.join('alice');
    shop = await pushShop(alice.pusher, REPOSITORY);
    await pushHostile(alice.pusher, HOSTILE);
    await deployShop(alice);
    await shareBase(alice, shop);
  }, 60_000);
  afterAll(() => rig?.stop(), 30_000);

  const imagePath = (reference: string, repository = REPOSITORY) => `/r/${repository}/-/images/${reference}`;
  const heading = (visit: Visit, name: string) => visit.page.getByRole('heading', { name, exact: true }).waitFor();
  const row = (visit: Visit, table: string, text: string | RegExp) =>
    visit.page.getByRole('table', { name: table, exact: true }).getByRole('row').filter({ hasText: text });

  test('of several platforms shows them, where its source is, and how to pull exactly it', async () => {
    const visit = await rig.visit({ as: alice });
    const { page } = visit;
    await visit.open(imagePath('1.1'));
    await heading(visit, `${REPOSITORY}:1.1`);
    await row(visit, 'Platforms', 'linux/arm64').waitFor();
    expect(await row(visit, 'Platforms', /unknown/).count()).toBe(0);
    const source = page.getByRole('link', { name: 'https://github.com/example/shop', exact: true });
    expect(await source.getAttribute('href')).toBe('https://github.com/example/shop');
    expect(await source.getAttribute('rel')).toContain('noopener');
    const commit = page.getByRole('link', { name: REVISIONS[1].slice(0, 12), exact: true });
    expect(await commit.getAttribute('href')).toBe(`https://github.com/example/shop/commit/${REVISIONS[1]}`);
    await page.getByText(`docker pull ${rig.host}/${REPOSITORY}:1.1`, { exact: true }).waitFor();
    await page
      .getByText(`docker pull ${rig.host}/${REPOSITORY}@${shop.second.index.digest}`, { exact: true })
      .waitFor();
    expect(visit.complaints).toEqual([]);
    await visit.close();
  });

  test('of one platform has its own address, shows how it runs, and the way back leads back', async () => {
    const visit = await rig.visit({ as: alice });
    const { page } = visit;
    await visit.open(imagePath('1.1'));
    const platforms = page.getByRole('navigation', { name: 'Platforms' });
    await platforms.getByRole('link', { name: 'linux/arm64' }).click();
    await heading(visit, `${REPOSITORY}@${shop.second.images[1]?.digest.slice(0, 19)}`);
    expect(page.url()).toContain(shop.second.images[1]?.digest.slice(7) ?? 'a digest');
    for (const value of [
      '["/app/serve"]',
      '["--port", "8080"]',
      '8443/tcp',
      'SIGQUIT',
      'Team Shop <shop@example.org>',
    ]) {
      await page.getByText(value, { exact: true }).waitFor();
    }
    await row(visit, 'Environment', 'MODE').getByText('fast').waitFor();
    await page.getByRole('searchbox', { name: 'Filter labels' }).fill('label-7');
    await row(visit, 'Labels', 'org.example.label-7').waitFor();
    expect(await row(visit, 'Labels', 'org.example.label-8').count()).toBe(0);
    await page.getByRole('searchbox', { name: 'Filter labels' }).fill('no such label');
    await page.getByText('Nothing has this in its name or value.').waitFor();
    await platforms.getByRole('link', { name: 'linux/amd64' }).click();
    await heading(visit, `${REPOSITORY}@${shop.second.images[0]?.digest.slice(0, 19)}`);
    await page.goBack();
    await heading(visit, `${REPOSITORY}@${shop.second.images[1]?.digest.slice(0, 19)}`);
    await page.goBack();
    await heading(visit, `${REPOSITORY}:1.1`);
    expect(visit.complaints).toEqual([]);
    await visit.close();
  });

  test('that is the only one of its index is shown with it', async () => {
    const image = await alice.pusher.image('alice/one', undefined, { config: { config: { Entrypoint: ['/only'] } } });
    const platform = { os: 'linux', architecture: 'amd64' };
    await alice.pusher.index('alice/one', 'latest', [{ ...image, platform }]);
    const visit = await rig.visit({ as: alice });
    await visit.open(imagePath('latest', 'alice/one'));
    await visit.page.getByText('Of the image for linux/amd64.').waitFor();
    await visit.page.getByText('["/only"]', { exact: true }).waitFor();
    await row(visit, 'Layers', '300 B').waitFor();
    await visit.close();
  });

  test('shows its layers as a bar that the keyboard walks, with the command that made each', async () => {
    const visit = await rig.visit({ as: alice });
    const { page } = visit;
    await visit.open(imagePath(shop.second.images[0]?.digest ?? ''));
    const bar = page.getByRole('group', { name: /^Sizes of the layers/ });
    await bar.getByRole('button', { name: /^Layer 1, 195 KiB, 65%: ADD file:abc in \/$/ }).focus();
    await page.keyboard.press('ArrowRight');
    const focused = () => page.evaluate(() => document.activeElement?.getAttribute('aria-label'));
    expect(await focused()).toBe('Layer 2, 19.5 KiB, 6.5%: RUN apk add curl');
    await page.keyboard.press('End');
    expect(await focused()).toStartWith('Layer 3, ');
    await page.keyboard.press('Tab');
    expect(await bar.evaluate((element) => element.contains(document.activeElement))).toBe(false);
    const widths = await bar
      .getByRole('button')
      .evaluateAll((buttons) => buttons.map((button) => Math.round(button.getBoundingClientRect().width)));
    expect(widths).toHaveLength(3);
    expect(widths[0] ?? 0).toBeGreaterThan((widths[2] ?? 0) * 2);
    await row(visit, 'Layers', 'ENV PATH=/usr/bin').getByText('no layer').waitFor();
    const copy = row(visit, 'Layers', 'COPY a-long-name');
    const cut = ((await copy.textContent()) ?? '').length;
    await copy.getByRole('button', { name: /^Show all/ }).click();
    expect(((await copy.textContent()) ?? '').length).toBeGreaterThan(cut + 200);
    await visit.close();
  });

  test('shows what is said about it, and each can be read', async () => {
    const visit = await rig.visit({ as: alice });
    const { page } = visit;
    await visit.open(imagePath('1.1'));
    const named = (name: string) => page.getByRole('article').filter({ has: page.getByRole('heading', { name }) });
    await named('SBOM (CycloneDX)').getByText('names this image as its subject').waitFor();
    await named('Signature (cosign)').getByText('by its tag, as cosign names it').waitFor();
    const built = named('SBOM (SPDX), Provenance (SLSA)').filter({ hasText: 'about linux/amd64' });
    await built.getByText('beside the image in its index').waitFor();

    await built.getByRole('button', { name: 'Read SBOM (SPDX)' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText(`500 of ${PACKAGES} are shown`).waitFor();
    await dialog.getByRole('searchbox').fill('package-639');
    await row(visit, 'Packages', 'package-639').getByText('Apache-2.0').waitFor();
    expect(await dialog.getByRole('table').getByRole('row').count()).toBe(2);
    expect(await visit.audit()).toEqual([]);
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });

    await built.getByRole('button', { name: 'Read Provenance (SLSA)' }).click();
    await dialog.getByText('https://github.com/example/builder', { exact: true }).waitFor();
    await dialog.getByRole('button', { name: 'Close' }).click();
    await dialog.waitFor({ state: 'detached' });
    await named('Signature (cosign)').getByRole('button', { name: 'Read Signature (cosign)' }).click();
    await dialog.getByText('"type": "cosign container image signature"').waitFor();
    expect(visit.complaints).toEqual([]);
    await visit.close();
  });

  test('shows where it is deployed and why it is kept, and is not deleted while it is in use', async () => {
    const visit = await rig.visit({ as: alice });
    const { page } = visit;
    await visit.open(imagePath('1.0'));
    await page.getByRole('link', { name: 'alice/web / production' }).waitFor();
    await page.getByRole('link', { name: 'The tag 1.0 points at it' }).waitFor();
    await row(visit, 'Shares layers with', 'alice/base').getByText('195 KiB').waitFor();
    await page.getByRole('button', { name: 'Delete', exact: true }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('These tags point at it and go with it:').waitFor();
    await dialog.getByRole('button', { name: 'Delete the image' }).click();
    await dialog.getByText('It is in use, so it was not deleted.').waitFor();
    await dialog.getByRole('link', { name: /^Deployment v1 of alice\/web, production/ }).waitFor();
    expect(await visit.audit()).toEqual([]);
    expect((await alice.api.images.get(REPOSITORY, '1.0')).digest).toBe(shop.first.index.digest);
    await visit.close();
  });

  test('that nothing uses is deleted with its tags', async () => {
    await alice.pusher.image('alice/spare', 'old');
    await alice.pusher.image('alice/spare', 'new');
    const visit = await rig.visit({ as: alice });
    await visit.open(imagePath('old', 'alice/spare'));
    await visit.page.getByRole('button', { name: 'Delete', exact: true }).click();
    await visit.page.getByRole('button', { name: 'Delete the image' }).click();
    await visit.page.waitForURL('**/r/alice/spare/-/tags');
    const left: string[] = [];
    for await (const tag of alice.api.tags.list('alice/spare')) left.push(tag.name);
    expect(left).toEqual(['new']);
    expect(visit.complaints).toEqual([]);
    await visit.close();
  });

  test('can be looked at but not deleted by who may only read', async () => {
    const bob = await rig.join('bob');
    await alice.api.repositories.change(REPOSITORY, { visibility: 'public' });
    const visit = await rig.visit({ as: bob });
    await visit.open(imagePath('1.0'));
    // Deployments are the stack's business: he is told that there are some, not where.
    await visit.page.getByText(/in stacks that you may not see/).waitFor();
    expect(await visit.page.getByText('alice/web').count()).toBe(0);
    expect(await visit.page.getByRole('button', { name: 'Delete', exact: true }).count()).toBe(0);
    await visit.close();
  });

  test('that is no image shows its parts, and what of them is text', async () => {
    const visit = await rig.visit({ as: alice });
    const { page } = visit;
    await visit.open(imagePath('chart'));
    await page.getByText(`helm pull --plain-http oci://${rig.host}/${REPOSITORY}:chart`, { exact: true }).waitFor();
    await row(visit, 'Parts', 'chart.provenance').getByRole('button', { name: /^Read/ }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('signed by nobody').waitFor();
    await dialog.getByRole('button', { name: 'Close' }).click();
    await dialog.waitFor({ state: 'detached' });
    await row(visit, 'Parts', 'chart.content').getByRole('button', { name: /^Read/ }).click();
    await dialog.getByText('This is not text, so it is not shown.').waitFor();
    await visit.close();
  });

  test('is compared with another: size, layers and what of the configuration differs', async () => {
    const visit = await rig.visit({ as: alice });
    const { page } = visit;
    await visit.open(imagePath('1.0'));
    await page.getByRole('button', { name: 'Compare' }).click();
    await page.getByRole('dialog').getByRole('searchbox').fill('1.1');
    expect(await visit.audit()).toEqual([]);
    await page.getByRole('dialog').getByRole('link', { name: /^1\.1/ }).click();
    await heading(visit, 'Compare 1.0 with 1.1');
    await page.getByText('58.6 KiB larger (+23.8%)').waitFor();
    await page.getByText('A host that has 1.0 downloads 107 KiB to get 1.1.').waitFor();
    await row(visit, 'Configuration', 'MODE').getByText('changed').waitFor();
    await row(visit, 'Configuration', 'NEW').getByText('added').waitFor();
    await row(visit, 'Configuration', 'OLD').getByText('removed').waitFor();
    expect(await row(visit, 'Configuration', 'PATH').count()).toBe(0);
    expect(await row(visit, 'Configuration', 'SIGQUIT').count()).toBe(0);
    expect(await row(visit, 'Layers', 'in both').count()).toBe(1);
    expect(await row(visit, 'Layers', 'only in 1.0').count()).toBe(2);
    expect(await row(visit, 'Layers', 'only in 1.1').count()).toBe(2);
    expect(await page.getByRole('link', { name: 'Compare the source of both' }).getAttribute('href')).toBe(
      `https://github.com/example/shop/compare/${REVISIONS[0]}...${REVISIONS[1]}`,
    );

    await page.getByRole('combobox', { name: 'Platform of 1.0' }).selectOption('linux/arm64');
    await page.waitForFunction(() => new URL(location.href).searchParams.has('a'));
    // The other side follows, so that like is compared with like.
    const other = page.getByRole('combobox', { name: 'Platform of 1.1' });
    expect(await other.evaluate((select: HTMLSelectElement) => select.selectedOptions[0]?.text)).toBe('linux/arm64');
    await other.selectOption('linux/amd64');
    await page.getByText('These are images of different platforms').waitFor();
    await page.getByRole('link', { name: 'Swap' }).click();
    await heading(visit, 'Compare 1.1 with 1.0');
    await page.getByText('58.6 KiB smaller (-19.2%)').waitFor();
    expect(visit.complaints).toEqual([]);
    await visit.close();
  });

  test('that is not there is said to be missing, with the way on', async () => {
    const visit = await rig.visit({ as: alice });
    await visit.open(imagePath('none'));
    await visit.page.getByText(/There is no such thing here/).waitFor();
    await visit.page.getByRole('link', { name: REPOSITORY }).waitFor();
    await visit.open(`/r/${REPOSITORY}/-/compare/1.0/none`);
    await visit.page.getByText(/There is no such thing here/).waitFor();
    await visit.close();
  });

  test('is accessible in light and dark, and fits a phone, in both languages', async () => {
    const platform = imagePath(shop.first.images[0]?.digest ?? '');
    const pages: [string, string, string][] = [
      [imagePath('1.1'), 'Why it is kept', '보관되는 이유'],
      [platform, 'Why it is kept', '보관되는 이유'],
      [imagePath('chart'), 'Parts', '구성 요소'],
      [`/r/${REPOSITORY}/-/compare/1.0/1.1`, 'Layers', '레이어'],
    ];
    for (const look of [{ dark: false }, { dark: true, phone: true, language: 'ko' as const }]) {
      const visit = await rig.visit({ as: alice, ...look });
      for (const [path, english, korean] of pages) {
        await visit.open(path);
        await heading(visit, look.language === 'ko' ? korean : english);
        expect(await visit.audit()).toEqual([]);
        expect(await visit.sideways()).toBeLessThanOrEqual(0);
      }
      expect(visit.complaints).toEqual([]);
      await visit.close();
    }
  }, 60_000);

  test('whose every text is hostile runs nothing, leads nowhere, and breaks no page', async () => {
    for (const phone of [false, true]) {
      const visit = await rig.visit({ as: alice, phone });
      const { page } = visit;
      const calm = async () => {
        expect(await visit.hacked()).toBe(false);
        expect(await page.locator('a[href^="javascript" i], img, script:not([src])').count()).toBe(0);
        expect(await visit.sideways()).toBeLessThanOrEqual(0);
        expect(visit.complaints).toEqual([]);
      };
      await visit.open(imagePath('evil', HOSTILE));
      await heading(visit, 'Why it is kept');
      await row(visit, 'Labels', 'constructor').waitFor();
      // What would turn the text around is spelled out.
      await row(visit, 'Environment', 'TURNED').getByText('\\u{202e}gnp.exe').waitFor();
      await calm();
      for (const table of ['Labels', 'Annotations']) {
        const long = row(visit, table, 'Show all').filter({
          has: page.getByRole('cell', { name: 'long', exact: true }),
        });
        await long.getByRole('button', { name: /^Show all/ }).click();
      }
      await calm();

      const readers = await page.getByRole('button', { name: /^Read / }).all();
      expect(readers).toHaveLength(6);
      const seen: string[] = [];
      for (const reader of readers) {
        await reader.click();
        const dialog = page.getByRole('dialog');
        await dialog.getByText(/^(As it is stored$|This is not text)/).waitFor();
        seen.push((await dialog.textContent()) ?? '');
        await calm();
        await page.keyboard.press('Escape');
        await dialog.waitFor({ state: 'detached' });
      }
      expect(seen.filter((text) => text.includes('onerror="window.pwned=1"')).length).toBeGreaterThan(3);
      expect(seen.filter((text) => text.includes('Only the first MiB'))).toHaveLength(1);

      await visit.open(`/r/${HOSTILE}/-/compare/other/evil`);
      await row(visit, 'Configuration', 'long').first().waitFor();
      await calm();
      await visit.close();
    }
  }, 60_000);
});

/** A stack that has version 1.0 in production. */
async function deployShop({ api }: Person): Promise<void> {
  const stack = { namespace: 'alice', stack: 'web' };
  const file = `services:\n  web:\n    image: ${REPOSITORY}:1.0\n    x-berth: { repository: ${REPOSITORY} }\n`;
  await api.stacks.create('alice', { name: 'web', file });
  await api.environments.create(stack, { name: 'production' });
  await api.releases.create(stack, { images: { web: '1.0' } });
  await api.deployments.deploy({ ...stack, environment: 'production' }, { release: 1 });
}

/** Another repository with the same base, as by `docker push`, which mounts it. */
async function shareBase({ pusher }: Person, { first }: Shop): Promise<void> {
  const base = first.images[0]?.layers[0];
  if (base === undefined) throw new Error('the shop has no base');
  const mounted = await fetch(`${pusher.url}/v2/alice/base/blobs/uploads/?mount=${base.digest}&from=${REPOSITORY}`, {
    method: 'POST',
    headers: { Authorization: pusher.authorization },
  });
  expect(mounted.status).toBe(201);
  const config = await pusher.blob('alice/base', '{"os":"linux","architecture":"amd64"}', mediaTypes.ociConfig);
  const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [base] };
  await pusher.manifest('alice/base', '1', manifest);
}
