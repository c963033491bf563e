// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the variables are those of compose files
import { describe, expect, test } from 'bun:test';
import { OciError } from '../oci/errors.ts';
import { checkComposeFile, parseComposeFile, serviceOrder } from './file.ts';

const DIGEST = `sha256:${'0'.repeat(64)}`;

const SHOP = `
name: shop
x-defaults: &defaults
  restart: always
services:
  web:
    <<: *defaults
    image: alice/web:\${TAG:-latest}
    ports: ["8080:80"]
    depends_on:
      api: { condition: service_healthy }
      migrate: { condition: service_completed_successfully }
  api:
    image: localhost:5000/alice/api
    depends_on: [db]
  migrate:
    image: alice/api
    x-berth: { migrate: true }
    depends_on: [db]
  db:
    image: postgres:16@${DIGEST}
    volumes: [data:/var/lib/postgresql/data]
  adminer:
    image: adminer
    profiles: [debug]
volumes:
  data:
`;

describe('a compose file', () => {
  test('is read with its merges, without what only a profile starts', () => {
    const file = parseComposeFile(SHOP);
    checkComposeFile(file);
    expect([...file.services.keys()]).toEqual(['web', 'api', 'migrate', 'db']);
    expect(file.profiled).toEqual(['adminer']);
    expect(file.services.get('web')?.definition.restart).toBe('always');
    expect(file.services.get('web')?.image).toBe('alice/web:${TAG:-latest}');
    expect(file.services.get('web')?.dependsOn).toEqual(['api', 'migrate']);
    expect(file.services.get('migrate')?.migration).toBe(true);
  });

  test('puts each service after what it needs', () => {
    expect(serviceOrder(parseComposeFile(SHOP))).toEqual(['db', 'api', 'migrate', 'web']);
  });

  test('counts network_mode, links and volumes_from as needs', () => {
    const file = parseComposeFile(`services:
  a: { image: x, network_mode: "service:b", links: ["c:alias"], volumes_from: ["d:ro", "container:other"] }
  b: { image: x }
  c: { image: x }
  d: { image: x }
`);
    expect(file.services.get('a')?.dependsOn).toEqual(['c', 'd', 'b']);
    expect(serviceOrder(file).at(-1)).toBe('a');
  });

  test('takes by extends what another of its services has', () => {
    const file = parseComposeFile(`services:
  base: { image: alice/base, volumes: [data:/d], depends_on: [b], environment: { A: 1 } }
  web: { extends: base, image: alice/web, environment: { B: 2 } }
  b: { image: x }
volumes: { data: }
`);
    expect(file.services.get('web')?.definition).toMatchObject({ volumes: ['data:/d'], environment: { A: 1, B: 2 } });
    expect(file.services.get('web')?.dependsOn).toEqual([]);
  });

  test.each([
    ['', 'file: empty'],
    ['- a', 'file: not a mapping with "services"'],
    ['services: {}', 'file: services: there is none'],
    ['service: {a: {image: x}}', 'file: service: not known at the top of a compose file'],
    ['services: {a: {image: x, image: y}}', 'file: Map keys must be unique at line 1'],
    ['services:\n  a: {image: x\n', 'at line'],
    ['services: {a: {image: x}}\n---\nservices: {}', 'document'],
    ['services: {a: 1}', 'file: services.a: not a mapping'],
    ['services: {a: {image: x, depends_on: [b]}}', 'file: services.a: depends on "b", which the file does not start'],
    ['services: {a: {image: x, depends_on: [b]}, b: {image: x, depends_on: [a]}}', 'a cycle: a → b → a'],
    ['services: {a: {image: x, extends: a}}', 'file: services.a.extends: a cycle'],
    ['services: {a: {image: x, ports: !reset []}}', 'tag'],
    ['services: {a: {image: x, profiles: [p]}}', 'so nothing would start'],
    ['services: {a: {image: x, x-berth: {migrate: "yes"}}}', 'file: services.a.x-berth.migrate: true or false'],
    ['a: &a [x]\nb: *c', 'no anchor is called c'],
  ])('is refused when it is %j', (text, message) => {
    expect(() => parseComposeFile(text)).toThrow(message);
  });

  test('is refused when its aliases blow up, or it is nested without end', () => {
    const laughs = ['x-a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
    for (let at = 1; at < 10; at += 1) {
      laughs.push(`x-a${at}: &a${at} [${Array.from({ length: 10 }, () => `*a${at - 1}`).join(', ')}]`);
    }
    expect(() => parseComposeFile(`${laughs.join('\n')}\nservices: {a: {image: x}}`)).toThrow(
      /more than 100000 values|nested/,
    );
    expect(() => parseComposeFile(`x-a: ${'['.repeat(200_000)}`)).toThrow(OciError);
    expect(() => parseComposeFile(`x-a: ${'['.repeat(80)}${']'.repeat(80)}`)).toThrow('nested');
    expect(() => parseComposeFile(`#${'x'.repeat(600_000)}`)).toThrow('longer than');
    expect(() => parseComposeFile('services: &a\n  a: *a\n')).toThrow(OciError);
  });
});

describe('a target can not have', () => {
  test.each([
    ['include: [other.yaml]\nservices: {a: {image: x}}', 'file: include: '],
    ['services: {a: {image: x, extends: {file: o.yaml, service: b}}}', 'file: services.a.extends.file: '],
    ['services: {a: {image: x, env_file: .env}}', 'file: services.a.env_file: '],
    ['services: {a: {build: .}}', 'file: services.a.image: missing: a server builds nothing'],
    ['services: {a: {command: x}}', 'file: services.a.image: missing; '],
    ['services: {a: {image: x, volumes: ["./a:/a"]}}', 'file: services.a.volumes: ./a is beside the file'],
    ['services: {a: {image: x, volumes: [{type: bind, source: ~/a, target: /a}]}}', 'file: services.a.volumes: ~/a'],
    ['services: {a: {image: x}}\nconfigs: {c: {file: ./c}}', 'file: configs.c.file: '],
    ['services: {a: {image: x}}\nsecrets: {c: {external: true}}', 'file: secrets.c.external: '],
    ['services: {a: {image: x, healthcheck: {test: NONE}}}', 'file: services.a.healthcheck.test: '],
    ['services: {a: {image: x, x-berth: {migrat: true}}}', 'file: services.a.x-berth.migrat: not known'],
    ['services: {a: {image: x, x-berth: {drain: soon}}}', 'file: services.a.x-berth.drain: "soon" is no duration'],
    ['services: {a: {image: x, x-berth: {probe: {path: /}}}}', 'file: services.a.x-berth.probe.port: '],
    ['x-berth: {migrate: true}\nservices: {a: {image: x}}', 'file: x-berth.migrate: not known here'],
  ])('%j', (text, message) => {
    const file = parseComposeFile(text);
    expect(() => checkComposeFile(file)).toThrow(message);
  });

  test('but may have absolute paths, named volumes, networks of others and builds that CI does', () => {
    checkComposeFile(
      parseComposeFile(`services:
  a:
    image: alice/a
    build: .
    volumes: [/srv/a:/a, data:/d, /anonymous, "\${DIR}/x:/x", {type: tmpfs, target: /t}]
    secrets: [key]
volumes: { data: { external: true } }
networks: { outer: { external: true } }
secrets: { key: { environment: KEY } }
`),
    );
  });
});
