// The page of webhooks has each kind of event with the shapes that have words for it, and examples that are what is sent.
import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import type { BerthEvent, WebhookShape } from '../../src/events/context.ts';
import { ALL_KINDS, EVENT_KINDS, PING } from '../../src/events/kinds.ts';
import { SHAPES } from '../../src/events/shapes/shapes.ts';

const page = readFileSync(new URL('../../docs/reference/webhooks.md', import.meta.url), 'utf8');

test('docs/reference/webhooks.md has exactly the kinds that there are, and says which must be asked for and which shapes have them', () => {
  const rows = [...page.matchAll(/^\| `([a-z]+\.[a-z-]+)` +\|(.*)\|$/gm)].map(([, kind = '', rest = '']) => {
    const cells = rest.split('|').map((cell) => cell.trim());
    return [kind, cells.at(-2), cells.at(-1)];
  });
  const wanted = [...ALL_KINDS, PING].map((kind) => {
    const asked = kind !== PING && EVENT_KINDS[kind].asked;
    const shapes = Object.values(SHAPES).filter((shape) => shape.takes(kind));
    return [kind, asked ? 'by name' : kind === PING ? 'never' : '', shapes.map(({ name }) => name).join(', ')];
  });
  expect(rows).toEqual(wanted);
});

const DIGEST = 'sha256:1b7d4b4b1ad0ea1d8f51dc3ee9a2a1ab3a5c6ae5b0fd1f0c2d9d0c7d6a1c7d2e';
const EVENT: BerthEvent = {
  id: 1,
  seq: 1742,
  at: Date.UTC(2026, 10, 24, 19, 8, 26, 168),
  kind: 'tag.push',
  repository: 'acme/api',
  namespace: 'acme',
  stack: null,
  subject: 'acme/api:1.0',
  actor: 'acme+ci',
  source: '192.0.2.7',
  detail: { digest: DIGEST, previous: null, mediaType: 'application/vnd.oci.image.manifest.v1+json', size: 1236 },
  request: {
    id: 'a1b2-3f',
    host: 'registry.example.com',
    method: 'PUT',
    userAgent: 'docker/28.0.1',
    base: 'https://registry.example.com',
  },
};

test.each(Object.keys(SHAPES) as WebhookShape[])('the example of the shape %s is what is sent', (name) => {
  const section = page.split(`\n## ${name}\n`)[1]?.split('\n## ')[0] ?? '';
  const example: unknown = JSON.parse(/```json\n([\s\S]*?)```/.exec(section)?.[1] ?? 'null');
  const body = SHAPES[name].body(EVENT, {
    id: 'msg_0193f0a1',
    webhook: 'whk_0193e5c2',
    base: 'https://registry.example.com',
    process: 'p1',
    repository: { isPrivate: true, description: 'The API', readme: '', createdAt: Date.UTC(2026, 9, 1) },
  });
  expect(example).toEqual(body);
  expect(section).toContain(SHAPES[name].contentType);
});
