import { beforeAll, describe, expect, test } from 'bun:test';
import { type DatabasePlace, onEachDatabase } from '../database/test-databases.ts';
import { OciError } from '../oci/errors.ts';
import { namespaceOf, parseRepositoryName, type RepositoryName } from '../oci/names.ts';
import { createToken } from './access-tokens.ts';
import { Authorizer, type Caller } from './authorize.ts';
import type { Bearer } from './bearer.ts';
import { Credentials, userIdentity } from './credentials.ts';
import { setGrant } from './grants.ts';
import { ANONYMOUS, type AnonymousMode, type Identity } from './identity.ts';
import { setMember } from './members.ts';
import { createOrganization } from './organizations.ts';
import { Passwords } from './passwords.ts';
import { PermissionReader } from './permission-reader.ts';
import { type Readable, readable } from './readable.ts';
import { createRobot } from './robots.ts';
import { addTeamMember, createTeam } from './teams.ts';
import { ORIGIN, openTestAccounts, type TestAccounts } from './testing.ts';

const NAMES = [
  ...['alice', 'bob', 'acme', 'other', 'a', 'acme-x', 'unowned'].flatMap((namespace) =>
    ['app', 'lib', 'open', 'deep/er'].map((name) => `${namespace}/${name}`),
  ),
  ...['acme', 'root', 'open-root', 'zoo'],
].map(parseRepositoryName);
const MODES: AnonymousMode[] = ['none', 'pull', 'push'];

onEachDatabase('what a caller may read, for lists', (newPlace) => {
  let accounts: TestAccounts;
  let reader: PermissionReader;
  const ids = new Map<RepositoryName, number>();
  const callers = new Map<string, Identity>();

  beforeAll(async () => {
    const place: DatabasePlace = await newPlace();
    accounts = await openTestAccounts(place);
    const { context } = accounts;
    const { database } = context;
    reader = new PermissionReader(database);
    const users = new Map<string, string>();
    for (const name of ['alice', 'bob', 'stranger', 'owner', 'member', 'granted', 'everywhere', 'boss']) {
      users.set(name, (await accounts.addUser(name, { administrator: name === 'boss' })).id);
    }
    const idOf = (name: string) => users.get(name) ?? '';
    for (const name of ['acme', 'other', 'acme-x']) {
      await createOrganization(context, { name }, idOf('owner'), ORIGIN, { adopt: false });
      await createTeam(context, name, { name: 'dev' }, ORIGIN);
    }
    for (const name of NAMES) {
      await accounts.addRepository(name);
      if (!name.includes('open')) continue;
      await database.transaction((tx) =>
        tx.updateTable('repositories').set({ visibility: 'public' }).where('name', '=', name).execute(),
      );
    }
    for (const row of await database.read.selectFrom('repositories').select(['id', 'name']).execute()) {
      ids.set(row.name, row.id);
    }
    for (const organization of ['acme', 'acme-x']) {
      await setMember(context, organization, 'member', 'member', ORIGIN);
      await addTeamMember(context, organization, 'dev', 'member', ORIGIN);
    }
    await setGrant(context, { namespace: 'acme' }, { team: 'dev' }, 'read', ORIGIN);
    await setGrant(context, { repository: named('acme-x/lib') }, { team: 'dev' }, 'write', ORIGIN);
    await setGrant(context, { repository: named('alice/app') }, { user: 'granted' }, 'read', ORIGIN);
    await setGrant(context, { repository: named('acme/deep/er') }, { user: 'granted' }, 'admin', ORIGIN);
    for (const namespace of ['alice', 'bob', 'acme', 'other']) {
      await setGrant(context, { namespace }, { user: 'everywhere' }, 'read', ORIGIN);
    }
    // What a repository that went to another namespace may have left: it gives nothing.
    const other = await reader.namespace('other');
    await database.transaction((tx) =>
      tx
        .insertInto('grants')
        .values({
          namespace_id: other?.id ?? 0,
          repository_id: ids.get(named('bob/app')) ?? 0,
          user_id: idOf('granted'),
          team_id: null,
          role: 'admin',
          created_at: 1,
        })
        .execute(),
    );
    callers.set('nobody', ANONYMOUS);
    for (const name of users.keys()) callers.set(name, await identityOf(name));
    callers.set('robot of a namespace', await robot('acme', undefined));
    callers.set('robot of a repository', await robot('acme', 'acme/lib'));
    for (const [name, repository] of [
      ['alice', 'alice/app'],
      ['alice', 'bob/app'],
      ['alice', 'bob/open'],
      ['alice', 'alice/not-there'],
      ['alice', 'root'],
      ['granted', 'alice/app'],
      ['boss', 'alice/app'],
    ] as const) {
      const identity = await identityOf(name);
      if (identity.kind !== 'user') throw new Error('no user');
      const limit = { credential: 'token', level: 'read', repository: named(repository) } as const;
      callers.set(`${name} with a token for ${repository}`, { ...identity, limit });
    }
    callers.set('a robot with a token for acme/lib', {
      ...(await robot('acme', undefined, 'second')),
      limit: { credential: 'token', level: 'write', repository: named('acme/lib') },
    });
  });

  const named = parseRepositoryName;
  const identityOf = async (name: string) => {
    const user = await reader.userByName(name);
    if (user === undefined) throw new Error(`no user ${name}`);
    return userIdentity(user, 'password');
  };
  const robot = async (namespace: string, repository: string | undefined, name = repository ? 'one' : 'all') => {
    await createRobot(
      accounts.context,
      namespace,
      { name, role: 'read', repository: repository === undefined ? undefined : named(repository) },
      ORIGIN,
    );
    const row = await accounts.context.database.read
      .selectFrom('robots')
      .select(['id', 'namespace_id', 'repository_id'])
      .where('name', '=', name)
      .executeTakeFirstOrThrow();
    return {
      kind: 'robot',
      id: row.id,
      name: `${namespace}+${name}`,
      namespaceId: row.namespace_id,
      repositoryId: row.repository_id,
      role: 'read',
      limit: { credential: 'token', level: 'read', repository: null },
    } as const;
  };
  const authorizer = (anonymous: AnonymousMode, reload: Authorizer['reload'] = async () => undefined) =>
    new Authorizer(reader, { anonymous, signUp: 'open' }, reload);
  const owned = async (name: RepositoryName) => (await reader.namespace(namespaceOf(name))) !== undefined;

  /** The names that a description names. */
  async function covered(what: Readable): Promise<RepositoryName[]> {
    if (what.kind === 'all') return NAMES;
    const found: RepositoryName[] = [];
    for (const name of NAMES) {
      const there =
        (what.public && name.includes('open')) ||
        what.namespaces.includes(namespaceOf(name)) ||
        what.repositories.includes(ids.get(name) ?? -1) ||
        (what.unowned && !(await owned(name)));
      if (there) found.push(name);
    }
    return found;
  }
  /** The names that the caller is let in to, one by one. */
  async function allowed(rights: Authorizer, caller: Caller): Promise<RepositoryName[]> {
    const found: RepositoryName[] = [];
    for (const name of NAMES) {
      const verdict = await rights.authorize(caller, 'read', { kind: 'repository', name });
      if (verdict.kind === 'allowed') found.push(name);
    }
    return found;
  }

  test.each(MODES)('is what each of them is let in to, one by one, with --anonymous %s', async (mode) => {
    const rights = authorizer(mode);
    expect(callers.size).toBe(19);
    for (const [who, identity] of callers) {
      const names = await covered(await readable(rights, { identity }));
      const one = await allowed(rights, { identity });
      expect([who, mode, names]).toEqual([who, mode, one]);
    }
  });

  test('is everything for an administrator, without a list of it', async () => {
    const identity = callers.get('boss') ?? ANONYMOUS;
    expect(await readable(authorizer('none'), { identity })).toEqual({ kind: 'all' });
  });

  describe('with a bearer token', () => {
    const bearerOf = (identity: Identity, tokenId?: string): Bearer => ({
      subject: {
        kind: identity.kind,
        id: identity.kind === 'anonymous' ? 'anonymous' : String(identity.id),
        name: identity.name,
        ...(tokenId === undefined ? {} : { tokenId }),
      },
      repositories: new Map(),
      catalog: true,
      expiresAt: Number.MAX_SAFE_INTEGER,
    });

    test('is what the one behind it may read now, not what its name alone may', async () => {
      const { context } = accounts;
      const { id } = await accounts.addUser('late');
      const { token } = await createToken(
        context,
        { kind: 'personal', owner: { userId: id }, name: 'ci', level: 'read', expiresAt: null },
        ORIGIN,
      );
      const credentials = new Credentials(context, reader, new Passwords());
      const rights = authorizer('none', (bearer) => credentials.reload(bearer));
      const bearer = bearerOf(await identityOf('late'), token.id);
      // What the front knows of a bearer token's owner is no more than the name.
      const caller: Caller = { identity: { ...ANONYMOUS }, bearer };
      expect(await readable(rights, caller)).toMatchObject({ namespaces: ['late'] });
      await setGrant(context, { namespace: 'acme' }, { user: 'late' }, 'read', ORIGIN);
      expect(await readable(rights, caller)).toMatchObject({
        namespaces: expect.arrayContaining(['acme', 'late']),
      });
      await context.database.transaction((tx) =>
        tx.updateTable('access_tokens').set({ revoked_at: context.now() }).where('id', '=', token.id).execute(),
      );
      const refused = await readable(rights, caller).catch((error: unknown) => error);
      expect(refused instanceof OciError && refused.code).toBe('UNAUTHORIZED');
    });

    test('of nobody is what everyone may read', async () => {
      const rights = authorizer('none', async () => ANONYMOUS);
      expect(await readable(rights, { identity: ANONYMOUS, bearer: bearerOf(ANONYMOUS) })).toEqual({
        kind: 'some',
        public: true,
        namespaces: [],
        repositories: [],
        unowned: false,
      });
    });
  });
});
