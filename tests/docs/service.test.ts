// packaging/*.service: what systemd itself says of the units, whether the pages show them, and whether Berth has the flags.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { berth } from '../support/berth.ts';
import { requireTools, run, tryRun } from '../support/tools.ts';

const root = new URL('../../', import.meta.url).pathname;
const read = (path: string) => readFileSync(`${root}${path}`, 'utf8');
/** Unit to the most that `systemd-analyze security` may find, in tenths: 0 is shut, 100 is open. The agent has the engine's socket. */
const UNITS = { 'berth.service': 35, 'berth-agent.service': 70 };

test('docs/how-to/service.md shows the unit of the registry as it is', () => {
  expect(read('docs/how-to/service.md')).toContain(
    `\n\n${read('packaging/berth.service').replace(/^(?=.)/gm, '    ')}\n`,
  );
});

test.each(Object.keys(UNITS))('%s starts a command with flags that it has', async (unit) => {
  const [, command = '', rest = ''] =
    /^ExecStart=\/usr\/local\/bin\/berth (\w+)(.*)$/m.exec(read(`packaging/${unit}`)) ?? [];
  const { code, stdout } = await berth([command, '--help']);
  expect({ command, code }).toEqual({ command, code: 0 });
  for (const flag of rest.match(/--[a-z-]+/g) ?? []) expect(stdout).toContain(`${flag} `);
});

describe.if(requireTools('the units in systemd', ['systemd-analyze']))('systemd', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'berth-units-'));
    for (const unit of Object.keys(UNITS)) {
      // Of a program that is not there it complains; here it is elsewhere.
      const text = read(`packaging/${unit}`).replaceAll('/usr/local/bin/berth', `${root}bin/berth`);
      writeFileSync(join(folder, unit), text);
    }
    writeFileSync(join(folder, 'wrong.service'), read('packaging/berth.service').replace('KillMode', 'KilMode'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const verify = (unit: string) => tryRun(['systemd-analyze', 'verify', '--man=no', join(folder, unit)]);

  test.each(Object.keys(UNITS))('finds nothing wrong with %s', async (unit) => {
    // Beside the machine's own units, of which it may say something too.
    const { stdout, stderr } = await verify(unit);
    expect(`${stdout}${stderr}`.split('\n').filter((line) => line.includes(unit))).toEqual([]);
  });

  test('finds a word that is wrong', async () => {
    expect((await verify('wrong.service')).stderr).toMatch(/Unknown key.* 'KilMode'/);
  });

  test.each(Object.entries(UNITS))('finds %s shut to %i', async (unit, most) => {
    await run(['systemd-analyze', 'security', '--offline=true', `--threshold=${most}`, join(folder, unit)]);
  });
});
