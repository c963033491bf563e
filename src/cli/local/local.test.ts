// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the variables are those of compose files
import { describe, expect, test } from 'bun:test';
import { createServer } from 'node:net';
import { parseComposeFile } from '../../compose/file.ts';
import type { HostPort } from '../../compose/ports.ts';
import { choosePorts } from './ports.ts';
import { pullReason } from './pull.ts';
import { collectVariables, parseEnv } from './variables.ts';
import { parseWanted, setName } from './wanted.ts';

describe('ports of a set', () => {
  const port = (key: string, ...wanted: number[]): HostPort => ({
    key,
    address: '127.0.0.1',
    wanted,
    target: 80,
    protocol: 'tcp',
  });

  test('are those of the file while they are free, else others', async () => {
    const server = createServer();
    const busy = await new Promise<number>((resolve) => {
      server.listen(0, '127.0.0.1', () => {
        const address = server.address();
        resolve(typeof address === 'object' && address !== null ? address.port : 0);
      });
    });
    const choose = (wanted: HostPort[], more: object = {}) =>
      choosePorts({ wanted, before: {}, held: new Set(), taken: new Set(), ...more });
    try {
      const other = (await choose([port('a', busy)])).get('a') ?? 0;
      expect(other).toBeGreaterThan(1023);
      expect(other).not.toBe(busy);
      expect((await choose([port('a', busy, other)])).get('a')).toBe(other);
      expect((await choose([port('a', busy)], { held: new Set([busy]) })).get('a')).toBe(busy);
      expect((await choose([port('a', other)], { taken: new Set([other]) })).get('a')).not.toBe(other);
      expect((await choose([port('a', busy)], { before: { a: other } })).get('a')).toBe(other);
      const two = await choose([port('a', other), port('b', other)]);
      expect(two.get('a')).toBe(other);
      expect(two.get('b')).not.toBe(other);
    } finally {
      server.close();
    }
  });
});

describe('variables of a set', () => {
  const file = parseComposeFile(`services:
  a: { image: x, environment: { A: "\${A}", B: "\${B:?}", C: "\${C:-c}", HOME: "\${HOME}" } }
`);
  const sources = {
    resolved: { variables: { A: 'server', B: 'server', HOME: '/server' }, secrets: ['C'] },
    file: { A: 'file', B: 'file' },
    process: { A: 'process', HOME: '/home/me' },
    given: {},
  };

  test('come from --set, the environment, .env and the server, in that order, and never for what docker goes by', () => {
    const notes: string[] = [];
    expect(collectVariables(file, sources, (line) => notes.push(line))).toEqual({ A: 'process', B: 'file' });
    expect(notes).toEqual(['C is a secret: here it is what the compose file says without it']);
    expect(collectVariables(file, { ...sources, given: { A: 'set', B: '' } }, () => {})).toEqual({ A: 'set', B: '' });
  });

  test('that are missing are named', () => {
    const empty = { resolved: { variables: {}, secrets: [] }, file: {}, process: {}, given: {} };
    expect(() => collectVariables(file, empty, () => {})).toThrow('no value for B: give one with --set B=VALUE');
  });

  test('are read from .env as compose reads them', () => {
    const text = `# comment\nA=1 # one\nexport B = two words \nC='$x # y'\nD="a\\nb \\"q\\""\nE=\nF=a#b\nnot a line\nG="two\nlines"\r\nH=h\r\n`;
    expect(parseEnv(text)).toEqual({
      A: '1',
      B: 'two words',
      C: '$x # y',
      D: 'a\nb "q"',
      E: '',
      F: 'a#b',
      G: 'two\nlines',
      H: 'h',
    });
  });
});

test('what a set is taken from is told by the word', () => {
  expect(parseWanted('alice/shop@test')).toEqual({ stack: 'alice/shop', from: 'test' });
  expect(parseWanted('shop')).toEqual({ stack: 'shop', from: undefined });
  expect(() => parseWanted('@test')).toThrow('is not a stack');
  expect(setName({ stack: 'shop', from: '1.4.2' }, undefined)).toBe('1.4.2');
  expect(setName({ stack: 'shop', from: undefined }, undefined)).toBe('local');
  expect(() => setName({ stack: 'shop', from: 'test' }, 'a/b')).toThrow('--name');
});

test.each([
  [
    'http: server gave HTTP response to HTTPS client',
    'put {"insecure-registries": ["h:5000"]} into /etc/docker/daemon.json',
  ],
  ['x509: certificate signed by unknown authority', '/etc/docker/certs.d/h:5000/ca.crt'],
  ['unauthorized: authentication required', 'berth login'],
  ['dial tcp: connection refused', 'the engine does not reach h:5000'],
  ['no space left on device', 'disk is full'],
])('a pull that fails with %j says what to do', (said, advice) => {
  expect(pullReason('h:5000/alice/web@sha256:1', said)).toContain(advice);
});
