// packaging/*.service under a systemd of their own: the first process of a container whose programs are this machine's, read-only.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../support/processes.ts';
import type { ServerEngine } from '../support/server-engine.ts';
import { requireTools, run } from '../support/tools.ts';
import { type Place, testImage } from './place.ts';

const canRun = requireTools('the units of systemd', ['/lib/systemd/systemd', 'curl', 'tar']);
const packaging = new URL('../../packaging/', import.meta.url).pathname;
const USER = 900;
/** CAP_NET_BIND_SERVICE */
const LOW_PORTS = 1 << 10;
/** What would change the machine, and not the container: they reach its kernel and its devices. */
const MACHINE = [
  ...['systemd-udevd.service', 'systemd-udev-trigger.service', 'systemd-udevd-kernel.socket'],
  ...[
    'systemd-udevd-control.socket',
    'systemd-sysctl.service',
    'systemd-modules-load.service',
    'systemd-binfmt.service',
  ],
  ...['proc-sys-fs-binfmt_misc.automount', 'dev-hugepages.mount', 'sys-kernel-debug.mount', 'sys-kernel-tracing.mount'],
  ...['systemd-random-seed.service', 'getty.target', 'timers.target', 'kmod-static-nodes.service'],
];

export function unitsOfSystemd(place: Place): void {
  describe.if(canRun)('the units of systemd', () => {
    let folder: string;
    const docker: ServerEngine['docker'] = (args, options) => place.engine.docker(args, options);
    const inside = (...command: string[]) => docker(['exec', 'machine', ...command]);
    const property = async (unit: string, name: string) =>
      inside('systemctl', 'show', '--property', name, '--value', unit);
    const configure = (text: string) =>
      docker(['exec', '--interactive', 'machine', 'sh', '-c', 'cat > /etc/berth.yaml'], { stdin: text });
    const ready = (port = 5000) =>
      eventually(`ready on port ${port}`, 60_000, async () => {
        const asked = ['exec', 'machine', 'curl', '-sf', `http://localhost:${port}/readyz`];
        return (await place.engine.tryDocker(asked)).code === 0;
      });
    const SETTINGS = 'data: /var/lib/berth\nanonymous: push\n';

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'berth-systemd-'));
      await docker(['rm', '--force', 'registry']);
      const root = join(folder, 'root');
      const units = join(root, 'etc/systemd/system');
      for (const name of ['etc/berth', 'usr', 'run', 'tmp', 'var/lib', 'var/log', 'root', 'proc', 'sys', 'dev'])
        mkdirSync(join(root, name), { recursive: true });
      for (const name of ['bin', 'sbin', 'lib', 'lib64']) symlinkSync(`usr/${name}`, join(root, name));
      mkdirSync(units, { recursive: true });
      const files = {
        'etc/passwd': `root:x:0:0::/root:/bin/sh\nberth:x:${USER}:${USER}::/var/lib/berth:/usr/sbin/nologin\n`,
        'etc/group': `root:x:0:\nberth:x:${USER}:\n`,
        'etc/machine-id': '',
        'etc/berth.yaml': SETTINGS,
        'etc/berth/agent-token': `berth_agent_${'a'.repeat(32)}\n`,
        'etc/berth/agent.env': 'BERTH_SERVER=http://localhost:5000\n',
      };
      for (const [name, text] of Object.entries(files)) writeFileSync(join(root, name), text);
      for (const name of ['berth.service', 'berth-agent.service'])
        copyFileSync(join(packaging, name), join(units, name));
      for (const name of MACHINE) symlinkSync('/dev/null', join(units, name));
      const archive = join(folder, 'root.tar');
      await run(['tar', '--create', `--file=${archive}`, `--directory=${root}`, '--owner=0', '--group=0', '.']);
      await docker(['import', archive, 'machine']);
      mkdirSync(join(folder, 'local/bin'), { recursive: true });
      const program = join(place.image, `berth-linux-${process.arch}`);
      await run(['install', '-m', '0755', program, join(folder, 'local/bin/berth')]);
      await docker([
        ...[
          'run',
          '--detach',
          '--name',
          'machine',
          '--privileged',
          '--cgroupns',
          'private',
          '--env',
          'container=docker',
        ],
        ...['--tmpfs', '/run', '--tmpfs', '/tmp', '--publish', '5000:5000'],
        ...['--volume', '/usr:/usr:ro', '--volume', `${join(folder, 'local')}:/usr/local:ro`],
        ...['machine', '/lib/systemd/systemd'],
      ]);
      await eventually('systemd', 60_000, async () => {
        const { stdout } = await place.engine.tryDocker(['exec', 'machine', 'systemctl', 'is-system-running']);
        return ['running', 'degraded'].includes(stdout.trim());
      });
    });
    afterAll(async () => {
      await docker(['rm', '--force', '--volumes', 'machine']);
      rmSync(folder, { recursive: true, force: true });
    });

    test('start the registry as a user that has nothing of root but ports below 1024', async () => {
      await inside('systemctl', 'enable', '--now', 'berth');
      await ready();
      await docker(['push', testImage]);
      const status = await inside('cat', `/proc/${await property('berth', 'MainPID')}/status`);
      const field = (name: string) => new RegExp(`^${name}:\\s+(\\S+)`, 'm').exec(status)?.[1];
      expect(field('Uid')).toBe(String(USER));
      expect(Number.parseInt(field('CapEff') ?? '', 16)).toBe(LOW_PORTS);
      expect(field('NoNewPrivs')).toBe('1');
      expect(await inside('stat', '--format', '%U %a', '/var/lib/berth')).toBe('berth 750');
    });

    test('bring it back when it is killed, with what was pushed', async () => {
      const before = await property('berth', 'MainPID');
      await inside('systemctl', 'kill', '--kill-whom=main', '--signal=KILL', 'berth');
      await eventually('another process', 60_000, async () => {
        const now = await property('berth', 'MainPID');
        return now !== '0' && now !== before;
      });
      await ready();
      await docker(['rmi', '--force', testImage]);
      expect(await docker(['run', '--rm', '--network', 'none', testImage])).toBe(place.prints);
    });

    test('let it end by itself, and serve on a port below 1024 when that is set', async () => {
      await inside('systemctl', 'stop', 'berth');
      expect(await property('berth', 'Result')).toBe('success');
      expect(await property('berth', 'ExecMainStatus')).toBe('0');
      await configure(`${SETTINGS}port: 80\n`);
      await inside('systemctl', 'start', 'berth');
      await ready(80);
    });

    test('do not try again with a setting that is wrong', async () => {
      await configure('dataa: /var/lib/berth\n');
      await place.engine.tryDocker(['exec', 'machine', 'systemctl', 'restart', 'berth']);
      await eventually('the end', 30_000, async () => (await property('berth', 'ActiveState')) === 'failed');
      expect(await property('berth', 'ExecMainStatus')).toBe('2');
      expect(await property('berth', 'NRestarts')).toBe('0');
      expect(await inside('journalctl', '--unit', 'berth', '--output', 'cat')).toContain('dataa: no such key');
    });

    test('start the agent, which says itself that it has begun', async () => {
      await inside('systemctl', 'start', 'berth-agent');
      // With Type=notify not before the agent has said so.
      expect(await property('berth-agent', 'ActiveState')).toBe('active');
      expect(await property('berth-agent', 'Type')).toBe('notify');
      await inside('systemctl', 'stop', 'berth-agent');
      expect(await property('berth-agent', 'Result')).toBe('success');
    });
  });
}
