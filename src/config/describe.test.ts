import { describe, expect, test } from 'bun:test';
import { resolve } from 'node:path';
import fc from 'fast-check';
import { describeSettings } from './describe.ts';
import { formatDuration, parseDuration } from './duration.ts';
import { loadSettings } from './load.ts';
import { SETTINGS, type SettingName } from './settings.ts';

const described = (flags: Partial<Record<SettingName, string>>) => {
  const settings = describeSettings(loadSettings(flags, {}, undefined));
  return (name: SettingName) => {
    const found = settings.find((setting) => setting.name === name);
    if (found === undefined) throw new Error(`${name} is not described`);
    return found;
  };
};

describe('the settings of a server, for people', () => {
  test('are all there, in the order of the table, with what they are called where', () => {
    const settings = describeSettings(loadSettings({}, {}, undefined));
    expect(settings.map(({ name }) => name)).toEqual(Object.keys(SETTINGS) as SettingName[]);
    expect(described({})('publicUrl')).toEqual({
      name: 'publicUrl',
      value: null,
      secret: false,
      default: null,
      changed: false,
      flag: '--public-url',
      variable: 'BERTH_PUBLIC_URL',
      help: 'address that clients use, when requests do not show it',
    });
  });

  test('that nobody gave have their default and are not changed', () => {
    const settings = describeSettings(loadSettings({}, {}, undefined));
    expect(settings.filter(({ changed }) => changed).map(({ name }) => name)).toEqual([]);
    expect(described({})('gcGrace')).toMatchObject({ value: '24h', default: '24h' });
    expect(described({})('trustedProxies')).toMatchObject({ value: '127.0.0.0/8, ::1/128', default: 'loopback' });
    expect(described({})('secretKeyFile').value).toBe('data/secret.key');
  });

  test('that the server itself has made whole are not changed by that', () => {
    const settings = { ...loadSettings({}, {}, undefined), data: resolve('data') };
    expect(describeSettings(settings).find(({ name }) => name === 'data')).toMatchObject({ changed: false });
  });

  test('that somebody gave are changed, and have their value as it would be given', () => {
    const given = described({ port: '8080', gcInterval: '90s', logLevel: 'debug', trustedProxies: '10.0.0.0/8' });
    expect(given('port')).toMatchObject({ value: '8080', default: '5000', changed: true });
    expect(given('gcInterval')).toMatchObject({ value: '90s', default: '1h', changed: true });
    expect(given('trustedProxies')).toMatchObject({ value: '10.0.0.0/8', changed: true });
    expect(given('logLevel').changed).toBe(true);
    expect(given('host').changed).toBe(false);
  });

  test('show no secret: not the database’s password, wherever it stands, nor a provider’s', () => {
    const address = 'postgres://berth:hunter2@db.example:5433/registry?password=hunter2&sslmode=require';
    const provider = {
      id: 'corp',
      name: 'Corporation',
      issuer: 'https://id.example/hunter2',
      clientId: 'hunter2',
      clientSecret: 'hunter2',
    };
    const given = described({ database: address, oidc: JSON.stringify([provider]) });
    expect(given('database')).toMatchObject({
      value: 'postgres://berth@db.example:5433/registry',
      secret: true,
      changed: true,
    });
    expect(given('oidc')).toMatchObject({ value: 'corp (Corporation)', secret: true, changed: true });
    for (const database of [address, 'postgres://berth:hunter2@[db/registry', 'postgres://:hunter2@/registry']) {
      const settings = describeSettings(loadSettings({ database, oidc: JSON.stringify([provider]) }, {}, undefined));
      expect(JSON.stringify(settings)).not.toContain('hunter2');
    }
  });
});

test('a duration as text is the same duration again', () => {
  fc.assert(fc.property(fc.nat(10 * 365 * 86_400_000), (ms) => parseDuration(formatDuration(ms)) === ms));
  expect([0, 250, 90_000, 3_600_000, 86_400_000, 30 * 86_400_000].map(formatDuration)).toEqual([
    '0s',
    '250ms',
    '90s',
    '1h',
    '24h',
    '30d',
  ]);
});
