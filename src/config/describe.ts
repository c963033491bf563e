import { resolve } from 'node:path';
import { formatDuration } from './duration.ts';
import { secretKeyPath } from './secret-key.ts';
import { flagOf, SETTINGS, type SettingName, type Settings, usualWorkers, variableOf } from './settings.ts';

/** A setting for people to read. */
export interface DescribedSetting {
  name: SettingName;
  /** What holds, as text; null when there is nothing. What is secret of it is left out. */
  value: string | null;
  /** Whether something was left out. */
  secret: boolean;
  default: string | null;
  /** Whether it is not the default. */
  changed: boolean;
  flag: string;
  variable: string;
  help: string;
}

/** Every setting of a running server, in the order of the table. No secret is in it. */
export function describeSettings(settings: Settings): DescribedSetting[] {
  return (Object.keys(SETTINGS) as SettingName[]).map((name) => {
    const [help = '', defaultText] = SETTINGS[name].help.split('; default: ');
    return {
      name,
      ...shownValue(settings, name),
      default: defaultText ?? textOf(name, SETTINGS[name].default),
      changed: isChanged(settings, name),
      flag: flagOf(name),
      variable: variableOf(name),
      help,
    };
  });
}

function shownValue(settings: Settings, name: SettingName): { value: string | null; secret: boolean } {
  switch (name) {
    case 'database':
      return { value: withoutPassword(settings.database), secret: settings.database !== undefined };
    case 'oidc': {
      const providers = settings.oidc?.map((provider) => `${provider.id} (${provider.name})`);
      return { value: providers?.join(', ') ?? null, secret: providers !== undefined };
    }
    case 'secretKeyFile':
      return { value: secretKeyPath(settings), secret: false };
    case 'workers':
      return { value: String(settings.workers ?? usualWorkers()), secret: false };
    default:
      return { value: textOf(name, settings[name]), secret: false };
  }
}

/** Parameters of the address may hold a password, too. Null for an address that nobody can read. */
function withoutPassword(address: string | undefined): string | null {
  if (address === undefined || !URL.canParse(address)) return null;
  const { protocol, username, host, pathname } = new URL(address);
  return `${protocol}//${username === '' ? '' : `${username}@`}${host}${pathname}`;
}

/** A server's own settings are complete: it has made the data directory absolute, and counted its workers. */
function isChanged(settings: Settings, name: SettingName): boolean {
  if (name === 'data') return resolve(settings.data) !== resolve(SETTINGS.data.default);
  if (name === 'workers') return (settings.workers ?? usualWorkers()) !== usualWorkers();
  return textOf(name, settings[name]) !== textOf(name, SETTINGS[name].default);
}

type Rate = NonNullable<Settings['rateLimitAddress']>;

function rateText({ requests, perMs }: Rate): string {
  return `${requests}/${formatDuration(perMs)}`;
}

function textOf(name: SettingName, value: unknown): string | null {
  if (value === undefined) return null;
  if (typeof value === 'number' && SETTINGS[name].value === 'DURATION') return formatDuration(value);
  if (name === 'rateLimitAddress' || name === 'rateLimitAccount' || name === 'rateLimitToken')
    return rateText(value as Rate);
  return Array.isArray(value) ? value.join(', ') : String(value);
}
