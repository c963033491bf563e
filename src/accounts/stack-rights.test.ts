import { beforeAll, describe, expect, test } from 'bun:test';
import { onEachDatabase } from '../database/test-databases.ts';
import { parseRepositoryName } from '../oci/names.ts';
import { Authorizer } from './authorize.ts';
import { Credentials, userIdentity } from './credentials.ts';
import { setGrant } from './grants.ts';
import { ANONYMOUS, ANONYMOUS_MODES, type AnonymousMode, type Identity } from './identity.ts';
import { setMember } from './members.ts';
import { createOrganization } from './organizations.ts';
import { Passwords } from './passwords.ts';
import { PermissionReader } from './permission-reader.ts';
import { readableStacks } from './readable.ts';
import { createRobot } from './robots.ts';
import { addTeamMember, createTeam } from './teams.ts';
import { ORIGIN, openTestAccounts, type TestAccounts } from './testing.ts';

const named = parseRepositoryName;
const NAMESPACES = ['alice', 'bob', 'acme', 'nobodys'];
const ACCESSES = ['read', 'write', 'delete', 'admin'] as const;

/** By caller: what it may with the stacks of a namespace; where a namespace is not named, nothing. */
const MAY: Record<string, Partial<Record<string, (typeof ACCESSES)[number][]>>> = {
  nobody: {},
  alice: { alice: [...ACCESSES] },
  bob: { bob: [...ACCESSES] },
  owner: { acme: [...ACCESSES] },
  member: {},
  reader: { acme: ['read'] },
  writer: { alice: ['read', 'write', 'delete'] },
  manager: { acme: [...ACCESSES] },
  'of one repository': {},
  boss: { alice: [...ACCESSES], bob: [...ACCESSES], acme: [...ACCESSES], nobodys: [...ACCESSES] },
  'robot that writes': { acme: ['read', 'write', 'delete'] },
  'robot of one repository': {},
  agent: {},
  'alice, token that reads': { alice: ['read'] },
  'alice, token that writes': { alice: ['read', 'write'] },
  'alice, token for one repository': {},
  'boss, token for one repository': {},
};

onEachDatabase('the stacks of a namespace', (newPlace) => {
  let accounts: TestAccounts;
  let reader: PermissionReader;
  const callers = new Map<string, Identity>([['nobody', ANONYMOUS]]);

  beforeAll(async () => {
    accounts = await openTestAccounts(await newPlace());
    const { context } = accounts;
    reader = new PermissionReader(context.database);
    const ids = new Map<string, string>();
    for (const name of ['alice', 'bob', 'owner', 'member', 'reader', 'writer', 'manager', 'single', 'boss']) {
      ids.set(name, (await accounts.addUser(name, { administrator: name === 'boss' })).id);
    }
    await createOrganization(context, { name: 'acme' }, ids.get('owner') ?? '', ORIGIN, { adopt: false });
    for (const name of ['alice/app', 'acme/app']) await accounts.addRepository(name);
    await context.database.transaction((tx) => tx.updateTable('repositories').set({ visibility: 'public' }).execute());
    await createTeam(context, 'acme', { name: 'dev' }, ORIGIN);
    for (const name of ['member', 'reader']) await setMember(context, 'acme', name, 'member', ORIGIN);
    await addTeamMember(context, 'acme', 'dev', 'reader', ORIGIN);
    await setGrant(context, { namespace: 'acme' }, { team: 'dev' }, 'read', ORIGIN);
    await setGrant(context, { namespace: 'alice' }, { user: 'writer' }, 'write', ORIGIN);
    await setGrant(context, { namespace: 'acme' }, { user: 'manager' }, 'admin', ORIGIN);
    await setGrant(context, { repository: named('alice/app') }, { user: 'single' }, 'admin', ORIGIN);
    const credentials = new Credentials(context, reader, new Passwords());
    const { secret } = await accounts.addTarget('alice/shop@test/one');
    callers.set('agent', await credentials.proveToken(secret, '192.0.2.9'));
    for (const name of ids.keys()) {
      const user = await reader.userByName(name);
      if (user === undefined) throw new Error(`no user ${name}`);
      const identity = userIdentity(user, 'password');
      callers.set(name === 'single' ? 'of one repository' : name, identity);
      const limited = (level: 'read' | 'write' | 'delete', repository: string | null) => ({
        ...identity,
        limit: { credential: 'token', level, repository: repository === null ? null : named(repository) } as const,
      });
      if (name === 'alice') {
        callers.set('alice, token that reads', limited('read', null));
        callers.set('alice, token that writes', limited('write', null));
      }
      if (name === 'alice' || name === 'boss') {
        callers.set(`${name}, token for one repository`, limited('delete', 'alice/app'));
      }
    }
    for (const [who, repository] of [
      ['robot that writes', undefined],
      ['robot of one repository', named('acme/app')],
    ] as const) {
      const name = repository === undefined ? 'all' : 'one';
      const robot = await createRobot(context, 'acme', { name, role: 'write', repository }, ORIGIN);
      const row = await reader.robot(robot.id);
      callers.set(who, {
        kind: 'robot',
        id: robot.id,
        name: robot.username,
        namespaceId: row?.namespace_id ?? -1,
        repositoryId: row?.repository_id ?? null,
        role: 'write',
        limit: { credential: 'token', level: 'admin', repository: null },
      });
    }
  });
  const rights = (anonymous: AnonymousMode) =>
    new Authorizer(reader, { anonymous, signUp: 'open' }, async () => undefined);
  const kindOf = async (mode: AnonymousMode, who: string, access: (typeof ACCESSES)[number], namespace: string) => {
    const identity = callers.get(who);
    if (identity === undefined) throw new Error(`no caller ${who}`);
    return (await rights(mode).authorize({ identity }, access, { kind: 'stack', namespace, stack: 'shop' })).kind;
  };

  describe.each(ANONYMOUS_MODES.map((mode) => [mode] as const))('with --anonymous %s', (mode) => {
    test.each(Object.keys(MAY))('are for %s what the role there makes them', async (who) => {
      const found: Partial<Record<string, string[]>> = {};
      for (const namespace of NAMESPACES) {
        const allowed: string[] = [];
        for (const access of ACCESSES)
          if ((await kindOf(mode, who, access, namespace)) === 'allowed') allowed.push(access);
        if (allowed.length > 0) found[namespace] = allowed;
      }
      expect(found).toEqual(MAY[who] ?? {});
    });

    test('are listed for who may read them, and for nobody else', async () => {
      for (const [who, identity] of callers) {
        const found = await readableStacks(rights(mode), { identity });
        const listed = found.kind === 'all' ? NAMESPACES : NAMESPACES.filter((name) => found.namespaces.includes(name));
        const read = NAMESPACES.filter((name) => MAY[who]?.[name]?.includes('read'));
        expect([who, listed]).toEqual([who, read]);
      }
    });
  });

  test('that may not be read are not there; what else may not be done is refused, the same for a namespace that nobody has', async () => {
    for (const namespace of ['alice', 'nobodys']) {
      const kinds = await Promise.all(ACCESSES.map((access) => kindOf('push', 'bob', access, namespace)));
      expect([namespace, ...kinds]).toEqual([namespace, 'hidden', 'denied', 'denied', 'denied']);
      const anonymous = await Promise.all(ACCESSES.map((access) => kindOf('push', 'nobody', access, namespace)));
      expect(new Set(anonymous)).toEqual(new Set(['unauthenticated']));
    }
    expect(await kindOf('none', 'alice, token for one repository', 'read', 'alice')).toBe('denied');
    expect(await kindOf('none', 'alice, token for one repository', 'read', 'bob')).toBe('hidden');
  });
});
