import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { agentTokens } from './accounts/agent-tokens.ts';
import { audit } from './accounts/audit.ts';
import { Authorizer } from './accounts/authorize.ts';
import { BearerTokens } from './accounts/bearer.ts';
import type { AccountsContext } from './accounts/context.ts';
import { Credentials } from './accounts/credentials.ts';
import type { InstanceKeys } from './accounts/instance-keys.ts';
import { Passwords } from './accounts/passwords.ts';
import { PermissionReader } from './accounts/permission-reader.ts';
import { followRepository } from './accounts/repository-rights.ts';
import { openSetup } from './accounts/setup.ts';
import { describeSettings } from './config/describe.ts';
import { networks } from './config/networks.ts';
import type { Settings } from './config/settings.ts';
import type { Database } from './database/database.ts';
import { migrate } from './database/migrate.ts';
import { SqliteDatabase } from './database/sqlite.ts';
import type { GarbageCollector } from './http/api/route.ts';
import { createApp } from './http/app.ts';
import type { Environment } from './http/dispatch.ts';
import { Identifier } from './http/identify.ts';
import type { Instruments } from './http/instruments.ts';
import type { OperationsSources } from './http/operations.ts';
import { PublicAddress } from './http/public-address.ts';
import type { Connection } from './http/request.ts';
import { createSessions } from './http/session/sessions.ts';
import { digestOf } from './oci/digest.ts';
import type { RegistryContext, RegistryStep } from './registry/context.ts';
import { FactCache } from './registry/fact-cache.ts';
import {
  describeImage,
  findImage,
  holdImage,
  pinTag,
  pointTag,
  presentImages,
  tagsOfImage,
  unpinTag,
} from './registry/image-source.ts';
import { PullReader } from './registry/pull-reader.ts';
import { PullTimes } from './registry/pull-times.ts';
import { StorageReader } from './registry/storage-figures.ts';
import { UploadHashes } from './registry/upload-hashes.ts';
import type { Conductor } from './releases/conductor.ts';
import { KEPT, type ReleasesContext } from './releases/context.ts';
import { followRepositoryInReleases } from './releases/repository-move.ts';
import { digestsInUse, usersOf } from './releases/roots.ts';
import { SecretBox } from './releases/secret-box.ts';
import { tagMoved } from './releases/triggers.ts';
import { StoreUnavailableError } from './storage/blob-store.ts';
import { FilesystemBlobStore, type StoreStep } from './storage/filesystem/filesystem-blob-store.ts';
import { openWebFiles } from './web-files/web-files.ts';

/** Where the data is and how it is kept. */
export type DataSettings = Pick<Settings, 'data' | 'database' | 'gcGrace' | 'tagHistoryWindow' | 'uploadExpiry'>;

export interface OpenRegistry {
  registry: RegistryContext;
  store: FilesystemBlobStore;
  close(): Promise<void>;
}

/**
 * Opens the data directory's registry: the one place that names the drivers.
 *
 * @param processName unique among the processes that share the data
 * @throws DatabaseUnavailableError, StoreUnavailableError
 */
export async function openRegistry(
  settings: DataSettings & Partial<Pick<Settings, 'anonymous'>>,
  processName: string,
  hooks: { onStep?: (step: RegistryStep | StoreStep) => void; onReceived?: (bytes: number) => void } = {},
): Promise<OpenRegistry> {
  const database = await openDatabase(settings);
  const onStep = hooks.onStep ?? (() => {});
  const store = new FilesystemBlobStore({ root: settings.data, onStep });
  const registry: RegistryContext = {
    database,
    store,
    pull: new PullReader(database),
    pullTimes: new PullTimes(),
    facts: new FactCache(),
    hashes: new UploadHashes(),
    policy: {
      graceMs: settings.gcGrace,
      tagHistoryMs: settings.tagHistoryWindow,
      uploadExpiryMs: settings.uploadExpiry,
    },
    defaultVisibility: (settings.anonymous ?? 'none') === 'none' ? 'private' : 'public',
    now: Date.now,
    newId: () => Bun.randomUUIDv7(),
    process: processName,
    onStep,
    onReceived: hooks.onReceived ?? (() => {}),
    usersOf,
    digestsInUse: () => digestsInUse(database.read),
    record: (tx, actor, entry) => audit(tx, Date.now(), actor, entry),
    tagMoved: (tx, moved) => tagMoved({ now: Date.now }, tx, moved),
    moved: async (tx, move) => {
      await followRepository(tx, move);
      await followRepositoryInReleases(tx, move);
    },
  };
  return { registry, store, close: () => database.close() };
}

/**
 * Makes a data directory usable by this version: folders, schema. Idempotent; safe beside other starters.
 *
 * @throws NewerSchemaError, DatabaseUnavailableError, StoreUnavailableError with what the operator must mend
 */
export async function prepareData(settings: DataSettings): Promise<void> {
  try {
    mkdirSync(settings.data, { recursive: true });
  } catch (error) {
    throw new StoreUnavailableError(`cannot make ${settings.data}: ${error instanceof Error ? error.message : ''}`, {
      cause: error,
    });
  }
  await new FilesystemBlobStore({ root: settings.data }).prepare();
  const database = await openDatabase(settings);
  try {
    await migrate(database);
  } finally {
    await database.close();
  }
}

async function openDatabase(settings: DataSettings): Promise<Database> {
  if (settings.database === undefined) return new SqliteDatabase(join(settings.data, 'berth.db'));
  // Loaded only when it is used: it is a tenth of an idle worker's memory.
  const { PostgresDatabase } = await import('./database/postgres.ts');
  return new PostgresDatabase(settings.database);
}

/** @returns the secret of the set-up link; undefined when there are accounts */
export function openSetupOf({ database, now, newId }: RegistryContext): Promise<string | undefined> {
  return openSetup({ database, now, newId, policy: { anonymous: 'none', signUp: 'closed' } });
}

/** Releases over an open registry. */
export function openReleases(
  registry: RegistryContext,
  secretKey: Uint8Array,
  settings: Pick<Settings, 'targetAway' | 'deployLease' | 'agentPoll' | 'agentReport'>,
): ReleasesContext {
  const { database, now, newId } = registry;
  return {
    database,
    images: {
      find: (repository, reference) => findImage(registry, repository, reference),
      tags: (repository) => tagsOfImage(registry, repository),
      describe: (repository, digest) => describeImage(registry, repository, digest),
      hold: (tx, repository, digest) => holdImage(registry, tx, repository, digest),
      present: presentImages,
      point: (tx, repository, tag, digest, actor) => pointTag(registry, tx, repository, tag, digest, actor),
      pin: (tx, repository, pin, actor) => pinTag(registry, tx, repository, pin, actor),
      unpin: (tx, repository, pin, actor) => unpinTag(registry, tx, repository, pin, actor),
    },
    secrets: new SecretBox(secretKey),
    tokens: agentTokens({ now, newId }),
    policy: {
      ...KEPT,
      onlineMs: settings.targetAway,
      leaseMs: settings.deployLease,
      pollMs: settings.agentPoll,
      reportMs: settings.agentReport,
    },
    now,
    record: (tx, actor, entry) => audit(tx, now(), actor, entry),
  };
}

/** The HTTP side of one worker. */
export function createServer(options: {
  settings: Settings;
  registry: RegistryContext;
  releases: ReleasesContext;
  conductor: Conductor;
  keys: InstanceKeys;
  instruments: Instruments;
  log: Logger;
  connection: Connection;
  newRequestId: () => string;
  accepting: () => boolean;
  metrics: OperationsSources['metrics'];
  garbage: GarbageCollector;
}): (request: Request) => Response | Promise<Response> {
  const { settings, registry, releases, conductor, keys } = options;
  const { database, now, newId } = registry;
  const policy = { anonymous: settings.anonymous, signUp: settings.signUp };
  const accounts: AccountsContext = { database, now, newId, policy };
  const reader = new PermissionReader(database);
  const passwords = new Passwords(() => options.instruments.passwordHash());
  const credentials = new Credentials(accounts, reader, passwords);
  const authorizer = new Authorizer(reader, policy, (bearer) => credentials.reload(bearer));
  const bearers = new BearerTokens(keys.bearer, keys.service, now);
  const sessions = createSessions({
    accounts,
    reader,
    passwords,
    secret: keys.session,
    log: options.log,
    oidc: settings.oidc ?? [],
  });
  const environment: Environment = {
    authorizer,
    identifier: new Identifier(credentials, bearers, sessions),
    address: new PublicAddress({ publicUrl: settings.publicUrl, trustedProxies: networks(settings.trustedProxies) }),
    connection: options.connection,
    instruments: options.instruments,
    log: options.log,
    newRequestId: options.newRequestId,
  };
  const operations: OperationsSources = {
    accepting: options.accepting,
    metrics: options.metrics,
    checks: {
      database: () => readDatabase(database),
      storage: async () => {
        await registry.store.stat(EMPTY);
      },
    },
  };
  return createApp(
    {
      registry,
      api: {
        registry,
        releases,
        conductor,
        accounts,
        credentials,
        passwords,
        reader,
        authorizer,
        sessions,
        storage: new StorageReader(registry),
        garbage: options.garbage,
        settings: describeSettings(settings),
        service: keys.service,
      },
      token: { accounts, authorizer, credentials, bearers },
      operations,
      page: openWebFiles(),
    },
    environment,
  );
}

const EMPTY = digestOf(new Uint8Array());

/** @throws DatabaseUnavailableError */
export async function readDatabase(database: Database): Promise<void> {
  await database.read.selectFrom('leases').select('name').limit(1).execute();
}
