import type { Command } from 'commander';
import type { UserInfo } from '../api/users.ts';
import { type Call, commandGroup } from './command-group.ts';
import { plainName } from './names.ts';
import { readNewPassword } from './new-password.ts';
import { note, printFields, printJson, printTable, report } from './terminal.ts';
import { UsageError } from './usage.ts';
import { addUserDelete } from './user-delete.ts';

interface PasswordOptions {
  passwordStdin?: boolean;
}

interface ProfileOptions {
  name?: string;
  email?: string;
  admin?: boolean;
}

export function register(program: Command, finish: (code: number) => void): void {
  const add = commandGroup(program, finish, {
    name: 'user',
    summary: 'make, list, disable and delete users',
    description: 'Users. For administrators.',
  });
  const passwordStdin = (command: Command) =>
    command.option('--password-stdin', 'read the password from standard input');
  const profile = (command: Command) =>
    command
      .option('--name <TEXT>', 'the name that people see')
      .option('--email <ADDRESS>', 'the e-mail address')
      .option('--admin', 'an administrator');

  add('list', 'all users, in the order of their names', list);
  add('show <NAME>', 'a user', show);
  add('create <NAME>', 'make a user', create, (command) => profile(passwordStdin(command)));
  add(
    'edit <NAME>',
    'change a user\'s name, its e-mail address ("" for none), or whether it is an administrator',
    edit,
    (command) => profile(command).option('--no-admin', 'an administrator no more'),
  );
  add('disable <NAME>', 'no log-in, no push, no token works; what the user owns stays', (call, name) =>
    setDisabled(call, name, true),
  );
  add('enable <NAME>', 'let a disabled user in again', (call, name) => setDisabled(call, name, false));
  add(
    'reset-password <NAME>',
    'set a new password; sessions and log-ins that were got with the old one end',
    resetPassword,
    passwordStdin,
  );
  add('reset-two-factor <NAME>', 'turn two-factor authentication off for a user who has lost it', resetTwoFactor);
  addUserDelete(add);
}

async function list({ client, json }: Call): Promise<void> {
  const users = await Array.fromAsync(client.users.list());
  if (json) return printJson(users);
  printTable(
    ['NAME', 'DISPLAY NAME', 'EMAIL', 'ROLE', 'STATE', 'TWO-FACTOR', 'CREATED'],
    users.map((user) => [
      user.username,
      user.name,
      user.email,
      user.administrator ? 'administrator' : 'user',
      user.disabledAt === null ? 'active' : 'disabled',
      user.twoFactor ? 'on' : 'off',
      user.createdAt,
    ]),
    'no users',
  );
}

async function show({ client, json }: Call, name: string): Promise<void> {
  showUser(await client.users.get(plainName('NAME', name)), json);
}

async function create(
  { client, json, options }: Call<PasswordOptions & ProfileOptions>,
  username: string,
): Promise<void> {
  plainName('NAME', username);
  const password = await readNewPassword(username, options.passwordStdin);
  const user = await client.users.create({
    username,
    password,
    ...(options.name === undefined ? {} : { name: options.name }),
    ...(options.email === undefined ? {} : { email: options.email }),
    ...(options.admin ? { administrator: true } : {}),
  });
  report(json, user, `made ${user.username}${user.administrator ? ', an administrator' : ''}`);
}

async function edit({ client, json, options }: Call<ProfileOptions>, username: string): Promise<void> {
  const { name, email, admin } = options;
  if (name === undefined && email === undefined && admin === undefined) {
    throw new UsageError('give what to change: --name, --email, --admin or --no-admin');
  }
  const user = await client.users.change(plainName('NAME', username), {
    ...(name === undefined ? {} : { name }),
    ...(email === undefined ? {} : { email: email === '' ? null : email }),
    ...(admin === undefined ? {} : { administrator: admin }),
  });
  showUser(user, json);
}

async function setDisabled({ client, json }: Call, name: string, disabled: boolean): Promise<void> {
  const username = plainName('NAME', name);
  const user = await (disabled ? client.users.disable(username) : client.users.enable(username));
  report(json, user, `${username} is ${disabled ? 'disabled' : 'enabled'}`);
  if (disabled) note('what it owns stays; bearer tokens that it has still pull for five minutes at most');
}

async function resetPassword({ client, json, options }: Call<PasswordOptions>, name: string): Promise<void> {
  const username = plainName('NAME', name);
  await client.users.setPassword(username, await readNewPassword(username, options.passwordStdin));
  report(json, { username, password: 'set' }, `${username} has a new password`);
}

async function resetTwoFactor({ client, json }: Call, name: string): Promise<void> {
  const username = plainName('NAME', name);
  await client.users.resetTwoFactor(username);
  report(json, { username, twoFactor: false }, `${username} logs in without a second factor now`);
}

function showUser(user: UserInfo, json: boolean): void {
  if (json) {
    printJson(user);
    return;
  }
  printFields({
    username: user.username,
    name: user.name,
    email: user.email,
    administrator: user.administrator ? 'yes' : 'no',
    'two-factor': user.twoFactor ? 'on' : 'off',
    state: user.disabledAt === null ? 'active' : `disabled since ${user.disabledAt}`,
    created: user.createdAt,
  });
}
