import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import type { AccountsContext } from '../../accounts/context.ts';
import { removeGrant, setGrant } from '../../accounts/grants.ts';
import { createOrganization } from '../../accounts/organizations.ts';
import { createRobot } from '../../accounts/robots.ts';
import { onEachDatabase } from '../../database/test-databases.ts';
import type { RegistryContext } from '../../registry/context.ts';
import { named, pushImage } from '../../registry/testing.ts';
import { CLIENT, code, ORIGIN, openTestApi, type TestApi } from './testing.ts';

onEachDatabase('the API of repositories', (newPlace) => {
  let api: TestApi;
  let ask: TestApi['ask'];
  let context: RegistryContext;
  let accounts: AccountsContext;
  const ids = new Map<string, string>();
  beforeAll(async () => {
    api = await openTestApi(await newPlace());
    ({ ask, context, accounts } = api);
    for (const name of ['alice', 'bob', 'carol', 'boss']) {
      ids.set(name, await api.addUser(name, { administrator: name === 'boss' }));
    }
    await createOrganization(accounts, { name: 'acme' }, ids.get('alice') ?? '', ORIGIN, { adopt: false });
  });
  afterAll(() => api?.remove());

  const at = (name: string) => `/api/v1/repositories/${name}`;
  const make = (name: string, visibility = 'private', who = 'alice') =>
    ask(who, 'POST', '/api/v1/repositories', { name, visibility });

  describe('making one', () => {
    test('is 201 with what was made, for who may push there', async () => {
      const made = await ask('alice', 'POST', '/api/v1/repositories', { name: 'alice/made', description: 'A thing' });
      expect(made).toEqual({
        status: 201,
        body: {
          name: 'alice/made',
          visibility: 'private',
          description: 'A thing',
          readme: '',
          tags: 0,
          size: 0,
          role: 'admin',
          createdAt: expect.stringMatching(/Z$/),
          updatedAt: expect.stringMatching(/Z$/),
        },
      });
      expect((await ask('alice', 'GET', at('alice/made'))).body).toEqual(made.body);
    });

    test('is refused alike for a name that is free and one that is private to another', async () => {
      await make('alice/secret');
      for (const name of ['alice/secret', 'alice/free']) {
        const { status, body } = await make(name, 'private', 'bob');
        expect([status, String(body.detail).replace(name, 'NAME')]).toEqual([403, 'you may not write NAME']);
      }
      expect(await code(make('alice/free', 'private', 'nobody'))).toBe('401 UNAUTHORIZED');
    });

    test('is 409 for a name that is taken, 400 for what is no name', async () => {
      expect(await code(make('alice/made'))).toBe('409 NAME_TAKEN');
      expect(await code(make('Alice/Made'))).toBe('400 NAME_INVALID');
      expect(await code(make('alice/x', 'secret'))).toBe('400 BODY_INVALID');
    });

    test('at the root is for administrators, or for everyone where everyone may push', async () => {
      expect(await code(make('rooted'))).toBe('403 DENIED');
      expect(await code(make('rooted', 'private', 'boss'))).toBe(201);
      const open = await ask('nobody', 'POST', '/api/v1/repositories', { name: 'anyones' }, 'push');
      expect([open.status, open.body.visibility, open.body.role]).toEqual([201, 'public', 'admin']);
    });
  });

  describe('a path', () => {
    test('of one is told from the paths beneath it', async () => {
      await make('alice/deep/app');
      await pushImage(context, 'alice/deep/app', 'one', 'v1');
      expect((await ask('alice', 'GET', at('alice/deep/app'))).body).toMatchObject({ name: 'alice/deep/app', tags: 1 });
      expect((await ask('alice', 'GET', at('alice/deep/app/tags'))).body).toMatchObject({ tags: [{ name: 'v1' }] });
      expect((await ask('alice', 'GET', at('alice/deep/app/tags/v1/history'))).status).toBe(200);
      expect((await ask('alice', 'GET', at('alice/deep/app/immutable-tags'))).body).toEqual({ patterns: [] });
      expect((await ask('alice', 'GET', at('alice/deep/app/deletion'))).body).toMatchObject({ tags: 1, users: [] });
      expect((await ask('alice', 'GET', at('alice/deep/app/aliases'))).body).toEqual({ aliases: [] });
    });

    test.each(['tags', 'aliases', 'deletion', 'rename', 'immutable-tags'])(
      'of a name that ends in %s is taken with its slash encoded',
      async (last) => {
        await make(`alice/${last}`);
        const { status, body } = await ask('alice', 'GET', at(`alice%2F${last}`));
        expect([status, body.name]).toEqual([200, `alice/${last}`]);
        expect(await code(ask('alice', 'DELETE', at(`alice%2F${last}`), { confirm: `alice/${last}` }))).toBe(204);
      },
    );
  });

  describe('reading one', () => {
    test('says what the caller may do there with the credential that it showed', async () => {
      await make('alice/roles', 'public');
      await setGrant(accounts, { repository: named('alice/roles') }, { user: 'carol' }, 'write', ORIGIN);
      await api.addToken('alice reads', ids.get('alice') ?? '', 'read');
      for (const [who, role] of [
        ['alice', 'admin'],
        ['carol', 'write'],
        ['bob', 'read'],
        ['boss', 'admin'],
        ['alice reads', 'read'],
      ] as const) {
        expect([who, (await ask(who, 'GET', at('alice/roles'))).body.role]).toEqual([who, role]);
      }
      // What everyone may read, nobody need log in for.
      expect((await ask('nobody', 'GET', at('alice/roles'))).body.role).toBe('read');
    });

    test('that is private is as reading one that is not there', async () => {
      await make('alice/hidden');
      for (const path of ['alice/hidden', 'alice/not-there', 'nobody-has/this']) {
        const { status, body } = await ask('bob', 'GET', at(path));
        expect([status, body.code, body.detail]).toEqual([404, 'NAME_UNKNOWN', `name: no repository ${path}`]);
        expect(await code(ask('bob', 'PATCH', at(path), {}))).toBe('403 DENIED');
        expect(await code(ask('bob', 'DELETE', at(path), { confirm: path }))).toBe('403 DENIED');
      }
    });
  });

  describe('changing one', () => {
    test('sets what is given', async () => {
      await make('alice/changed');
      const readme = `# Hello\n${'x'.repeat(200_000)}`;
      const first = await ask('alice', 'PATCH', at('alice/changed'), { readme, description: 'D' });
      expect([first.status, first.body.description, first.body.readme === readme]).toEqual([200, 'D', true]);
      const second = await ask('alice', 'PATCH', at('alice/changed'), { visibility: 'public' });
      expect(second.body).toMatchObject({ visibility: 'public', description: 'D' });
      expect((await ask('bob', 'GET', at('alice/changed'))).status).toBe(200);
    });

    test.each([
      ['a description that is too long', { description: 'x'.repeat(1_001) }, 'description'],
      ['a readme that is too large', { readme: '☃'.repeat(90_000) }, 'readme'],
      ['a NUL character', { description: 'a\0b' }, 'NUL'],
      ['a visibility that is none', { visibility: 'secret' }, 'visibility'],
      ['a key that is none', { name: 'alice/other' }, 'name'],
    ])('refuses %s, by name', async (_, change, field) => {
      const { status, body } = await ask('alice', 'PATCH', at('alice/made'), change);
      expect([status, body.code]).toEqual([400, 'BODY_INVALID']);
      expect(String(body.detail)).toContain(field);
    });

    test('is for who has the role admin there', async () => {
      await make('alice/guarded', 'public');
      await setGrant(accounts, { repository: named('alice/guarded') }, { user: 'carol' }, 'write', ORIGIN);
      expect(await code(ask('carol', 'PATCH', at('alice/guarded'), { description: 'x' }))).toBe('403 DENIED');
      expect(await code(ask('nobody', 'PATCH', at('alice/guarded'), { description: 'x' }))).toBe('401 UNAUTHORIZED');
      await setGrant(accounts, { repository: named('alice/guarded') }, { user: 'carol' }, 'admin', ORIGIN);
      expect(await code(ask('carol', 'PATCH', at('alice/guarded'), { description: 'x' }))).toBe(200);
    });
  });

  describe('renaming one', () => {
    const rename = (who: string, from: string, to: string) => ask(who, 'POST', at(`${from}/rename`), { to });

    test('answers with it under its new name; the former one is listed and can be removed', async () => {
      await make('alice/before');
      const { digest } = await pushImage(context, 'alice/before', 'one', 'v1');
      const answer = await rename('alice', 'alice/before', 'alice/after');
      expect([answer.status, answer.body.name]).toEqual([200, 'alice/after']);
      expect((await ask('alice', 'GET', at('alice/after/aliases'))).body).toEqual({
        aliases: [{ name: 'alice/before', since: expect.stringMatching(/Z$/) }],
      });
      const old = await ask('alice', 'GET', at('alice/before'));
      expect([old.status, old.body.detail]).toEqual([404, 'name: alice/before was renamed to alice/after']);
      // Who may not see it does not learn where it went.
      expect((await ask('bob', 'GET', at('alice/before'))).body.detail).toBe('name: no repository alice/before');
      const pull = () => code(ask('alice', 'GET', `/v2/alice/before/manifests/${digest}`));
      expect(await pull()).toBe(200);
      expect((await ask('alice', 'GET', '/v2/alice/before/tags/list')).status).toBe(404);
      const push = await ask('alice', 'POST', '/v2/alice/before/blobs/uploads/');
      expect([push.status, JSON.stringify(push.body)]).toEqual([403, expect.stringContaining('push there')]);
      const path = at('alice/after/aliases?alias=alice%2Fbefore');
      expect(await code(ask('bob', 'DELETE', path))).toBe('403 DENIED');
      expect(await code(ask('alice', 'DELETE', path))).toBe(204);
      expect(await code(ask('alice', 'DELETE', path))).toBe('404 NOT_FOUND');
      expect(await code(ask('alice', 'DELETE', at('alice/after/aliases')))).toBe('400 QUERY_INVALID');
      expect(await pull()).toBe(404);
    });

    test('to a name that another may not see is refused as one to a free name', async () => {
      await make('alice/mine');
      await setGrant(accounts, { repository: named('alice/mine') }, { user: 'bob' }, 'admin', ORIGIN);
      for (const to of ['alice/secret', 'alice/free']) {
        const { status, body } = await rename('bob', 'alice/mine', to);
        expect([status, String(body.detail).replace(to, 'NAME')]).toEqual([403, 'you may not write NAME']);
      }
      expect(await code(rename('alice', 'alice/mine', 'alice/secret'))).toBe('409 NAME_TAKEN');
      expect(await code(rename('alice', 'alice/mine', 'alice/mine'))).toBe('409 CONFLICT');
      expect(await code(rename('alice', 'alice/mine', 'alice//mine'))).toBe('400 NAME_INVALID');
    });

    test('into another namespace takes the owner of that one, and ends grants and robots', async () => {
      await make('alice/goes');
      await setGrant(accounts, { repository: named('alice/goes') }, { user: 'carol' }, 'write', ORIGIN);
      await setGrant(accounts, { namespace: 'bob' }, { user: 'alice' }, 'write', ORIGIN);
      const robot = { name: 'ci', role: 'write', repository: named('alice/goes') } as const;
      await createRobot(accounts, 'alice', robot, ORIGIN);
      await api.addToken('a token for it', ids.get('boss') ?? '', 'admin', 'alice/goes');
      expect(await code(rename('alice', 'alice/goes', 'bob/goes'))).toBe('403 DENIED');
      expect(await code(rename('alice', 'alice/goes', 'nobodys/goes'))).toBe('403 DENIED');
      expect(await code(rename('alice', 'alice/goes', 'goes'))).toBe('403 DENIED');
      expect(await code(rename('a token for it', 'alice/goes', 'alice/gone'))).toBe('403 DENIED');
      expect(await code(rename('alice', 'alice/goes', 'acme/came'))).toBe(200);
      const { read } = context.database;
      const { id } = await read
        .selectFrom('repositories')
        .select('id')
        .where('name', '=', named('acme/came'))
        .executeTakeFirstOrThrow();
      for (const table of ['grants', 'robots'] as const) {
        expect(await read.selectFrom(table).select('id').where('repository_id', '=', id).execute()).toEqual([]);
      }
      expect((await ask('a token for it', 'GET', at('acme/came'))).body.role).toBe('admin');
    });

    test('answers with the role that one has in the repository, not in what had the new name before', async () => {
      await make('alice/lifted');
      await setGrant(accounts, { namespace: 'alice' }, { user: 'carol' }, 'write', ORIGIN);
      await setGrant(accounts, { repository: named('alice/lifted') }, { user: 'carol' }, 'admin', ORIGIN);
      expect((await rename('carol', 'alice/lifted', 'alice/lifted-up')).body).toMatchObject({
        name: 'alice/lifted-up',
        role: 'admin',
      });
      await removeGrant(accounts, { namespace: 'alice' }, { user: 'carol' }, ORIGIN);
    });

    test('back to a name in a namespace that is no longer its own needs its owner again', async () => {
      await make('bob/lent', 'private', 'bob');
      expect(await code(rename('boss', 'bob/lent', 'alice/lent'))).toBe(200);
      // Alice has every right under the former name, as in the repository, and still none to bring it there.
      expect(await code(rename('alice', 'alice/lent', 'bob/lent'))).toBe('403 DENIED');
      expect(await code(rename('boss', 'rooted', 'alice/rooted'))).toBe(200);
      expect(await code(rename('alice', 'alice/rooted', 'rooted'))).toBe('403 DENIED');
      expect(await code(rename('boss', 'alice/rooted', 'rooted'))).toBe(200);
    });

    test('outside of every namespace is for everyone where everyone may push', async () => {
      const open = (from: string, to: string) => ask('nobody', 'POST', at(`${from}/rename`), { to }, 'push');
      expect(await code(open('anyones', 'some/where'))).toBe(200);
      expect(await code(open('some/where', 'bob/where'))).toBe('401 UNAUTHORIZED');
    });
  });

  describe('deleting one', () => {
    test('takes the full name once more', async () => {
      await make('alice/doomed');
      await pushImage(context, 'alice/doomed', 'one', 'v1');
      for (const body of [{}, { confirm: '' }, { confirm: 'doomed' }, { confirm: 'alice/doomed ' }]) {
        const answer = await ask('alice', 'DELETE', at('alice/doomed'), body);
        expect([answer.status, answer.body.code]).toEqual([400, 'BODY_INVALID']);
        expect(String(answer.body.detail)).toContain('confirm');
      }
      api.used.push('alice/shop in production');
      try {
        const { body } = await ask('alice', 'GET', at('alice/doomed/deletion'));
        expect(body).toMatchObject({ tags: 1, manifests: 1, users: ['alice/shop in production'] });
        const answer = await ask('alice', 'DELETE', at('alice/doomed'), { confirm: 'alice/doomed' });
        expect([answer.status, answer.body.code]).toEqual([409, 'CONFLICT']);
        expect(String(answer.body.detail)).toContain('alice/shop in production');
      } finally {
        api.used.length = 0;
      }
      expect(await code(ask('alice', 'DELETE', at('alice/doomed'), { confirm: 'alice/doomed' }))).toBe(204);
      expect(await code(ask('alice', 'GET', at('alice/doomed')))).toBe('404 NAME_UNKNOWN');
    });

    test('ends what was for it alone: a repository made again of the same name starts anew', async () => {
      await make('alice/again');
      await setGrant(accounts, { repository: named('alice/again') }, { user: 'bob' }, 'admin', ORIGIN);
      expect(await code(ask('bob', 'GET', at('alice/again')))).toBe(200);
      await ask('alice', 'DELETE', at('alice/again'), { confirm: 'alice/again' });
      await make('alice/again');
      expect(await code(ask('bob', 'GET', at('alice/again')))).toBe('404 NAME_UNKNOWN');
    });
  });

  test('what was done is in the audit log, with who did it', async () => {
    await make('carol/audited', 'private', 'carol');
    await ask('carol', 'PATCH', at('carol/audited'), { visibility: 'public' });
    await ask('carol', 'POST', at('carol/audited/rename'), { to: 'carol/renamed' });
    await ask('carol', 'DELETE', at('carol/renamed'), { confirm: 'carol/renamed' });
    const lines = await context.database.read
      .selectFrom('audit_log')
      .select(['action', 'subject', 'source'])
      .where('actor', '=', 'carol')
      .where('subject', 'like', 'carol/%')
      .orderBy('id')
      .execute();
    const source = CLIENT;
    expect(lines).toEqual([
      { action: 'repository.create', subject: 'carol/audited', source },
      { action: 'repository.update', subject: 'carol/audited', source },
      { action: 'repository.rename', subject: 'carol/audited', source },
      { action: 'repository.delete', subject: 'carol/renamed', source },
    ]);
  });
});
