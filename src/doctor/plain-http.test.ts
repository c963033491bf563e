import { expect, test } from 'bun:test';
import { certificateFile, daemonJson, hostsToml, registriesConf } from './plain-http.ts';

const HOST = '192.168.1.10:5000';

test('the daemon.json is JSON that names the registry as images do', () => {
  expect(JSON.parse(daemonJson(HOST))).toEqual({ 'insecure-registries': [HOST] });
});

test('the files of podman and containerd are TOML that says the same', () => {
  expect(Bun.TOML.parse(registriesConf(HOST))).toEqual({ registry: [{ location: HOST, insecure: true }] });
  expect(Bun.TOML.parse(hostsToml(HOST))).toEqual({
    server: `http://${HOST}`,
    host: { [`http://${HOST}`]: { capabilities: ['pull', 'resolve', 'push'] } },
  });
});

test('for an authority of their own they name its certificate', () => {
  expect(Bun.TOML.parse(hostsToml(HOST, certificateFile(HOST)))).toMatchObject({
    host: { [`https://${HOST}`]: { ca: `/etc/docker/certs.d/${HOST}/ca.crt` } },
  });
});
