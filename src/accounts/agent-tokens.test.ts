import { beforeEach, describe, expect, test } from 'bun:test';
import { onEachDatabase } from '../database/test-databases.ts';
import { parseRepositoryName } from '../oci/names.ts';
import { agentTokens } from './agent-tokens.ts';
import { type Access, Authorizer, type Caller } from './authorize.ts';
import { BearerTokens } from './bearer.ts';
import { Credentials, subjectOf } from './credentials.ts';
import { setGrant } from './grants.ts';
import type { AgentIdentity, AnonymousMode } from './identity.ts';
import { createOrganization } from './organizations.ts';
import { Passwords } from './passwords.ts';
import { PermissionReader } from './permission-reader.ts';
import { readable } from './readable.ts';
import { codeOf, MINUTE, ORIGIN, openTestAccounts, type TestAccounts, type TestTarget } from './testing.ts';

const named = parseRepositoryName;
const SOURCE = '192.0.2.9';

onEachDatabase('an enrolled server', (newPlace) => {
  let accounts: TestAccounts;
  let credentials: Credentials;
  let reader: PermissionReader;
  let target: TestTarget;
  beforeEach(async () => {
    accounts = await openTestAccounts(await newPlace());
    const { context } = accounts;
    reader = new PermissionReader(context.database);
    credentials = new Credentials(context, reader, new Passwords());
    const alice = await accounts.addUser('alice');
    await accounts.addUser('bob');
    await createOrganization(context, { name: 'acme' }, alice.id, ORIGIN, { adopt: false });
    for (const name of ['alice/web', 'alice/other', 'acme/web', 'bob/web', 'bob/open', 'free/web']) {
      await accounts.addRepository(name);
    }
    await context.database.transaction((tx) =>
      tx.updateTable('repositories').set({ visibility: 'public' }).where('name', '=', named('bob/open')).execute(),
    );
    target = await accounts.addTarget('alice/shop@test/one', 'alice');
    await nextTurn();
  });
  const nextTurn = () => new Promise((resolve) => setImmediate(resolve));
  const rights = (anonymous: AnonymousMode = 'none') =>
    new Authorizer(reader, { anonymous, signUp: 'open' }, (bearer) => credentials.reload(bearer));
  const agent = async (secret = target.secret): Promise<AgentIdentity> => {
    const identity = await credentials.proveToken(secret, SOURCE);
    if (identity.kind !== 'agent') throw new Error(`is a ${identity.kind}`);
    return identity;
  };
  const may = async (access: Access, name: string, anonymous?: AnonymousMode): Promise<boolean> => {
    await nextTurn();
    const place = { kind: 'repository', name: named(name) } as const;
    return (await rights(anonymous).authorize({ identity: await agent() }, access, place)).kind === 'allowed';
  };
  const pullable = async (anonymous?: AnonymousMode): Promise<string[]> => {
    const found: string[] = [];
    for (const name of ['alice/web', 'alice/other', 'acme/web', 'bob/web', 'bob/open', 'free/web']) {
      if (await may('read', name, anonymous)) found.push(name);
    }
    return found;
  };

  describe('has a token', () => {
    test('that stands for it, with any name or none', async () => {
      expect(target.secret).toMatch(/^berth_agent_[0-9A-Za-z]{32}$/);
      const identity = await agent();
      expect(identity).toMatchObject({
        kind: 'agent',
        id: target.id,
        name: 'alice/shop@test/one',
        environmentId: target.environmentId,
        stackId: target.stackId,
        enrolledBy: 'alice',
        limit: { credential: 'token', level: 'read', repository: null },
      });
      for (const name of ['agent', 'alice', 'Anyone']) {
        expect((await credentials.prove(name, target.secret, SOURCE)).identity).toEqual(identity);
      }
    });

    test('of which the hash alone is kept, and when it was used', async () => {
      const row = await accounts.context.database.read
        .selectFrom('access_tokens')
        .selectAll()
        .executeTakeFirstOrThrow();
      expect(JSON.stringify(row)).not.toContain(target.secret);
      expect(row).toMatchObject({ kind: 'agent', target_id: target.id, expires_at: null, last_used_at: null });
      await agent();
      const used = accounts.context.database.read.selectFrom('access_tokens').select(['last_used_from']);
      expect(await used.executeTakeFirst()).toEqual({ last_used_from: SOURCE });
      expect(await accounts.audited(row.id)).toEqual([
        [
          'token.create',
          { kind: 'agent', name: 'alice/shop@test/one', level: 'read', repository: null, expiresAt: null },
        ],
      ]);
    });

    test('that is not an account of its own years later, and never runs out', async () => {
      accounts.advance(5 * 365 * 24 * 60 * MINUTE);
      expect((await agent()).id).toBe(target.id);
    });

    test('that ends with the target', async () => {
      const { database } = accounts.context;
      await database.transaction((tx) =>
        tx.updateTable('targets').set({ revoked_at: 1 }).where('id', '=', target.id).execute(),
      );
      expect(await codeOf(agent())).toBe('UNAUTHORIZED');
      expect(await codeOf(credentials.prove('agent', target.secret, SOURCE))).toBe('UNAUTHORIZED');
    });

    test('that can be revoked alone; a new one is good', async () => {
      const { context } = accounts;
      const tokens = agentTokens(context);
      const second = await context.database.transaction(async (tx) => {
        await tokens.revoke(tx, target.id, ORIGIN);
        return tokens.create(tx, target.id, 'again', ORIGIN);
      });
      expect(await codeOf(agent())).toBe('UNAUTHORIZED');
      expect((await agent(second)).id).toBe(target.id);
      const ended = await context.database.read
        .selectFrom('access_tokens')
        .select('id')
        .where('revoked_at', 'is not', null)
        .executeTakeFirstOrThrow();
      expect((await accounts.audited(ended.id)).map(([action]) => action)).toEqual(['token.create', 'token.revoke']);
    });

    test('that is gone with the environment, and rests while the owner is disabled', async () => {
      const { context } = accounts;
      await context.database.transaction((tx) => tx.updateTable('users').set({ disabled_at: 1 }).execute());
      expect(await codeOf(agent())).toBe('UNAUTHORIZED');
      await context.database.transaction((tx) => tx.updateTable('users').set({ disabled_at: null }).execute());
      expect(await codeOf(agent())).toBe('done');
      await context.database.transaction((tx) => tx.deleteFrom('environments').execute());
      expect(await codeOf(agent())).toBe('UNAUTHORIZED');
    });
  });

  describe('may pull', () => {
    test('nothing but what is public, before there is a release', async () => {
      expect(await pullable()).toEqual(['bob/open']);
      expect(await pullable('pull')).toEqual(['bob/open', 'free/web']);
    });

    test('what the releases of its own stack name', async () => {
      await accounts.addRelease(target.stackId, ['alice/web'], 'alice');
      const other = await accounts.addTarget('alice/blog@test/one');
      await accounts.addRelease(other.stackId, ['alice/other'], 'alice');
      expect(await pullable()).toEqual(['alice/web', 'bob/open']);
    });

    test('and do nothing else with it', async () => {
      await accounts.addRelease(target.stackId, ['alice/web'], 'alice');
      for (const access of ['write', 'delete', 'admin', 'account', 'administrator'] as const) {
        expect([access, await may(access, 'alice/web')]).toEqual([access, false]);
      }
    });

    test('under a former name as well, whichever of them the release has', async () => {
      const { database } = accounts.context;
      await database.transaction(async (tx) => {
        const { id } = await tx
          .selectFrom('repositories')
          .select('id')
          .where('name', '=', named('alice/web'))
          .executeTakeFirstOrThrow();
        await tx
          .insertInto('repository_aliases')
          .values({ name: named('alice/old'), repository_id: id, created_at: 1 })
          .execute();
      });
      expect([await may('read', 'alice/web'), await may('read', 'alice/old')]).toEqual([false, false]);
      await accounts.addRelease(target.stackId, ['alice/old'], 'alice');
      expect([await may('read', 'alice/web'), await may('read', 'alice/old')]).toEqual([true, true]);
    });

    test("from another's namespace only while who enrolled it is let in there", async () => {
      const { context } = accounts;
      // As when bob has pushed what the stack tracks.
      await accounts.addRelease(target.stackId, ['bob/web', 'acme/web', 'alice/web'], 'bob');
      // alice owns acme, and has no right in bob's.
      expect(await pullable()).toEqual(['alice/web', 'acme/web', 'bob/open']);
      await setGrant(context, { repository: named('bob/web') }, { user: 'alice' }, 'read', ORIGIN);
      expect(await pullable()).toEqual(['alice/web', 'acme/web', 'bob/web', 'bob/open']);
      await accounts.addRelease(target.stackId, ['free/web'], 'alice');
      expect(await pullable()).not.toContain('free/web');
      expect(await pullable('push')).toContain('free/web');
    });

    test('what its list has, and the other way about', async () => {
      await accounts.addRelease(target.stackId, ['bob/web', 'acme/web', 'alice/web'], 'alice');
      const found = await readable(rights(), { identity: await agent() });
      if (found.kind !== 'some') throw new Error('everything');
      const rows = await accounts.context.database.read
        .selectFrom('repositories')
        .select('name')
        .where('id', 'in', found.repositories)
        .orderBy('name')
        .execute();
      expect(rows.map((row) => String(row.name))).toEqual(['acme/web', 'alice/web']);
      expect(found).toMatchObject({ public: true, namespaces: [], unowned: false });
    });
  });

  test('gets a bearer token that is for its images alone, without the catalog', async () => {
    await accounts.addRelease(target.stackId, ['alice/web'], 'alice');
    await nextTurn();
    const identity = await agent();
    const asked = [
      { type: 'repository', name: 'alice/web', actions: ['pull', 'push'] },
      { type: 'repository', name: 'alice/other', actions: ['pull'] },
      { type: 'registry', name: 'catalog', actions: ['*'] },
    ];
    const granted = await rights().grant(identity, asked);
    expect(granted.map(({ actions }) => actions)).toEqual([['pull'], [], []]);
    const bearers = new BearerTokens('k'.repeat(40), 'registry.test', accounts.context.now);
    const { token } = await bearers.issue(subjectOf(identity), granted);
    const bearer = await bearers.check(token);
    if (bearer === undefined) throw new Error('no bearer token');
    expect(bearer.subject).toMatchObject({ kind: 'agent', id: String(target.id), name: 'alice/shop@test/one' });
    expect(await credentials.reload(bearer)).toEqual(identity);
    const caller: Caller = { identity, bearer };
    const place = (name: string) => ({ kind: 'repository', name: named(name) }) as const;
    // Decided at once, without a query.
    expect(rights().authorize(caller, 'read', place('alice/web'))).toEqual({ kind: 'allowed' });
    expect(rights().authorize(caller, 'read', place('alice/other'))).toEqual({ kind: 'hidden' });
    expect(rights().authorize(caller, 'write', place('alice/web'))).toMatchObject({ kind: 'denied' });
    expect(rights().authorize(caller, 'read', { kind: 'catalog' })).toMatchObject({ kind: 'denied' });
    expect(rights().authorize(caller, 'agent', { kind: 'instance' })).toEqual({ kind: 'unauthenticated' });
  });

  test('alone may what an agent may', async () => {
    await accounts.addUser('boss', { administrator: true });
    const boss = await reader.userByName('boss');
    const verdict = async (caller: Caller) => (await rights().authorize(caller, 'agent', { kind: 'instance' })).kind;
    expect(await verdict({ identity: await agent() })).toBe('allowed');
    expect(await verdict({ identity: { kind: 'anonymous', name: 'anonymous' } })).toBe('unauthenticated');
    const limit = { credential: 'password', level: 'admin', repository: null } as const;
    const user = { kind: 'user', id: boss?.id ?? '', name: 'boss', administrator: true, limit } as const;
    expect(await verdict({ identity: user })).toBe('denied');
  });

  test('may not act for an account, for a namespace or for a stack', async () => {
    const identity = await agent();
    const kinds: string[] = [];
    for (const access of ['read', 'write', 'delete', 'admin', 'account', 'administrator'] as const) {
      for (const place of [
        { kind: 'namespace', name: 'alice' },
        { kind: 'stack', namespace: 'alice', stack: 'shop' },
        { kind: 'catalog' },
      ] as const) {
        kinds.push((await rights('push').authorize({ identity }, access, place)).kind);
      }
    }
    expect(kinds).not.toContain('allowed');
  });
});
