// The certificate, as an administrator sees it: none, one from files, and one that an authority has not given yet.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { Authority } from '../support/authority.ts';
import { type BerthOptions, berth, type RunningBerth, startBerth } from '../support/berth.ts';
import { freePort } from '../support/ports.ts';
import { canBrowse, openVisit, PASSWORD, startBrowser, type Visit } from './rig.ts';

const CHIEF = { username: 'chief', password: PASSWORD };

describe.skipIf(!canBrowse)('the certificate', () => {
  let browser: Browser;
  let data: string;
  let server: RunningBerth | undefined;
  beforeAll(async () => {
    browser = await startBrowser();
    data = mkdtempSync(join(tmpdir(), 'berth-page-certificate-'));
    const made = await berth(['setup', '--data', data, '--username', CHIEF.username, '--password-stdin'], {
      stdin: PASSWORD,
    });
    if (made.code !== 0) throw new Error(made.stderr);
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
    rmSync(data, { recursive: true, force: true });
  }, 60_000);

  /** A window of the administrator at the server, started anew with these flags. */
  async function visitServer(options: BerthOptions, look: { phone?: boolean; dark?: boolean } = {}): Promise<Visit> {
    await server?.stop();
    server = undefined;
    const args = ['--workers', '1', '--anonymous', 'none', ...(options.args ?? [])];
    server = await startBerth({ ...options, args, data, readyWithin: 60_000 });
    const visit = await openVisit(browser, server.url, { as: CHIEF, anyCertificate: true, ...look });
    await visit.open('/admin/certificate');
    return visit;
  }

  test('without one the page says so, and how to get one', async () => {
    const visit = await visitServer({});
    await visit.page.getByText('This server speaks plain HTTP').waitFor();
    await visit.page.getByRole('figure', { name: 'HTTPS with an ACME authority' }).waitFor();
    expect(await visit.audit()).toEqual([]);
    await visit.page.getByRole('link', { name: 'Check what clients see' }).click();
    await visit.page.getByRole('heading', { name: 'Check this address' }).waitFor();
    expect(visit.complaints).toEqual([]);
    await visit.close();
  }, 90_000);

  test('of files it is shown with its names and end, and a new one in its place by itself', async () => {
    const authority = await Authority.make('Our authority');
    try {
      const old = await authority.certify('registry', { names: ['registry.test', '127.0.0.1'], days: 5 });
      const args = ['--tls-certificate', old.certificate, '--tls-key', old.key];
      const visit = await visitServer({ args, tls: { rejectUnauthorized: false } }, { phone: true, dark: true });
      const { page } = visit;
      await page.getByText('It ends soon').waitFor();
      await page.getByText(/^[45] days left$/).waitFor();
      await page.getByText('registry.test, 127.0.0.1').waitFor();
      await page.getByText('Our authority').waitFor();
      expect(await visit.audit()).toEqual([]);
      expect(await visit.sideways()).toBe(0);
      const next = await authority.certify('registry', { names: ['registry.test', '127.0.0.1'], days: 90 });
      copyFileSync(next.key, old.key);
      copyFileSync(next.certificate, old.certificate);
      await page.getByText(/^(89|90) days left$/).waitFor();
      expect(await page.getByText('It ends soon').count()).toBe(0);
      expect(visit.complaints).toEqual([]);
      await visit.close();
    } finally {
      authority.remove();
    }
  }, 90_000);

  test('an authority that does not answer is said with why, when it is asked again, and asked at once', async () => {
    const nobody = `https://127.0.0.1:${await freePort()}/directory`;
    const visit = await visitServer({
      args: ['--acme-domains', 'registry.test', '--http-port', String(await freePort()), '--acme-directory', nobody],
      tls: { rejectUnauthorized: false },
    });
    const { page } = visit;
    await page.getByText('This one stands in').waitFor();
    await page.getByText('The last order failed').waitFor();
    await page.getByText(nobody).first().waitFor();
    expect(await visit.audit()).toEqual([]);
    await page.getByRole('button', { name: 'Order now' }).click();
    await page.getByText('times in a row').waitFor();
    expect(visit.complaints).toEqual([]);
    await visit.close();
  }, 120_000);
});
