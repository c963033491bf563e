import { ask } from './terminal.ts';
import { CommandError } from './usage.ts';

/**
 * Lets the person type the name of what is to go, unless `--yes` said so.
 *
 * @throws UsageError without a terminal, CommandError for another name
 */
export async function confirmName(what: string, name: string, yes: boolean | undefined): Promise<void> {
  if (yes) return;
  const typed = await ask(`Type ${name} to delete the ${what}: `, 'confirm with --yes');
  if (typed !== name) throw new CommandError(`${JSON.stringify(typed)} is not ${name}; nothing was deleted`);
}

/** Asks whether to go on. @returns false for anything but yes @throws UsageError without a terminal */
export async function confirmed(question: string): Promise<boolean> {
  return /^y(es)?$/i.test(await ask(`${question} [y/N] `, 'confirm with --yes'));
}
