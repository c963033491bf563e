import { describe, expect, test } from 'bun:test';
import { parseComposeFile } from '../compose/file.ts';
import { definitionHash } from './definition-hash.ts';

const FILE = `
services:
  db: { image: 'alice/db', volumes: [ 'data:/data' ], environment: { PASSWORD: "\${PASSWORD}" } }
  web: { image: 'alice/web', depends_on: [ db ], networks: [ front ], deploy: { replicas: 2 } }
  side: { image: 'alice/side', network_mode: 'service:db' }
networks: { front: {} }
volumes: { data: {} }
`;
const IMAGES = { db: 'h/alice/db@sha256:1', web: 'h/alice/web@sha256:1', side: 'h/alice/side@sha256:1' };

function hashes(text = FILE, images: Record<string, string> = IMAGES, variables: Record<string, string> = {}) {
  const file = parseComposeFile(text);
  const of = (name: string) => {
    const service = file.services.get(name);
    return service === undefined ? '' : definitionHash(file, service, images, variables);
  };
  return { db: of('db'), web: of('web'), side: of('side') };
}

/** The services whose hash differs. */
function changed(other: ReturnType<typeof hashes>): string[] {
  const before = Object.entries(hashes());
  return before
    .filter(([name, hash]) => Object.entries(other).some(([n, h]) => n === name && h !== hash))
    .map(([n]) => n);
}

describe('the hash of what a container is made from', () => {
  test('changes for the service alone whose image changed', () => {
    expect(changed(hashes(FILE, { ...IMAGES, web: 'h/alice/web@sha256:2' }))).toEqual(['web']);
  });

  test('changes for a service that shares the network of one that changed', () => {
    expect(changed(hashes(FILE, { ...IMAGES, db: 'h/alice/db@sha256:2' }))).toEqual(['db', 'side']);
  });

  test('changes with the value of a variable that the service uses', () => {
    expect(changed(hashes(FILE, IMAGES, { PASSWORD: 'a' }))).toEqual(['db', 'side']);
    expect(changed(hashes(FILE, IMAGES, { OTHER: 'a' }))).toEqual([]);
  });

  test('changes with the network or the volume that it names', () => {
    expect(changed(hashes(FILE.replace('front: {}', 'front: { internal: true }')))).toEqual(['web']);
    expect(changed(hashes(FILE.replace('data: {}', 'data: { labels: { a: b } }')))).toEqual(['db', 'side']);
  });

  test('does not change with the order of names, the number of containers, or what only Berth reads', () => {
    expect(changed(hashes(FILE.replace('replicas: 2', 'replicas: 3')))).toEqual([]);
    expect(changed(hashes(FILE.replace("image: 'alice/web',", "image: 'alice/web', x-berth: { drain: 1s },")))).toEqual(
      [],
    );
    const swapped = FILE.replace(
      "image: 'alice/db', volumes: [ 'data:/data' ]",
      "volumes: [ 'data:/data' ], image: 'alice/db'",
    );
    expect(changed(hashes(swapped))).toEqual([]);
  });

  test('is the one that containers of older agents bear', () => {
    expect(hashes().db).toBe('d02ba358ae91ce11f1696c70d53d355a');
  });
});
