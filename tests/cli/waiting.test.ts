// `berth deploy --wait` and the commands around it: progress, how they end, and with which exit code.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { deploymentInfo } from '../../src/api/deployments.ts';
import { type RunningBerth, startBerth } from '../support/berth.ts';
import { eventually } from '../support/processes.ts';
import { type Person, type Ran, serveAccounts } from './person.ts';
import { composeFile, pushImage, Reporter, tokenOf } from './shop.ts';

const place = serveAccounts();
let alice: Person;
let restarted: RunningBerth | undefined;
const targets = new Map<string, Reporter>();

beforeAll(async () => {
  alice = place.person();
  await alice.logIn();
  for (const tag of ['1.0', '1.1', 'bad', 'worse']) await pushImage(place.server.url, 'alice/web', tag);
  await alice.run(`stack create shop -f ${composeFile(alice)}`);
  for (const name of ['test', 'production']) {
    await alice.run(`env create shop ${name}`);
    const reporter = new Reporter(place.server.url, tokenOf(await alice.run(`target enroll shop ${name}`)));
    await reporter.say();
    targets.set(name, reporter);
  }
}, 60_000);

afterAll(async () => {
  await restarted?.stop();
});

function on(name: string): Reporter {
  const reporter = targets.get(name);
  if (reporter === undefined) throw new Error(`no target of ${name}`);
  return reporter;
}

/** Runs what waits, while the server that runs it does its part. */
async function meanwhile(line: string, work: () => Promise<void>): Promise<Ran> {
  const [ran] = await Promise.all([alice.try(line.split(' ')), work()]);
  return ran;
}

/** Begins to wait for a new deployment; resolves when it has been seen. */
async function waitingFor(line: string, number: number) {
  const child = Bun.spawn([new URL('../../bin/berth', import.meta.url).pathname, ...line.split(' ')], {
    env: { ...process.env, ...alice.environment, NO_COLOR: '1' },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  });
  let said = '';
  void (async () => {
    for await (const chunk of child.stderr) said += new TextDecoder().decode(chunk);
  })();
  await eventually(`v${number} is waited for`, 30_000, () => said.includes(`v${number} (release `));
  return { child, said: () => said };
}

describe('a deployment that is waited for', () => {
  test('ends with 0 when its target runs it, and says how far it was', async () => {
    const ran = await meanwhile('deploy test --wait', () => on('test').run(1));
    expect([ran.code, ran.stdout]).toEqual([0, expect.stringContaining('v1 of alice/shop test: success')]);
    expect(ran.stderr).toContain('v1 (release 1) ');
  });

  test('is waited for until it is stable where that is asked for, with its answer as JSON', async () => {
    const ran = await meanwhile('deploy test web=1.1 --wait=stable --output json', () => on('test').run(2));
    expect(ran.code).toBe(0);
    expect(deploymentInfo.parse(JSON.parse(ran.stdout))).toMatchObject({ number: 2, status: 'success', stable: true });
  });

  test('that fails is 3 when what ran before runs again, with the last lines of the log', async () => {
    const ran = await meanwhile('deploy --wait test web=bad', async () => {
      await on('test').ordered(3);
      const log = `first\nlast \u001b[31m words\n`;
      await on('test').tell(3, 'reverting', { error: 'web is unhealthy', log, blame: 'release', revertedTo: 2 });
      await on('test').run(4);
    });
    expect([ran.code, ran.stdout]).toEqual([3, '']);
    expect(ran.stderr).toContain('rolled back by v4');
    expect(ran.stderr).toContain('web is unhealthy');
    expect(ran.stderr).toContain('    last \\u001b[31m words\n');
    expect(ran.stderr).toContain('now: v4 (release 2), which brings back v2: success');
  });

  test('that was rolled back is refused for its release, with 5', async () => {
    const ran = await alice.try(['deploy', 'test', 'web=bad', '--wait']);
    expect([ran.code, ran.stdout]).toEqual([5, '']);
    expect(ran.stderr).toContain('revoked');
  });

  test('that fails is 4 when there is nothing to go back to', async () => {
    const ran = await meanwhile('deploy production web=worse --wait', async () => {
      await on('production').ordered(1);
      await on('production').tell(1, 'failed', { error: 'web exited with 1', log: 'why', blame: 'release' });
    });
    expect([ran.code, ran.stderr]).toEqual([4, expect.stringContaining('failed and was not rolled back')]);
  });

  test('is 124 when it takes too long, and 6 for another one, which may wait for its end', async () => {
    const slow = await alice.try(['deploy', 'test', 'web=1.0', '--wait', '--timeout', '500ms']);
    expect([slow.code, slow.stderr]).toEqual([124, expect.stringContaining('it goes on')]);
    const other = await alice.try(['deploy', 'test', 'web=1.1', '--lock-timeout', '500ms']);
    expect([other.code, other.stderr]).toEqual([6, expect.stringContaining('locked by')]);
    const waits = alice.try(['deploy', 'test', 'web=1.1', '--wait', '--lock-timeout', '1m']);
    expect(await alice.run('cancel test')).toContain('v5 of alice/shop test: cancelled');
    await on('test').run(6);
    await on('test').run(7);
    expect((await waits).code).toBe(0);
  });
});

describe('waiting', () => {
  test('ends with Control-C, with 130, and the deployment goes on', async () => {
    const { child, said } = await waitingFor('deploy test web=1.0 --wait', 8);
    child.kill('SIGINT');
    expect(await child.exited).toBe(130);
    await eventually('it says so', 20_000, () => said().includes('v8 of alice/shop test goes on'));
    await on('test').run(8);
    expect(await alice.run('status test')).toMatch(/deployment: +v8, release 1, success, stable/);
  });

  test('survives a restart of the server', async () => {
    const { child, said } = await waitingFor('deploy test web=1.1 --wait', 9);
    const { data, port } = place.server;
    await place.server.kill();
    await eventually('the server is missed', 30_000, () => said().includes('trying for a minute'));
    restarted = await startBerth({ data, port, args: ['--anonymous', 'none', '--workers', '1'] });
    await on('test').run(9);
    expect(await child.exited).toBe(0);
    expect(said()).toContain('answers again');
  }, 90_000);
});

describe('what was deployed', () => {
  test('goes to another environment, by the name of its service', async () => {
    const ran = await meanwhile('promote web --to production --wait', () => on('production').run(2));
    expect(ran.code).toBe(0);
    expect(ran.stderr).toContain('the whole release goes');
    expect(ran.stderr).toMatch(/^web +replace +worse@\w{12} +1\.1@\w{12}/m);
  });

  test('is undone, for a reason that the history has', async () => {
    const line = 'rollback test --reason slow --wait';
    const ran = await meanwhile(line, () => on('test').run(10));
    expect([ran.code, ran.stdout]).toEqual([0, expect.stringContaining('v10 of alice/shop test: success')]);
    const history = await alice.run('history test --limit 2');
    expect(history).toMatch(/^v10 .* rollback .* alice .*brings back v8; undoes v9/m);
    expect(history).toMatch(/^v9 .*rolled back by v10/m);
    expect(await alice.run('status test')).toMatch(/^target-1 +web +1\.0@(\w{12}) +1\.0@\1 +healthy/m);
  });

  test('is not what is waited for when somebody cancels it', async () => {
    const { child, said } = await waitingFor('deploy test --release 1 --wait', 11);
    expect(await alice.run('cancel test v11')).toContain('v11 of alice/shop test: cancelled');
    expect(await child.exited).toBe(1);
    await eventually('it says by whom', 20_000, () => said().includes('cancelled by alice'));
    expect(await alice.refused(1, 'cancel test v11')).toContain('cancelled');
  });

  test('stays while the environment is on hold', async () => {
    expect(await alice.run('hold test --reason freeze')).toContain('is on hold');
    expect(await alice.run('status')).toMatch(/^alice\/shop +test .*by alice: freeze/m);
    expect(await alice.run('resume test')).toContain('no longer on hold');
  });
});
