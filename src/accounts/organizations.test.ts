import { beforeEach, describe, expect, test } from 'bun:test';
import { onEachDatabase } from '../database/test-databases.ts';
import { setGrant } from './grants.ts';
import { createInvitation, listInvitations } from './invitations.ts';
import { getMember, listMembers, removeMember, setMember } from './members.ts';
import {
  createOrganization,
  deleteOrganization,
  getOrganization,
  listOrganizations,
  planOrganizationDeletion,
  updateOrganization,
} from './organizations.ts';
import { createRobot } from './robots.ts';
import { addTeamMember, createTeam, getTeam } from './teams.ts';
import { codeOf, DAY, ORIGIN, openTestAccounts, type TestAccounts } from './testing.ts';
import { setUserDisabled, type User } from './users.ts';

onEachDatabase('organizations', (newPlace) => {
  let accounts: TestAccounts;
  let alice: User;
  let bob: User;
  beforeEach(async () => {
    accounts = await openTestAccounts(await newPlace());
    alice = await accounts.addUser('alice');
    bob = await accounts.addUser('bob');
  });
  const create = (name: string, owner = alice, adopt = false) =>
    createOrganization(accounts.context, { name }, owner.id, ORIGIN, { adopt });

  describe('an organization', () => {
    test('belongs to whoever makes it, and is seen by its members', async () => {
      const { context } = accounts;
      const made = await createOrganization(
        context,
        { name: 'acme', displayName: 'Acme Inc.', description: 'anvils' },
        alice.id,
        ORIGIN,
        { adopt: false },
      );
      expect(made).toEqual(await getOrganization(context, 'acme', alice.id));
      expect(made).toMatchObject({ name: 'acme', displayName: 'Acme Inc.', description: 'anvils', role: 'owner' });
      expect((await getOrganization(context, 'acme', bob.id)).role).toBeNull();
      const seen = async (user: User, all = false) =>
        (await listOrganizations(context, { userId: user.id, all }, { limit: 10 })).organizations.map(
          (one) => one.name,
        );
      expect(await seen(alice)).toEqual(['acme']);
      expect(await seen(bob)).toEqual([]);
      expect(await seen(bob, true)).toEqual(['acme']);
      expect(await accounts.audited('acme')).toEqual([['organization.create', null]]);
    });

    test('shares its name with no user and no other organization, also when two ask at once', async () => {
      expect(await codeOf(create('bob'))).toBe('NAME_TAKEN');
      const codes = await Promise.all([codeOf(create('acme')), codeOf(create('acme', bob)), codeOf(create('acme'))]);
      expect(codes.toSorted()).toEqual(['NAME_TAKEN', 'NAME_TAKEN', 'done']);
    });

    test.each(['a', 'Acme', 'acme/app', 'acme+ci', 'api'])('can not be called %p', async (name) => {
      expect(await codeOf(create(name))).toBe('BODY_INVALID');
    });

    test('takes a name that has repositories only from an administrator', async () => {
      await accounts.addRepository('acme/app');
      expect(await codeOf(create('acme'))).toBe('NAME_TAKEN');
      expect(await codeOf(create('acme', alice, true))).toBe('done');
      expect(await accounts.roleOf('alice', 'acme/app')).toBe('admin');
    });

    test("is not a user: a user's namespace is no organization", async () => {
      const { context } = accounts;
      expect(await codeOf(getOrganization(context, 'alice', alice.id))).toBe('NOT_FOUND');
      expect(await codeOf(updateOrganization(context, 'alice', { description: 'x' }, ORIGIN))).toBe('NOT_FOUND');
      expect(await codeOf(setMember(context, 'alice', 'bob', 'owner', ORIGIN))).toBe('NOT_FOUND');
      expect(await codeOf(deleteOrganization(context, 'alice', ORIGIN))).toBe('NOT_FOUND');
    });

    test('changes what is said of it, field by field', async () => {
      const { context } = accounts;
      await create('acme');
      await updateOrganization(context, 'acme', { displayName: 'Acme' }, ORIGIN);
      await updateOrganization(context, 'acme', { description: 'anvils' }, ORIGIN);
      await updateOrganization(context, 'acme', {}, ORIGIN);
      expect(await getOrganization(context, 'acme', alice.id)).toMatchObject({
        displayName: 'Acme',
        description: 'anvils',
      });
      expect((await accounts.audited('acme')).map(([action]) => action)).toEqual([
        'organization.create',
        'organization.update',
        'organization.update',
      ]);
    });

    test('is listed in pages', async () => {
      const { context } = accounts;
      for (const name of ['c1', 'a1', 'b1']) await create(name);
      const names = async (last?: string) => {
        const page = await listOrganizations(context, { userId: alice.id, all: false }, { last, limit: 2 });
        return [page.organizations.map((one) => one.name), page.more];
      };
      expect(await names()).toEqual([['a1', 'b1'], true]);
      expect(await names('b1')).toEqual([['c1'], false]);
    });
  });

  describe('deleting one', () => {
    test('says first what would go', async () => {
      const { context } = accounts;
      await create('acme');
      await accounts.addRepository('acme/app');
      await accounts.addRepository('acme-two/app');
      await createTeam(context, 'acme', { name: 'dev' }, ORIGIN);
      await createRobot(context, 'acme', { name: 'ci', role: 'write' }, ORIGIN);
      expect(await planOrganizationDeletion(context, 'acme')).toEqual({
        repositories: ['acme/app'],
        robots: ['acme+ci'],
        teams: ['dev'],
        stacks: [],
      });
    });

    test('is refused while it has repositories', async () => {
      const { context } = accounts;
      await create('acme');
      await accounts.addRepository('acme/app');
      expect(await codeOf(deleteOrganization(context, 'acme', ORIGIN))).toBe('CONFLICT');
      expect((await getOrganization(context, 'acme', alice.id)).name).toBe('acme');
    });

    test('takes members, teams, grants, robots and invitations along, and frees the name', async () => {
      const { context } = accounts;
      await create('acme');
      await createTeam(context, 'acme', { name: 'dev' }, ORIGIN);
      await addTeamMember(context, 'acme', 'dev', 'alice', ORIGIN);
      await setGrant(context, { namespace: 'acme' }, { team: 'dev' }, 'write', ORIGIN);
      await createRobot(context, 'acme', { name: 'ci', role: 'write' }, ORIGIN);
      await createInvitation(context, { organization: 'acme', expiresAt: context.now() + DAY }, ORIGIN);
      await deleteOrganization(context, 'acme', ORIGIN);
      const { read } = context.database;
      for (const table of ['organization_members', 'teams', 'team_members', 'grants', 'robots'] as const) {
        expect([table, await read.selectFrom(table).selectAll().execute()]).toEqual([table, []]);
      }
      expect((await listInvitations(context, {}, { limit: 10 })).invitations).toEqual([]);
      expect((await create('acme', bob)).role).toBe('owner');
      expect((await accounts.audited('acme')).at(-2)?.[0]).toBe('organization.delete');
    });
  });

  describe('a member', () => {
    test('is added once, and changes its role', async () => {
      const { context } = accounts;
      await create('acme');
      expect(await setMember(context, 'acme', 'bob', 'member', ORIGIN)).toMatchObject({
        username: 'bob',
        role: 'member',
      });
      await setMember(context, 'acme', 'bob', 'member', ORIGIN);
      await setMember(context, 'acme', 'bob', 'owner', ORIGIN);
      const { members } = await listMembers(context, 'acme', { limit: 10 });
      expect(members.map(({ username, role }) => [username, role])).toEqual([
        ['alice', 'owner'],
        ['bob', 'owner'],
      ]);
      expect((await accounts.audited('acme')).slice(1)).toEqual([
        ['member.set', { username: 'bob', role: 'member', before: null }],
        ['member.set', { username: 'bob', role: 'owner', before: 'member' }],
      ]);
    });

    test('must be a user', async () => {
      const { context } = accounts;
      await create('acme');
      expect(await codeOf(setMember(context, 'acme', 'carol', 'member', ORIGIN))).toBe('NOT_FOUND');
      expect(await codeOf(setMember(context, 'other', 'bob', 'member', ORIGIN))).toBe('NOT_FOUND');
      expect(await codeOf(getMember(context, 'acme', 'bob'))).toBe('NOT_FOUND');
      expect(await codeOf(removeMember(context, 'acme', 'bob', ORIGIN))).toBe('NOT_FOUND');
      expect(await codeOf(removeMember(context, 'acme', 'carol', ORIGIN))).toBe('NOT_FOUND');
    });

    test('may do what it was granted, an owner everything', async () => {
      const { context } = accounts;
      await create('acme');
      await accounts.addRepository('acme/app');
      await setMember(context, 'acme', 'bob', 'member', ORIGIN);
      expect(await accounts.roleOf('bob', 'acme/app')).toBe('none');
      await setMember(context, 'acme', 'bob', 'owner', ORIGIN);
      expect(await accounts.roleOf('bob', 'acme/app')).toBe('admin');
    });

    test('that is removed leaves nothing behind: no team, no grant, and it gets none of it back when it returns', async () => {
      const { context } = accounts;
      await create('acme');
      await create('other');
      await accounts.addRepository('acme/app');
      await setMember(context, 'acme', 'bob', 'member', ORIGIN);
      await createTeam(context, 'acme', { name: 'dev' }, ORIGIN);
      await addTeamMember(context, 'acme', 'dev', 'bob', ORIGIN);
      await setGrant(context, { namespace: 'acme' }, { team: 'dev' }, 'read', ORIGIN);
      await setGrant(context, { namespace: 'other' }, { user: 'bob' }, 'read', ORIGIN);
      await setGrant(context, { repository: 'acme/app' as never }, { user: 'bob' }, 'write', ORIGIN);
      expect(await accounts.roleOf('bob', 'acme/app')).toBe('write');
      await removeMember(context, 'acme', 'bob', ORIGIN);
      expect(await accounts.roleOf('bob', 'acme/app')).toBe('none');
      await setMember(context, 'acme', 'bob', 'member', ORIGIN);
      expect(await accounts.roleOf('bob', 'acme/app')).toBe('none');
      expect((await getTeam(context, 'acme', 'dev')).members).toBe(0);
      expect(await accounts.roleOf('bob', 'other/app')).toBe('read');
    });

    test('that is the last owner stays one', async () => {
      const { context } = accounts;
      await create('acme');
      await setMember(context, 'acme', 'bob', 'member', ORIGIN);
      expect(await codeOf(removeMember(context, 'acme', 'alice', ORIGIN))).toBe('CONFLICT');
      expect(await codeOf(setMember(context, 'acme', 'alice', 'member', ORIGIN))).toBe('CONFLICT');
      await setMember(context, 'acme', 'bob', 'owner', ORIGIN);
      await setUserDisabled(context, 'bob', true, ORIGIN);
      expect(await codeOf(removeMember(context, 'acme', 'alice', ORIGIN))).toBe('CONFLICT');
      expect(await codeOf(removeMember(context, 'acme', 'bob', ORIGIN))).toBe('done');
    });

    test('of two owners that are removed or demoted at once, by two processes, one stays', async () => {
      const { context, another } = accounts;
      for (let i = 0; i < 5; i++) {
        const name = `acme${i}`;
        await create(name);
        await setMember(context, name, 'bob', 'owner', ORIGIN);
        const codes = await Promise.all([
          codeOf(removeMember(context, name, 'alice', ORIGIN)),
          codeOf(
            i % 2 === 0
              ? removeMember(another, name, 'bob', ORIGIN)
              : setMember(another, name, 'bob', 'member', ORIGIN),
          ),
        ]);
        expect(codes.toSorted()).toEqual(['CONFLICT', 'done']);
        const { members } = await listMembers(context, name, { limit: 10 });
        expect(members.filter((member) => member.role === 'owner')).toHaveLength(1);
      }
    });

    test('is listed in pages', async () => {
      const { context } = accounts;
      await create('acme');
      await setMember(context, 'acme', 'bob', 'member', ORIGIN);
      const first = await listMembers(context, 'acme', { limit: 1 });
      expect([first.members.map((member) => member.username), first.more]).toEqual([['alice'], true]);
      const second = await listMembers(context, 'acme', { last: 'alice', limit: 1 });
      expect([second.members.map((member) => member.username), second.more]).toEqual([['bob'], false]);
    });
  });
});
