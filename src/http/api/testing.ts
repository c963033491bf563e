import { createToken } from '../../accounts/access-tokens.ts';
import { audit } from '../../accounts/audit.ts';
import type { AccountsContext } from '../../accounts/context.ts';
import { ANONYMOUS_MODES, type AnonymousMode } from '../../accounts/identity.ts';
import { instanceKeys } from '../../accounts/instance-keys.ts';
import { followRepository } from '../../accounts/repository-rights.ts';
import { insertUser } from '../../accounts/users.ts';
import { backupFigures } from '../../backup/runs.ts';
import { loadSettings } from '../../config/load.ts';
import type { AccessLevel } from '../../database/accounts-schema.ts';
import type { DatabasePlace } from '../../database/test-databases.ts';
import type { EventsContext } from '../../events/context.ts';
import { Courier } from '../../events/courier.ts';
import { outboxFigures } from '../../events/deliveries.ts';
import { PullEvents } from '../../events/pulls.ts';
import { recordEvent } from '../../events/recording.ts';
import { createLog } from '../../log.ts';
import type { RegistryContext } from '../../registry/context.ts';
import { collectRecorded } from '../../registry/garbage/runs.ts';
import { named, nextTurn, openTestRegistry } from '../../registry/testing.ts';
import { Conductor } from '../../releases/conductor.ts';
import { createServer, openEvents, openReleases, openUpstreams } from '../../server.ts';
import { PullThrough } from '../../upstreams/cache/pull-through.ts';
import type { UpstreamsContext } from '../../upstreams/context.ts';
import { mirrorFigures } from '../../upstreams/mirror-queue.ts';
import { Instruments } from '../instruments.ts';

export const ORIGIN = { name: 'root', source: '192.0.2.1' };
/** The address that requests come from. */
export const CLIENT = '192.0.2.7';
const NO_GARBAGE = { runs: 0, failures: 0, manifests: 0, blobs: 0, bytes: 0, lastSeconds: 0, lastEnd: 0 };

export interface Answer {
  status: number;
  body: Record<string, unknown>;
}

/** Everything behind the port, with real parts: requests go in as they do on a worker. */
export interface TestApi {
  context: RegistryContext;
  accounts: AccountsContext;
  events: EventsContext;
  upstreams: UpstreamsContext;
  /** With a token that stands for all of the account. Returns the user's id. */
  addUser(username: string, options?: { administrator?: boolean }): Promise<string>;
  /** Makes an access token, with which `who` asks from then on. */
  addToken(who: string, userId: string, level?: AccessLevel, repository?: string): Promise<void>;
  /** Whoever has no token asks without a credential. `anonymous` chooses the server's setting. */
  ask(
    who: string,
    method: string,
    path: string,
    body?: unknown,
    anonymous?: AnonymousMode,
    headers?: Record<string, string>,
  ): Promise<Answer>;
  /** What uses every manifest there is, until it is emptied. */
  used: string[];
  remove(): void;
}

export async function openTestApi(place: DatabasePlace): Promise<TestApi> {
  const registry = await openTestRegistry(place);
  const used: string[] = [];
  const { database, now, newId } = registry.context;
  const context: RegistryContext = {
    ...registry.context,
    record: async (tx, actor, entry) => {
      await audit(tx, now(), actor, entry);
      await recordEvent(tx, now(), actor, entry);
    },
    moved: followRepository,
    usersOf: async () => used,
    digestsInUse: async () => {
      if (used.length === 0) return new Set();
      const rows = await database.read.selectFrom('manifests').select('digest').execute();
      return new Set(rows.map((row) => row.digest));
    },
  };
  const accounts: AccountsContext = { database, now, newId, policy: { anonymous: 'none', signUp: 'open' } };
  const keys = await instanceKeys(database);
  const releases = openReleases(context, new Uint8Array(32), loadSettings({}, {}, undefined));
  const conductor = new Conductor(releases, () => {});
  const settings = loadSettings({}, {}, undefined);
  const events = openEvents({ registry: context, pulls: new PullEvents() }, new Uint8Array(32), settings);
  const courier = new Courier(events, { onError: () => {} });
  const upstreams = openUpstreams(context, new Uint8Array(32));
  const through = new PullThrough(context, upstreams, { onRequest: () => {}, onFetched: () => {}, warn: () => {} });
  const servers = new Map(
    ANONYMOUS_MODES.map((anonymous) => [
      anonymous,
      createServer({
        settings: loadSettings({ anonymous }, {}, undefined),
        registry: { ...context, defaultVisibility: anonymous === 'none' ? 'private' : 'public' },
        releases,
        conductor,
        courier,
        upstreams,
        through,
        keys,
        instruments: new Instruments({
          pending: () => 0,
          uploads: async () => 0,
          checks: {},
          databaseSeconds: async () => 0,
          garbage: () => NO_GARBAGE,
          backups: () => backupFigures(context, undefined),
          backupPeriodMs: 0,
          outbox: () => outboxFigures(events),
          certificateExpiry: () => undefined,
          mirrors: () => mirrorFigures({ registry: context }),
        }),
        log: createLog('silent'),
        rateLimits: undefined,
        connection: { address: () => CLIENT },
        newRequestId: () => 'r1',
        accepting: () => true,
        metrics: async () => ({ contentType: 'text/plain', text: '' }),
        certificates: {
          state: async () => ({ source: 'none', served: undefined, authority: undefined }),
          retry: async () => false,
        },
        garbage: {
          start: ({ id, dryRun }) => {
            void collectRecorded(context, { run: id, dryRun, startedBy: '' }).catch(() => {});
          },
        },
      }),
    ]),
  );
  const secrets = new Map<string, string>();
  const api: TestApi = {
    context,
    accounts,
    events,
    upstreams,
    used,
    async addUser(username, { administrator = false } = {}) {
      const { id } = await database.transaction((tx) =>
        insertUser(tx, accounts, { username, administrator }, ORIGIN, { adopt: false }),
      );
      await api.addToken(username, id);
      return id;
    },
    async addToken(who, userId, level = 'admin', repository) {
      const { secret } = await createToken(
        accounts,
        {
          kind: 'personal',
          owner: { userId },
          name: who,
          level,
          repository: repository === undefined ? null : named(repository),
          expiresAt: null,
        },
        ORIGIN,
      );
      secrets.set(who, secret);
    },
    async ask(who, method, path, body, anonymous = 'none', headers = {}) {
      const secret = secrets.get(who);
      const server = servers.get(anonymous);
      if (server === undefined) throw new Error(`no server for --anonymous ${anonymous}`);
      // A request comes with a turn of the event loop; caches look once a turn whether anything was committed.
      await nextTurn();
      const response = await server(
        new Request(`http://registry.test:5000${path}`, {
          method,
          headers: {
            Host: 'registry.test:5000',
            ...(secret === undefined ? {} : { Authorization: `Bearer ${secret}` }),
            ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
            ...headers,
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        }),
      );
      const text = await response.text();
      return { status: response.status, body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) };
    },
    remove: () => registry.remove(),
  };
  return api;
}

/** The status, and the code of the error if it is one. */
export async function code(answer: Promise<Answer>): Promise<number | string> {
  const { status, body } = await answer;
  return body.code === undefined ? status : `${status} ${body.code}`;
}
