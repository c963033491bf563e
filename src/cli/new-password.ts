import { readSecret } from './read-secret.ts';
import { CommandError } from './usage.ts';

/** A password to be set: on a terminal it is typed twice. @throws UsageError, CommandError */
export async function readNewPassword(username: string, fromInput: boolean | undefined): Promise<string> {
  const password = await readSecret(`New password of ${username}: `, fromInput ?? false);
  if (fromInput) return password;
  const again = await readSecret('Again: ', false);
  if (again !== password) throw new CommandError('the two passwords differ; nothing was changed');
  return password;
}
