// 10,000 repositories and one of 50,000 tags: what the page asks for and shows stays as much as it is with few.
import { Database } from 'bun:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import { digestOf } from '../support/registry.ts';
import { canBrowse, PageRig, type Person, type Visit } from './rig.ts';

const REPOSITORIES = 10_000;
const TAGS = 50_000;
const LARGE = 'alice/large';
/** 2026-01-01, ms since 1970; each tag is a second younger than the one before. */
const FIRST_AT = 1_767_225_600_000;

describe.skipIf(!canBrowse)('ten thousand repositories, one of fifty thousand tags', () => {
  let rig: PageRig;
  let alice: Person;
  beforeAll(async () => {
    rig = await PageRig.start();
    alice = await rig.join('alice');
    await alice.pusher.image(LARGE, 'seed');
    seed(join(rig.berth.data, 'berth.db'));
  }, 120_000);
  afterAll(() => rig?.stop(), 30_000);

  /** Follows what is asked of the API from now on. */
  function requests(visit: Visit): string[] {
    const asked: string[] = [];
    visit.page.on('request', (request) => {
      const { pathname, search } = new URL(request.url());
      if (pathname.startsWith('/api/')) asked.push(pathname + search);
    });
    return asked;
  }
  async function measured(what: string, work: () => Promise<unknown>): Promise<void> {
    const begun = performance.now();
    await work();
    console.log(`${what}: ${Math.round(performance.now() - begun)} ms`);
  }
  const elements = (visit: Visit) => visit.page.evaluate(() => document.querySelectorAll('*').length);
  const repositoryRows = (visit: Visit) => visit.page.getByRole('list', { name: 'Repositories' }).getByRole('listitem');
  const tagRows = (visit: Visit) => visit.page.getByRole('table', { name: 'Tags' }).locator('tbody tr');
  const tag = (visit: Visit, name: string) => tagRows(visit).getByRole('link', { name, exact: true });

  test('are searched as one types, a page at a time', async () => {
    const visit = await rig.visit({ as: alice });
    const asked = requests(visit);
    await measured('start page', async () => {
      await visit.open('/');
      await visit.page.getByRole('link', { name: LARGE, exact: true }).waitFor();
    });
    await measured('list of repositories', async () => {
      await visit.open('/repositories');
      await repositoryRows(visit).first().waitFor();
    });
    expect(await repositoryRows(visit).count()).toBe(50);
    await measured('show more', async () => {
      await visit.page.getByRole('button', { name: 'Show more' }).click();
      await repositoryRows(visit).nth(99).waitFor();
    });
    expect(await repositoryRows(visit).count()).toBe(100);
    asked.length = 0;
    const search = visit.page.getByRole('searchbox', { name: 'Search repositories' });
    await measured('search by name', async () => {
      await search.pressSequentially('service-09999', { delay: 10 });
      await visit.page.getByRole('link', { name: 'alice/service-09999', exact: true }).waitFor();
      await repositoryRows(visit).nth(1).waitFor({ state: 'detached' });
    });
    expect(asked.length).toBeLessThan(13);
    await measured('search by description', async () => {
      await search.fill('number 4242.');
      await visit.page.getByRole('link', { name: 'alice/service-04242', exact: true }).waitFor();
    });
    expect(await repositoryRows(visit).count()).toBe(1);
    expect(visit.complaints).toEqual([]);
    await visit.close();
  }, 60_000);

  test('are filtered, ordered and walked through, with as many rows and requests as are seen', async () => {
    const visit = await rig.visit({ as: alice });
    await measured('overview', async () => {
      await visit.open(`/r/${LARGE}`);
      await visit.page.getByText('50,001 tags').waitFor();
    });
    const asked = requests(visit);
    await measured('newest tags', async () => {
      await visit.page.getByRole('link', { name: 'Tags (50,001)' }).click();
      await tagRows(visit).first().waitFor();
    });
    expect(await tagRows(visit).count()).toBe(50);
    await measured('oldest first', async () => {
      await visit.page.getByLabel('Order').selectOption('Oldest first');
      await tag(visit, 'build-00000').waitFor();
    });
    await measured('Z to A', async () => {
      await visit.page.getByLabel('Order').selectOption('Z to A');
      await tag(visit, 'build-49999').waitFor();
    });
    const filter = visit.page.getByRole('searchbox', { name: 'Filter tags' });
    await measured('filter to one', async () => {
      await filter.fill('31415');
      await tag(visit, 'build-31415').waitFor();
    });
    expect(await tagRows(visit).count()).toBe(1);
    await measured('filter to none', async () => {
      await filter.fill('31415x');
      await visit.page.getByText('No tag has “31415x” in its name').waitFor();
    });
    await measured('filter away', async () => {
      await filter.fill('');
      await tag(visit, 'build-49999').waitFor();
    });
    // The page looks for pushes every three seconds; those requests are few as well.
    expect(asked.length).toBeLessThan(60);
    asked.length = 0;
    const more = visit.page.getByRole('button', { name: 'Show more' });
    await measured('four pages more', async () => {
      for (let rows = 150; rows <= 450; rows += 100) {
        await more.click();
        await tagRows(visit)
          .nth(rows - 1)
          .waitFor();
      }
    });
    expect(await tagRows(visit).count()).toBe(450);
    expect(asked.filter((path) => path.includes('details=true'))).toHaveLength(4);
    expect(await elements(visit)).toBeLessThan(450 * 50);
    await tag(visit, 'build-49551').waitFor();
    await visit.page.keyboard.press('End');
    expect(await visit.page.evaluate(() => scrollY)).toBeGreaterThan(5_000);
    expect(visit.complaints).toEqual([]);
    await visit.close();
  }, 60_000);

  test('show a push at the top of a list that was made longer, and keep the rest', async () => {
    const visit = await rig.visit({ as: alice });
    await visit.open(`/r/${LARGE}/-/tags`);
    await tagRows(visit).nth(49).waitFor();
    await visit.page.getByRole('button', { name: 'Show more' }).click();
    await tagRows(visit).nth(149).waitFor();
    const asked = requests(visit);
    await alice.pusher.image(LARGE, 'just-pushed');
    await tag(visit, 'just-pushed').waitFor();
    expect(await tagRows(visit).first().textContent()).toContain('just-pushed');
    expect(await tagRows(visit).count()).toBe(150);
    expect(asked.filter((path) => path.includes('details=true'))).toEqual([]);
    expect(visit.complaints).toEqual([]);
    await visit.close();
  }, 60_000);
});

/** Rows as pushes would have made them: each tag names a manifest of its own, which has the blobs of the one that was pushed. */
function seed(path: string): void {
  const db = new Database(path);
  db.run('PRAGMA busy_timeout = 10000');
  db.run('PRAGMA foreign_keys = ON');
  const repository = db.query<{ id: number }, [string]>('select id from repositories where name = ?').get(LARGE);
  const pushed = db
    .query<{ digest: string; content: Uint8Array; media_type: string }, [number]>(
      'select digest, content, media_type from manifests where repository_id = ?',
    )
    .get(repository?.id ?? 0);
  if (repository === null || pushed === null) throw new Error('nothing was pushed');
  const document = JSON.parse(Buffer.from(pushed.content).toString()) as object;
  const addRepository = db.prepare(
    "insert into repositories (name, created_at, visibility, description) values (?, ?, 'private', ?)",
  );
  const addManifest = db.prepare(
    `insert into manifests (repository_id, digest, media_type, size, pushed_at, pushed_by, protected_until, content)
     values (?, ?, ?, ?, ?, 'alice', 0, ?)`,
  );
  const addReference = db.prepare(
    `insert into manifest_references (repository_id, manifest, target, kind)
     select repository_id, ?, target, kind from manifest_references where repository_id = ? and manifest = ?`,
  );
  const addTag = db.prepare('insert into tags (repository_id, name, digest, updated_at) values (?, ?, ?, ?)');
  const addHistory = db.prepare(
    `insert into tag_history (repository_id, tag, digest, previous, action, actor, source, at)
     values (?, ?, ?, null, 'push', 'alice', '127.0.0.1', ?)`,
  );
  db.transaction(() => {
    for (let i = 0; i < REPOSITORIES; i++) {
      const name = `alice/service-${String(i).padStart(5, '0')}`;
      addRepository.run(name, FIRST_AT + i, `Service number ${i}.`);
    }
    for (let i = 0; i < TAGS; i++) {
      const name = `build-${String(i).padStart(5, '0')}`;
      const content = Buffer.from(JSON.stringify({ ...document, annotations: { build: name } }));
      const digest = digestOf(content);
      const at = FIRST_AT + i * 1_000;
      addManifest.run(repository.id, digest, pushed.media_type, content.length, at, content);
      addReference.run(digest, repository.id, pushed.digest);
      addTag.run(repository.id, name, digest, at);
      addHistory.run(repository.id, name, digest, at);
    }
  })();
  db.close();
}
