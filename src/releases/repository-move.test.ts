import { beforeEach, expect, test } from 'bun:test';
import { openTestAccounts, type TestAccounts } from '../accounts/testing.ts';
import { onEachDatabase } from '../database/test-databases.ts';
import { digestOf } from '../oci/digest.ts';
import { parseRepositoryName } from '../oci/names.ts';
import { followRepositoryInReleases } from './repository-move.ts';

onEachDatabase('a repository that gets another name', (newPlace) => {
  let accounts: TestAccounts;
  let stacks: { alice: number; bob: number; carol: number };
  beforeEach(async () => {
    accounts = await openTestAccounts(await newPlace());
    for (const name of ['alice', 'bob', 'carol']) await accounts.addUser(name);
    for (const name of ['alice/web', 'alice/api']) await accounts.addRepository(name);
    const stackOf = async (name: string) => {
      const { stackId } = await accounts.addTarget(`${name}/shop@test/one`);
      await accounts.addRelease(stackId, ['alice/web', 'alice/api'], name);
      await accounts.context.database.transaction((tx) =>
        tx
          .insertInto('stack_services')
          .values({ stack_id: stackId, service: 'web', repository: named('alice/web'), reference: 'latest' })
          .execute(),
      );
      return stackId;
    };
    stacks = { alice: await stackOf('alice'), bob: await stackOf('bob'), carol: await stackOf('carol') };
  });
  const named = parseRepositoryName;
  const move = async (from: string, to: string) =>
    accounts.context.database.transaction(async (tx) => {
      const { id } = await tx
        .updateTable('repositories')
        .set({ name: named(to) })
        .where('name', '=', named(from))
        .returning('id')
        .executeTakeFirstOrThrow();
      await tx.deleteFrom('repository_aliases').where('name', '=', named(to)).execute();
      await tx
        .insertInto('repository_aliases')
        .values({ name: named(from), repository_id: id, created_at: 1 })
        .execute();
      await followRepositoryInReleases(tx, { repositoryId: id, from: named(from), to: named(to) });
    });
  /** What a stack's release and its file's services name. */
  const namesOf = async (stackId: number): Promise<string[]> => {
    const { read } = accounts.context.database;
    const images = await read
      .selectFrom('release_images as i')
      .innerJoin('releases as r', 'r.id', 'i.release_id')
      .select('i.repository')
      .where('r.stack_id', '=', stackId)
      .orderBy('i.service')
      .execute();
    const services = await read
      .selectFrom('stack_services')
      .select('repository')
      .where('stack_id', '=', stackId)
      .execute();
    return [...images, ...services].map(({ repository }) => repository);
  };

  test('is followed by the stacks of its namespace, and nothing else of them changes', async () => {
    await move('alice/web', 'alice/front');
    expect(await namesOf(stacks.alice)).toEqual(['alice/front', 'alice/api', 'alice/front']);
    expect(await namesOf(stacks.bob)).toEqual(['alice/web', 'alice/api', 'alice/web']);
  });

  test('into another namespace is followed by those of both, not by a third', async () => {
    await move('alice/web', 'bob/web');
    expect(await namesOf(stacks.alice)).toEqual(['bob/web', 'alice/api', 'bob/web']);
    expect(await namesOf(stacks.bob)).toEqual(['bob/web', 'alice/api', 'bob/web']);
    expect(await namesOf(stacks.carol)).toEqual(['alice/web', 'alice/api', 'alice/web']);
  });

  test('does not tell the namespace that it left what it is called later', async () => {
    await move('alice/web', 'bob/web');
    await move('bob/web', 'bob/secret-project');
    expect(await namesOf(stacks.alice)).toEqual(['bob/web', 'alice/api', 'bob/web']);
    expect(await namesOf(stacks.bob)).toEqual(['bob/secret-project', 'alice/api', 'bob/secret-project']);
  });

  test('is followed from any name that it had, and back', async () => {
    const { database } = accounts.context;
    await move('alice/web', 'alice/front');
    await accounts.addRelease(stacks.alice, ['alice/web'], 'alice');
    await move('alice/front', 'alice/site');
    expect(await namesOf(stacks.alice)).toEqual(['alice/site', 'alice/site', 'alice/api', 'alice/site']);
    await move('alice/site', 'alice/web');
    expect(await namesOf(stacks.alice)).toEqual(['alice/web', 'alice/web', 'alice/api', 'alice/web']);
    const digests = await database.read.selectFrom('release_images').select('digest').distinct().execute();
    expect(digests).toEqual([{ digest: digestOf(new Uint8Array()) }]);
  });
});
