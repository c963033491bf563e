// `berth stack`, `env`, `target`, `config` and `release`, and how environments are named.
import { beforeAll, describe, expect, test } from 'bun:test';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { environmentStatus } from '../../src/api/deployments.ts';
import { releaseInfo } from '../../src/api/releases.ts';
import { configInfo, environmentInfo, stackInfo } from '../../src/api/stacks.ts';
import { type Person, serveAccounts } from './person.ts';
import { COMPOSE, composeFile, pushImage, Reporter, tokenOf } from './shop.ts';

const place = serveAccounts();
let alice: Person;
const digests = new Map<string, string>();

beforeAll(async () => {
  alice = place.person();
  await alice.logIn();
  for (const tag of ['1.0', '1.1']) digests.set(tag, await pushImage(place.server.url, 'alice/web', tag));
}, 60_000);

describe('a stack', () => {
  test('is made of a compose file, shown, changed and deleted', async () => {
    const file = composeFile(alice);
    expect(await alice.run(`stack create shop -f ${file}`)).toBe('made alice/shop: web\n');
    expect(await alice.run('stack file shop')).toBe(COMPOSE);
    const shown = stackInfo.parse(await alice.json('stack show alice/shop'));
    expect(shown).toMatchObject({ name: 'alice/shop', services: [{ name: 'web', repository: 'alice/web' }] });
    await alice.run(`stack create alice/other -f ${file}`);
    composeFile(alice, COMPOSE.replace('8080', '8081'));
    expect(await alice.run(`stack update other -f ${file}`)).toBe('changed alice/other: web\n');
    expect(await alice.run('stack file other')).toContain('8081');
    expect(await alice.run('stack list')).toContain('alice/other');
    expect(await alice.refused(2, 'stack delete other')).toContain('--yes');
    await alice.run('stack delete other --yes');
    expect(await alice.refused(1, 'stack show other')).toContain('no stack other');
  });

  test('is refused with what is wrong in its file', async () => {
    const broken = composeFile(alice, 'services:\n  web:\n    build: .\n');
    expect(await alice.refused(1, `stack create broken -f ${broken}`)).toContain('file: ');
    await alice.refusesAll(2, {
      'stack create a/b/c -f /nowhere': '--file: /nowhere',
      'stack create -f - x/y/z': 'NAME: "x/y/z"',
    });
  });
});

describe('an environment', () => {
  test('is made, listed in its order and changed', async () => {
    await alice.run('env create shop test --track web=later --deploy-on-push');
    await alice.run('env create alice/shop production --protected --max-parallel 2');
    const list = environmentInfo.array().parse(await alice.json('env list shop'));
    expect(list.map(({ name, protected: isProtected, maxParallel }) => [name, isProtected, maxParallel])).toEqual([
      ['test', false, 1],
      ['production', true, 2],
    ]);
    expect(list[0]).toMatchObject({ deployOnPush: true, track: { web: { kind: 'tag', value: 'later' } } });
    const changed = await alice.json('env change shop test --track web=semver:^1.0 --no-deploy-on-push');
    expect(environmentInfo.parse(changed)).toMatchObject({
      deployOnPush: false,
      track: { web: { kind: 'semver', value: '^1.0' } },
    });
    expect(await alice.run('env change shop test --untrack web')).toContain('tracks nothing');
    await alice.refusesAll(2, {
      'env change shop test': 'give what to change',
      'env create shop x --track web': '--track: "web"',
      'env create shop x --track web=semver:': '--track: web',
      'env create shop x --max-parallel 0': '--max-parallel: "0"',
    });
  });

  test('is named alone, with its stack or with all of its name', async () => {
    await alice.run(`stack create second -f ${composeFile(alice)}`);
    await alice.run('env create second test');
    const named = async (text: string, env: Record<string, string> = {}) =>
      environmentStatus.parse(await alice.json(`status ${text}`.trim(), { env }));
    for (const text of ['shop/test', 'shop@test', 'alice/shop/test', 'test --stack shop']) {
      expect(await named(text)).toMatchObject({ stack: 'alice/shop', environment: 'test' });
    }
    expect(await named('production')).toMatchObject({ stack: 'alice/shop', environment: 'production' });
    expect(await named('test', { BERTH_STACK: 'second' })).toMatchObject({ stack: 'alice/second' });
    expect(await named('', { BERTH_ENVIRONMENT: 'second/test' })).toMatchObject({ stack: 'alice/second' });
    const unclear = await alice.refused(1, 'status test');
    expect(unclear).toContain('alice/second/test or alice/shop/test');
    expect(await alice.refused(1, 'status nowhere')).toContain('has an environment nowhere');
    expect(await alice.refused(2, 'history')).toContain('BERTH_ENVIRONMENT');
    await alice.run('stack delete second --yes');
  });
});

describe('a target', () => {
  test('is enrolled with one line to run, and nothing else on standard output', async () => {
    const { code, stdout, stderr } = await alice.try(['target', 'enroll', 'shop', 'test', '--name', 'server-1']);
    expect([code, stdout.trimEnd().split('\n').length]).toEqual([0, 1]);
    expect(stdout).toMatch(/^berth agent /);
    expect(stderr).toContain('server-1');
    const reporter = new Reporter(place.server.url, tokenOf(stdout));
    expect(await reporter.wanted()).toMatchObject({ stack: 'alice/shop', environment: 'test', deployment: null });
    await reporter.say({ now: Date.now() + 90_000, agentVersion: '9.9.9' });
    const listed = await alice.run('target list shop');
    expect(listed).toContain('server-1');
    expect(listed).toMatch(/9\.9\.9.*ahead/);
    expect(await alice.run('target revoke shop test server-1')).toContain('revoked server-1');
    await expect(reporter.wanted()).rejects.toThrow('401');
  });
});

describe('the variables of an environment', () => {
  test('are set and taken away, and secrets are shown nowhere', async () => {
    const path = join(alice.home, 'key');
    writeFileSync(path, 'from a file\n');
    const set = `config set shop/test A=1 B=x=y --secret TYPED --secret-file KEY=${path}`;
    const changed = await alice.try(set.split(' '), { stdin: 'from a pipe\n' });
    expect([changed.code, changed.stdout]).toEqual([0, 'alice/shop test has version 1 of its variables\n']);
    const listed = configInfo.parse(await alice.json('config list shop/test'));
    expect(listed.variables.toSorted((a, b) => (a.name < b.name ? -1 : 1))).toEqual([
      { name: 'A', secret: false, value: '1' },
      { name: 'B', secret: false, value: 'x=y' },
      { name: 'KEY', secret: true, value: null },
      { name: 'TYPED', secret: true, value: null },
    ]);
    expect(await alice.run('config unset shop/test A TYPED')).toContain('version 2');
    expect(await alice.run('config list shop/test')).toMatch(/^KEY +\(secret\)$/m);
    expect(await alice.run('config history shop/test')).toMatch(/^1 .*TYPED \(secret\)/m);
  });

  test('are refused where a value could be seen, or a name is none', async () => {
    await alice.refusesAll(2, {
      'config set shop/test': 'give what to set',
      'config set shop/test --secret A=hidden': 'give the name alone',
      'config set shop/test --secret A --secret B': '--secret-file',
      'config set shop/test 1A=x': '"1A" is not a name',
      'config set shop/test A=1 A=2': 'A is there twice',
    });
    expect(await alice.refused(2, 'config set shop/test --secret A=hidden')).not.toContain('hidden');
    expect(await alice.refused(1, 'config set shop/test PATH=/tmp')).toContain('PATH');
  });
});

describe('a release', () => {
  test('is made of tags, and keeps their digests', async () => {
    const made = releaseInfo.parse(await alice.json('release create shop web=1.1 --version 1.1.0 --notes hello'));
    expect(made).toMatchObject({
      version: '1.1.0',
      notes: 'hello',
      images: [{ service: 'web', tag: '1.1', digest: digests.get('1.1'), revision: 'revision-of-1.1' }],
    });
    await alice.run('release create shop');
    const all = releaseInfo.array().parse(await alice.json('release list shop'));
    expect(all.map(({ number }) => number)).toEqual([2, 1]);
    expect(all[0]?.images[0]?.digest).toBe(digests.get('1.0') ?? '');
    expect(await alice.run('release show shop 1.1.0')).toContain(digests.get('1.1') ?? '');
    expect(await alice.run('release diff shop 2 1.1.0')).toMatch(/^web +yes +1\.0@\w{12} +1\.1@\w{12}/m);
    expect(await alice.refused(1, 'release show shop 9.9')).toContain('no release "9.9"');
    expect(await alice.refused(1, 'release create shop web=none')).toContain('none');
  });

  test('that is revoked is said to be, and a plan with it ends with 5', async () => {
    expect(await alice.run('release revoke shop 1.1.0 --env test --reason slow')).toContain('revoked in test');
    expect(await alice.run('release show shop 1')).toContain('slow');
    const planned = await alice.try(['plan', 'shop/test', '--release', '1']);
    expect([planned.code, planned.stdout]).toEqual([5, expect.stringContaining('refused: release: 1 was revoked')]);
    const dry = await alice.try(['deploy', 'shop/test', '--release', '1', '--dry-run', '--output', 'json']);
    expect([dry.code, JSON.parse(dry.stdout)]).toEqual([5, expect.objectContaining({ release: 1 })]);
    expect((await alice.try(['plan', 'shop/test', '--release', '2'])).code).toBe(0);
  });
});
