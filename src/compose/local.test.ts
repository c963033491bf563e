// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the variables are those of compose files
import { describe, expect, test } from 'bun:test';
import { parse } from 'yaml';
import { exportComposeFile } from './export.ts';
import { parseComposeFile } from './file.ts';
import { hostPorts, localComposeFile, servicesOf } from './local.ts';

const FILE = `
name: shop
services:
  base: &base
    image: alice/base
    ports: ["9000-9001:90-91/udp"]
  web:
    extends: base
    image: alice/web
    container_name: web
    ports: ["127.0.0.1:\${PORT:-8080}:80", 81, { target: 82, published: 8082, name: admin }, "7000-7002:70"]
    depends_on: [db, migrate]
    volumes: ["/srv/shared:/s", "data:/d"]
    networks: { inner: { ipv4_address: 10.0.0.2, aliases: [w] } }
  migrate: { image: alice/web, x-berth: { migrate: true }, depends_on: [db] }
  db: { image: alice/db, network_mode: host }
  other: { image: alice/other }
volumes:
  data: { external: true, name: data-of-all }
  named: { name: fixed, labels: [a=b] }
networks:
  inner: { name: inner, driver: bridge, ipam: { config: [{ subnet: 10.0.0.0/24 }] } }
`;

const file = parseComposeFile(FILE);

describe('a set on a laptop', () => {
  test('has the services that are asked for and what they depend on', () => {
    expect([...servicesOf(file, ['web'])].toSorted()).toEqual(['db', 'migrate', 'web']);
    expect(servicesOf(file).size).toBe(5);
    expect(() => servicesOf(file, ['wob'])).toThrow('there is no "wob"; there are base, web');
  });

  test('asks for the ports of its services, with their variables put in', () => {
    const ports = hostPorts(file, new Set(['web']), (name) => (name === 'PORT' ? '8088' : undefined));
    expect(ports.map(({ address, wanted, target, protocol }) => [address, wanted, target, protocol])).toEqual([
      ['', [9000], 90, 'udp'],
      ['', [9001], 91, 'udp'],
      ['127.0.0.1', [8088], 80, 'tcp'],
      ['', [8082], 82, 'tcp'],
      ['', [7000, 7001, 7002], 70, 'tcp'],
    ]);
    expect(new Set(ports.map(({ key }) => key)).size).toBe(5);
  });

  test('has nothing in it that two sets would fight for', () => {
    const services = servicesOf(file, ['web']);
    const value = () => undefined;
    const ports = new Map(hostPorts(file, services, value).map(({ key }, at) => [key, 50_000 + at]));
    const { text, notes } = localComposeFile(file, {
      services,
      images: { web: 'r/alice/web@sha256:1' },
      labels: { 'io.berth.local': 'test' },
      ports,
      value,
    });
    const result = parse(text);
    expect(Object.keys(result.services)).toEqual(['web', 'migrate', 'db']);
    expect(result.services.web).toEqual({
      image: 'r/alice/web@sha256:1',
      ports: [
        { target: 90, published: '50000', protocol: 'udp' },
        { target: 91, published: '50001', protocol: 'udp' },
        { target: 80, published: '50002', host_ip: '127.0.0.1', protocol: 'tcp' },
        81,
        { target: 82, published: '50003', protocol: 'tcp', name: 'admin' },
        { target: 70, published: '50004', protocol: 'tcp' },
      ],
      depends_on: ['db'],
      volumes: ['/srv/shared:/s', 'data:/d'],
      networks: { inner: { aliases: ['w'] } },
      labels: {
        'io.berth.managed': 'true',
        'com.centurylinklabs.watchtower.enable': 'false',
        'io.berth.local': 'test',
        'io.berth.service': 'web',
      },
    });
    expect(result.volumes).toEqual({ data: {}, named: { labels: ['a=b'] } });
    expect(result.networks).toEqual({ inner: { driver: 'bridge' } });
    expect(notes).toEqual([
      'web: /srv/shared is of this machine, and all sets that mount it have it in common',
      'db: its network is host, which all sets on this machine have in common',
      'volumes.data: is outside of the file; this set has its own, which is empty',
      'networks.inner: the engine chooses its addresses, so that sets do not clash',
    ]);
  });
});

test('an exported file has the values of variables as defaults', () => {
  const source = parseComposeFile(`services:
  web:
    image: alice/web:\${TAG:-latest}
    environment: { A: "\${A}", B: "$B-\${OTHER}", C: , D: "\${D:?no}", E: "\${E:-\${A}}", F: "$$F", G: "\${G}" }
    x-berth: { drain: 1s }
  api: { image: alice/api, environment: [C, "H=\${H:+x}"] }
`);
  const text = exportComposeFile(source, {
    images: { web: 'r/alice/web@sha256:1' },
    variables: { A: '1', B: 'b c', C: 'c', D: '', G: 'a}$b', H: 'h' },
    name: 'shop',
  });
  expect(parse(text)).toEqual({
    name: 'shop',
    services: {
      web: {
        image: 'r/alice/web@sha256:1',
        environment: {
          A: '${A:-1}',
          B: '${B:-b c}-${OTHER}',
          C: '${C:-c}',
          D: '${D-}',
          E: '${E:-${A:-1}}',
          F: '$$F',
          G: 'a}$$b',
        },
      },
      api: { image: 'alice/api', environment: ['C=${C:-c}', 'H=${H:+x}'] },
    },
  });
});
