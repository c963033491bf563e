import { migrate } from '../database/migrate.ts';
import type { DatabasePlace } from '../database/test-databases.ts';
import { OciError } from '../oci/errors.ts';
import { parseRepositoryName } from '../oci/names.ts';
import { listAudit } from './audit.ts';
import { Authorizer } from './authorize.ts';
import type { AccountsContext, SignUpMode } from './context.ts';
import { userIdentity } from './credentials.ts';
import { PermissionReader } from './permission-reader.ts';
import type { Role } from './roles.ts';
import { insertUser, type User } from './users.ts';

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
export const ORIGIN = { name: 'root', source: '192.0.2.1' };

/** Accounts with real parts: an empty database, and a clock that a test can move. */
export interface TestAccounts {
  context: AccountsContext;
  /** What another process has: its own connections; the same data and clock. */
  another: AccountsContext;
  /** Moves the clock. */
  advance(ms: number): void;
  /** Without a password. */
  addUser(username: string, options?: { administrator?: boolean }): Promise<User>;
  addRepository(name: string): Promise<void>;
  /** What a user may do with a repository in the end. */
  roleOf(username: string, repository: string): Promise<Role>;
  /** What was written down about something, oldest first: action and detail. */
  audited(subject: string): Promise<[string, Record<string, unknown> | null][]>;
}

export async function openTestAccounts(place: DatabasePlace, signUp: SignUpMode = 'open'): Promise<TestAccounts> {
  await migrate(place.open());
  let ahead = 0;
  const open = (): AccountsContext => ({
    database: place.open(),
    now: () => Date.now() + ahead,
    newId: () => Bun.randomUUIDv7(),
    policy: { anonymous: 'none', signUp },
  });
  const context = open();
  const reader = new PermissionReader(context.database);
  const authorizer = new Authorizer(reader, context.policy, async () => undefined);
  return {
    context,
    another: open(),
    advance: (ms) => {
      ahead += ms;
    },
    addUser: (username, { administrator = false } = {}) =>
      context.database.transaction((tx) =>
        insertUser(tx, context, { username, administrator }, ORIGIN, { adopt: false }),
      ),
    async addRepository(name) {
      const row = { name: parseRepositoryName(name), created_at: context.now(), immutable_tags: null };
      await context.database.transaction((tx) => tx.insertInto('repositories').values(row).execute());
    },
    async roleOf(username, repository) {
      const user = await reader.userByName(username);
      if (user === undefined) throw new Error(`no user ${username}`);
      return authorizer.role(userIdentity(user, 'password'), await reader.place(parseRepositoryName(repository)));
    },
    async audited(subject) {
      const { lines } = await listAudit(context, { subject }, { limit: 1000 });
      return lines.toReversed().map((line) => [line.action, line.detail]);
    },
  };
}

/** `done`, or the code of the error that `work` ended with. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'done';
  } catch (error) {
    return error instanceof OciError ? error.code : String(error);
  }
}
