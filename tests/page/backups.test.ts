// Backups, as an administrator sees them: none set, made by the server, and to a place that cannot be written.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { berth, type RunningBerth, startBerth } from '../support/berth.ts';
import { canBrowse, openVisit, PASSWORD, startBrowser, type Visit } from './rig.ts';

const CHIEF = { username: 'chief', password: PASSWORD };

describe.skipIf(!canBrowse)('backups', () => {
  let browser: Browser;
  let work: string;
  let server: RunningBerth | undefined;
  beforeAll(async () => {
    browser = await startBrowser();
    work = mkdtempSync(join(tmpdir(), 'berth-page-backups-'));
    const setup = ['setup', '--data', join(work, 'data'), '--username', CHIEF.username, '--password-stdin'];
    const made = await berth(setup, { stdin: PASSWORD });
    if (made.code !== 0) throw new Error(made.stderr);
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
    rmSync(work, { recursive: true, force: true });
  }, 60_000);

  async function visitServer(flags: string[], look: { phone?: boolean; dark?: boolean } = {}): Promise<Visit> {
    await server?.stop();
    server = undefined;
    const args = ['--workers', '1', '--anonymous', 'none', ...flags];
    server = await startBerth({ args, data: join(work, 'data'), readyWithin: 60_000 });
    const visit = await openVisit(browser, server.url, { as: CHIEF, ...look });
    await visit.open('/admin/storage');
    return visit;
  }

  test('that nobody has set are said with the command', async () => {
    const visit = await visitServer([]);
    await visit.page.getByText('This server makes no backups by itself').waitFor();
    await visit.page.getByRole('figure', { name: 'Backups every day' }).waitFor();
    expect(await visit.audit()).toEqual([]);
    expect(visit.complaints).toEqual([]);
    await visit.close();
  }, 90_000);

  test('that cannot be written are said with the reason and what to do', async () => {
    const target = join(work, 'file');
    writeFileSync(target, 'not a folder');
    const visit = await visitServer(['--backup-to', target], { phone: true, dark: true });
    await visit.page.getByText(/backups? failed since/).waitFor({ timeout: 60_000 });
    await visit.page.getByText('Make sure that the place is there').waitFor();
    await visit.page.getByText('none yet').waitFor();
    expect(await visit.audit()).toEqual([]);
    expect(await visit.sideways()).toBe(0);
    expect(visit.complaints).toEqual([]);
    await visit.close();
  }, 120_000);

  test('that the server makes are shown with the last one and the rule', async () => {
    const target = join(work, 'backups');
    const visit = await visitServer(['--backup-to', target, '--backup-interval', '1h', '--backup-keep-last', '3']);
    await visit.page.getByText(/, of which .* were copied/).waitFor({ timeout: 60_000 });
    await visit.page.getByText(target, { exact: true }).waitFor();
    await visit.page.getByText('every 1h').waitFor();
    await visit.page.getByText('the newest 3').waitFor();
    expect(await visit.audit()).toEqual([]);
    expect(await visit.page.getByText('Backups are late').count()).toBe(0);

    await visit.page.clock.setFixedTime(Date.now() + 3 * 3_600_000);
    await visit.page.reload();
    await visit.page.getByText('Backups are late').waitFor();
    expect(await visit.audit()).toEqual([]);
    expect(visit.complaints).toEqual([]);
    await visit.close();
  }, 120_000);
});
