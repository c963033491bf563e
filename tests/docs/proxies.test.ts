// The how-tos for proxies show the files of packaging/proxies, which tests/proxies starts the proxies with, word for word.
import { expect, test } from 'bun:test';
import { readdirSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';

const root = new URL('../../', import.meta.url).pathname;
const read = (path: string) => readFileSync(`${root}${path}`, 'utf8');

/** As a page has it: four spaces before every line that is not empty. */
const shown = (file: string) => read(`packaging/proxies/${file}`).replace(/^(?=.)/gm, '    ');

const FILES = {
  'nginx.conf': 'nginx',
  'apache.conf': 'apache',
  Caddyfile: 'caddy',
  'traefik.yaml': 'traefik',
  'traefik-berth.yaml': 'traefik',
};

test('every file for a proxy has a page', () => {
  expect(readdirSync(`${root}packaging/proxies`).sort()).toEqual(Object.keys(FILES).sort());
});

test.each(Object.entries(FILES))('%s is what docs/how-to/%s.md shows', (file, page) => {
  expect(read(`docs/how-to/${page}.md`)).toContain(`\n\n${shown(file)}\n`);
});

test('the files for Traefik are YAML, and the one names the other', () => {
  const fixed = parse(read('packaging/proxies/traefik.yaml')) as { providers: { file: { filename: string } } };
  expect(read('docs/how-to/traefik.md')).toContain(`\`${fixed.providers.file.filename}\``);
  expect(parse(read('packaging/proxies/traefik-berth.yaml'))).toHaveProperty('http.services.berth.loadBalancer');
});
