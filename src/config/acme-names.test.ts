import { describe, expect, test } from 'bun:test';
import { acmeNamesOf } from './acme-names.ts';

describe('names for a certificate', () => {
  test('are spelled in one way, sorted, each once', () => {
    expect(acmeNamesOf([' WWW.example.com', 'registry.example.com', 'www.Example.com', ''])).toEqual([
      'registry.example.com',
      'www.example.com',
    ]);
    expect(acmeNamesOf(['*.Example.com', '10.0.0.1', '2001:DB8::1', 'bücher.example', 'registry'])).toEqual([
      '*.example.com',
      '10.0.0.1',
      '2001:db8::1',
      'registry',
      'xn--bcher-kva.example',
    ]);
  });

  test.each([
    'https://registry.example.com',
    'registry.example.com:443',
    'registry..example.com',
    'a*.example.com',
    '*',
    '-a.example.com',
    'a b.example.com',
    `${'a'.repeat(64)}.example.com`,
  ])('%p is refused by its name', (name) => {
    expect(() => acmeNamesOf(['registry.example.com', name])).toThrow(JSON.stringify(name));
  });

  test('an empty list is refused', () => {
    expect(() => acmeNamesOf([' ', ''])).toThrow('names no name');
  });
});
