import { expect, test } from 'bun:test';
import { parse } from 'yaml';
import { parseComposeFile } from './file.ts';
import { renderComposeFile } from './render.ts';

const DIGEST = `sha256:${'0'.repeat(64)}`;

const FILE = `
name: shop
x-berth: { drain: 1s }
x-base: &base
  restart: always
  build: .
  labels: [a=b, bare]
services:
  web:
    <<: *base
    image: alice/web:\${TAG:-latest}
    pull_policy: always
    x-berth: { repository: alice/web }
    environment: &env { MODE: 0755, YES: yes, QUOTED: "true", EMPTY: , TEXT: "a\\nb", ANCHORED: 1.10, COLON: "a: b" }
  api:
    image: alice/api
    labels: { io.berth.service: wrong, n: 1 }
    environment: *env
  debug: { image: x, profiles: [p] }
volumes: { data: }
`;

test('images are by digest, labels are added, and what only a build or Berth needs is gone', () => {
  const text = renderComposeFile(parseComposeFile(FILE), {
    images: { web: `localhost:5000/alice/web@${DIGEST}` },
    labels: { 'io.berth.stack': 'alice/shop' },
  });
  expect(text).toBe(`services:
  web:
    image: localhost:5000/alice/web@${DIGEST}
    environment:
      MODE: 0755
      "YES": yes
      QUOTED: "true"
      EMPTY: null
      TEXT: |-
        a
        b
      ANCHORED: 1.10
      COLON: "a: b"
    restart: always
    labels:
      a: b
      bare: ""
      io.berth.managed: "true"
      com.centurylinklabs.watchtower.enable: "false"
      io.berth.stack: alice/shop
      io.berth.service: web
  api:
    image: alice/api
    labels:
      io.berth.service: api
      "n": 1
      io.berth.managed: "true"
      com.centurylinklabs.watchtower.enable: "false"
      io.berth.stack: alice/shop
    environment:
      MODE: 0755
      "YES": yes
      QUOTED: "true"
      EMPTY: null
      TEXT: |-
        a
        b
      ANCHORED: 1.10
      COLON: "a: b"
volumes:
  data: null
`);
});

test('a rendered file means what the file meant, and is rendered again to the same bytes', () => {
  const odd = [
    ...[
      '',
      ' ',
      'a #b',
      '#a',
      'a: b',
      '- a',
      '? a',
      '"',
      "'",
      '|',
      '>',
      '%',
      '@',
      '`',
      '{a}',
      '[a]',
      '*a',
      '&a',
      '!a',
      '~',
    ],
    ...[
      'null',
      'true',
      'no',
      '0x1f',
      '1e3',
      '.inf',
      '12:30',
      '2001-01-01',
      '<<',
      '=',
      'a\tb',
      'a\n',
      '\n\na',
      ' a\n b',
      'é\u0085x',
      '…',
      '\u0007',
      '---',
      '...',
    ],
  ];
  const entries = odd.map(
    (value, at) => `      K${at}: ${JSON.stringify(value)}\n      ${JSON.stringify(value)}: V${at}`,
  );
  const text = `services:\n  a:\n    image: x\n    x-odd:\n${entries.join('\n')}\n`;
  const rendered = renderComposeFile(parseComposeFile(text), { images: {}, labels: {} });
  expect(parse(rendered).services.a['x-odd']).toEqual(parse(text).services.a['x-odd']);
  const again = renderComposeFile(parseComposeFile(rendered), { images: {}, labels: {} });
  expect(again).toBe(rendered);
});
