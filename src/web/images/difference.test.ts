import { expect, test } from 'bun:test';
import type { ImageConfig } from '../../api/images.ts';
import { differencesOf, execForm } from './difference.ts';

const CONFIG: ImageConfig = {
  platform: 'linux/amd64',
  createdAt: null,
  author: null,
  user: null,
  workingDirectory: '/app',
  entrypoint: ['/app/serve'],
  command: [],
  environment: [
    { name: 'PATH', value: '/bin' },
    { name: 'OLD', value: '1' },
  ],
  ports: ['80/tcp'],
  volumes: [],
  labels: { team: 'shop' },
  stopSignal: null,
  healthcheck: null,
};

function side(
  config: Partial<ImageConfig> = {},
  rest: { annotations?: Record<string, string>; revision?: string } = {},
) {
  return {
    config: { ...CONFIG, ...config },
    annotations: rest.annotations ?? {},
    revision: rest.revision ?? null,
    source: null,
    version: null,
  };
}

test('images that are configured alike do not differ', () => {
  expect(differencesOf(side(), side())).toEqual([]);
});

test('what was added, removed and changed is said with both values', () => {
  const to = side(
    {
      entrypoint: ['/app/serve', '--fast'],
      environment: [
        { name: 'PATH', value: '/bin' },
        { name: 'NEW', value: '' },
      ],
      ports: ['443/tcp'],
      labels: { team: 'web' },
      user: 'app',
    },
    { annotations: { note: 'x' }, revision: 'abc' },
  );
  expect(differencesOf(side(), to)).toEqual([
    { group: 'run', name: 'entrypoint', kind: 'changed', from: '["/app/serve"]', to: '["/app/serve", "--fast"]' },
    { group: 'run', name: 'user', kind: 'added', from: null, to: 'app' },
    { group: 'environment', name: 'NEW', kind: 'added', from: null, to: '' },
    { group: 'environment', name: 'OLD', kind: 'removed', from: '1', to: null },
    { group: 'ports', name: '443/tcp', kind: 'added', from: null, to: '443/tcp' },
    { group: 'ports', name: '80/tcp', kind: 'removed', from: '80/tcp', to: null },
    { group: 'labels', name: 'team', kind: 'changed', from: 'shop', to: 'web' },
    { group: 'annotations', name: 'note', kind: 'added', from: null, to: 'x' },
    { group: 'about', name: 'revision', kind: 'added', from: null, to: 'abc' },
  ]);
});

test('of a variable that is set twice the last value counts, as in a container', () => {
  const twice = side({
    environment: [
      { name: 'PATH', value: '/usr/bin' },
      { name: 'PATH', value: '/bin' },
      { name: 'OLD', value: '1' },
    ],
  });
  expect(differencesOf(side(), twice)).toEqual([]);
});

test('names such as __proto__ are names', () => {
  const to = side({
    labels: JSON.parse('{"team":"shop","__proto__":"x","constructor":"y"}') as Record<string, string>,
  });
  expect(differencesOf(side(), to).map(({ name, kind }) => `${name} ${kind}`)).toEqual([
    '__proto__ added',
    'constructor added',
  ]);
});

test('a label that says the revision is not said twice', () => {
  const name = 'org.opencontainers.image.revision';
  const from = side({ labels: { [name]: 'abc' } }, { annotations: { [name]: 'abc' }, revision: 'abc' });
  const to = side({ labels: { [name]: 'def' } }, { annotations: { [name]: 'def' }, revision: 'def' });
  expect(differencesOf(from, to)).toEqual([
    { group: 'about', name: 'revision', kind: 'changed', from: 'abc', to: 'def' },
  ]);
});

test('an image whose configuration cannot be read has lost all of it', () => {
  const differences = differencesOf(side(), { ...side(), config: null });
  expect(new Set(differences.map((difference) => difference.kind))).toEqual(new Set(['removed']));
});

test('a command is shown in the form that leaves nothing open', () => {
  expect(execForm(['sh', '-c', 'echo "hi"'])).toBe('["sh", "-c", "echo \\"hi\\""]');
  expect(execForm([])).toBeNull();
});
