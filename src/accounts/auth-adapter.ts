import {
  type CleanedWhere,
  type CustomAdapter,
  createAdapterFactory,
  type DBAdapterInstance,
} from 'better-auth/adapters';
import { type Kysely, type RawBuilder, sql, type Transaction } from 'kysely';
import type { Database } from '../database/database.ts';
import type { Schema } from '../database/schema.ts';

type Tx = Transaction<Schema>;
/** A row, with the names and the units of the database on one side and better-auth's names on the other. */
type Row = Record<string, unknown>;

/** better-auth's models are these tables. Its fields are our columns in camel case. */
const TABLES: Record<string, keyof Schema> = {
  user: 'users',
  session: 'sessions',
  account: 'user_logins',
  verification: 'verifications',
  twoFactor: 'two_factors',
};

/**
 * Makes a new user's row, and what belongs to a user, in better-auth's transaction. `row` has our columns but no username.
 *
 * @returns the row as it was written
 */
export type InsertUser = (tx: Tx, row: Row) => Promise<Row>;

/**
 * better-auth's database. Importing this file loads better-auth, so it is imported when the first request needs it.
 *
 * Every write is a transaction of its own, or part of the one that better-auth asked for. `consumeOne` and `incrementOne` are
 * one statement each: of several requests with the same single-use value, one gets it.
 */
export function authAdapter(database: Database, insertUser: InsertUser): DBAdapterInstance {
  const write = <T>(work: (tx: Tx) => Promise<T>) => database.transaction(work);
  return (options) => {
    const inTransaction = (tx: Tx) =>
      createAdapterFactory({
        config: CONFIG,
        adapter: () => customAdapter(tx, (work) => work(tx), insertUser),
      })(options);
    return createAdapterFactory({
      config: { ...CONFIG, transaction: (work) => write((tx) => work(inTransaction(tx))) },
      adapter: () => customAdapter(database.read, write, insertUser),
    })(options);
  };
}

const CONFIG: Parameters<typeof createAdapterFactory>[0]['config'] = {
  adapterId: 'berth',
  supportsNumericIds: false,
  supportsBooleans: false,
  customTransformInput: ({ data }) => (data instanceof Date ? data.getTime() : data),
  customTransformOutput: ({ data, fieldAttributes }) =>
    fieldAttributes.type === 'date' && typeof data === 'number' ? new Date(data) : data,
};

function customAdapter(
  read: Kysely<Schema>,
  write: <T>(work: (tx: Tx) => Promise<T>) => Promise<T>,
  insertUser: InsertUser,
): CustomAdapter {
  const all = async <T>(query: RawBuilder<Row>, db: Kysely<Schema>) =>
    // better-auth names the type that it expects of a row; `transformOutput` then picks its fields.
    (await query.execute(db)).rows.map(fromColumns) as T[];
  const first = async <T>(query: RawBuilder<Row>, db: Kysely<Schema>) => (await all<T>(query, db))[0] ?? null;
  const changed = async (query: RawBuilder<Row>) =>
    write(async (tx) => Number((await query.execute(tx)).numAffectedRows ?? 0));
  return {
    create: async <T>({ model, data }: { model: string; data: Row }) => {
      const row = toColumns(data);
      const written = await write(async (tx) => {
        if (model === 'user') return insertUser(tx, row);
        const { rows } = await insertion(model, row).execute(tx);
        return rows[0] ?? row;
      });
      return fromColumns(written) as T;
    },
    findOne: <T>({ model, where }: Where) =>
      first<T>(sql`select * from ${table(model)} where ${condition(where)} limit 1`, read),
    findMany: <T>({ model, where, limit, sortBy, offset }: Many) => {
      const order = sortBy === undefined ? sql`` : sql`order by ${column(sortBy.field)} ${sql.raw(direction(sortBy))}`;
      return all<T>(
        sql`select * from ${table(model)} where ${condition(where)} ${order} limit ${limit} offset ${offset ?? 0}`,
        read,
      );
    },
    count: async ({ model, where }) => {
      const rows = await all<{ n: number }>(
        sql`select count(*) as n from ${table(model)} where ${condition(where)}`,
        read,
      );
      return Number(rows[0]?.n);
    },
    update: <T>({ model, where, update }: Where & { update: T }) =>
      write((tx) => first<T>(updateOne(model, where, assignments(update)), tx)),
    incrementOne: <T>({ model, where, increment, set }: Where & { increment: Row; set?: Row | undefined }) => {
      const sums = Object.entries(increment).map(
        ([field, delta]) => sql`${column(field)} = coalesce(${column(field)}, 0) + ${delta}`,
      );
      return write((tx) => first<T>(updateOne(model, where, [...sums, ...assignments(set)]), tx));
    },
    consumeOne: <T>({ model, where }: Where) =>
      write((tx) => first<T>(sql`delete from ${table(model)} where ${oneOf(model, where)} returning *`, tx)),
    updateMany: ({ model, where, update }) =>
      changed(sql`update ${table(model)} set ${sql.join(assignments(update))} where ${guard(where)}`),
    delete: async ({ model, where }) => {
      await changed(sql`delete from ${table(model)} where ${guard(where)}`);
    },
    deleteMany: ({ model, where }) => changed(sql`delete from ${table(model)} where ${guard(where)}`),
  };
}

interface Where {
  model: string;
  where: CleanedWhere[];
}

interface Many {
  model: string;
  where?: CleanedWhere[] | undefined;
  limit: number;
  sortBy?: { field: string; direction: 'asc' | 'desc' } | undefined;
  offset?: number | undefined;
}

function insertion(model: string, row: Row): RawBuilder<Row> {
  const columns = sql.join(Object.keys(row).map((name) => sql.ref(name)));
  return sql<Row>`insert into ${table(model)} (${columns}) values (${sql.join(Object.values(row))}) returning *`;
}

function updateOne(model: string, where: CleanedWhere[], set: RawBuilder<unknown>[]): RawBuilder<Row> {
  return sql<Row>`update ${table(model)} set ${sql.join(set)} where ${oneOf(model, where)} returning *`;
}

/**
 * One row of those that match, and only while it matches: PostgreSQL looks at the condition again when it had to wait for
 * another writer of the row.
 */
function oneOf(model: string, where: CleanedWhere[]): RawBuilder<unknown> {
  return sql`id = (select id from ${table(model)} where ${guard(where)} limit 1) and ${guard(where)}`;
}

/** What a write is limited to: never the whole table. */
function guard(where: CleanedWhere[]): RawBuilder<unknown> {
  if (where.length === 0) throw new Error('auth adapter: a write without a condition');
  return condition(where);
}

function assignments(values: unknown): RawBuilder<unknown>[] {
  return Object.entries(values ?? {}).map(([field, value]) => sql`${column(field)} = ${value}`);
}

/** Those joined by AND must all hold, and one of those joined by OR. */
function condition(where: CleanedWhere[] | undefined): RawBuilder<unknown> {
  const parts = (connector: 'AND' | 'OR') =>
    where?.filter((part) => part.connector === connector).map(comparison) ?? [];
  const all = parts('AND');
  const any = parts('OR');
  if (any.length > 0) all.push(sql`(${sql.join(any, sql` or `)})`);
  return all.length === 0 ? sql`1 = 1` : sql`(${sql.join(all, sql` and `)})`;
}

const COMPARISONS = { eq: '=', ne: '<>', lt: '<', lte: '<=', gt: '>', gte: '>=' } as const;

function comparison({ field, operator, value, mode }: CleanedWhere): RawBuilder<unknown> {
  const name = column(field);
  if (mode === 'insensitive') throw new Error(`auth adapter: ${field} compared without regard to case`);
  if (operator === 'in' || operator === 'not_in') {
    const values = Array.isArray(value) ? value : [value];
    if (values.length === 0) return operator === 'in' ? sql`1 = 0` : sql`1 = 1`;
    return sql`${name} ${sql.raw(operator === 'in' ? 'in' : 'not in')} (${sql.join(values)})`;
  }
  // Only plugins that Berth does not use search for parts of a text.
  if (operator === 'contains' || operator === 'starts_with' || operator === 'ends_with') {
    throw new Error(`auth adapter: ${field} ${operator} is not supported`);
  }
  if (value === null && operator === 'eq') return sql`${name} is null`;
  if (value === null && operator === 'ne') return sql`${name} is not null`;
  return sql`${name} ${sql.raw(COMPARISONS[operator ?? 'eq'])} ${value}`;
}

function table(model: string): RawBuilder<unknown> {
  const name = TABLES[model];
  if (name === undefined) throw new Error(`auth adapter: no table for better-auth's ${model}`);
  return sql.table(name);
}

function column(field: string): RawBuilder<unknown> {
  return sql.ref(snakeCase(field));
}

function direction(sortBy: { direction: 'asc' | 'desc' }): 'asc' | 'desc' {
  return sortBy.direction === 'desc' ? 'desc' : 'asc';
}

function toColumns(data: Row): Row {
  return Object.fromEntries(Object.entries(data).map(([field, value]) => [snakeCase(field), value]));
}

function fromColumns(row: Row): Row {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [camelCase(name), value]));
}

function snakeCase(field: string): string {
  return field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
