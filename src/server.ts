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
import { refuseUnfinishedRestore } from './backup/restore-marker.ts';
import { describeSettings } from './config/describe.ts';
import { networks } from './config/networks.ts';
import type { Settings } from './config/settings.ts';
import { type DataSettings, openDatabase } from './data-directory.ts';
import type { Database } from './database/database.ts';
import { resolveHost } from './events/addresses.ts';
import { EVENTS_POLICY, type EventsContext, type RepositoryFacts } from './events/context.ts';
import type { Courier } from './events/courier.ts';
import { type Pull, PullEvents } from './events/pulls.ts';
import { isAskedFor, recordEvent } from './events/recording.ts';
import type { GarbageCollector } from './http/api/route.ts';
import { createApp } from './http/app.ts';
import type { Checks } from './http/checks.ts';
import type { Environment } from './http/dispatch.ts';
import { Identifier } from './http/identify.ts';
import type { Instruments } from './http/instruments.ts';
import type { OperationsSources } from './http/operations.ts';
import { PublicAddress } from './http/public-address.ts';
import type { RateLimits } from './http/rate-limits.ts';
import type { Connection } from './http/request.ts';
import { createSessions } from './http/session/sessions.ts';
import { OciError } from './oci/errors.ts';
import { parseRepositoryName } from './oci/names.ts';
import { CachePrefixes } from './registry/cache-prefixes.ts';
import type { PulledImage, RegistryContext, RegistryStep } from './registry/context.ts';
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
import { getRepositoryDetails } from './registry/repository-management.ts';
import { StorageReader } from './registry/storage-figures.ts';
import { UploadHashes } from './registry/upload-hashes.ts';
import type { Conductor } from './releases/conductor.ts';
import { KEPT, type ReleasesContext } from './releases/context.ts';
import { followRepositoryInReleases } from './releases/repository-move.ts';
import { digestsInUse, usersOf } from './releases/roots.ts';
import { SecretBox } from './releases/secret-box.ts';
import { tagMoved } from './releases/triggers.ts';
import { FilesystemBlobStore, type StoreStep } from './storage/filesystem/filesystem-blob-store.ts';
import type { StartedTracing } from './telemetry/start.ts';
import type { Certificates } from './tls/certificate-state.ts';
import type { PullThrough } from './upstreams/cache/pull-through.ts';
import type { UpstreamsContext } from './upstreams/context.ts';
import { openWebFiles } from './web-files/web-files.ts';

export interface OpenRegistry {
  registry: RegistryContext;
  store: FilesystemBlobStore;
  pulls: PullEvents;
  close(): Promise<void>;
}

/**
 * Opens the data directory's registry: the one place that names the drivers.
 *
 * @param processName unique among the processes that share the data
 * @throws DatabaseUnavailableError, StoreUnavailableError, UnfinishedRestoreError
 */
export async function openRegistry(
  settings: DataSettings & Partial<Pick<Settings, 'anonymous'>>,
  processName: string,
  hooks: {
    onStep?: (step: RegistryStep | StoreStep) => void;
    onReceived?: (bytes: number) => void;
    tracing?: StartedTracing | undefined;
    /** Waits for a query as long as it takes: nobody waits for an answer over HTTP. */
    patient?: boolean;
  } = {},
): Promise<OpenRegistry> {
  refuseUnfinishedRestore(settings.data);
  const plain = await openDatabase(settings, { existing: true, patient: hooks.patient ?? false });
  const database = hooks.tracing?.database(plain) ?? plain;
  const onStep = hooks.onStep ?? (() => {});
  const store = new FilesystemBlobStore({ root: settings.data, onStep });
  const pulls = new PullEvents();
  const registry: RegistryContext = {
    database,
    store: hooks.tracing?.store(store) ?? store,
    pull: new PullReader(database),
    pullTimes: new PullTimes(),
    facts: new FactCache(),
    hashes: new UploadHashes(),
    caches: new CachePrefixes(database),
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
    record: async (tx, actor, entry) => {
      await audit(tx, Date.now(), actor, entry);
      await recordEvent(tx, Date.now(), actor, entry);
    },
    mounted: async (tx, actor, { repository, from, digest, size }) => {
      if (!(await isAskedFor(tx, 'blob.mount'))) return;
      const mount = { action: 'blob.mount', subject: `${repository}@${digest}`, facts: { from, size } };
      await recordEvent(tx, Date.now(), actor, mount);
    },
    pulled: (pulled) => pulls.note(() => pullOf(pulled())),
    tagMoved: (tx, moved) => tagMoved({ now: Date.now }, tx, moved),
    moved: async (tx, move) => {
      await followRepository(tx, move);
      await followRepositoryInReleases(tx, move);
    },
  };
  return { registry, store, pulls, close: () => database.close() };
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
    record: async (tx, actor, entry) => {
      await audit(tx, now(), actor, entry);
      await recordEvent(tx, now(), actor, entry);
    },
    happened: (tx, { kind, subject, actor, detail }) =>
      recordEvent(tx, now(), { name: actor, source: '' }, { action: kind, subject, detail }),
  };
}

/** Events and webhooks over an open registry. */
export function openEvents(
  { registry, pulls }: Pick<OpenRegistry, 'registry' | 'pulls'>,
  secretKey: Uint8Array,
  settings: Pick<Settings, 'eventRetention' | 'webhookNetworks' | 'publicUrl' | 'port'>,
  tracing?: StartedTracing,
): EventsContext {
  const { database, now, newId, process: processName } = registry;
  return {
    database,
    pulls,
    policy: { ...EVENTS_POLICY, retentionMs: settings.eventRetention },
    addresses: { opened: networks(settings.webhookNetworks), resolve: resolveHost },
    fetch: tracing?.fetch({ roots: true }) ?? fetch,
    secrets: new SecretBox(secretKey),
    base: settings.publicUrl ?? `http://localhost:${settings.port}`,
    now,
    newId,
    process: processName,
    repository: (name) => repositoryFacts(registry, name),
    record: (tx, actor, entry) => audit(tx, now(), actor, entry),
  };
}

/** Other registries, over an open registry. */
export function openUpstreams(
  { database, now }: RegistryContext,
  secretKey: Uint8Array,
  tracing?: StartedTracing,
): UpstreamsContext {
  return {
    database,
    fetch: tracing?.fetch({ roots: false }),
    secrets: new SecretBox(secretKey),
    now,
    record: (tx, actor, entry) => audit(tx, now(), actor, entry),
  };
}

async function repositoryFacts(registry: RegistryContext, name: string): Promise<RepositoryFacts | undefined> {
  try {
    const found = await getRepositoryDetails(registry, parseRepositoryName(name));
    const { visibility, description, readme, createdAt } = found;
    return { isPrivate: visibility === 'private', description, readme, createdAt };
  } catch (error) {
    if (error instanceof OciError && error.code === 'NAME_UNKNOWN') return undefined;
    throw error;
  }
}

function pullOf({ repository, reference, digest, mediaType, size, actor }: PulledImage): Pull {
  const subject = reference.kind === 'tag' ? `${repository}:${reference.tag}` : `${repository}@${digest}`;
  return { subject, digest, mediaType, size, actor, at: Date.now() };
}

/** The HTTP side of one worker. */
export function createServer(options: {
  settings: Settings;
  registry: RegistryContext;
  releases: ReleasesContext;
  conductor: Conductor;
  courier: Courier;
  upstreams: UpstreamsContext;
  through: PullThrough;
  keys: InstanceKeys;
  tracing?: StartedTracing | undefined;
  instruments: Instruments;
  log: Logger;
  connection: Connection;
  newRequestId: () => string;
  accepting: () => boolean;
  metrics: OperationsSources['metrics'];
  garbage: GarbageCollector;
  certificates: Certificates;
  /** undefined when there are none. */
  rateLimits: RateLimits | undefined;
}): (request: Request) => Response | Promise<Response> {
  const { settings, registry, releases, conductor, keys } = options;
  const { database, now, newId } = registry;
  const policy = { anonymous: settings.anonymous, signUp: settings.signUp };
  const accounts: AccountsContext = { database, now, newId, policy };
  const reader = new PermissionReader(
    database,
    async (name) => (await registry.caches?.of(name))?.visibility ?? 'private',
  );
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
    rateLimits: options.rateLimits,
    slowMs: settings.slowRequest,
    tracing: options.tracing?.requests,
  };
  const operations: OperationsSources = {
    accepting: options.accepting,
    metrics: options.metrics,
    checks: checksOf(registry),
  };
  return createApp(
    {
      registry,
      through: options.through,
      api: {
        registry,
        releases,
        conductor,
        courier: options.courier,
        upstreams: options.upstreams,
        accounts,
        credentials,
        passwords,
        reader,
        authorizer,
        sessions,
        storage: new StorageReader(registry),
        garbage: options.garbage,
        certificates: options.certificates,
        settings: describeSettings(settings),
        service: keys.service,
      },
      token: { accounts, authorizer, credentials, bearers, rateLimits: options.rateLimits },
      operations,
      page: openWebFiles(),
    },
    environment,
  );
}

/** What must work to be ready. */
export function checksOf({ database, store }: RegistryContext): Checks {
  return {
    database: async () => {
      await readDatabase(database);
      await database.check();
    },
    storage: () => store.check(),
  };
}

/** @throws DatabaseUnavailableError */
export async function readDatabase(database: Database): Promise<void> {
  await database.read.selectFrom('leases').select('name').limit(1).execute();
}
