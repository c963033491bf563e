import { expect, test } from 'bun:test';
import { isPrivate, parseServer } from './server-address.ts';

test('an address without a scheme is plain HTTP on this machine and HTTPS elsewhere, as docker has it', () => {
  const cases: Record<string, string> = {
    localhost: 'http://localhost',
    'localhost:5000': 'http://localhost:5000',
    '127.0.0.1:5000': 'http://127.0.0.1:5000',
    '[::1]:5000': 'http://[::1]:5000',
    'berth.example.com': 'https://berth.example.com',
    '10.0.0.7:5000': 'https://10.0.0.7:5000',
    'localhost.example.com': 'https://localhost.example.com',
    'http://10.0.0.7:5000/': 'http://10.0.0.7:5000',
    'HTTPS://Berth.Example.com:443': 'https://berth.example.com',
  };
  for (const [text, server] of Object.entries(cases)) expect(parseServer('--server', text)).toBe(server);
});

test('what is no address, or more than one, is refused without printing a password that stands in it', () => {
  for (const text of ['', 'http://', 'ftp://localhost', 'a b', 'http://localhost/v2/', 'localhost?x']) {
    expect(() => parseServer('--server', text)).toThrow('--server: ');
  }
  for (const text of ['http://alice:hunter2@localhost', 'alice:hunter2@localhost:5000', 'https://hunter2@x/y@z']) {
    let message = '';
    try {
      parseServer('SERVER', text);
    } catch (error) {
      message = String(error);
    }
    expect(message).toContain('SERVER: ');
    expect(message).not.toContain('hunter2');
  }
});

test('plain HTTP to another machine is not private', () => {
  expect(['https://x.org', 'http://localhost:5000', 'http://[::1]'].map(isPrivate)).toEqual([true, true, true]);
  expect(['http://10.0.0.7:5000', 'http://localhost.example.com'].map(isPrivate)).toEqual([false, false]);
});
