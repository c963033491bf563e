import { beforeEach, describe, expect, test } from 'bun:test';
import { onEachDatabase } from '../database/test-databases.ts';
import { parseRepositoryName } from '../oci/names.ts';
import { listGrants, removeGrant, setGrant } from './grants.ts';
import { setMember } from './members.ts';
import { createOrganization } from './organizations.ts';
import { addTeamMember, createTeam } from './teams.ts';
import { codeOf, ORIGIN, openTestAccounts, type TestAccounts } from './testing.ts';

const APP = parseRepositoryName('acme/app');

onEachDatabase('grants', (newPlace) => {
  let accounts: TestAccounts;
  beforeEach(async () => {
    accounts = await openTestAccounts(await newPlace());
    const { context } = accounts;
    const alice = await accounts.addUser('alice');
    await accounts.addUser('bob');
    for (const name of ['acme', 'other']) {
      await createOrganization(context, { name }, alice.id, ORIGIN, { adopt: false });
      await createTeam(context, name, { name: 'dev' }, ORIGIN);
    }
    await accounts.addRepository('acme/app');
    await accounts.addRepository('acme/web');
    await accounts.addRepository('alice/app');
  });
  const list = async (place: Parameters<typeof listGrants>[1]) =>
    (await listGrants(accounts.context, place, { limit: 10 })).grants.map(({ user, team, role }) => [
      user ?? team,
      role,
    ]);

  test('a user reads what another one lets it: all of a namespace, whatever is pushed there later', async () => {
    const { context } = accounts;
    expect(await accounts.roleOf('bob', 'alice/app')).toBe('none');
    await setGrant(context, { namespace: 'alice' }, { user: 'bob' }, 'read', ORIGIN);
    expect(await accounts.roleOf('bob', 'alice/app')).toBe('read');
    expect(await accounts.roleOf('bob', 'alice/later')).toBe('read');
    expect(await accounts.roleOf('bob', 'acme/app')).toBe('none');
  });

  test('a role in one repository is for that one alone', async () => {
    const { context } = accounts;
    await setGrant(context, { repository: APP }, { user: 'bob' }, 'write', ORIGIN);
    expect(await accounts.roleOf('bob', 'acme/app')).toBe('write');
    expect(await accounts.roleOf('bob', 'acme/web')).toBe('none');
    expect(await list({ repository: APP })).toEqual([['bob', 'write']]);
    expect(await list({ namespace: 'acme' })).toEqual([]);
  });

  test("a team's role is that of its members, and the highest of all counts", async () => {
    const { context } = accounts;
    await setMember(context, 'acme', 'bob', 'member', ORIGIN);
    await addTeamMember(context, 'acme', 'dev', 'bob', ORIGIN);
    await setGrant(context, { namespace: 'acme' }, { team: 'dev' }, 'read', ORIGIN);
    await setGrant(context, { repository: APP }, { team: 'dev' }, 'admin', ORIGIN);
    await setGrant(context, { repository: APP }, { user: 'bob' }, 'write', ORIGIN);
    expect(await accounts.roleOf('bob', 'acme/app')).toBe('admin');
    expect(await accounts.roleOf('bob', 'acme/web')).toBe('read');
  });

  test('a team is granted roles in its own organization alone', async () => {
    const { context } = accounts;
    await createTeam(context, 'other', { name: 'ops' }, ORIGIN);
    expect(await codeOf(setGrant(context, { namespace: 'acme' }, { team: 'ops' }, 'read', ORIGIN))).toBe('NOT_FOUND');
    expect(await codeOf(setGrant(context, { repository: APP }, { team: 'ops' }, 'read', ORIGIN))).toBe('NOT_FOUND');
    expect(await codeOf(setGrant(context, { namespace: 'alice' }, { team: 'dev' }, 'read', ORIGIN))).toBe('NOT_FOUND');
  });

  test.each([
    ['a whole namespace, a user', { namespace: 'acme' }, { user: 'bob' }],
    ['a whole namespace, a team', { namespace: 'acme' }, { team: 'dev' }],
    ['a repository, a user', { repository: APP }, { user: 'bob' }],
    ['a repository, a team', { repository: APP }, { team: 'dev' }],
  ])(
    'one role each: setting another takes the place of the first, setting the same does nothing: %s',
    async (_, place, subject) => {
      const { context } = accounts;
      const first = await setGrant(context, place, subject, 'admin', ORIGIN);
      const second = await setGrant(context, place, subject, 'read', ORIGIN);
      expect(await setGrant(context, place, subject, 'read', ORIGIN)).toEqual(second);
      expect(second).toEqual({ ...first, role: 'read' });
      expect(await list(place)).toEqual([[Object.values(subject).join(), 'read']]);
      const lines = (await accounts.audited('acme')).filter(([action]) => action === 'grant.set');
      expect(lines.map(([, detail]) => detail)).toEqual([
        { ...subject, role: 'admin', before: null },
        { ...subject, role: 'read', before: 'admin' },
      ]);
      await removeGrant(context, place, subject, ORIGIN);
      expect(await list(place)).toEqual([]);
      expect(await codeOf(removeGrant(context, place, subject, ORIGIN))).toBe('NOT_FOUND');
    },
  );

  test('two that grant at once leave one role', async () => {
    const { context, another } = accounts;
    const codes = await Promise.all([
      codeOf(setGrant(context, { repository: APP }, { user: 'bob' }, 'read', ORIGIN)),
      codeOf(setGrant(another, { repository: APP }, { user: 'bob' }, 'write', ORIGIN)),
    ]);
    expect(codes).toEqual(['done', 'done']);
    expect(await list({ repository: APP })).toHaveLength(1);
  });

  test('a role that is taken back is gone at once', async () => {
    const { context } = accounts;
    await setGrant(context, { repository: APP }, { user: 'bob' }, 'write', ORIGIN);
    expect(await accounts.roleOf('bob', 'acme/app')).toBe('write');
    await removeGrant(context, { repository: APP }, { user: 'bob' }, ORIGIN);
    expect(await accounts.roleOf('bob', 'acme/app')).toBe('none');
  });

  describe('refused with a name that is not there', () => {
    test('of a user, a namespace, a team, a repository', async () => {
      const { context } = accounts;
      const grant = (place: Parameters<typeof setGrant>[1], subject: Parameters<typeof setGrant>[2]) =>
        codeOf(setGrant(context, place, subject, 'read', ORIGIN));
      expect(await grant({ namespace: 'acme' }, { user: 'nobody' })).toBe('NOT_FOUND');
      expect(await grant({ namespace: 'nobody' }, { user: 'bob' })).toBe('NOT_FOUND');
      expect(await grant({ namespace: 'acme' }, { team: 'nobody' })).toBe('NOT_FOUND');
      expect(await grant({ repository: parseRepositoryName('acme/none') }, { user: 'bob' })).toBe('NAME_UNKNOWN');
    });

    test('and outside of accounts’ namespaces', async () => {
      const { context } = accounts;
      await accounts.addRepository('ubuntu');
      await accounts.addRepository('nobody/app');
      for (const name of ['ubuntu', 'nobody/app']) {
        const place = { repository: parseRepositoryName(name) };
        expect(await codeOf(setGrant(context, place, { user: 'bob' }, 'read', ORIGIN))).toBe('CONFLICT');
        expect(await codeOf(listGrants(context, place, { limit: 1 }))).toBe('CONFLICT');
      }
    });
  });

  test('a former name of a repository stands for it', async () => {
    const { context } = accounts;
    await context.database.transaction(async (tx) => {
      const { id } = await tx.selectFrom('repositories').select('id').where('name', '=', APP).executeTakeFirstOrThrow();
      const alias = { name: parseRepositoryName('acme/former'), repository_id: id, created_at: context.now() };
      await tx.insertInto('repository_aliases').values(alias).execute();
    });
    await setGrant(context, { repository: parseRepositoryName('acme/former') }, { user: 'bob' }, 'read', ORIGIN);
    expect(await list({ repository: APP })).toEqual([['bob', 'read']]);
    expect(await accounts.audited('acme/app')).toEqual([['grant.set', { user: 'bob', role: 'read', before: null }]]);
  });

  test('grants are listed in pages, oldest first', async () => {
    const { context } = accounts;
    await setGrant(context, { namespace: 'acme' }, { user: 'bob' }, 'read', ORIGIN);
    await setGrant(context, { namespace: 'acme' }, { team: 'dev' }, 'read', ORIGIN);
    await setGrant(context, { namespace: 'acme' }, { user: 'alice' }, 'read', ORIGIN);
    const first = await listGrants(context, { namespace: 'acme' }, { limit: 2 });
    expect(first.grants.map((grant) => grant.user ?? grant.team)).toEqual(['bob', 'dev']);
    const second = await listGrants(context, { namespace: 'acme' }, { after: first.next, limit: 2 });
    expect([second.grants.map((grant) => grant.user), second.next]).toEqual([['alice'], undefined]);
  });
});
