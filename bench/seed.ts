// Fills a stopped server's data directory with 100,000 of something in seconds: Berth's through its database,
// docker-registry's through the files that it would have written.
import { Database } from 'bun:sqlite';
import { createHash } from 'node:crypto';
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench } from './bench.ts';
import { type Descriptor, digestOf, imageManifest, manifestType } from './distribution.ts';
import { registryRoot, withBerth } from './servers.ts';

const DAY = 24 * 3600 * 1000;
const configType = 'application/vnd.oci.image.config.v1+json';
const layerType = 'application/vnd.oci.image.layer.v1.tar+gzip';

/** The n-th name of a list, so that byte order is number order. */
export function numbered(prefix: string, n: number): string {
  return `${prefix}${String(n).padStart(6, '0')}`;
}

export interface BerthContents {
  /** A repository with so many tags, each on a manifest of its own. */
  tagged?: { repository: string; tags: number };
  /** So many repositories `PREFIX000000…`, each with one tag. */
  repositories?: { prefix: string; count: number };
  /** A repository with so many manifests and as many layers in the blob store that nothing names, all 90 days old. */
  garbage?: { repository: string; manifests: number };
}

/** Lets Berth make its database, then writes rows as pushes would have left them. */
export async function seedBerth(bench: Bench, data: string, contents: BerthContents): Promise<void> {
  await withBerth(bench, { data, args: ['--workers', '1'] }, async () => {});
  const db = new Database(join(data, 'berth.db'), { readwrite: true, strict: true });
  try {
    db.run('PRAGMA foreign_keys = ON');
    const seed = createSeed(db, data);
    db.transaction(() => {
      if (contents.tagged !== undefined) {
        const repository = seed.repository(contents.tagged.repository);
        for (let n = 0; n < contents.tagged.tags; n++) seed.manifest(repository, n, numbered('tag-', n));
      }
      if (contents.repositories !== undefined) {
        const { prefix, count } = contents.repositories;
        for (let n = 0; n < count; n++) seed.manifest(seed.repository(numbered(prefix, n)), n, 'latest');
      }
      if (contents.garbage !== undefined) {
        const repository = seed.repository(contents.garbage.repository);
        for (let n = 0; n < contents.garbage.manifests; n++) seed.manifest(repository, n, undefined);
      }
    })();
    db.run('ANALYZE');
    db.run('PRAGMA wal_checkpoint(TRUNCATE)');
  } finally {
    db.close();
  }
}

function createSeed(db: Database, data: string) {
  const at = Date.now() - 90 * DAY;
  const statements = {
    repository: db.prepare('INSERT INTO repositories (name, created_at) VALUES (?, ?) RETURNING id'),
    blob: db.prepare("INSERT OR IGNORE INTO blobs (digest, size, state, protected_until) VALUES (?, ?, 'stored', ?)"),
    repositoryBlob: db.prepare(
      'INSERT OR IGNORE INTO repository_blobs (repository_id, digest, protected_until) VALUES (?, ?, ?)',
    ),
    manifest: db.prepare(
      `INSERT INTO manifests (repository_id, digest, media_type, size, content, pushed_at, pushed_by, protected_until)
       VALUES (?, ?, ?, ?, ?, ?, 'anonymous', ?)`,
    ),
    reference: db.prepare(
      'INSERT INTO manifest_references (repository_id, manifest, target, kind) VALUES (?, ?, ?, ?)',
    ),
    tag: db.prepare('INSERT INTO tags (repository_id, name, digest, updated_at) VALUES (?, ?, ?, ?)'),
    history: db.prepare(
      `INSERT INTO tag_history (repository_id, tag, digest, previous, action, actor, source, at)
       VALUES (?, ?, ?, NULL, 'push', 'anonymous', '127.0.0.1', ?)`,
    ),
  };
  const written = new Set<string>();
  const blob = (repository: number, content: string, mediaType: string): Descriptor => {
    const digest = digestOf(content);
    if (!written.has(digest)) {
      const hex = digest.slice('sha256:'.length);
      const directory = join(data, 'blobs', 'sha256', hex.slice(0, 2));
      mkdirSync(directory, { recursive: true });
      writeFileSync(join(directory, hex), content);
      utimesSync(join(directory, hex), at / 1000, at / 1000);
      statements.blob.run(digest, content.length, at);
      written.add(digest);
    }
    statements.repositoryBlob.run(repository, digest, at);
    return { mediaType, digest, size: content.length };
  };
  return {
    repository: (name: string): number => (statements.repository.get(name, at) as { id: number }).id,
    /** With a tag its layer is one that all share; without, a layer of its own. */
    manifest(repository: number, n: number, tag: string | undefined): void {
      const config = blob(repository, '{"architecture":"amd64","os":"linux"}', configType);
      const layer = blob(repository, tag === undefined ? `layer ${n} of nobody` : 'a layer of all', layerType);
      const body = imageManifest(config, [layer], { 'org.opencontainers.image.revision': `${n}` });
      const digest = digestOf(body);
      statements.manifest.run(repository, digest, manifestType, body.length, Buffer.from(body), at, at);
      statements.reference.run(repository, digest, config.digest, 'config');
      statements.reference.run(repository, digest, layer.digest, 'layer');
      if (tag === undefined) return;
      statements.tag.run(repository, tag, digest, at);
      statements.history.run(repository, tag, digest, at);
    },
  };
}

/** What docker-registry lists: a repository's tags by their directories, the catalog by each repository's. */
export function seedDockerRegistry(
  data: string,
  contents: { tagged: { repository: string; tags: number }; repositories: { prefix: string; count: number } },
): void {
  const repositories = join(registryRoot(data), 'docker/registry/v2/repositories');
  const link = `sha256:${createHash('sha256').update('a manifest').digest('hex')}`;
  for (let n = 0; n < contents.tagged.tags; n++) {
    const tag = join(repositories, contents.tagged.repository, '_manifests/tags', numbered('tag-', n), 'current');
    mkdirSync(tag, { recursive: true });
    writeFileSync(join(tag, 'link'), link);
  }
  for (let n = 0; n < contents.repositories.count; n++) {
    // The catalog takes what has `_layers` for a repository.
    mkdirSync(join(repositories, numbered(contents.repositories.prefix, n), '_layers'), { recursive: true });
  }
}
