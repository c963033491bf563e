// The reader's browser: Chromium in the network of a machine, so that it opens the addresses of the page.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Page } from 'playwright-core';
import type { Machine } from './machine.ts';

/** Opens a window on a machine for as long as `visit` takes. */
export async function browse(machine: Machine, visit: (page: Page) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'berth-tutorial-browser-'));
  const program = join(folder, 'chromium');
  const enter = machine.enter.filter((word) => word !== '--mount').join(' ');
  writeFileSync(program, `#!/bin/sh\nexec ${enter} ${join(import.meta.dir, '../support/steady-chromium')} "$@"\n`);
  chmodSync(program, 0o755);
  const browser = await chromium.launch({
    executablePath: program,
    // Tests run as root, where Chromium's own sandbox can not.
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
  });
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(30_000);
    await visit(page);
  } finally {
    await browser.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
