import type { Transaction } from 'kysely';
import { migrate } from '../database/migrate.ts';
import type { Schema } from '../database/schema.ts';
import type { DatabasePlace } from '../database/test-databases.ts';
import { digestOf } from '../oci/digest.ts';
import { OciError } from '../oci/errors.ts';
import { parseRepositoryName } from '../oci/names.ts';
import { agentTokens } from './agent-tokens.ts';
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
  /** Enrolls a server: `alice/shop@test/target-1`; makes what is missing of it. Returns its ids and its token. */
  addTarget(path: string, enrolledBy?: string): Promise<TestTarget>;
  /** A release whose images are of these repositories. */
  addRelease(stackId: number, repositories: readonly string[], createdBy: string): Promise<void>;
  /** What a user may do with a repository in the end. */
  roleOf(username: string, repository: string): Promise<Role>;
  /** What was written down about something, oldest first: action and detail. */
  audited(subject: string): Promise<[string, Record<string, unknown> | null][]>;
}

export async function openTestAccounts(place: DatabasePlace, signUp: SignUpMode = 'open'): Promise<TestAccounts> {
  await migrate(place.open());
  let ahead = 0;
  let releases = 0;
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
    addTarget: (path, enrolledBy = 'someone') =>
      context.database.transaction(async (tx) => {
        const [stack = '', place = ''] = path.split('@');
        const [environment = '', target = ''] = place.split('/');
        const stackId = await stackOf(tx, stack);
        const environmentId = await environmentOf(tx, stackId, environment);
        const row = { environment_id: environmentId, name: target, created_by: enrolledBy, created_at: 1 };
        const { id } = await tx.insertInto('targets').values(row).returning('id').executeTakeFirstOrThrow();
        return { id, environmentId, stackId, secret: await agentTokens(context).create(tx, id, path, ORIGIN) };
      }),
    addRelease: (stackId, repositories, createdBy) =>
      context.database.transaction(async (tx) => {
        const number = ++releases;
        const { id } = await tx
          .insertInto('releases')
          .values({
            stack_id: stackId,
            number,
            version: null,
            file: FILE,
            content: String(number),
            notes: '',
            created_by: createdBy,
            created_at: 1,
          })
          .returning('id')
          .executeTakeFirstOrThrow();
        for (const [i, name] of repositories.entries()) {
          const image = { digest: FILE, tag: null, annotations: '{}', repository: parseRepositoryName(name) };
          await tx
            .insertInto('release_images')
            .values({ release_id: id, service: `s${i}`, ...image })
            .execute();
        }
      }),
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

export interface TestTarget {
  id: number;
  environmentId: number;
  stackId: number;
  secret: string;
}

const FILE = digestOf(new Uint8Array());

async function stackOf(tx: Transaction<Schema>, path: string): Promise<number> {
  const [namespace = '', name = ''] = path.split('/');
  const { id } = await tx.selectFrom('namespaces').select('id').where('name', '=', namespace).executeTakeFirstOrThrow();
  const found = await tx
    .selectFrom('stacks')
    .select('id')
    .where('namespace_id', '=', id)
    .where('name', '=', name)
    .executeTakeFirst();
  if (found !== undefined) return found.id;
  const row = { namespace_id: id, name, file: FILE, created_by: 'root', created_at: 1, updated_at: 1 };
  return (await tx.insertInto('stacks').values(row).returning('id').executeTakeFirstOrThrow()).id;
}

async function environmentOf(tx: Transaction<Schema>, stackId: number, name: string): Promise<number> {
  const found = await tx
    .selectFrom('environments')
    .select('id')
    .where('stack_id', '=', stackId)
    .where('name', '=', name)
    .executeTakeFirst();
  if (found !== undefined) return found.id;
  const row = { position: 1, protected: 0, deploy_on_push: 0, max_parallel: 1, track: '{}', created_at: 1 };
  const made = tx.insertInto('environments').values({ stack_id: stackId, name, ...row });
  return (await made.returning('id').executeTakeFirstOrThrow()).id;
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
