import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { Passwords } from '../accounts/passwords.ts';
import { setUp } from '../accounts/setup.ts';
import { DATA_SETTINGS, type Settings } from '../config/settings.ts';
import { prepareData } from '../data-directory.ts';
import { withData } from './data.ts';
import { readSecret } from './read-secret.ts';
import { addSettings, outputFormat, settingsOf } from './usage.ts';

interface SetupOptions {
  username?: string;
  passwordStdin?: boolean;
  email?: string;
  output: string;
}

export function register(program: Command, finish: (code: number) => void): void {
  const command = program
    .command('setup')
    .summary('make the first account, an administrator')
    .description(
      'Make the first account, an administrator, on the data directory: for scripts, before berth serve or beside it.\nFor people berth serve prints a link that does the same.',
    )
    .requiredOption('--username <NAME>', 'its name')
    .option('--password-stdin', 'read the password from standard input')
    .option('--email <ADDRESS>', 'its e-mail address')
    .option('--output <FORMAT>', 'text or json', 'text');
  addSettings(command, DATA_SETTINGS).action(async (options: SetupOptions) => {
    await setup(settingsOf(command), options);
    finish(0);
  });
}

async function setup(settings: Settings, options: SetupOptions): Promise<void> {
  const json = outputFormat(options.output) === 'json';
  const password = await readSecret('Password: ', options.passwordStdin ?? false);
  const username = options.username ?? '';
  const data = resolve(settings.data);
  if (!existsSync(join(data, 'blobs'))) await prepareData({ ...settings, data });
  const user = await withData(settings, ({ database, now, newId }) =>
    setUp(
      { database, now, newId, policy: { anonymous: settings.anonymous, signUp: settings.signUp } },
      new Passwords(),
      { username, password, email: options.email },
      undefined,
      { name: 'command line', source: 'local' },
    ),
  );
  process.stdout.write(
    json
      ? `${JSON.stringify({ username: user.username, administrator: user.administrator })}\n`
      : `${user.username} is the administrator. Log in: docker login -u ${user.username} HOST:PORT\n`,
  );
}
