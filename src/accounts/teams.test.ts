import { beforeEach, describe, expect, test } from 'bun:test';
import { onEachDatabase } from '../database/test-databases.ts';
import { setGrant } from './grants.ts';
import { removeMember, setMember } from './members.ts';
import { createOrganization } from './organizations.ts';
import {
  addTeamMember,
  createTeam,
  deleteTeam,
  getTeam,
  listTeamMembers,
  listTeams,
  removeTeamMember,
  updateTeam,
} from './teams.ts';
import { codeOf, ORIGIN, openTestAccounts, type TestAccounts } from './testing.ts';

onEachDatabase('teams', (newPlace) => {
  let accounts: TestAccounts;
  beforeEach(async () => {
    accounts = await openTestAccounts(await newPlace());
    const alice = await accounts.addUser('alice');
    await accounts.addUser('bob');
    for (const name of ['acme', 'other']) {
      await createOrganization(accounts.context, { name }, alice.id, ORIGIN, { adopt: false });
    }
  });
  const addBob = () => setMember(accounts.context, 'acme', 'bob', 'member', ORIGIN);
  const actions = async () => (await accounts.audited('acme')).filter(([action]) => action.startsWith('team'));

  describe('a team', () => {
    test('has a name of its own in its organization', async () => {
      const { context } = accounts;
      const team = await createTeam(context, 'acme', { name: 'dev', description: 'builds' }, ORIGIN);
      expect(team).toEqual(await getTeam(context, 'acme', 'dev'));
      expect(await codeOf(createTeam(context, 'acme', { name: 'dev' }, ORIGIN))).toBe('NAME_TAKEN');
      expect(await codeOf(createTeam(context, 'other', { name: 'dev' }, ORIGIN))).toBe('done');
      expect(await codeOf(createTeam(context, 'alice', { name: 'dev' }, ORIGIN))).toBe('NOT_FOUND');
      expect(await codeOf(createTeam(context, 'nobody', { name: 'dev' }, ORIGIN))).toBe('NOT_FOUND');
    });

    test('of two that are made or renamed alike at once is there once', async () => {
      const { context, another } = accounts;
      await createTeam(context, 'acme', { name: 'old' }, ORIGIN);
      const codes = await Promise.all([
        codeOf(createTeam(context, 'acme', { name: 'dev' }, ORIGIN)),
        codeOf(updateTeam(another, 'acme', 'old', { name: 'dev' }, ORIGIN)),
      ]);
      expect(codes.toSorted()).toEqual(['NAME_TAKEN', 'done']);
    });

    test.each(['', 'Dev', 'a/b', 'x'.repeat(65), 'dev+ci'])('can not be called %p', async (name) => {
      expect(await codeOf(createTeam(accounts.context, 'acme', { name }, ORIGIN))).toBe('BODY_INVALID');
    });

    test('keeps its members and what it was granted under a new name', async () => {
      const { context } = accounts;
      await addBob();
      await createTeam(context, 'acme', { name: 'dev', description: 'builds' }, ORIGIN);
      await addTeamMember(context, 'acme', 'dev', 'bob', ORIGIN);
      await setGrant(context, { namespace: 'acme' }, { team: 'dev' }, 'write', ORIGIN);
      expect(await updateTeam(context, 'acme', 'dev', { name: 'builders' }, ORIGIN)).toMatchObject({
        name: 'builders',
        description: 'builds',
        members: 1,
      });
      expect(await accounts.roleOf('bob', 'acme/app')).toBe('write');
      expect(await codeOf(getTeam(context, 'acme', 'dev'))).toBe('NOT_FOUND');
    });

    test('that is deleted takes what it was granted along', async () => {
      const { context } = accounts;
      await addBob();
      await createTeam(context, 'acme', { name: 'dev' }, ORIGIN);
      await addTeamMember(context, 'acme', 'dev', 'bob', ORIGIN);
      await setGrant(context, { namespace: 'acme' }, { team: 'dev' }, 'write', ORIGIN);
      await deleteTeam(context, 'acme', 'dev', ORIGIN);
      expect(await accounts.roleOf('bob', 'acme/app')).toBe('none');
      await createTeam(context, 'acme', { name: 'dev' }, ORIGIN);
      expect((await getTeam(context, 'acme', 'dev')).members).toBe(0);
      expect(await codeOf(deleteTeam(context, 'acme', 'gone', ORIGIN))).toBe('NOT_FOUND');
    });

    test('is listed in pages, with the number of its members', async () => {
      const { context } = accounts;
      for (const name of ['c', 'a', 'b']) await createTeam(context, 'acme', { name }, ORIGIN);
      await createTeam(context, 'other', { name: 'd' }, ORIGIN);
      await addTeamMember(context, 'acme', 'a', 'alice', ORIGIN);
      const first = await listTeams(context, 'acme', { limit: 2 });
      expect([first.teams.map(({ name, members }) => [name, members]), first.more]).toEqual([
        [
          ['a', 1],
          ['b', 0],
        ],
        true,
      ]);
      const second = await listTeams(context, 'acme', { last: 'b', limit: 2 });
      expect([second.teams.map((team) => team.name), second.more]).toEqual([['c'], false]);
    });
  });

  describe("a team's member", () => {
    test('is a member of the organization first', async () => {
      const { context } = accounts;
      await createTeam(context, 'acme', { name: 'dev' }, ORIGIN);
      expect(await codeOf(addTeamMember(context, 'acme', 'dev', 'bob', ORIGIN))).toBe('CONFLICT');
      expect(await codeOf(addTeamMember(context, 'acme', 'dev', 'nobody', ORIGIN))).toBe('NOT_FOUND');
      expect(await codeOf(addTeamMember(context, 'acme', 'ops', 'bob', ORIGIN))).toBe('NOT_FOUND');
      await addBob();
      expect(await codeOf(addTeamMember(context, 'acme', 'dev', 'bob', ORIGIN))).toBe('done');
    });

    test('is added and removed, each written down once', async () => {
      const { context } = accounts;
      await addBob();
      await createTeam(context, 'acme', { name: 'dev' }, ORIGIN);
      await addTeamMember(context, 'acme', 'dev', 'bob', ORIGIN);
      await addTeamMember(context, 'acme', 'dev', 'bob', ORIGIN);
      const { members } = await listTeamMembers(context, 'acme', 'dev', { limit: 10 });
      expect(members.map((member) => member.username)).toEqual(['bob']);
      await removeTeamMember(context, 'acme', 'dev', 'bob', ORIGIN);
      expect(await codeOf(removeTeamMember(context, 'acme', 'dev', 'bob', ORIGIN))).toBe('NOT_FOUND');
      expect(await actions()).toEqual([
        ['team.create', { team: 'dev' }],
        ['team-member.add', { team: 'dev', username: 'bob' }],
        ['team-member.remove', { team: 'dev', username: 'bob' }],
      ]);
    });

    test('is in no team after it has left the organization, also when both happen at once', async () => {
      const { context, another } = accounts;
      await createTeam(context, 'acme', { name: 'dev' }, ORIGIN);
      for (let i = 0; i < 5; i++) {
        await addBob();
        const [added, removed] = await Promise.all([
          codeOf(addTeamMember(context, 'acme', 'dev', 'bob', ORIGIN)),
          codeOf(removeMember(another, 'acme', 'bob', ORIGIN)),
        ]);
        expect(['done', 'CONFLICT']).toContain(added);
        expect(removed).toBe('done');
        expect((await listTeamMembers(context, 'acme', 'dev', { limit: 10 })).members).toEqual([]);
      }
    });
  });
});
