import { describe, expect, test } from 'bun:test';
import { digestOf } from '../oci/digest.ts';
import type { Descriptor } from './image-facts.ts';
import { layersOf, runConfigOf } from './run-config.ts';
import { bytesOf } from './testing.ts';

const parsed = (text: string) => runConfigOf(JSON.parse(text) as Record<string, unknown>);

const layer = (seed: string, size = 10): Descriptor => ({
  mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
  digest: digestOf(bytesOf(seed)),
  size,
});
const NO_SIZES = new Map<string, number>();

const NOTHING = {
  platform: null,
  createdAt: null,
  author: null,
  user: null,
  workingDirectory: null,
  entrypoint: [],
  command: [],
  environment: [],
  ports: [],
  volumes: [],
  labels: {},
  stopSignal: null,
  healthcheck: null,
};

describe('a config', () => {
  test('says how its image is run', () => {
    const config = {
      os: 'linux',
      architecture: 'arm',
      variant: 'v7',
      created: '2024-05-06T07:08:09.123456789Z',
      author: 'Alice',
      config: {
        User: 'app',
        WorkingDir: '/srv',
        Entrypoint: ['/bin/app', '--serve'],
        Cmd: ['--port', '80'],
        Env: ['PATH=/bin:/usr/bin', 'OPTIONS=a=b=c', 'EMPTY=', 'BARE'],
        ExposedPorts: { '80/tcp': {}, '53/udp': {} },
        Volumes: { '/data': {} },
        Labels: { 'org.opencontainers.image.source': 'https://example.com/app' },
        StopSignal: 'SIGQUIT',
        Healthcheck: { Test: ['CMD-SHELL', 'curl -f localhost'], Interval: 30_000_000_000 },
      },
    };
    expect(runConfigOf(config)).toEqual({
      platform: 'linux/arm/v7',
      createdAt: '2024-05-06T07:08:09.123Z',
      author: 'Alice',
      user: 'app',
      workingDirectory: '/srv',
      entrypoint: ['/bin/app', '--serve'],
      command: ['--port', '80'],
      environment: [
        { name: 'PATH', value: '/bin:/usr/bin' },
        { name: 'OPTIONS', value: 'a=b=c' },
        { name: 'EMPTY', value: '' },
        { name: 'BARE', value: '' },
      ],
      ports: ['80/tcp', '53/udp'],
      volumes: ['/data'],
      labels: { 'org.opencontainers.image.source': 'https://example.com/app' },
      stopSignal: 'SIGQUIT',
      healthcheck: ['CMD-SHELL', 'curl -f localhost'],
    });
  });

  test.each([
    '{}',
    '{"config":null,"history":null,"rootfs":null}',
    '{"config":"text","os":1,"architecture":[],"created":{},"author":7}',
    '{"config":[1,2,3],"os":"linux"}',
    '{"config":{"User":{},"WorkingDir":1,"Entrypoint":{"0":"x"},"Cmd":7,"Env":{"A":"b"},"ExposedPorts":"80","Volumes":["a"],"Labels":["b"],"StopSignal":9,"Healthcheck":"x"}}',
    '{"config":{"Entrypoint":[1,null,{},[]],"Env":[null,1,{}],"Labels":{"a":1,"b":null,"c":{}},"Healthcheck":{"Test":[0]}}}',
    '{"os":"","architecture":"amd64"}',
    '{"os":"<script>","architecture":"amd64"}',
    '{"created":"yesterday"}',
    '{"created":"0001-01-01T00:00:00Z"}',
    '{"created":"2024-99-99T99:99:99Z"}',
  ])('of wrong types says nothing: %s', (text) => {
    expect(parsed(text)).toEqual(NOTHING);
  });

  test('takes an entry point that is one text, as old clients wrote it', () => {
    expect(parsed('{"config":{"Entrypoint":"/run.sh","Cmd":""}}')).toMatchObject({
      entrypoint: ['/run.sh'],
      command: [''],
    });
  });

  test('keeps NUL characters and markup as they are, for who shows it to write them out', () => {
    const { environment, user } = parsed('{"config":{"User":"a\\u0000b","Env":["X=<img src=x onerror=alert(1)>"]}}');
    expect([user, environment[0]?.value]).toEqual(['a\0b', '<img src=x onerror=alert(1)>']);
  });

  test('changes no object by a key that JavaScript knows', () => {
    const { labels, ports } = parsed(
      '{"__proto__":{"os":"evil","architecture":"evil"},"config":{"Labels":{"__proto__":"x","constructor":"y"},"ExposedPorts":{"__proto__":{}}}}',
    );
    expect(JSON.stringify(labels)).toBe('{"__proto__":"x","constructor":"y"}');
    expect(ports).toEqual(['__proto__']);
    expect(Object.getPrototypeOf(labels)).toBe(Object.prototype);
    expect(({} as Record<string, unknown>).os).toBeUndefined();
  });

  test('of 10,000 labels and variables is cut at 1,000', () => {
    const many = Array.from({ length: 10_000 }, (_, i) => `K${i}=v`);
    const { labels, environment } = runConfigOf({
      config: { Labels: Object.fromEntries(many.map((key) => [key, 'v'])), Env: many },
    });
    expect([Object.keys(labels).length, environment.length]).toEqual([1_000, 1_000]);
  });
});

describe('layers', () => {
  const history = [
    { created_by: 'ADD rootfs', created: '2024-01-01T00:00:00Z' },
    { created_by: 'ENV A=b', empty_layer: true },
    { created_by: 'RUN make' },
  ];

  test('stand beside the steps that made them, with the steps that made none between', () => {
    const [base, top] = [layer('base'), layer('top', 20)];
    expect(layersOf([base, top], { history }, new Map([[base.digest, 7]]))).toEqual([
      {
        digest: base.digest,
        mediaType: base.mediaType,
        size: 7,
        command: 'ADD rootfs',
        createdAt: '2024-01-01T00:00:00.000Z',
      },
      { digest: null, mediaType: null, size: 0, command: 'ENV A=b', createdAt: null },
      { digest: top.digest, mediaType: top.mediaType, size: 20, command: 'RUN make', createdAt: null },
    ]);
  });

  test('behind the last step are without a command', () => {
    const [a, b, c] = [layer('a'), layer('b'), layer('c')];
    expect(layersOf([a, b, c], { history }, NO_SIZES).map(({ digest, command }) => [digest, command])).toEqual([
      [a.digest, 'ADD rootfs'],
      [null, 'ENV A=b'],
      [b.digest, 'RUN make'],
      [c.digest, ''],
    ]);
  });

  test('have no commands when the history claims more layers than there are', () => {
    const layers = [layer('a')];
    expect(layersOf(layers, { history }, NO_SIZES)).toEqual([
      {
        digest: layers[0]?.digest ?? '',
        mediaType: layers[0]?.mediaType ?? '',
        size: 10,
        command: '',
        createdAt: null,
      },
    ]);
  });

  test.each<{ config?: Record<string, unknown> }>([
    {},
    { config: {} },
    { config: { history: 'x' } },
    { config: { history: {} } },
    { config: { history: [null, 1, 'a', []] } },
  ])('are there whatever the history is: %p', ({ config }) => {
    const layers = [layer('a'), layer('b')];
    const found = layersOf(layers, config, NO_SIZES).flatMap(({ digest }) => (digest === null ? [] : [digest]));
    expect(found).toEqual(layers.map(({ digest }) => digest));
  });

  test('and steps are 1,000 at most, and a huge history is read in no time', () => {
    const steps = Array.from({ length: 300_000 }, () => ({ empty_layer: true }));
    const started = performance.now();
    expect(layersOf([layer('a')], { history: steps }, NO_SIZES).length).toBe(1_000);
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});
