import type { Database } from '../../database/database.ts';
import { namesKey } from './acme-options.ts';

/** A challenge is answered at most so long; authorities look within seconds. */
const CHALLENGE_MS = 3_600_000;

export interface StoredCertificate {
  names: string;
  fingerprint: string;
  chain: string;
  sealedKey: string;
  notBefore: number;
  notAfter: number;
  orderedAt: number;
}

export interface StoredFailure {
  settings: string;
  count: number;
  reason: string;
  failedAt: number;
  nextAt: number;
}

export interface StoredAccount {
  sealedKey: string;
  url: string | undefined;
  registration: string | undefined;
}

/** Certificates, accounts, challenges and failures in the database, for all processes. */
export class AcmeStore {
  readonly #database: Database;
  readonly #now: () => number;

  constructor(database: Database, now: () => number) {
    this.#database = database;
    this.#now = now;
  }

  /** The certificate for exactly these names. */
  async certificate(directory: string, domains: readonly string[]): Promise<StoredCertificate | undefined> {
    const row = await this.#certificates()
      .where('directory', '=', directory)
      .where('names', '=', namesKey(domains))
      .executeTakeFirst();
    return row === undefined ? undefined : storedCertificate(row);
  }

  /** One that still holds, for at least one of the names, from any authority: better than none while the right one is ordered. */
  async similar(domains: readonly string[]): Promise<StoredCertificate | undefined> {
    const rows = await this.#certificates().where('not_after', '>', this.#now()).orderBy('not_after', 'desc').execute();
    const row = rows.find(({ names }) => names.split(',').some((name) => domains.includes(name)));
    return row === undefined ? undefined : storedCertificate(row);
  }

  #certificates() {
    return this.#database.read
      .selectFrom('acme_certificates')
      .select(['names', 'fingerprint', 'chain', 'sealed_key', 'not_before', 'not_after', 'ordered_at']);
  }

  /** Puts a certificate in the place of the one for the same names, and forgets failures and what has expired. */
  async putCertificate(directory: string, certificate: Omit<StoredCertificate, 'orderedAt'>): Promise<void> {
    const now = this.#now();
    const { names } = certificate;
    const values = {
      fingerprint: certificate.fingerprint,
      chain: certificate.chain,
      sealed_key: certificate.sealedKey,
      not_before: certificate.notBefore,
      not_after: certificate.notAfter,
      ordered_at: now,
    };
    await this.#database.transaction(async (tx) => {
      await tx
        .insertInto('acme_certificates')
        .values({ directory, names, ...values })
        .onConflict((conflict) => conflict.columns(['directory', 'names']).doUpdateSet(values))
        .execute();
      await tx.deleteFrom('acme_failures').where('directory', '=', directory).where('names', '=', names).execute();
      await tx.deleteFrom('acme_certificates').where('not_after', '<', now).where('names', '!=', names).execute();
    });
  }

  async failure(directory: string, domains: readonly string[]): Promise<StoredFailure | undefined> {
    const row = await this.#database.read
      .selectFrom('acme_failures')
      .select(['settings', 'count', 'reason', 'failed_at', 'next_at'])
      .where('directory', '=', directory)
      .where('names', '=', namesKey(domains))
      .executeTakeFirst();
    if (row === undefined) return undefined;
    return {
      settings: row.settings,
      count: Number(row.count),
      reason: row.reason,
      failedAt: Number(row.failed_at),
      nextAt: Number(row.next_at),
    };
  }

  async putFailure(directory: string, domains: readonly string[], failure: StoredFailure): Promise<void> {
    const values = {
      settings: failure.settings,
      count: failure.count,
      reason: failure.reason,
      failed_at: failure.failedAt,
      next_at: failure.nextAt,
    };
    await this.#database.transaction((tx) =>
      tx
        .insertInto('acme_failures')
        .values({ directory, names: namesKey(domains), ...values })
        .onConflict((conflict) => conflict.columns(['directory', 'names']).doUpdateSet(values))
        .execute(),
    );
  }

  /** @returns false when nothing waits */
  async endPause(directory: string, domains: readonly string[]): Promise<boolean> {
    const updated = await this.#database.transaction((tx) =>
      tx
        .updateTable('acme_failures')
        .set({ next_at: 0 })
        .where('directory', '=', directory)
        .where('names', '=', namesKey(domains))
        .executeTakeFirst(),
    );
    return updated.numUpdatedRows > 0n;
  }

  async account(directory: string): Promise<StoredAccount | undefined> {
    const row = await this.#database.read
      .selectFrom('acme_accounts')
      .select(['sealed_key', 'url', 'registration'])
      .where('directory', '=', directory)
      .executeTakeFirst();
    if (row === undefined) return undefined;
    return { sealedKey: row.sealed_key, url: row.url ?? undefined, registration: row.registration ?? undefined };
  }

  /** Durable before it is used: an account whose key is lost can't be had again. */
  async putAccount(directory: string, account: StoredAccount): Promise<void> {
    const values = {
      sealed_key: account.sealedKey,
      url: account.url ?? null,
      registration: account.registration ?? null,
    };
    await this.#database.transaction((tx) =>
      tx
        .insertInto('acme_accounts')
        .values({ directory, created_at: this.#now(), ...values })
        .onConflict((conflict) => conflict.column('directory').doUpdateSet(values))
        .execute(),
    );
  }

  async putChallenge(token: string, answer: string): Promise<void> {
    const now = this.#now();
    await this.#database.relaxedTransaction(async (tx) => {
      await tx.deleteFrom('acme_challenges').where('expires_at', '<', now).execute();
      await tx
        .insertInto('acme_challenges')
        .values({ token, answer, expires_at: now + CHALLENGE_MS })
        .onConflict((conflict) => conflict.column('token').doUpdateSet({ answer, expires_at: now + CHALLENGE_MS }))
        .execute();
    });
  }

  async removeChallenge(token: string): Promise<void> {
    await this.#database.relaxedTransaction((tx) =>
      tx.deleteFrom('acme_challenges').where('token', '=', token).execute(),
    );
  }

  /** RFC 8555, section 8.3: what `/.well-known/acme-challenge/<token>` says. */
  async challenge(token: string): Promise<string | undefined> {
    const row = await this.#database.read
      .selectFrom('acme_challenges')
      .select('answer')
      .where('token', '=', token)
      .where('expires_at', '>', this.#now())
      .executeTakeFirst();
    return row?.answer;
  }
}

function storedCertificate(row: {
  names: string;
  fingerprint: string;
  chain: string;
  sealed_key: string;
  not_before: number;
  not_after: number;
  ordered_at: number;
}): StoredCertificate {
  return {
    names: row.names,
    fingerprint: row.fingerprint,
    chain: row.chain,
    sealedKey: row.sealed_key,
    notBefore: Number(row.not_before),
    notAfter: Number(row.not_after),
    orderedAt: Number(row.ordered_at),
  };
}
