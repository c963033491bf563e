// A registry with everybody who may come to it: who has which rights, and what each shows to be let in.
import { Database } from 'bun:sqlite';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { type RunningBerth, startBerth } from '../support/berth.ts';
import { describeBytes, digestOf, mediaTypes } from '../support/registry.ts';
import type { Answer } from '../support/wire.ts';
import { Caller } from './caller.ts';
import { grantRoles, makeOrganization } from './organization.ts';
import { makeStacks } from './stacks.ts';

export const PEOPLE = [
  'nobody',
  'stranger',
  'reader',
  'writer',
  'owner',
  'teammate',
  'member',
  'boss',
  'admin',
  'robot',
  'readonly',
  'expired',
  'revoked',
  'disabled',
  'elsewhere',
  'otherbot',
  'browser',
  'agent',
] as const;
/**
 * - `stranger`: has an account and nothing else. `reader`, `writer`: have that role in `app` and in `tool`.
 * - `owner`: of `tool`, in the owner's own namespace. `readonly`, `elsewhere`: a token of the owner to read with, one for `other` alone.
 * - `teammate`: in a team that may write in `app`. `member`: of the organization of `app` and `open`, without a role.
 * - `boss`: owns that organization. `admin`: administrator of the instance. `robot`: of the organization, may write.
 * - `otherbot`: a robot of the organization for one repository that is none of these. `browser`: the stranger, by a session cookie.
 * - `agent`: a server that runs a stack of the organization; its images are none of these.
 * - `expired`, `revoked`: tokens that could do everything, an administrator's. `disabled`: an administrator, disabled.
 */
export type PersonName = (typeof PEOPLE)[number];

export const PLACES = ['app', 'open', 'tool', 'missing'] as const;
/** `app`: private, of an organization. `open`: public, of the same. `tool`: private, of a user. `missing`: a name of the organization that nobody has used. */
export type Place = (typeof PLACES)[number];

export const REPOSITORY: Record<Place | Side, string> = {
  app: 'acme/app',
  open: 'acme/open',
  tool: 'olivia/tool',
  missing: 'acme/nothing',
  other: 'olivia/other',
  third: 'acme/third',
};

/** Repositories that others' tokens and robots are for. */
type Side = 'other' | 'third';

export interface Person {
  /** `Authorization` for the API and for Basic on /v2/; undefined for no one. */
  basic: string | undefined;
  /** `Cookie`, for the API alone. */
  cookie?: string;
}

export interface Image {
  manifest: string;
  digest: string;
  layer: string;
}

/** A blob of every repository that no manifest names. */
export const LOOSE_BLOB = 'loose';

export const PASSWORD = 'correct horse battery';

export function basic(name: string, secret: string): string {
  return `Basic ${Buffer.from(`${name}:${secret}`).toString('base64')}`;
}

/** Well within a bearer token's life. */
const BEARER_MS = 120_000;

/** The town as it is settled, and what its data directory then holds, by path. */
let settled: Promise<{ town: Town; files: ReadonlyMap<string, Uint8Array> }> | undefined;

/** A running registry with people in it. */
export class Town {
  readonly people = new Map<PersonName, Person>();
  /** What is in each repository under `v1`; the same layer everywhere but in `app`. */
  readonly images = new Map<Place | Side, Image>();
  /** Open uploads, one in each. */
  readonly uploads = new Map<Place, string>();
  /** Ids of tokens of the robots, by namespace. */
  readonly robotTokens = new Map<string, string>();
  #database: Database | undefined;
  readonly #bearers = new Map<string, { made: number; bearer: Promise<string> }>();

  private constructor(
    readonly berth: RunningBerth,
    readonly caller: Caller,
  ) {}

  /** A town of its own: the first one of a run is settled by hand, the others begin as copies of it. */
  static async start(args: string[] = []): Promise<Town> {
    settled ??= Town.#settle();
    const { town: first, files } = await settled;
    const data = mkdtempSync(join(tmpdir(), 'berth-town-'));
    writeFiles(data, files);
    const berth = await startTown(args, data);
    const town = new Town(berth, new Caller(berth, first.caller));
    for (const [name, person] of first.people) town.people.set(name, person);
    for (const [place, image] of first.images) town.images.set(place, image);
    for (const [place, upload] of first.uploads) town.uploads.set(place, upload);
    for (const [namespace, id] of first.robotTokens) town.robotTokens.set(namespace, id);
    return town;
  }

  static async #settle(): Promise<{ town: Town; files: ReadonlyMap<string, Uint8Array> }> {
    const data = mkdtempSync(join(tmpdir(), 'berth-town-'));
    const berth = await startTown([], data);
    const town = new Town(berth, new Caller(berth));
    try {
      await settle(town);
      town.#close();
      await berth.stop();
      return { town, files: readFiles(data) };
    } finally {
      await town.stop();
    }
  }

  /** Ends the server and removes its data. */
  async stop(): Promise<void> {
    this.#close();
    await this.berth.stop();
    rmSync(this.berth.data, { recursive: true, force: true });
  }

  #close(): void {
    this.caller.close();
    this.#database?.close();
    this.#database = undefined;
  }

  readonly person = (name: PersonName): Person => {
    const found = this.people.get(name);
    if (found === undefined) throw new Error(`nobody is called ${name}`);
    return found;
  };

  /** `Bearer …` for everything in a repository that the person may have, as docker gets it. @throws for a credential that is refused */
  bearer(name: PersonName, repository: string): Promise<string> {
    const key = `${name} ${repository}`;
    const known = this.#bearers.get(key);
    if (known !== undefined && known.made > Date.now() - BEARER_MS) return known.bearer;
    const bearer = this.fetchBearer(this.person(name).basic, [`repository:${repository}:pull,push,delete`]);
    this.#bearers.set(key, { made: Date.now(), bearer });
    return bearer;
  }

  /** The username and the secret of a person's credential. */
  login(name: PersonName): { username?: string; secret?: string } {
    const { basic } = this.person(name);
    if (basic === undefined) return {};
    const text = Buffer.from(basic.slice(6), 'base64').toString('utf8');
    const colon = text.indexOf(':');
    return { username: text.slice(0, colon), secret: text.slice(colon + 1) };
  }

  /** @returns the id of a new access token of the person's */
  async makeToken(name: PersonName): Promise<string> {
    const { basic: as, cookie } = this.person(name);
    const headers = cookie === undefined ? {} : { Cookie: cookie };
    const json = { name: 'to be revoked', level: 'read' };
    const answer = await this.caller.expect(201, 'POST', '/api/v1/tokens', { as, headers, json });
    return (answer.json() as { token: { id: string } }).token.id;
  }

  /** @returns the id of a new invitation into acme */
  async invite(): Promise<string> {
    const as = this.person('boss').basic;
    const answer = await this.caller.expect(201, 'POST', '/api/v1/invitations', { as, json: { organization: 'acme' } });
    return (answer.json() as { invitation: { id: string } }).invitation.id;
  }

  /** Logs in on the page. @returns the value of `Cookie` */
  async signIn(username: string): Promise<string> {
    const json = { username, password: PASSWORD };
    const answer = await this.caller.expect(200, 'POST', '/api/v1/auth/sign-in', { json });
    return cookieOf(answer);
  }

  /** @returns the id of a new upload */
  async startUpload(place: Place): Promise<string> {
    const as = this.person('admin').basic;
    const answer = await this.caller.expect(202, 'POST', `/v2/${REPOSITORY[place]}/blobs/uploads/`, { as });
    return answer.headers.get('location')?.split('/').at(-1) ?? '';
  }

  async fetchBearer(as: string | undefined, scopes: string[]): Promise<string> {
    const query = new URLSearchParams(scopes.map((scope) => ['scope', scope]));
    const answer = await this.caller.expect(200, 'GET', `/auth/token?${query}`, { as });
    return `Bearer ${(answer.json() as { token: string }).token}`;
  }

  image(place: Place | Side): Image {
    const found = this.images.get(place) ?? this.images.get('open');
    if (found === undefined) throw new Error(`no image in ${place}`);
    return found;
  }

  /** The database, beside the server. */
  sql<T>(work: (database: Database) => T): T {
    this.#database ??= openDatabase(this.berth);
    return work(this.#database);
  }
}

/** `berth serve` as the suite needs it: its whole log, two processes, nothing for clients without an account. */
export function startTown(args: string[] = [], data?: string): Promise<RunningBerth> {
  const flags = ['--anonymous', 'none', '--sign-up', 'open', '--workers', '2', '--log-level', 'debug', ...args];
  return startBerth({ args: flags, ...(data === undefined ? {} : { data }) });
}

export function openDatabase({ data }: RunningBerth): Database {
  const database = new Database(join(data, 'berth.db'));
  database.run('pragma busy_timeout = 5000');
  return database;
}

function readFiles(folder: string): Map<string, Uint8Array> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return new Map(paths.map((path) => [relative(folder, path), readFileSync(path)]));
}

function writeFiles(folder: string, files: ReadonlyMap<string, Uint8Array>): void {
  for (const [path, content] of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
}

/** The secret of the set-up link that the server has printed. */
export function setupSecret(berth: RunningBerth): string {
  const [, secret] = /\/setup\?secret=(\S+)/.exec(berth.output()) ?? [];
  if (secret === undefined) throw new Error(`no set-up link:\n${berth.output().slice(0, 2_000)}`);
  return secret;
}

/** Makes the first administrator; its name and password are the answer's credentials. */
export async function setUp(caller: Caller, username = 'chief'): Promise<string> {
  const secret = setupSecret(caller.berth);
  await caller.expect(201, 'POST', '/api/v1/setup', { json: { secret, username, password: PASSWORD } });
  return basic(username, PASSWORD);
}

/** What a browser sends back of the cookies that an answer sets. */
export function cookieOf(answer: Answer): string {
  return answer.headers
    .getSetCookie()
    .map((cookie) => cookie.split(';', 1)[0] ?? '')
    .join('; ');
}

export async function makeToken(caller: Caller, as: string, options: object): Promise<{ id: string; secret: string }> {
  const answer = await caller.expect(201, 'POST', '/api/v1/tokens', { as, json: { name: 'test', ...options } });
  const { token, secret } = answer.json() as { token: { id: string }; secret: string };
  return { id: token.id, secret };
}

/** Pushes a small image as `as`. */
export async function pushImage(
  caller: Caller,
  as: string,
  repository: string,
  tag: string,
  layer: string,
): Promise<Image> {
  const config = JSON.stringify({ architecture: 'amd64', os: 'linux', repository });
  for (const blob of [config, layer]) {
    await caller.expect(201, 'POST', `/v2/${repository}/blobs/uploads/?digest=${digestOf(blob)}`, { as, body: blob });
  }
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: describeBytes(config, mediaTypes.ociConfig),
    layers: [describeBytes(layer, mediaTypes.ociLayer)],
  });
  const headers = { 'Content-Type': mediaTypes.ociManifest };
  await caller.expect(201, 'PUT', `/v2/${repository}/manifests/${tag}`, { as, headers, body: manifest });
  return { manifest, digest: digestOf(manifest), layer: digestOf(layer) };
}

async function settle(town: Town): Promise<void> {
  const { caller, people } = town;
  const chief = await setUp(caller);
  const admin = basic('chief', (await makeToken(caller, chief, { level: 'admin' })).secret);
  const users = ['stella', 'rita', 'walter', 'olivia', 'theo', 'mia', 'boris', 'doris'];
  await Promise.all(
    users.map((username) =>
      caller.expect(201, 'POST', '/api/v1/users', {
        as: admin,
        json: { username, password: PASSWORD, administrator: username === 'doris' },
      }),
    ),
  );
  const tokenOf = async (name: string, options: object = { level: 'admin' }) =>
    basic(name, (await makeToken(caller, basic(name, PASSWORD), options)).secret);

  people.set('nobody', { basic: undefined });
  people.set('stranger', { basic: basic('stella', PASSWORD) });
  people.set('admin', { basic: admin });
  await Promise.all(
    (
      [
        ['reader', 'rita'],
        ['writer', 'walter'],
        ['owner', 'olivia'],
        ['teammate', 'theo'],
        ['member', 'mia'],
        ['boss', 'boris'],
        ['readonly', 'olivia', { level: 'read' }],
        ['elsewhere', 'olivia', { level: 'delete', repository: REPOSITORY.other }],
        ['disabled', 'doris'],
      ] as const
    ).map(async ([person, user, options]) => people.set(person, { basic: await tokenOf(user, options) })),
  );

  await makeOrganization(town);
  for (const place of ['app', 'open', 'tool', 'other', 'third'] as const) {
    const layer = place === 'app' ? 'only in the private one' : 'in several';
    // What `v1` was before, to roll back to.
    await pushImage(caller, admin, REPOSITORY[place], 'v1', 'an earlier one');
    town.images.set(place, await pushImage(caller, admin, REPOSITORY[place], 'v1', layer));
  }
  for (const place of ['app', 'open', 'tool'] as const) {
    const path = `/v2/${REPOSITORY[place]}/blobs/uploads/?digest=${digestOf(LOOSE_BLOB)}`;
    await caller.expect(201, 'POST', path, { as: admin, body: LOOSE_BLOB });
  }
  await grantRoles(town);
  await makeStacks(town);
  people.set('browser', { basic: undefined, cookie: await town.signIn('stella') });
  for (const place of ['app', 'open', 'tool'] as const) {
    town.uploads.set(place, await town.startUpload(place));
  }

  const revoked = await makeToken(caller, admin, { level: 'admin' });
  const expired = await makeToken(caller, admin, {
    level: 'admin',
    expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
  });
  people.set('revoked', { basic: basic('chief', revoked.secret) });
  people.set('expired', { basic: basic('chief', expired.secret) });
  await caller.expect(204, 'DELETE', `/api/v1/tokens/${revoked.id}`, { as: admin });
  town.sql((database) =>
    database.run('update access_tokens set expires_at = ? where id = ?', [Date.now() - 1, expired.id]),
  );
  await caller.expect(200, 'POST', '/api/v1/users/doris/disable', { as: admin });
}
