import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { testFolder } from '../storage/contract.ts';
import { parseDuration } from './duration.ts';
import { ConfigError, loadSettings } from './load.ts';
import { networks } from './networks.ts';
import { flagOf, SETTINGS, type SettingName, variableOf } from './settings.ts';

const provider = (id: string) => `[{"id":"${id}","name":"x","issuer":"https://a","clientId":"b","clientSecret":"c"}]`;

/** Three usable values and one that is not, for each setting. */
const VALUES: Record<SettingName, { good: [string, string, string]; bad: string }> = {
  port: { good: ['1', '2', '65535'], bad: '65536' },
  host: { good: ['127.0.0.1', '::1', 'localhost'], bad: '' },
  data: { good: ['/a', './b', 'c'], bad: '' },
  database: { good: ['postgres://a/b', 'postgresql://a/c', 'postgres://a/d'], bad: 'mysql://a/b' },
  secretKeyFile: { good: ['/run/secrets/key', './k', 'c'], bad: '' },
  anonymous: { good: ['none', 'pull', 'push'], bad: 'everyone' },
  oidc: {
    good: ['[]', provider('a'), provider('b')],
    bad: '[{"id": "a"}]',
  },
  signUp: { good: ['open', 'invitation', 'closed'], bad: 'maybe' },
  workers: { good: ['1', '2', '64'], bad: '0' },
  publicUrl: { good: ['https://a', 'http://b:5000', 'https://c.example'], bad: 'https://a/path' },
  trustedProxies: { good: ['10.0.0.0/8', '::1', '10.0.0.1, fc00::/7'], bad: '10.0.0.0/33' },
  tlsCertificate: { good: ['/etc/a.pem', './b.pem', 'c.pem'], bad: '' },
  tlsKey: { good: ['/etc/a.key', './b.key', 'c.key'], bad: '' },
  tlsClientCa: { good: ['/etc/ca.pem', './b.pem', 'c.pem'], bad: '' },
  httpPort: { good: ['0', '80', '65535'], bad: '65536' },
  acmeDomains: { good: ['a.example', 'a.example,b.example', '*.example'], bad: 'a b' },
  acmeDirectory: { good: ['https://a/dir', 'https://b:14000/dir', 'https://c/'], bad: 'http://a/dir' },
  acmeEmail: { good: ['a@example.com', 'b@example.com', 'c@example.com'], bad: 'ops' },
  acmeCa: { good: ['/etc/ca.pem', './b.pem', 'c.pem'], bad: '' },
  acmeEabKid: { good: ['a', 'b', 'c'], bad: '' },
  acmeEabKeyFile: { good: ['/etc/a.key', './b.key', 'c.key'], bad: '' },
  acmeDnsHook: { good: ['/usr/bin/a', './b', 'c'], bad: '' },
  rateLimitAddress: { good: ['100/s', '6000/10m', '1/500ms'], bad: '100' },
  rateLimitAccount: { good: ['100/s', '6000/10m', '1/500ms'], bad: '0/s' },
  rateLimitToken: { good: ['100/s', '6000/10m', '1/500ms'], bad: '1/0s' },
  slowRequest: { good: ['0s', '500ms', '1m'], bad: 'slow' },
  tracesTo: { good: ['http://a/v1/traces', 'https://b:4318/otlp', 'http://[::1]:4318/t'], bad: 'https://u:p@a/' },
  tracesSample: { good: ['0', '0.25', '1'], bad: '1.1' },
  logLevel: { good: ['debug', 'warn', 'silent'], bad: 'loud' },
  gcInterval: { good: ['0s', '10m', '24h'], bad: 'soon' },
  gcGrace: { good: ['1s', '10m', '30d'], bad: '999ms' },
  tagHistoryWindow: { good: ['0s', '10m', '30d'], bad: '1 day' },
  uploadExpiry: { good: ['1s', '10m', '30d'], bad: '-1s' },
  backupTo: { good: ['/backup', 's3://bucket/berth', './b'], bad: '' },
  backupInterval: { good: ['0s', '10m', '30d'], bad: '500ms' },
  backupAt: { good: ['03:00', '00:00', '23:59'], bad: '24:00' },
  backupKeepLast: { good: ['1', '7', '1000000'], bad: '0' },
  backupKeepWithin: { good: ['1m', '24h', '30d'], bad: '0s' },
  s3Endpoint: { good: ['https://s3.example', 'http://127.0.0.1:9000', 'https://minio.example:9000'], bad: 'minio' },
  targetAway: { good: ['2s', '10m', '1h'], bad: '25d' },
  deployLease: { good: ['2s', '10m', '1h'], bad: '25d' },
  agentPoll: { good: ['500ms', '10m', '1h'], bad: '25d' },
  agentReport: { good: ['500ms', '10m', '1h'], bad: '25d' },
  eventRetention: { good: ['1m', '24h', '30d'], bad: '1s' },
  webhookNetworks: { good: ['10.0.0.0/8', '::1', '10.0.0.1, fc00::/7'], bad: '10.0.0.0/33' },
  shutdownTimeout: { good: ['500ms', '10m', '1h'], bad: '25d' },
};
const names = Object.keys(SETTINGS) as SettingName[];

describe('settings', () => {
  let folder: string;
  let file: string;
  beforeAll(() => {
    folder = testFolder('config');
    file = join(folder, 'berth.yaml');
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const load = (flags: Record<string, string> = {}, environment: Record<string, string> = {}, yaml?: string) => {
    if (yaml === undefined) return loadSettings(flags, environment, undefined);
    writeFileSync(file, yaml);
    return loadSettings(flags, environment, file);
  };
  const failure = (work: () => unknown): string => {
    try {
      work();
    } catch (error) {
      if (error instanceof ConfigError) return error.message;
      throw error;
    }
    throw new Error('nothing was refused');
  };

  test('are the defaults when nothing is given', () => {
    expect(load()).toEqual(Object.fromEntries(names.map((name) => [name, SETTINGS[name].default])) as never);
  });

  test('come from the flag, else the variable, else the file, else the default, each by itself', () => {
    const sources = fc.record({ flag: fc.boolean(), variable: fc.boolean(), file: fc.boolean() });
    fc.assert(
      fc.property(fc.tuple(...names.map(() => sources)), (chosen) => {
        const flags: Record<string, string> = {};
        const environment: Record<string, string> = {};
        const yaml: Record<string, string> = {};
        const expected: Record<string, unknown> = {};
        for (const [i, name] of names.entries()) {
          const { good } = VALUES[name];
          const from = chosen[i];
          if (from?.file) yaml[name] = good[2];
          if (from?.variable) environment[variableOf(name)] = good[1];
          if (from?.flag) flags[name] = good[0];
          const text = flags[name] ?? environment[variableOf(name)] ?? yaml[name];
          expected[name] = text === undefined ? SETTINGS[name].default : SETTINGS[name].check.parse(text);
        }
        expect(load(flags, environment, JSON.stringify(yaml))).toEqual(expected as never);
      }),
    );
  });

  test.each(names)(
    '%s: each of three values means something else, and a wrong one is named with where it stands',
    (name) => {
      const { good, bad } = VALUES[name];
      const meant = good.map((value) => JSON.stringify(load({ [name]: value })[name]));
      expect(new Set(meant).size).toBe(3);
      expect(failure(() => load({ [name]: bad }))).toStartWith(`${flagOf(name)}: `);
      expect(failure(() => load({}, { [variableOf(name)]: bad }))).toStartWith(`${variableOf(name)}: `);
      expect(failure(() => load({}, {}, JSON.stringify({ [name]: bad })))).toStartWith(`${file}: ${name}: `);
      // Also where another source wins.
      expect(failure(() => load({ [name]: good[0] }, { [variableOf(name)]: bad }))).toStartWith(
        `${variableOf(name)}: `,
      );
    },
  );

  test('of a file may be numbers and lists', () => {
    const found = load({}, {}, 'port: 5055\nworkers: 2\ntrustedProxies:\n  - 10.0.0.0/8\n  - ::1\n');
    expect(found).toMatchObject({ port: 5055, workers: 2, trustedProxies: ['10.0.0.0/8', '::1'] });
  });

  test.each([
    ['no such key', 'prot: 5000', /berth\.yaml: prot: no such key; known keys: port/],
    ['a list', '- port', /berth\.yaml: not a list of keys/],
    ['text', 'hello', /berth\.yaml: /],
    ['broken', 'port: [', /berth\.yaml: not YAML/],
    ['a nested value', 'port: {a: 1}', /berth\.yaml: port: /],
    ['a boolean', 'data: true', /berth\.yaml: data: /],
    ['an inherited name', 'constructor: 1', /berth\.yaml: constructor: no such key/],
  ])('of a file that is wrong (%s) are refused, naming the file and the key', (_, yaml, message) => {
    expect(failure(() => load({}, {}, yaml))).toMatch(message);
  });

  test('of an empty file, or of keys without a value, are the defaults', () => {
    for (const yaml of ['', '# nothing\n', 'port:\n', '{}']) expect(load({}, {}, yaml).port).toBe(5000);
  });

  test('of a file that is not there are refused', () => {
    expect(failure(() => loadSettings({}, {}, join(folder, 'none.yaml')))).toMatch(
      /--config: cannot read .*none\.yaml/,
    );
  });

  test('never contain a password in an error', () => {
    expect(failure(() => load({ database: 'mysql://user:secret@host/name' }))).not.toContain('secret');
  });

  test('have flags and variables that follow their names', () => {
    expect([flagOf('gcGrace'), variableOf('gcGrace')]).toEqual(['--gc-grace', 'BERTH_GC_GRACE']);
    expect(new Set(names.map(flagOf)).size).toBe(names.length);
  });
});

describe('a duration', () => {
  const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

  test('is a whole number of its unit, up to 100 years', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 31 - 1), fc.constantFrom(...Object.entries(units)), (n, [unit, ms]) => {
        expect(parseDuration(`${n}${unit}`)).toBe(n * ms <= 100 * 365 * units.d ? n * ms : undefined);
      }),
    );
  });

  test('is nothing else', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'0123456789mshd.- ') })), (text) => {
        const found = parseDuration(text);
        if (found === undefined) return;
        expect(text.trim()).toMatch(/^\d+(ms|s|m|h|d)$/);
        expect(Number.isSafeInteger(found)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
    for (const text of ['', '5', 's', '1.5h', '-1s', '1h30m', '1S', '1w', '1e3s', '9999999999999999s'])
      expect(parseDuration(text)).toBeUndefined();
  });
});

describe('networks', () => {
  const v4 = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255));

  test('hold an address when its first bits are theirs', () => {
    fc.assert(
      fc.property(v4, v4, fc.nat(32), (base, address, bits) => {
        const number = (parts: number[]) => parts.reduce((sum, part) => sum * 256 + part, 0);
        const same = Math.floor(number(base) / 2 ** (32 - bits)) === Math.floor(number(address) / 2 ** (32 - bits));
        expect(networks([`${base.join('.')}/${bits}`]).check(address.join('.'), 'ipv4')).toBe(same);
      }),
    );
  });

  test('without a prefix are one address', () => {
    const list = networks(['192.0.2.7', '2001:db8::1']);
    expect([list.check('192.0.2.7'), list.check('192.0.2.8')]).toEqual([true, false]);
    expect([list.check('2001:db8::1', 'ipv6'), list.check('2001:db8::2', 'ipv6')]).toEqual([true, false]);
  });

  test.each([
    '',
    'example.com',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    '10.0.0',
    '::1/129',
    'fe80::1%eth0',
    '10.0.0.0/a',
    '300.0.0.1',
  ])('are not %j', (entry) => {
    expect(() => networks([entry])).toThrow(RangeError);
    expect(() => networks(['10.0.0.1', entry])).toThrow(JSON.stringify(entry));
  });
});
