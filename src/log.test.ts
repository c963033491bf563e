import { expect, test } from 'bun:test';
import { join } from 'node:path';

test('a process that flushes its log has written every line before it ends', async () => {
  const script = `
    import { createLog, flushLog } from '${join(import.meta.dir, 'log.ts')}';
    const log = createLog('info');
    log.info('first');
    await Bun.sleep(20);
    log.info('last');
    await flushLog(log);
    process.exit(0);`;
  for (let round = 0; round < 20; round++) {
    const child = Bun.spawn([process.execPath, '-e', script], { stdin: 'ignore', stdout: 'ignore', stderr: 'pipe' });
    const lines = (await new Response(child.stderr).text()).trim().split('\n');
    expect(await child.exited).toBe(0);
    expect(lines.map((line) => JSON.parse(line).msg)).toEqual(['first', 'last']);
  }
});

test('flushing a log with nothing to write ends too', async () => {
  const script = `
    import { createLog, flushLog } from '${join(import.meta.dir, 'log.ts')}';
    const log = createLog('silent');
    await flushLog(log);
    await flushLog(log);
    process.stdout.write('flushed');
    process.exit(0);`;
  const child = Bun.spawn([process.execPath, '-e', script], { stdin: 'ignore', stdout: 'pipe', stderr: 'ignore' });
  expect(await new Response(child.stdout).text()).toBe('flushed');
  expect(await child.exited).toBe(0);
});
