// docs/tutorial.md as a reader plays it: two machines, each with an engine of its own, the commands as they stand on the page, and what
// they say compared with what the page shows. A command on the page that no step here takes fails, and so does a step without one.
//
// Unlike the reader, the machines have the packages of `npm start` already, and images called ubuntu and busybox that are this machine's
// busybox; `systemctl reload docker` is a signal to dockerd; the proxy's nginx is started without systemd.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../support/processes.ts';
import { requireTools } from '../support/tools.ts';
import { browse } from './browser.ts';
import { CLONE, HOME, Machine, machineTools, type Running } from './machine.ts';
import { Player } from './player.ts';

const root = new URL('../..', import.meta.url).pathname;
const canPlay = requireTools('tutorial', [...machineTools, 'busybox', 'nginx', 'openssl', 'chromium-headless-shell']);

const FIRST = '192.168.77.10';
const SECOND = '192.168.77.11';
const PASSWORD = 'correct horse battery staple';

setDefaultTimeout(300_000);

describe.skipIf(!canPlay)('the tutorial', () => {
  const page = new Player(join(root, 'docs/tutorial.md'));
  const played = new Set(['']);
  let first: Machine;
  let second: Machine;
  let server: Running;
  let failed = false;
  const withPassword = { answers: [['Password: ', PASSWORD]] } as const;

  /** A section of the page. One that comes after a section that failed fails with it. */
  const section = (title: string, play: () => Promise<void>) =>
    test(title, async () => {
      if (failed) throw new Error('a section before it failed');
      failed = true;
      page.open(title);
      await play();
      page.close();
      played.add(title);
      failed = false;
    });

  beforeAll(async () => {
    first = await Machine.start('first', FIRST);
    second = await Machine.start('second', SECOND, first);
    first.folder = CLONE;
    await Promise.all([first.addImage('ubuntu'), second.addImage('ubuntu'), second.addImage('busybox')]);
  }, 120_000);

  afterAll(async () => {
    await second?.stop();
    await first?.stop();
  }, 120_000);

  section('1. Start', async () => {
    page.mentions('docker run -d -p 5000:5000 --restart=always …');
    server = await page.begins(first, 'insecure-registries');
    page.says(3);
    page.mentions('npm start -- --anonymous push');
  });

  section('2. The first account', async () => {
    page.mentions('bin/berth setup --username alice');
    await browse(first, async (visit) => {
      await visit.goto(`http://localhost:5000/setup?secret=${page.tokens.setup}`);
      await visit.getByLabel('Username').fill('alice');
      await visit.getByLabel('Password (required)').fill(PASSWORD);
      await visit.getByRole('button', { name: 'Make the account' }).click();
      await visit.getByRole('button', { name: 'Account of alice' }).waitFor();
    });
  });

  section('3. Log in and push', async () => {
    await page.runs(first, withPassword);
    page.says();
    await page.runs(first);
    page.says();
    await browse(first, async (visit) => {
      await visit.goto('http://localhost:5000/login?next=/r/alice/app');
      await visit.getByLabel('Username').fill('alice');
      await visit.getByLabel('Password', { exact: true }).fill(PASSWORD);
      await visit.getByLabel('Password', { exact: true }).press('Enter');
      await visit.getByText('latest').first().waitFor();
    });
  });

  section('4. Pull from another machine', async () => {
    await page.runs(second, { ...withPassword, code: 1 });
    page.says();
    page.writes(second, '/etc/docker/daemon.json');
    await page.runs(second);
    await second.trusts(`${FIRST}:5000`);
    expect((await second.script(`docker login -u alice ${FIRST}:5000`, withPassword)).text).toContain(
      'Login Succeeded',
    );
    await page.runs(second);
    page.says();
    await page.runs(second);
    const refused = await second.script(`docker pull ${FIRST}:5000/alice/app`);
    const missing = await second.script(`docker pull ${FIRST}:5000/alice/nothing`);
    expect(refused.code).not.toBe(0);
    expect(refused.text).toBe(missing.text.replaceAll('alice/nothing', 'alice/app'));
  });

  section('5. Make it public', async () => {
    await page.runs(first, {
      answers: [
        ['Username: ', 'alice'],
        ['Password: ', PASSWORD],
      ],
    });
    page.says();
    await page.runs(first);
    await second.docker(['pull', `${FIRST}:5000/alice/app`]);
    await second.docker(['tag', 'ubuntu', `${FIRST}:5000/alice/app`]);
    expect((await second.script(`docker push ${FIRST}:5000/alice/app`)).code).not.toBe(0);
  });

  section('6. A colleague', async () => {
    await page.runs(first);
    page.says();
    await browse(second, async (visit) => {
      await visit.goto(`http://${FIRST}:5000/signup#invitation=${page.tokens.invite}`);
      await visit.getByLabel('Username').fill('bob');
      await visit.getByLabel('Password (required)').fill(PASSWORD);
      await visit.getByRole('button', { name: 'Sign up' }).click();
      await visit.getByRole('button', { name: 'Account of bob' }).waitFor();
    });
    await page.runs(first);
    page.says();
  });

  section('7. A build server', async () => {
    await page.runs(first);
    page.says();
    await page.runs(second, { answers: [['Password: ', page.tokens.robot ?? '']] });
    await page.runs(second, { code: 1 });
    page.says();
  });

  section('8. Undo a tag', async () => {
    await page.runs(first);
    page.says();
    await page.runs(first);
    page.says();
    page.mentions('docker pull');
    await first.script('true');
    page.shows((await first.script('bin/berth tag history alice/app:latest')).text);
    page.shows((await first.script('bin/berth tag rollback alice/app:latest')).text);
    page.mentions('bin/berth tag rollback alice/app:latest --to DIGEST');
    await page.runs(first);
  });

  section('9. Something to ship', async () => {
    await second.script('mkdir shop');
    second.folder = `${HOME}/shop`;
    page.writes(second, 'Dockerfile');
    await page.runs(second);
    page.writes(first, 'compose.yaml');
    await page.runs(first);
    page.says();
    await page.runs(first);
  });

  const online = (target: string) =>
    eventually(`${target} is online`, 60_000, async () =>
      new RegExp(`${target} +online`).test((await first.script('bin/berth target list shop')).text),
    );

  section('10. A server', async () => {
    await page.runs(first);
    second.write('/usr/local/bin/berth', readFileSync(first.path(`${CLONE}/dist/berth`)), 0o755);
    await page.runs(first);
    page.says();
    await page.begins(second, 'agent starts');
    await online('server-1');
    await page.runs(first);
    page.says();
  });

  section('11. CI brings it there', async () => {
    await page.runs(first);
    second.write(`${second.folder}/ci.sh`, readFileSync(first.path(`${CLONE}/docs/how-to/ci.sh`)));
    page.mentions('berth deploy --wait');
    await page.runs(second, { with: { 'berth_robot_…': page.tokens.robot ?? '' } });
    page.says();
    await page.runs(second);
    await page.runs(first);
    page.says();
  });

  const stable = (environment: string) =>
    eventually(
      `${environment} is stable`,
      60_000,
      async () =>
        (await first.script(`bin/berth history ${environment}`)).text.split('\n')[1]?.includes('yes') ?? false,
    );

  section('12. A bad release', async () => {
    await stable('shop/test');
    await second.script(`sed -i 's|"/www"]|"/ww"]|' Dockerfile`);
    await page.runs(second, { code: 3 });
    page.says();
    page.mentions('echo $?');
    expect((await second.script(`curl -s http://${SECOND}:8080/`)).text.trim()).toBe('Hello, first');
    await page.runs(first);
    page.says();
    await second.script(`sed -i 's|"/ww"]|"/www"]|' Dockerfile`);
    await page.runs(second);
  });

  section('13. Production', async () => {
    await page.runs(first);
    await page.begins(second, 'agent starts', { with: { 'berth_agent_…': page.tokens.agent ?? '' } });
    await online('server-2');
    const promote = page.take();
    const refused = await first.script(promote.text, { terminal: true });
    await stable('shop/test');
    const promoted = await first.script(promote.text, { answers: [['[y/N]', 'y']] });
    const [plan = '', rest = ''] = promoted.text.split('Promote it? [y/N]');
    page.shows(plan);
    page.shows(refused.text);
    // Behind the answer, which the terminal has shown.
    page.shows(rest.slice(rest.indexOf('\n')));
    await page.runs(second);
    await page.runs(second);
    await stable('shop/test');
    await page.runs(first);
  });

  section('14. Undo it', async () => {
    await page.runs(first);
    await page.runs(first, { terminal: true });
    page.says();
    await page.runs(first);
    page.says();
    await page.runs(first, { code: 5 });
    page.says();
    await page.runs(first);
  });

  section('15. On a laptop', async () => {
    await page.runs(first);
    page.says();
    await page.runs(first);
    page.says();
    await page.runs(first);
    await page.runs(first);
    expect(await first.docker(['ps', '--all', '--quiet'])).toBe('');
    expect(await first.docker(['volume', 'ls', '--quiet'])).toBe('');
  });

  section('16. HTTPS', async () => {
    await page.runs(first);
    page.writes(first, '/etc/nginx/conf.d/berth.conf');
    await page.runs(first);
    page.mentions('berth doctor');
    await page.runs(first, { code: 1 });
    page.says();
    page.writes(first, '/etc/nginx/conf.d/berth.conf');
    await page.runs(first);
    await page.runs(first);
    page.says();
    await page.runs(second, { ...withPassword, code: 1 });
    page.says();
    second.write(`/etc/docker/certs.d/${FIRST}/ca.crt`, readFileSync(first.path(`${CLONE}/ca.crt`)));
    expect((await second.script(`docker login -u bob ${FIRST}`, withPassword)).text).toContain('Login Succeeded');
    await page.runs(second);
  });

  section('17. Years', async () => {
    await page.runs(first);
    page.says();
    page.mentions('bin/berth why DIGEST');
    await page.runs(first);
    page.says();
    await page.runs(first);
    page.says();
    await page.runs(first);
    page.says();
    await server.stop();
  });

  test('every section of the page was played', () => {
    expect([...played, 'Next'].toSorted()).toEqual(page.sections.map(({ title }) => title).toSorted());
  });
});
