// `berth repository`, `berth tag` on what is private, and the command line itself.
import { beforeAll, describe, expect, test } from 'bun:test';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryInfo, repositorySummary } from '../../src/api/repositories.ts';
import { berth } from '../support/berth.ts';
import { type Person, serveAccounts } from './person.ts';

const place = serveAccounts();
let alice: Person;

beforeAll(async () => {
  alice = place.person();
  await alice.logIn();
}, 60_000);

const names = async (line: string, person = alice) =>
  repositorySummary
    .array()
    .parse(await person.json(line))
    .map(({ name }) => name);

describe('a repository', () => {
  test('is made, described, listed, renamed and deleted', async () => {
    expect(await alice.run('repository create alice/app --description hello')).toBe('made alice/app, private\n');
    const readme = join(alice.home, 'README.md');
    writeFileSync(readme, '# App\n\nWhat it is.\n');
    await alice.run(`repository edit alice/app --visibility public --readme ${readme}`);
    const shown = repositoryInfo.parse(await alice.json('repository show alice/app'));
    expect(shown).toMatchObject({ visibility: 'public', description: 'hello', readme: '# App\n\nWhat it is.\n' });
    await alice.run('repository create alice/private');
    expect(await names('repository list')).toEqual(['alice/app', 'alice/private']);
    expect(await names('repository list --search HELLO')).toEqual(['alice/app']);
    expect(await names('repository list --namespace alice --visibility private')).toEqual(['alice/private']);
    expect(await alice.run('repository rename alice/app alice/tool')).toBe('alice/app is alice/tool now\n');
    expect(await alice.refused(2, 'repository delete alice/tool')).toContain('--yes');
    const { code, stderr } = await alice.try(['repository', 'delete', 'alice/tool', '--yes']);
    expect([code, stderr]).toEqual([0, expect.stringContaining('removes 0 tag(s)')]);
    expect(await alice.refused(1, 'repository show alice/tool')).toContain('alice/tool');
    await alice.run('repository delete alice/private --yes');
  });

  test('may be named like a word of the API', async () => {
    await Promise.all(
      ['alice/tags', 'alice/grants/deletion'].map(async (name) => {
        await alice.run(`repository create ${name}`);
        expect(await alice.run(`repository show ${name}`)).toContain(name);
        expect(await alice.json(`tag list ${name}`)).toEqual([]);
        await alice.run(`repository rename ${name} ${name}/rename`);
        await alice.run(`repository delete ${name}/rename --yes`);
      }),
    );
  });

  test('that is private is there for its owner alone, in the tags too', async () => {
    await alice.run('repository create alice/secret');
    expect(await alice.json('tag list alice/secret')).toEqual([]);
    await alice.run('user create bob --password-stdin', { stdin: "bob's password" });
    const bob = place.person();
    await bob.logIn({ name: 'bob', password: "bob's password" });
    expect(await names('repository list', bob)).toEqual([]);
    const hidden = await bob.refused(1, 'tag list alice/secret');
    expect(hidden).toBe((await bob.refused(1, 'tag list alice/nothing')).replace('nothing', 'secret'));
    expect(await place.person().refused(1, 'tag list alice/secret')).toContain('log in with berth login');
  });

  test('is refused for values that there are not, naming the flag', async () => {
    await alice.refusesAll(2, {
      'repository create alice//x': 'NAME: ',
      'repository create alice/x --visibility hidden': '--visibility: "hidden"',
      'repository edit alice/x': '--readme',
      'repository edit alice/x --readme /nowhere': '--readme: /nowhere',
    });
    expect(await alice.refused(1, 'repository rename alice/none alice/x')).toContain('alice/none');
  });
});

describe('the command line', () => {
  const COMMANDS = ['token', 'user', 'organization', 'member', 'team', 'grant', 'robot', 'invitation', 'repository'];

  test('shows each command and its help', async () => {
    const { stdout } = await berth(['--help']);
    for (const name of [...COMMANDS, 'login', 'logout', 'whoami', 'audit']) {
      expect(stdout).toMatch(new RegExp(`^  ${name}\\b`, 'm'));
    }
    const helps = await Promise.all(COMMANDS.map((name) => berth([name, '--help'])));
    for (const help of helps) {
      expect([help.code, help.stderr]).toEqual([0, '']);
      expect(help.stdout).toContain('Commands:');
    }
  });

  test('without a subcommand, with one that there is not, or with too much is refused with exit code 2', async () => {
    await alice.refusesAll(2, {
      token: 'Usage: berth token',
      'user creat bob': "unknown command 'creat'",
      'member list': "missing required argument 'ORGANIZATION'",
      'repository show a b': 'too many arguments',
      'robot list acme --all': "unknown option '--all'",
    });
  });
});
