import { expect, test } from 'bun:test';
import { isPlainElsewhere, registryHost } from './registry-host.ts';

test('the registry of an image’s name is the host of the address', () => {
  expect(registryHost(new URL('https://registry.example.com'))).toBe('registry.example.com');
  expect(registryHost(new URL('http://192.168.1.10:5000'))).toBe('192.168.1.10:5000');
  expect(registryHost(new URL('http://localhost'))).toBe('localhost');
  expect(registryHost(new URL('http://[::1]:5000'))).toBe('[::1]:5000');
});

test('a name that Docker would take for one of its hub’s gets its port', () => {
  expect(registryHost(new URL('http://registry'))).toBe('registry:80');
  expect(registryHost(new URL('https://registry'))).toBe('registry:443');
  expect(registryHost(new URL('http://registry:5000'))).toBe('registry:5000');
});

test('plain HTTP must be told to Docker unless it is this machine', () => {
  const plain = (address: string) => isPlainElsewhere(new URL(address));
  expect(plain('http://192.168.1.10:5000')).toBe(true);
  expect(plain('http://registry.example.com')).toBe(true);
  expect(plain('http://127.example.com')).toBe(true);
  expect(plain('https://registry.example.com')).toBe(false);
  expect(plain('http://localhost:5000')).toBe(false);
  expect(plain('http://127.0.3.4:5000')).toBe(false);
  expect(plain('http://[::1]:5000')).toBe(false);
});
