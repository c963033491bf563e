// What is asked on a terminal: a password, which is not shown, and the name of what is to go.
import { beforeAll, expect, test } from 'bun:test';
import { ADMINISTRATOR, type Person, serveAccounts } from './person.ts';

const place = serveAccounts();
let alice: Person;

beforeAll(async () => {
  alice = place.person();
  await alice.logIn();
}, 60_000);

const command = new URL('../../bin/berth', import.meta.url).pathname;

/** Runs `berth ARGS` on a terminal; each answer is typed when its question stands there. */
async function atTerminal(
  person: Person,
  args: string[],
  answers: readonly (readonly [question: string, answer: string])[],
): Promise<{ code: number; screen: string }> {
  let screen = '';
  const left = [...answers];
  const decoder = new TextDecoder();
  const child = Bun.spawn([command, ...args], {
    env: { ...process.env, NO_COLOR: '1', ...person.environment },
    terminal: {
      cols: 200,
      data(terminal, data) {
        screen += decoder.decode(data, { stream: true });
        const [next] = left;
        if (next === undefined || !screen.includes(next[0])) return;
        left.shift();
        terminal.write(`${next[1]}\r`);
      },
    },
  });
  const code = await child.exited;
  child.terminal?.close();
  expect(left).toEqual([]);
  return { code, screen };
}

test('a log-in asks for the name and the password, and shows the password to nobody', async () => {
  const person = place.person();
  const { code, screen } = await atTerminal(
    person,
    ['login'],
    [
      ['Username: ', ADMINISTRATOR.name],
      ['Password: ', ADMINISTRATOR.password],
    ],
  );
  expect(code).toBe(0);
  expect(screen).toContain('logged in to');
  expect(screen).not.toContain(ADMINISTRATOR.password);
  expect(await person.run('whoami')).toBe('alice\n');
});

test('a new password is typed twice, and two that differ make nobody', async () => {
  const twice = (again: string) =>
    [
      ['New password of bob: ', "bob's password"],
      ['Again: ', again],
    ] as const;
  const differing = await atTerminal(alice, ['user', 'create', 'bob'], twice('another'));
  expect([differing.code, differing.screen]).toEqual([1, expect.stringContaining('the two passwords differ')]);
  const made = await atTerminal(alice, ['user', 'create', 'bob'], twice("bob's password"));
  expect([made.code, made.screen]).toEqual([0, expect.stringContaining('made bob')]);
  expect(made.screen).not.toContain("bob's password");
});

test('deleting asks for the name, and another name deletes nothing', async () => {
  await alice.run('repository create alice/app');
  const question = 'Type alice/app to delete the repository: ';
  const wrong = await atTerminal(alice, ['repository', 'delete', 'alice/app'], [[question, 'alice/ap']]);
  expect([wrong.code, wrong.screen]).toEqual([1, expect.stringContaining('nothing was deleted')]);
  await alice.run('repository show alice/app');
  const right = await atTerminal(alice, ['repository', 'delete', 'alice/app'], [[question, 'alice/app']]);
  expect([right.code, right.screen]).toEqual([0, expect.stringContaining('deleted alice/app')]);
  await alice.refused(1, 'repository show alice/app');
});

test('a question that is left with Ctrl-C or Ctrl-D does nothing', async () => {
  await alice.run('repository create alice/kept');
  for (const key of ['\u0003', '\u0004']) {
    const { code } = await atTerminal(
      alice,
      ['repository', 'delete', 'alice/kept'],
      [['Type alice/kept to delete the repository: ', key]],
    );
    expect(code).not.toBe(0);
  }
  await alice.run('repository show alice/kept');
});

test('names that would play with the terminal are shown harmless', async () => {
  const name = 'evil \u001b]0;title\u0007 \u202e name';
  const made = await alice.try(['token', 'create', name, '--output', 'json']);
  expect(made.code).toBe(0);
  const text = await alice.run('token list');
  expect(text).toContain('evil \\u001b]0;title\\u0007 \\u202e name');
  expect(text).not.toContain('\u001b');
});
