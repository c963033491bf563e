import { describe, expect, test } from 'bun:test';
import { sql } from 'kysely';
import { migrate } from '../database/migrate.ts';
import { type DatabasePlace, onEachDatabase } from '../database/test-databases.ts';
import { OciError } from '../oci/errors.ts';
import { createToken, listTokens, revokeToken } from './access-tokens.ts';
import { listAudit } from './audit.ts';
import type { AccountsContext } from './context.ts';
import { Credentials } from './credentials.ts';
import { instanceKeys } from './instance-keys.ts';
import { Passwords } from './passwords.ts';
import { PermissionReader } from './permission-reader.ts';
import { openSetup, setUp } from './setup.ts';
import { deleteUser, planUserDeletion } from './user-deletion.ts';
import { createUser, getUser, listUsers, setPassword, setUserDisabled, updateUser } from './users.ts';

const ORIGIN = { name: 'root', source: '192.0.2.1' };
const PASSWORD = 'correct horse';

onEachDatabase('accounts', (newPlace) => {
  async function open() {
    const place: DatabasePlace = await newPlace();
    const database = place.open();
    await migrate(database);
    let ahead = 0;
    const context: AccountsContext = {
      database,
      now: () => Date.now() + ahead,
      newId: () => Bun.randomUUIDv7(),
      policy: { anonymous: 'none', signUp: 'open' },
    };
    const passwords = new Passwords();
    const reader = new PermissionReader(database);
    const credentials = new Credentials(context, reader, passwords);
    const add = (username: string, options: { administrator?: boolean; adopt?: boolean } = {}) =>
      createUser(
        context,
        passwords,
        { username, password: PASSWORD, administrator: options.administrator ?? false },
        ORIGIN,
        { adopt: options.adopt ?? false },
      );
    const advance = (ms: number) => {
      ahead += ms;
    };
    return { context, passwords, reader, credentials, add, advance, place };
  }
  const codeOf = (work: Promise<unknown>) =>
    work.then(
      () => 'done',
      (error: unknown) => (error instanceof OciError ? error.code : String(error)),
    );

  describe('a user', () => {
    test('has a namespace of the same name, which nobody else can take', async () => {
      const { context, add } = await open();
      const alice = await add('Alice');
      expect(alice.username).toBe('alice');
      expect(await codeOf(add('alice'))).toBe('NAME_TAKEN');
      const namespace = await context.database.read.selectFrom('namespaces').selectAll().executeTakeFirstOrThrow();
      expect([namespace.name, namespace.kind, namespace.user_id]).toEqual(['alice', 'user', alice.id]);
    });

    test('of two that ask for one name at once is made once', async () => {
      const { context, add } = await open();
      const results = await Promise.all([codeOf(add('bob')), codeOf(add('bob')), codeOf(add('bob'))]);
      expect(results.toSorted()).toEqual(['NAME_TAKEN', 'NAME_TAKEN', 'done']);
      expect((await listUsers(context, { limit: 10 })).users.map((user) => user.username)).toEqual(['bob']);
    });

    test.each(['a', 'A b', 'alice/app', 'alice+ci', 'api', '-x', 'x'.repeat(65), 'ü'])(
      'can not be called %p',
      async (name) => {
        const { add } = await open();
        expect(await codeOf(add(name))).toBe('BODY_INVALID');
      },
    );

    test('does not get what others pushed under its name before', async () => {
      const { context, add } = await open();
      await context.database.transaction((tx) =>
        tx
          .insertInto('repositories')
          .values({ name: 'carol/app' as never, created_at: 1, immutable_tags: null })
          .execute(),
      );
      expect(await codeOf(add('carol'))).toBe('NAME_TAKEN');
      expect((await add('carol', { adopt: true })).username).toBe('carol');
    });

    test('that is disabled can not log in, and its tokens stand for nobody; enabled they work again', async () => {
      const { context, credentials, add } = await open();
      const { id } = await add('dora');
      await add('root1', { administrator: true });
      const { secret } = await createToken(
        context,
        { kind: 'personal', owner: { userId: id }, name: 'x', level: 'write', expiresAt: null },
        ORIGIN,
      );
      expect((await credentials.proveToken(secret, 'here')).name).toBe('dora');
      await setUserDisabled(context, 'dora', true, ORIGIN);
      expect(await codeOf(credentials.proveToken(secret, 'here'))).toBe('UNAUTHORIZED');
      expect(await codeOf(credentials.prove('dora', PASSWORD, 'here'))).toBe('UNAUTHORIZED');
      await setUserDisabled(context, 'dora', false, ORIGIN);
      expect((await credentials.proveToken(secret, 'here')).name).toBe('dora');
    });

    test('who is the last administrator stays one, whoever tries at once', async () => {
      const { context, add } = await open();
      await add('one', { administrator: true });
      await add('two', { administrator: true });
      const tries = await Promise.all([
        codeOf(updateUser(context, 'one', { administrator: false }, ORIGIN)),
        codeOf(setUserDisabled(context, 'two', true, ORIGIN)),
      ]);
      expect(tries.toSorted()).toEqual(['DENIED', 'done']);
    });

    test('is deleted with its tokens and robots when it has no repositories, and its name is free', async () => {
      const { context, credentials, add } = await open();
      await add('root1', { administrator: true });
      const { id } = await add('erin');
      const { secret } = await createToken(
        context,
        { kind: 'personal', owner: { userId: id }, name: 'x', level: 'read', expiresAt: null },
        ORIGIN,
      );
      await context.database.transaction((tx) =>
        tx
          .insertInto('repositories')
          .values({ name: 'erin/app' as never, created_at: 1, immutable_tags: null })
          .execute(),
      );
      expect((await planUserDeletion(context, 'erin')).repositories).toEqual(['erin/app']);
      expect(await codeOf(deleteUser(context, 'erin', ORIGIN))).toBe('CONFLICT');
      await context.database.transaction((tx) => tx.deleteFrom('repositories').execute());
      await deleteUser(context, 'erin', ORIGIN);
      expect(await codeOf(credentials.proveToken(secret, 'here'))).toBe('UNAUTHORIZED');
      expect((await add('erin')).username).toBe('erin');
    });
  });

  describe('the set-up', () => {
    test('makes one administrator, once, of several that try at once', async () => {
      const { context, passwords } = await open();
      const secret = await openSetup(context);
      const user = (username: string) => ({ username, password: PASSWORD });
      expect(await codeOf(setUp(context, passwords, user('mallory'), 'wrong', ORIGIN))).toBe('DENIED');
      const tries = ['ann', 'ben', 'cat'].map((name) => codeOf(setUp(context, passwords, user(name), secret, ORIGIN)));
      expect((await Promise.all(tries)).toSorted()).toEqual(['DENIED', 'DENIED', 'done']);
      expect((await listUsers(context, { limit: 10 })).users.map((found) => found.administrator)).toEqual([true]);
      expect(await openSetup(context)).toBeUndefined();
      expect(await codeOf(setUp(context, passwords, user('late'), undefined, ORIGIN))).toBe('DENIED');
    });

    test('takes only the link that was printed last', async () => {
      const { context, passwords } = await open();
      const first = await openSetup(context);
      const second = await openSetup(context);
      const user = { username: 'ann', password: PASSWORD };
      expect(await codeOf(setUp(context, passwords, user, first, ORIGIN))).toBe('DENIED');
      expect(await codeOf(setUp(context, passwords, user, second, ORIGIN))).toBe('done');
    });

    test('can be done by the command line while a link is open, and closes it', async () => {
      const { context, passwords } = await open();
      const link = await openSetup(context);
      const user = { username: 'ann', password: PASSWORD };
      expect(await codeOf(setUp(context, passwords, user, undefined, ORIGIN))).toBe('done');
      expect(await codeOf(setUp(context, passwords, { ...user, username: 'eve' }, link, ORIGIN))).toBe('DENIED');
    });
  });

  describe('a password', () => {
    test('that is right a second time within minutes is not hashed again; after a change the old one is wrong', async () => {
      const { context, passwords, credentials, add } = await open();
      await add('frank');
      const before = passwords.hashes;
      await credentials.prove('frank', PASSWORD, 'here');
      await credentials.prove('frank', PASSWORD, 'here');
      expect(passwords.hashes - before).toBe(1);
      await setPassword(context, passwords, 'frank', 'another horse', ORIGIN);
      expect(await codeOf(credentials.prove('frank', PASSWORD, 'here'))).toBe('UNAUTHORIZED');
      expect((await credentials.prove('frank', 'another horse', 'here')).identity.name).toBe('frank');
    });

    test('is hashed as often for a user who does not exist as for one who does', async () => {
      const { passwords, credentials, add } = await open();
      await add('grace');
      await codeOf(credentials.prove('nobody', 'first of all', 'here'));
      const before = passwords.hashes;
      await codeOf(credentials.prove('nobody', 'wrong password', 'here'));
      const between = passwords.hashes;
      await codeOf(credentials.prove('grace', 'wrong password', 'here'));
      expect([between - before, passwords.hashes - between]).toEqual([1, 1]);
    });

    test('ends the log-ins that were got with the one before, and not the personal tokens', async () => {
      const { context, passwords, credentials, add } = await open();
      const { id } = await add('henry');
      const make = (kind: 'login' | 'personal') =>
        createToken(context, { kind, owner: { userId: id }, name: kind, level: 'write', expiresAt: null }, ORIGIN);
      const login = await make('login');
      const personal = await make('personal');
      await setPassword(context, passwords, 'henry', 'another horse', ORIGIN);
      expect(await codeOf(credentials.proveToken(login.secret, 'here'))).toBe('UNAUTHORIZED');
      expect((await credentials.proveToken(personal.secret, 'here')).name).toBe('henry');
    });
  });

  describe('guessing', () => {
    test('ends after ten wrong ones from one address, by any process, and goes on after a quarter of an hour', async () => {
      const { context, credentials, add, advance, place } = await open();
      await add('ivy');
      const other = place.open();
      const elsewhere = new Credentials({ ...context, database: other }, new PermissionReader(other), new Passwords());
      for (let i = 0; i < 10; i++) {
        const which = i % 2 === 0 ? credentials : elsewhere;
        expect(await codeOf(which.prove('ivy', `guess ${i}`, '192.0.2.9'))).toBe('UNAUTHORIZED');
      }
      expect(await codeOf(credentials.prove('ivy', PASSWORD, '192.0.2.9'))).toBe('TOOMANYREQUESTS');
      expect(await codeOf(elsewhere.prove('ivy', PASSWORD, '192.0.2.9'))).toBe('TOOMANYREQUESTS');
      expect(await codeOf(credentials.prove('ivy', PASSWORD, '192.0.2.10'))).toBe('done');
      advance(16 * 60_000);
      expect(await codeOf(credentials.prove('ivy', PASSWORD, '192.0.2.9'))).toBe('done');
    });

    test('is not what forty right ones at once from one address are', async () => {
      const { credentials, add } = await open();
      await add('lena');
      const tries = Array.from({ length: 40 }, () => codeOf(credentials.provePassword('lena', PASSWORD, 'one', false)));
      expect(new Set(await Promise.all(tries))).toEqual(new Set(['done']));
    });

    test('forty times at once is guessing ten times', async () => {
      const { credentials, add } = await open();
      await add('lena');
      const tries = Array.from({ length: 40 }, (_, i) => codeOf(credentials.prove('lena', `guess number ${i}`, 'one')));
      const codes = await Promise.all(tries);
      expect(codes.filter((code) => code === 'UNAUTHORIZED')).toHaveLength(10);
      expect(codes.filter((code) => code === 'TOOMANYREQUESTS')).toHaveLength(30);
    });

    test('by many addresses stops, and does not lock out who has logged in from where it is', async () => {
      const { credentials, add } = await open();
      await add('jack');
      expect(await codeOf(credentials.prove('jack', PASSWORD, '198.51.100.1'))).toBe('done');
      for (let i = 0; i < 50; i++) await codeOf(credentials.prove('jack', 'guess', `203.0.113.${i}`));
      expect(await codeOf(credentials.prove('jack', PASSWORD, '203.0.113.200'))).toBe('TOOMANYREQUESTS');
      expect(await codeOf(credentials.prove('jack', PASSWORD, '198.51.100.1'))).toBe('done');
    });
  });

  describe('an access token', () => {
    test('is kept as a hash, listed without its secret, and ends when it is revoked, with what was got with it', async () => {
      const { context, credentials, add } = await open();
      const owner = { userId: (await add('kate')).id };
      const parent = await createToken(
        context,
        { kind: 'personal', owner, name: 'ci', level: 'write', expiresAt: null },
        ORIGIN,
      );
      const child = await createToken(
        context,
        { kind: 'login', owner, name: 'docker', level: 'write', expiresAt: null, parentId: parent.token.id },
        ORIGIN,
      );
      const { rows } = await sql<Record<string, unknown>>`select * from access_tokens`.execute(context.database.read);
      expect(JSON.stringify(rows)).not.toContain(parent.secret);
      expect(JSON.stringify(await listTokens(context, owner))).not.toContain(parent.secret.slice(10));
      expect((await credentials.proveToken(child.secret, 'there')).name).toBe('kate');
      expect((await listTokens(context, owner)).find((token) => token.kind === 'login')?.lastUsedFrom).toBe('there');
      await revokeToken(context, owner, parent.token.id, ORIGIN);
      expect(await codeOf(credentials.proveToken(parent.secret, 'x'))).toBe('UNAUTHORIZED');
      expect(await codeOf(credentials.proveToken(child.secret, 'x'))).toBe('UNAUTHORIZED');
      expect(await codeOf(revokeToken(context, owner, parent.token.id, ORIGIN))).toBe('NOT_FOUND');
    });

    test('stands for nobody after its time, and only for its owner by name', async () => {
      const { context, credentials, add, advance } = await open();
      const owner = { userId: (await add('liam')).id };
      await add('mia');
      const { secret } = await createToken(
        context,
        { kind: 'personal', owner, name: 'ci', level: 'read', expiresAt: context.now() + 60_000 },
        ORIGIN,
      );
      expect((await credentials.prove('LIAM', secret, 'x')).identity.limit.level).toBe('read');
      expect(await codeOf(credentials.prove('mia', secret, 'x'))).toBe('UNAUTHORIZED');
      advance(61_000);
      expect(await codeOf(credentials.prove('liam', secret, 'x'))).toBe('UNAUTHORIZED');
    });

    test("of one owner can not be revoked by another's hand", async () => {
      const { context, add } = await open();
      const owner = { userId: (await add('nora')).id };
      const other = { userId: (await add('oscar')).id };
      const { token } = await createToken(
        context,
        { kind: 'personal', owner, name: 'ci', level: 'read', expiresAt: null },
        ORIGIN,
      );
      expect(await codeOf(revokeToken(context, other, token.id, ORIGIN))).toBe('NOT_FOUND');
    });
  });

  describe('the audit log', () => {
    test('can not be changed or shortened, by the database itself', async () => {
      const { context, add } = await open();
      await add('paul');
      const attempt = (text: string) =>
        context.database
          .transaction((tx) => sql.raw(text).execute(tx))
          .then(
            () => 'done',
            (error: unknown) => String(error),
          );
      expect(await attempt("update audit_log set actor = 'x'")).toContain('append-only');
      expect(await attempt('delete from audit_log')).toContain('append-only');
      expect((await listAudit(context, {}, { limit: 10 })).lines).not.toHaveLength(0);
    });

    test('finds by who, what, what kind, when and outcome, a page at a time', async () => {
      const { context, credentials, add, passwords } = await open();
      await add('quinn');
      await add('rosa');
      await setPassword(context, passwords, 'rosa', 'another horse', ORIGIN);
      await codeOf(credentials.prove('rosa', 'wrong one', '203.0.113.5'));
      const find = async (filter: Parameters<typeof listAudit>[1]) =>
        (await listAudit(context, filter, { limit: 100 })).lines.map((line) => `${line.action} ${line.subject}`);
      expect(await find({ subject: 'rosa' })).toEqual(['login.failure rosa', 'user.password rosa', 'user.create rosa']);
      expect(await find({ action: 'user.*' })).toEqual(['user.password rosa', 'user.create rosa', 'user.create quinn']);
      expect(await find({ outcome: 'refused' })).toEqual(['login.failure rosa']);
      expect(await find({ actor: 'rosa', since: Date.now() + 60_000 })).toEqual([]);
      const first = await listAudit(context, {}, { limit: 2 });
      expect(first.more).toBe(true);
      const rest = await listAudit(context, {}, { before: first.lines.at(-1)?.id, limit: 100 });
      expect([...first.lines, ...rest.lines].map((line) => line.action)).toHaveLength(4);
    });
  });

  test('the keys of an instance are made once, by however many start at once', async () => {
    const { context, place } = await open();
    const [one, two] = await Promise.all([instanceKeys(context.database), instanceKeys(place.open())]);
    expect(one).toEqual(two);
    expect(await instanceKeys(context.database)).toEqual(one);
  });

  test('a user has the address that was given, and none when none was', async () => {
    const { context, passwords, add } = await open();
    await add('sam');
    expect((await getUser(context, 'sam')).email).toBeNull();
    const user = { username: 'tina', password: PASSWORD, email: 'Tina@Example.com' };
    await createUser(context, passwords, user, ORIGIN, { adopt: false });
    expect((await getUser(context, 'tina')).email).toBe('tina@example.com');
    const twin = { ...user, username: 'uma' };
    expect(await codeOf(createUser(context, passwords, twin, ORIGIN, { adopt: false }))).toBe('NAME_TAKEN');
  });
});
