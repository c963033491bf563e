// The browser of these tests: engines of other suites make and remove networks beside it, and that must not end what it loads.
import { describe, expect, test } from 'bun:test';
import { requireTools, run } from '../support/tools.ts';
import { canBrowse, openVisit, startBrowser } from './rig.ts';

/** At most 15 characters, with its peer's. */
const LINK = `berth${process.pid}`;
const canMakeNetworks = process.getuid?.() === 0 && requireTools('page: browser', ['ip']);

describe.skipIf(!canBrowse || !canMakeNetworks)('the browser', () => {
  test('goes on loading while networks come and go', async () => {
    // What is lost is a connection that is being made: each request makes one.
    const headers = { 'Content-Type': 'text/html', Connection: 'close' };
    const server = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      fetch: () => new Response('<h1>Here</h1>', { headers }),
    });
    const browser = await startBrowser();
    try {
      const visit = await openVisit(browser, `http://127.0.0.1:${server.port}`);
      await visit.open('/');
      const asking = visit.page.evaluate(async () => {
        const end = performance.now() + 4_000;
        const failures: string[] = [];
        let answers = 0;
        while (performance.now() < end) {
          const all = await Promise.allSettled(Array.from({ length: 6 }, () => fetch('/', { cache: 'no-store' })));
          for (const one of all) {
            if (one.status === 'fulfilled') answers++;
            else failures.push(String(one.reason));
          }
        }
        return { answers, failures };
      });
      for (let i = 0; i < 10; i++) await changeNetworks();
      const { answers, failures } = await asking;
      expect(failures).toEqual([]);
      expect(answers).toBeGreaterThan(0);
    } finally {
      await browser.close();
      await server.stop(true);
    }
  });
});

/** As an engine does for a container that starts and ends. */
async function changeNetworks(): Promise<void> {
  const peer = `${LINK}p`;
  await run(['ip', 'link', 'add', LINK, 'type', 'veth', 'peer', 'name', peer]);
  try {
    await run(['ip', 'address', 'add', '198.18.0.1/30', 'dev', LINK]);
    for (const end of [LINK, peer]) await run(['ip', 'link', 'set', end, 'up']);
    await Bun.sleep(50);
  } finally {
    await run(['ip', 'link', 'delete', LINK]);
  }
}
