import { X509Certificate } from 'node:crypto';
import type { Selectable, Transaction } from 'kysely';
import type { Schema } from '../database/schema.ts';
import { OciError } from '../oci/errors.ts';
import { isRepositoryName } from '../oci/names.ts';
import type { Actor } from '../registry/context.ts';
import type { UpstreamsContext } from './context.ts';
import { parseRegistryAddress } from './registry-address.ts';

/** Another registry, by its name here. */
export interface Upstream {
  name: string;
  /** As people write it: `docker.io`, `https://old.example.com:5000`. */
  address: string;
  /** With whose password it is asked; null: without a log-in. */
  username: string | null;
  /** Whether certificates of a private authority are trusted besides the system's. */
  hasAuthority: boolean;
  /** Prefixes that are fetched from it when they are pulled. */
  caches: string[];
  /** Repositories that follow one of its own. */
  mirrors: string[];
  createdBy: string;
  /** Times are ms since 1970. */
  createdAt: number;
  updatedAt: number;
}

export interface UpstreamLogin {
  username: string;
  password: string;
}

/** What may be changed; what is left out stays, and null takes it away. */
export interface UpstreamChange {
  address?: string | undefined;
  username?: string | null | undefined;
  /** Without `username`: of the user that is there. */
  password?: string | undefined;
  ca?: string | null | undefined;
}

export type UpstreamRow = Selectable<Schema['upstreams']>;

const MOST_NAME = 64;
const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** @throws OciError BODY_INVALID, NAME_TAKEN */
export async function createUpstream(
  context: UpstreamsContext,
  wishes: { name: string; address: string; login?: UpstreamLogin | undefined; ca?: string | undefined },
  actor: Actor,
): Promise<void> {
  const { name, address, login, ca } = wishes;
  checkName(name);
  checkAddress(address);
  if (ca !== undefined) checkCertificates(ca);
  const now = context.now();
  const row = {
    name,
    address,
    username: login?.username ?? null,
    sealed_password: login === undefined ? null : context.secrets.seal(login.password, sealedFor(name)),
    ca: ca ?? null,
    created_by: actor.name,
    created_at: now,
    updated_at: now,
  };
  await context.database.transaction(async (tx) => {
    const made = await tx
      .insertInto('upstreams')
      .values(row)
      .onConflict((conflict) => conflict.column('name').doNothing())
      .returning('name')
      .executeTakeFirst();
    if (made === undefined) throw new OciError('NAME_TAKEN', `name: there is an upstream ${name} already`);
    const detail = { address, ...(login === undefined ? {} : { username: login.username }) };
    await context.record(tx, actor, { action: 'upstream.create', subject: name, detail });
  });
}

/** By name. */
export async function listUpstreams(context: UpstreamsContext): Promise<Upstream[]> {
  const { read } = context.database;
  const rows = await read.selectFrom('upstreams').selectAll().orderBy('name').execute();
  return Promise.all(rows.map(async (row) => ({ ...shown(row), ...(await usersOfUpstream(read, row.name)) })));
}

/** @throws OciError NOT_FOUND */
export async function getUpstream(context: UpstreamsContext, name: string): Promise<Upstream> {
  const row = await findUpstreamRow(context, name);
  if (row === undefined) throw unknownUpstream(name);
  return { ...shown(row), ...(await usersOfUpstream(context.database.read, name)) };
}

export function findUpstreamRow({ database }: UpstreamsContext, name: string): Promise<UpstreamRow | undefined> {
  return database.read.selectFrom('upstreams').selectAll().where('name', '=', name).executeTakeFirst();
}

/** Holds for the next request to the registry, in every process. @throws OciError BODY_INVALID, NOT_FOUND */
export async function updateUpstream(
  context: UpstreamsContext,
  name: string,
  change: UpstreamChange,
  actor: Actor,
): Promise<void> {
  const { address, username, password, ca } = change;
  if (address !== undefined) checkAddress(address);
  if (typeof ca === 'string') checkCertificates(ca);
  if (username === null && password !== undefined) {
    throw new OciError('BODY_INVALID', 'password: belongs to a user name; give both, or null as username for none');
  }
  if (typeof username === 'string' && password === undefined) {
    throw new OciError('BODY_INVALID', `password: give that of ${username}, too`);
  }
  await context.database.transaction(async (tx) => {
    const row = await tx.selectFrom('upstreams').selectAll().where('name', '=', name).executeTakeFirst();
    if (row === undefined) throw unknownUpstream(name);
    if (password !== undefined && username === undefined && row.username === null) {
      throw new OciError('BODY_INVALID', 'username: whose password is it?');
    }
    const moves = address !== undefined && checkAddress(address).origin !== checkAddress(row.address).origin;
    if (moves && row.username !== null && password === undefined && username !== null) {
      // Whoever may change the address need not know what is sent there.
      throw new OciError('BODY_INVALID', 'password: another registry needs its own: give it, or null as username');
    }
    await tx
      .updateTable('upstreams')
      .set({
        ...(address === undefined ? {} : { address }),
        ...(username === undefined ? {} : { username }),
        ...(username === null ? { sealed_password: null } : {}),
        ...(password === undefined ? {} : { sealed_password: context.secrets.seal(password, sealedFor(name)) }),
        ...(ca === undefined ? {} : { ca }),
        updated_at: Math.max(context.now(), row.updated_at + 1),
      })
      .where('name', '=', name)
      .execute();
    // What failed with the former address or log-in is tried again now.
    await tx
      .updateTable('mirrors')
      .set({ next_at: context.now() })
      .where('upstream', '=', name)
      .where('failures', '>', 0)
      .execute();
    await tx.deleteFrom('cache_pauses').where('upstream', '=', name).execute();
    const detail = {
      ...(address === undefined ? {} : { address }),
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password: 'set' }),
      ...(ca === undefined ? {} : { ca: ca === null ? 'removed' : 'set' }),
    };
    await context.record(tx, actor, { action: 'upstream.update', subject: name, detail });
  });
}

/** @throws OciError NOT_FOUND, CONFLICT naming the caches and mirrors that use it */
export async function deleteUpstream(context: UpstreamsContext, name: string, actor: Actor): Promise<void> {
  await context.database.transaction(async (tx) => {
    const query = tx.selectFrom('upstreams').select('name').where('name', '=', name);
    // Nothing begins to use it from here on.
    const row = await (context.database.kind === 'postgres' ? query.forUpdate() : query).executeTakeFirst();
    if (row === undefined) throw unknownUpstream(name);
    const { caches, mirrors } = await usersOfUpstream(tx, name);
    if (caches.length + mirrors.length > 0) {
      const users = [
        ...caches.map((cache) => `the cache ${cache}`),
        ...mirrors.map((mirror) => `the mirror ${mirror}`),
      ];
      throw new OciError('CONFLICT', `upstream: ${name} is used by ${users.join(', ')}; delete them first`, {
        caches,
        mirrors,
      });
    }
    await tx.deleteFrom('cache_pauses').where('upstream', '=', name).execute();
    await tx.deleteFrom('upstreams').where('name', '=', name).execute();
    await context.record(tx, actor, { action: 'upstream.delete', subject: name });
  });
}

export function unknownUpstream(name: string): OciError {
  return new OciError('NOT_FOUND', `upstream: no upstream ${JSON.stringify(name.slice(0, 100))}`);
}

/** What a sealed password is bound to. */
export function sealedFor(name: string): string {
  return `upstream:${name}:password`;
}

async function usersOfUpstream(
  rows: Pick<Transaction<Schema>, 'selectFrom'>,
  name: string,
): Promise<Pick<Upstream, 'caches' | 'mirrors'>> {
  const caches = await rows
    .selectFrom('caches')
    .select('prefix')
    .where('upstream', '=', name)
    .orderBy('prefix')
    .execute();
  const mirrors = await rows
    .selectFrom('mirrors as m')
    .innerJoin('repositories as r', 'r.id', 'm.repository_id')
    .select('r.name')
    .where('m.upstream', '=', name)
    .orderBy('r.name')
    .execute();
  return { caches: caches.map(({ prefix }) => prefix), mirrors: mirrors.map((mirror) => mirror.name) };
}

function shown(row: UpstreamRow): Omit<Upstream, 'caches' | 'mirrors'> {
  return {
    name: row.name,
    address: row.address,
    username: row.username,
    hasAuthority: row.ca !== null,
    createdBy: row.created_by,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

function checkName(name: string): void {
  if (isRepositoryName(name) && !name.includes('/') && name.length <= MOST_NAME) return;
  throw new OciError(
    'BODY_INVALID',
    `name: ${JSON.stringify(name.slice(0, 100))} is not lower-case letters and digits with single ".", "_", "__" or "-" between, ${MOST_NAME} at most`,
  );
}

function checkAddress(text: string) {
  try {
    return parseRegistryAddress(text);
  } catch (error) {
    throw new OciError('BODY_INVALID', `address: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function checkCertificates(text: string): void {
  const found = text.match(PEM) ?? [];
  const read = found.every((certificate) => {
    try {
      return new X509Certificate(certificate).subject !== '';
    } catch {
      return false;
    }
  });
  if (found.length > 0 && read) return;
  throw new OciError('BODY_INVALID', 'ca: holds no certificates in PEM form');
}
