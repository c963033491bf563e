import type { Command } from 'commander';
import { parseDuration } from '../config/duration.ts';
import { loadSettings } from '../config/load.ts';
import { flagOf, SETTINGS, type SettingName, type Settings, variableOf } from '../config/settings.ts';

/** An argument that can't be used; the message says which and why. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What can't be done, though the command line is right; the message says why. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}

/** Adds the settings' flags to a command, with their variables in the help. */
export function addSettings(command: Command, names: readonly SettingName[]): Command {
  for (const name of names) {
    const { value, help, default: initial } = SETTINGS[name];
    const shown = typeof initial === 'string' || (name === 'port' && initial) ? `; default: ${initial}` : '';
    command.option(`${flagOf(name)} <${value}>`, `${help}${shown} [${variableOf(name)}]`);
  }
  return command.option('--config <FILE>', 'YAML file with the same keys in camelCase [BERTH_CONFIG]');
}

/** The settings of a command line made by `addSettings`. @throws ConfigError */
export function settingsOf(command: Command): Settings {
  const options = command.opts<Record<string, string | undefined>>();
  const { config, ...flags } = options;
  const known = Object.fromEntries(Object.entries(flags).filter(([name]) => Object.hasOwn(SETTINGS, name)));
  return loadSettings(known, process.env, config ?? process.env.BERTH_CONFIG);
}

export type OutputFormat = 'text' | 'json';

/** @throws UsageError */
export function outputFormat(value: string): OutputFormat {
  return oneOf('--output', value, ['text', 'json']);
}

/** @throws UsageError */
export function oneOf<const Choice extends string>(flag: string, value: string, choices: readonly Choice[]): Choice {
  const found = choices.find((choice) => choice === value);
  if (found !== undefined) return found;
  throw new UsageError(`${flag}: ${JSON.stringify(value)} is not one of ${choices.join(', ')}`);
}

/** @throws UsageError */
export function countOf(flag: string, value: string): number {
  if (/^[1-9]\d{0,6}$/.test(value)) return Number(value);
  throw new UsageError(`${flag}: ${JSON.stringify(value)} is not a number above 0`);
}

/** In ms, above 0. @throws UsageError */
export function durationOf(flag: string, text: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined && ms > 0) return ms;
  throw new UsageError(`${flag}: ${JSON.stringify(text)} is not a duration such as 30s, 10m or 30d`);
}

/** @throws UsageError for words that a command does not take */
export function noMore(words: readonly string[]): void {
  const [first] = words;
  if (first !== undefined) throw new UsageError(`too many arguments: ${JSON.stringify(first)}`);
}

/** For a flag that may be there more than once. */
export function collected(word: string, before: string[] | undefined): string[] {
  return [...(before ?? []), word];
}
