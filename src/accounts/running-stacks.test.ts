import { beforeEach, expect, test } from 'bun:test';
import { onEachDatabase } from '../database/test-databases.ts';
import { createOrganization, deleteOrganization, planOrganizationDeletion } from './organizations.ts';
import { codeOf, ORIGIN, openTestAccounts, type TestAccounts } from './testing.ts';
import { deleteUser, planUserDeletion } from './user-deletion.ts';

onEachDatabase('an account whose stacks servers run', (newPlace) => {
  let accounts: TestAccounts;
  beforeEach(async () => {
    accounts = await openTestAccounts(await newPlace());
    const boss = await accounts.addUser('boss', { administrator: true });
    await accounts.addUser('alice');
    await createOrganization(accounts.context, { name: 'acme' }, boss.id, ORIGIN, { adopt: false });
    for (const namespace of ['alice', 'acme']) {
      for (const name of ['shop@test/one', 'shop@test/two', 'blog@live/one']) {
        const { stackId, environmentId } = await accounts.addTarget(`${namespace}/${name}`);
        await accounts.addRelease(stackId, [`${namespace}/app`], namespace);
        await deploy(environmentId, stackId);
      }
    }
  });
  /** The stack's newest release. */
  const deploy = (environmentId: number, stackId: number) =>
    accounts.context.database.transaction(async (tx) => {
      const release = await tx
        .selectFrom('releases')
        .select(['id', 'number'])
        .where('stack_id', '=', stackId)
        .orderBy('id', 'desc')
        .executeTakeFirstOrThrow();
      await tx
        .insertInto('deployments')
        .values({
          environment_id: environmentId,
          number: release.number,
          release_id: release.id,
          config_version: 0,
          reason: 'manual',
          actor: 'someone',
          status: 'success',
          message: '',
          restores: null,
          undoes: null,
          created_at: 1,
          started_at: null,
          finished_at: null,
          stable_at: null,
        })
        .execute();
    });
  const revokeAll = () =>
    accounts.context.database.transaction((tx) => tx.updateTable('targets').set({ revoked_at: 1 }).execute());
  const stacks = async () => {
    const rows = await accounts.context.database.read.selectFrom('stacks').select('name').orderBy('id').execute();
    return rows.map(({ name }) => name);
  };

  test('says which, and is not deleted', async () => {
    const { context } = accounts;
    expect((await planUserDeletion(context, 'alice')).stacks).toEqual([
      'alice/blog@live on one',
      'alice/shop@test on one, two',
    ]);
    expect((await planOrganizationDeletion(context, 'acme')).stacks).toHaveLength(2);
    expect(await codeOf(deleteUser(context, 'alice', ORIGIN))).toBe('CONFLICT');
    expect(await codeOf(deleteOrganization(context, 'acme', ORIGIN))).toBe('CONFLICT');
    await expect(deleteUser(context, 'alice', ORIGIN)).rejects.toThrow(
      'stacks: alice has stacks that servers run (alice/blog@live on one; alice/shop@test on one, two)',
    );
    expect(await stacks()).toHaveLength(4);
  });

  test('goes with its stacks when every target is revoked', async () => {
    const { context } = accounts;
    await revokeAll();
    expect((await planUserDeletion(context, 'alice')).stacks).toEqual([]);
    expect(await codeOf(deleteUser(context, 'alice', ORIGIN))).toBe('done');
    expect(await stacks()).toHaveLength(2);
    expect(await codeOf(deleteOrganization(context, 'acme', ORIGIN))).toBe('done');
    expect(await stacks()).toEqual([]);
    const tokens = await context.database.read.selectFrom('access_tokens').select('id').execute();
    expect(tokens).toEqual([]);
  });
});
