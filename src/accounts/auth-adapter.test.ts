import { beforeAll, expect, test } from 'bun:test';
import type { DBAdapter, Where } from 'better-auth/adapters';
import { migrate } from '../database/migrate.ts';
import { onEachDatabase } from '../database/test-databases.ts';
import { authAdapter } from './auth-adapter.ts';
import type { AccountsContext } from './context.ts';
import { insertUser } from './users.ts';

const AT_ONCE = 8;

interface Verification {
  id: string;
  identifier: string;
  value: string;
  expiresAt: Date;
}

onEachDatabase('the database of better-auth', (newPlace) => {
  let context: AccountsContext;
  let adapter: DBAdapter;
  let userId: string;

  beforeAll(async () => {
    const database = (await newPlace()).open();
    await migrate(database);
    const policy = { anonymous: 'none', signUp: 'open' } as const;
    context = { database, now: Date.now, newId: () => crypto.randomUUID(), policy };
    const plugin = {
      id: 'two-factor',
      schema: {
        twoFactor: {
          fields: {
            userId: { type: 'string', references: { model: 'user', field: 'id' } },
            secret: { type: 'string' },
            backupCodes: { type: 'string' },
            verified: { type: 'boolean', required: false },
            failedVerificationCount: { type: 'number', required: false },
            lockedUntil: { type: 'date', required: false },
          },
        },
      },
    } as const;
    adapter = authAdapter(database, async (tx, row) => {
      const origin = { name: 'test', source: 'test' };
      const user = await insertUser(tx, context, { username: String(row.name) }, origin, { adopt: false });
      return { ...row, id: user.id, username: user.username };
    })({ plugins: [plugin], advanced: { database: { generateId: () => context.newId() } } });
    const user = await adapter.create<{ name: string; email: string }, { id: string }>({
      model: 'user',
      data: { name: 'alice', email: 'x' },
    });
    userId = user.id;
  });

  const where = (field: string, value: Where['value'], operator?: Where['operator']): Where[] => [
    { field, value, ...(operator === undefined ? {} : { operator }) },
  ];

  const addVerification = (identifier: string, value: string, expiresAt = new Date(1_800_000_000_123)) =>
    adapter.create<Omit<Verification, 'id'>, Verification>({
      model: 'verification',
      data: { identifier, value, expiresAt },
    });

  const addTwoFactor = (backupCodes: string) =>
    adapter.create<Record<string, unknown>, { id: string }>({
      model: 'twoFactor',
      data: { userId, secret: 'secret', backupCodes, verified: false },
    });

  test('a user is made by the function for it, with what belongs to a user', async () => {
    const namespace = await context.database.read
      .selectFrom('namespaces')
      .select('user_id')
      .where('name', '=', 'alice')
      .executeTakeFirst();
    expect(namespace?.user_id).toBe(userId);
    const found = await adapter.findOne<Record<string, unknown>>({ model: 'user', where: where('id', userId) });
    expect(found).toMatchObject({ id: userId, name: 'alice', emailVerified: false, createdAt: expect.any(Date) });
    expect(found).not.toHaveProperty('administrator');
  });

  test('dates and flags come back as they went in, and are numbers in the table', async () => {
    await addVerification('dates', 'v', new Date(1_800_000_000_123));
    const row = await context.database.read
      .selectFrom('verifications')
      .select('expires_at')
      .where('identifier', '=', 'dates')
      .executeTakeFirst();
    expect(row?.expires_at).toBe(1_800_000_000_123);
    const found = await adapter.findOne<Verification>({ model: 'verification', where: where('identifier', 'dates') });
    expect(found?.expiresAt).toEqual(new Date(1_800_000_000_123));

    const { id } = await addTwoFactor('codes');
    const stored = await context.database.read.selectFrom('two_factors').select('verified').executeTakeFirst();
    expect(stored?.verified).toBe(0);
    const updated = await adapter.update<{ verified: boolean; lockedUntil: Date | null }>({
      model: 'twoFactor',
      where: where('id', id),
      update: { verified: true },
    });
    expect(updated).toMatchObject({ verified: true, lockedUntil: null });
  });

  test('conditions mean what better-auth means by them', async () => {
    for (const [value, at] of [
      ['a', 10],
      ['b', 20],
      ['c', 30],
    ] as const) {
      await addVerification('conditions', value, new Date(at));
    }
    const values = async (...extra: Where[]) => {
      const rows = await adapter.findMany<Verification>({
        model: 'verification',
        where: [...where('identifier', 'conditions'), ...extra],
        sortBy: { field: 'expiresAt', direction: 'desc' },
      });
      return rows.map((row) => row.value).join('');
    };
    expect(await values()).toBe('cba');
    expect(await values(...where('expiresAt', new Date(20), 'lt'))).toBe('a');
    expect(await values(...where('expiresAt', new Date(20), 'lte'))).toBe('ba');
    expect(await values(...where('expiresAt', new Date(20), 'gt'))).toBe('c');
    expect(await values(...where('expiresAt', new Date(20), 'gte'))).toBe('cb');
    expect(await values(...where('value', 'b', 'ne'))).toBe('ca');
    expect(await values(...where('value', ['a', 'c'], 'in'))).toBe('ca');
    expect(await values(...where('value', [] as string[], 'in'))).toBe('');
    expect(await values(...where('value', ['a'], 'not_in'))).toBe('cb');
    expect(await values({ field: 'value', value: null, operator: 'ne' })).toBe('cba');
    expect(await values({ field: 'value', value: null })).toBe('');
    const either: Where[] = ['a', 'b'].map((value) => ({ field: 'value', value, connector: 'OR' }));
    expect(await values(...either)).toBe('ba');
    await expect(values(...where('value', 'a', 'contains'))).rejects.toThrow('not supported');
    expect(await adapter.count({ model: 'verification', where: where('identifier', 'conditions') })).toBe(3);
    const page = await adapter.findMany<Verification>({
      model: 'verification',
      where: where('identifier', 'conditions'),
      sortBy: { field: 'expiresAt', direction: 'asc' },
      limit: 1,
      offset: 1,
    });
    expect(page.map((row) => row.value)).toEqual(['b']);
  });

  test('a value that is no text of ours stays a value', async () => {
    const evil = `x' or '1'='1" --`;
    await addVerification(evil, evil);
    const found = await adapter.findMany<Verification>({ model: 'verification', where: where('identifier', evil) });
    expect(found.map((row) => row.value)).toEqual([evil]);
  });

  test('a session is found with its user', async () => {
    const token = 'a token';
    const expiresAt = new Date(Date.now() + 60_000);
    const data = { userId, token, expiresAt, createdAt: new Date(), updatedAt: new Date() };
    await adapter.create({ model: 'session', data });
    const found = await adapter.findOne<{ user: { name: string } }>({
      model: 'session',
      where: where('token', token),
      join: { user: true },
    });
    expect(found?.user.name).toBe('alice');
  });

  test('of several that consume a value at once, one gets it', async () => {
    await addVerification('single', 'v');
    const taken = await Promise.all(
      Array.from({ length: AT_ONCE }, () =>
        adapter.consumeOne<Verification>({ model: 'verification', where: where('identifier', 'single') }),
      ),
    );
    expect(taken.filter((row) => row !== null).map((row) => row.value)).toEqual(['v']);
    expect(await adapter.count({ model: 'verification', where: where('identifier', 'single') })).toBe(0);
  });

  test('consuming takes one row, though several match', async () => {
    for (const value of ['1', '2']) await addVerification('pair', value);
    await adapter.consumeOne({ model: 'verification', where: where('identifier', 'pair') });
    expect(await adapter.count({ model: 'verification', where: where('identifier', 'pair') })).toBe(1);
  });

  test('of several that replace the same backup codes at once, one does', async () => {
    const { id } = await addTwoFactor('before');
    const results = await Promise.all(
      Array.from({ length: AT_ONCE }, (_, i) =>
        adapter.incrementOne({
          model: 'twoFactor',
          where: [...where('id', id), ...where('backupCodes', 'before')],
          increment: {},
          set: { backupCodes: `after ${i}` },
        }),
      ),
    );
    expect(results.filter((row) => row !== null)).toHaveLength(1);
  });

  test('counting at once loses nothing, also from null', async () => {
    const { id } = await addTwoFactor('counted');
    await Promise.all(
      Array.from({ length: AT_ONCE }, () =>
        adapter.incrementOne({ model: 'twoFactor', where: where('id', id), increment: { failedVerificationCount: 1 } }),
      ),
    );
    const row = await adapter.findOne<{ failedVerificationCount: number }>({
      model: 'twoFactor',
      where: where('id', id),
    });
    expect(row?.failedVerificationCount).toBe(AT_ONCE);
  });

  test('what is written in a transaction that fails is not there', async () => {
    const work = adapter.transaction(async (tx) => {
      await tx.create({ model: 'verification', data: { identifier: 'undone', value: 'v', expiresAt: new Date(1) } });
      expect(await tx.count({ model: 'verification', where: where('identifier', 'undone') })).toBe(1);
      throw new Error('stop');
    });
    await expect(work).rejects.toThrow('stop');
    expect(await adapter.count({ model: 'verification', where: where('identifier', 'undone') })).toBe(0);
  });

  test('many rows are changed or removed only by a condition', async () => {
    for (const value of ['1', '2', '3']) await addVerification('many', value);
    const change = { model: 'verification', where: where('identifier', 'many') };
    expect(await adapter.updateMany({ ...change, update: { value: 'same' } })).toBe(3);
    expect(await adapter.deleteMany(change)).toBe(3);
    await expect(adapter.deleteMany({ model: 'verification', where: [] })).rejects.toThrow('without a condition');
    await expect(adapter.findOne({ model: 'unheard-of', where: [] })).rejects.toThrow();
  });
});
