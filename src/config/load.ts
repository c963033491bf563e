import { readFileSync } from 'node:fs';
import { flagOf, SETTINGS, type SettingName, type Settings, variableOf } from './settings.ts';

/** A setting that can't be used. The message names where it stands: flag, variable, or file and key. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/**
 * Settings from flags, then `BERTH_*` variables, then a YAML file, then defaults: the first that has a key wins, and
 * whatever is there is checked.
 *
 * @param flags by setting name; undefined for a flag that was not given
 * @throws ConfigError naming the first bad key
 */
export function loadSettings(
  flags: Partial<Record<SettingName, string>>,
  environment: Record<string, string | undefined>,
  file: string | undefined,
): Settings {
  const fromFile = file === undefined ? {} : readFile(file);
  const settings: Record<string, unknown> = {};
  for (const name of Object.keys(SETTINGS) as SettingName[]) {
    const sources: [string, unknown][] = [
      [flagOf(name), flags[name]],
      [variableOf(name), environment[variableOf(name)]],
      [`${file}: ${name}`, fromFile[name]],
    ];
    settings[name] = SETTINGS[name].default;
    for (const [source, value] of sources.reverse()) {
      if (value !== undefined && value !== null) settings[name] = check(name, source, value);
    }
  }
  return settings as Settings;
}

function check(name: SettingName, source: string, value: unknown): unknown {
  const result = SETTINGS[name].check.safeParse(value);
  if (result.success) return result.data;
  throw new ConfigError(`${source}: ${result.error.issues[0]?.message ?? 'not a usable value'}`);
}

function readFile(path: string): Record<string, unknown> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigError(`--config: cannot read ${path}: ${error instanceof Error ? error.message : 'unknown error'}`);
  }
  let document: unknown;
  try {
    document = Bun.YAML.parse(text);
  } catch (error) {
    throw new ConfigError(`${path}: not YAML: ${error instanceof Error ? error.message : 'unknown error'}`);
  }
  if (document === null || document === undefined) return {};
  if (typeof document !== 'object' || Array.isArray(document)) throw new ConfigError(`${path}: not a list of keys`);
  for (const key of Object.keys(document)) {
    if (!Object.hasOwn(SETTINGS, key)) {
      throw new ConfigError(`${path}: ${key}: no such key; known keys: ${Object.keys(SETTINGS).join(', ')}`);
    }
  }
  return document as Record<string, unknown>;
}
