// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the variables are those of compose files
import { describe, expect, test } from 'bun:test';
import { parseComposeFile } from './file.ts';
import { deadlinesOf, healthOf, replacementOf } from './strategy.ts';

function read(definition: string, top = '') {
  const file = parseComposeFile(
    `${top}\nservices:\n  web: { image: alice/web${definition === '' ? '' : `, ${definition}`} }\n`,
  );
  const service = file.services.get('web');
  if (service === undefined) throw new Error('no service');
  return { file, service };
}

describe('a service is replaced', () => {
  test.each([
    '',
    'expose: [80]',
    'ports: [80]',
    'ports: ["127.0.0.1::80"]',
    'ports: [{target: 80}]',
    'volumes: ["data:/d:ro", {type: tmpfs, target: /t}, {type: bind, source: /a, target: /a, read_only: true}]',
    'tmpfs: /run',
    'deploy: {replicas: 3}',
    'networks: {default: {aliases: [x]}}',
  ])('start-first with %s', (definition) => {
    expect(replacementOf(read(definition).service).order).toBe('start-first');
  });

  test.each([
    ['ports: ["8080:80"]', 'it publishes port 8080 of the host'],
    ['ports: ["127.0.0.1:8080:80/tcp"]', 'port 8080'],
    ['ports: ["[::1]:8080:80"]', 'port 8080'],
    ['ports: ["${PORT:-8080}:80"]', 'port ${PORT:-8080}'],
    ['ports: [{target: 80, published: 8081}]', 'port 8081'],
    ['volumes: ["data:/d"]', 'it writes to data'],
    ['volumes: ["/srv/x:/d"]', 'it writes to /srv/x'],
    ['volumes: [/anonymous]', 'it writes to the volume at /anonymous'],
    ['volumes: [{type: volume, source: data, target: /d}]', 'it writes to data'],
    ['volumes_from: ["container:x"]', 'it writes to the volumes of container:x'],
    ['container_name: shop', 'fixed name shop'],
    ['network_mode: host', 'its network is host'],
    ['network_mode: "container:x"', 'its network is container:x'],
    ['networks: {default: {ipv4_address: 10.0.0.2}}', 'fixed ipv4_address'],
    ['deploy: {update_config: {order: stop-first}}', 'the file asks for it'],
  ])('stop-first with %s', (definition, why) => {
    const replacement = replacementOf(read(definition).service);
    expect(replacement.order).toBe('stop-first');
    expect(replacement.why).toContain(why);
  });

  test('start-first where the file asks for it, unless two can not be', () => {
    const asked = 'deploy: {update_config: {order: start-first}}';
    expect(replacementOf(read(`volumes: ["data:/d"], ${asked}`).service)).toEqual({
      order: 'start-first',
      why: 'the file asks for it (deploy.update_config.order)',
    });
    expect(replacementOf(read(`ports: ["80:80"], ${asked}`).service)).toEqual({
      order: 'stop-first',
      why: 'it publishes port 80 of the host, so the start-first that the file asks for is not possible',
    });
  });
});

describe('health', () => {
  test.each([
    ['', 'image'],
    ['healthcheck: {interval: 5s}', 'image'],
    ['healthcheck: {test: ["CMD", "true"]}', 'healthcheck'],
    ['healthcheck: {test: curl -f localhost}', 'healthcheck'],
    ['healthcheck: {disable: true}', 'running'],
    ['healthcheck: {test: ["NONE"]}', 'running'],
    ['healthcheck: {disable: false, test: [CMD, x]}, x-berth: {probe: {port: 80}}', 'probe'],
  ])('with %j is by %s', (definition, kind) => {
    const { file, service } = read(definition);
    expect(healthOf(file, service).kind).toBe(kind as 'image');
  });

  test('by a probe has its port, path and times', () => {
    const { file, service } = read('x-berth: {probe: {port: 8080, path: /healthz, interval: 500ms}}');
    expect(healthOf(file, service)).toEqual({
      kind: 'probe',
      port: 8080,
      path: '/healthz',
      interval: 500,
      timeout: 2000,
      line: 'GET /healthz on port 8080 of the container answers with 2xx or 3xx',
    });
  });

  test('has deadlines of the service, of the file, or the usual ones', () => {
    const { file, service } = read(
      'x-berth: {drain: 0s, healthy_deadline: 1m30s}',
      'x-berth: {drain: 9s, min_healthy_time: 1.5s}',
    );
    expect(deadlinesOf(file, service)).toEqual({
      minHealthyTime: 1500,
      healthyDeadline: 90_000,
      progressDeadline: 600_000,
      drain: 0,
    });
  });
});
