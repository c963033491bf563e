import { describe, expect, test } from 'bun:test';
import type { ImageLayer } from '../../api/images.ts';
import { alignLayers, stepsOf, stepText } from './layers.ts';

function layer(name: string | null, size = 0): ImageLayer {
  return {
    digest: name === null ? null : `sha256:${name}`,
    mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
    size,
    command: `makes ${name}`,
    createdAt: null,
  };
}

test('layers are numbered from the base, with their share; steps without a layer have neither', () => {
  const steps = stepsOf([layer('a', 300), layer(null), layer('b', 100)]);
  expect(steps.map(({ number, share }) => [number, share])).toEqual([
    [1, 0.75],
    [null, 0],
    [2, 0.25],
  ]);
});

test('layers of no bytes have no share', () => {
  expect(stepsOf([layer('a', 0)])[0]?.share).toBe(0);
});

describe('two images', () => {
  const rowsOf = (from: ImageLayer[], to: ImageLayer[]) =>
    alignLayers(from, to).rows.map((row) => `${row.in} ${row.layer.digest} ${row.layer.number}`);

  test('have their base in common, and above it what each has alone', () => {
    const from = [layer('base', 10), layer(null), layer('old', 5)];
    const to = [layer('base', 10), layer('new', 7), layer('newer', 1)];
    expect(rowsOf(from, to)).toEqual([
      'both sha256:base 1',
      'from sha256:old 2',
      'to sha256:new 2',
      'to sha256:newer 3',
    ]);
    expect(alignLayers(from, to)).toMatchObject({ both: 10, onlyFrom: 5, onlyTo: 8 });
  });

  test('may have a layer in common that is not of the base: it is stored once', () => {
    const from = [layer('x', 1), layer('app', 50)];
    const to = [layer('y', 2), layer('app', 50)];
    expect(rowsOf(from, to)).toEqual(['from sha256:x 1', 'to sha256:y 1', 'moved sha256:app 2']);
    expect(alignLayers(from, to)).toMatchObject({ both: 50, onlyFrom: 1, onlyTo: 2 });
  });

  test('that have the same layers differ in none', () => {
    const layers = [layer('a', 1), layer('b', 2)];
    expect(alignLayers(layers, layers)).toMatchObject({ both: 3, onlyFrom: 0, onlyTo: 0 });
    expect(alignLayers([], []).rows).toEqual([]);
  });

  test('with a layer twice count its bytes once', () => {
    const twice = [layer('a', 4), layer('a', 4)];
    expect(alignLayers(twice, [layer('b', 1)])).toMatchObject({ onlyFrom: 4, onlyTo: 1 });
    expect(alignLayers(twice, [layer('a', 4)])).toMatchObject({ both: 4, onlyFrom: 0, onlyTo: 0 });
  });
});

test.each([
  ['RUN /bin/sh -c apk add curl # buildkit', 'RUN apk add curl'],
  ['/bin/sh -c #(nop)  CMD ["nginx"]', 'CMD ["nginx"]'],
  ['/bin/sh -c make install', 'RUN make install'],
  ['COPY . /app # buildkit', 'COPY . /app'],
  ['bazel build ...', 'bazel build ...'],
  ['', ''],
])('%p is shown as %p', (command, shown) => {
  expect(stepText(command)).toBe(shown);
});
