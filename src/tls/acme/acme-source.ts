import { createHash } from 'node:crypto';
import type { Logger } from 'pino';
import type { Database } from '../../database/database.ts';
import type { CertificateSource } from '../certificate-source.ts';
import type { AuthorityState } from '../certificate-state.ts';
import { Polled } from '../polled.ts';
import { type TlsMaterial, tlsMaterial } from '../tls-material.ts';
import { type AcmeOptions, type Seal, sealedAs } from './acme-options.ts';
import { placeOrder } from './acme-order.ts';
import { AcmeStore, type StoredCertificate } from './acme-store.ts';
import { AcmeFailure } from './failure.ts';
import { withOrderLease } from './order-lease.ts';
import { pauseAfter, renewalTime } from './order-policy.ts';
import { standIn } from './stand-in.ts';

export interface AcmeContext {
  database: Database;
  seal: Seal;
  options: AcmeOptions;
  /** Unique among the processes that share the database. */
  holder: string;
  now: () => number;
  /** In [0, 1). */
  random: () => number;
  log: Pick<Logger, 'info' | 'warn' | 'error'>;
  /** Told of each order that ended. */
  ordered: (outcome: 'issued' | 'failed') => void;
}

const LOOK_EVERY_MS = 1_000;
const UNREADABLE_MS = 3_600_000;

/**
 * Certificates from an ACME authority. Every process looks each second which certificate the database has; one of them orders when one is
 * due. Until there is one, a self-signed certificate stands in, so that the port answers.
 */
export class AcmeSource implements CertificateSource {
  readonly #context: AcmeContext;
  readonly #store: AcmeStore;
  readonly #stopping = new AbortController();
  #standIn: Promise<TlsMaterial> | undefined;
  #opened: TlsMaterial | undefined;
  /** The row whose certificate can't be opened, so that it is said once. */
  #unreadable: string | undefined;
  /** What the last look failed of, so that it is said once. */
  #fault: string | undefined;
  readonly #polled: Polled<TlsMaterial>;

  constructor(context: AcmeContext) {
    this.#context = context;
    this.#store = new AcmeStore(context.database, context.now);
    this.#polled = new Polled(() => this.#read(), {
      everyMs: LOOK_EVERY_MS,
      onProblem: (error) => this.#tellFault(error),
    });
  }

  /** Never undefined: at least the stand-in. */
  current(): Promise<TlsMaterial | undefined> {
    return this.#polled.current();
  }

  /** Tells of changes, and from here on orders what is due. */
  watch(onChange: (material: TlsMaterial) => void): () => void {
    const end = this.#polled.watch(onChange);
    let timer: Timer | undefined;
    const next = () => {
      if (this.#stopping.signal.aborted) return;
      timer = setTimeout(() => void this.#orderWhenDue().finally(next), LOOK_EVERY_MS);
    };
    void this.#orderWhenDue().finally(next);
    return () => {
      end();
      this.#stopping.abort();
      clearTimeout(timer);
    };
  }

  /** What `/.well-known/acme-challenge/<token>` says; of any process that orders. */
  answer(token: string): Promise<string | undefined> {
    return this.#store.challenge(token);
  }

  async state(): Promise<AuthorityState> {
    const { options } = this.#context;
    const [certificate, failure] = await Promise.all([
      this.#store.certificate(options.directory, options.domains),
      this.#store.failure(options.directory, options.domains),
    ]);
    const { directory, domains: names } = options;
    return {
      directory,
      names,
      nextOrderAt: Math.max(this.#dueAt(certificate, failure), this.#context.now()),
      failure: failure && { reason: failure.reason, count: failure.count, failedAt: failure.failedAt },
    };
  }

  /** Ends the pause after a failure, for all processes. @returns false when there is none */
  retry(): Promise<boolean> {
    const { directory, domains } = this.#context.options;
    return this.#store.endPause(directory, domains);
  }

  async isStandIn({ fingerprint }: TlsMaterial): Promise<boolean> {
    return (await this.#standIn)?.fingerprint === fingerprint;
  }

  async #read(): Promise<TlsMaterial> {
    const found = await this.#find();
    if (found !== undefined && found.fingerprint === this.#opened?.fingerprint) return this.#opened;
    this.#opened = found === undefined ? undefined : this.#open(found);
    return this.#opened ?? (await this.#stand());
  }

  #stand(): Promise<TlsMaterial> {
    const { options, log, now } = this.#context;
    const { domains: names, directory } = options;
    if (this.#standIn === undefined) {
      log.warn(
        { names, directory },
        'a self-signed certificate stands in until the authority has given one; clients refuse it',
      );
    }
    this.#standIn ??= standIn(names, now());
    return this.#standIn;
  }

  async #find(): Promise<StoredCertificate | undefined> {
    const { directory, domains } = this.#context.options;
    return (await this.#store.certificate(directory, domains)) ?? (await this.#store.similar(domains));
  }

  #open(row: StoredCertificate): TlsMaterial | undefined {
    try {
      return tlsMaterial(row.chain, this.#context.seal.open(row.sealedKey, sealedAs(row.names)));
    } catch (error) {
      if (this.#unreadable !== row.fingerprint) {
        this.#context.log.error(
          { err: error, names: row.names },
          'the stored certificate can not be used; another one is ordered',
        );
      }
      this.#unreadable = row.fingerprint;
      return undefined;
    }
  }

  #dueAt(
    certificate: StoredCertificate | undefined,
    failure: { settings: string; nextAt: number } | undefined,
  ): number {
    const wanted = certificate === undefined ? 0 : this.#replacedAt(certificate);
    return failure?.settings === this.#settings() ? Math.max(wanted, failure.nextAt) : wanted;
  }

  /** Replicas whose secret keys differ can't open each other's certificates: they are not to order against each other without end. */
  #replacedAt(certificate: StoredCertificate): number {
    return certificate.fingerprint === this.#unreadable
      ? certificate.orderedAt + UNREADABLE_MS
      : renewalTime(certificate);
  }

  async #isDue(): Promise<boolean> {
    const { nextOrderAt } = await this.state();
    return nextOrderAt <= this.#context.now();
  }

  async #orderWhenDue(): Promise<void> {
    const { signal } = this.#stopping;
    try {
      if (!(await this.#isDue())) return;
      await withOrderLease(this.#context, signal, async (held) => {
        // Another process may have ordered between the look and the lease.
        if (await this.#isDue()) await this.#order(held);
      });
      this.#fault = undefined;
    } catch (error) {
      this.#tellFault(error);
    }
  }

  /** Once, however often it is tried again. */
  #tellFault(error: unknown): void {
    const fault = error instanceof Error ? error.message : String(error);
    if (fault !== this.#fault && !this.#stopping.signal.aborted) {
      this.#context.log.warn({ err: error }, 'the certificate could not be looked after');
    }
    this.#fault = fault;
  }

  async #order(signal: AbortSignal): Promise<void> {
    const { options, log, ordered } = this.#context;
    const { directory, domains } = options;
    log.info({ names: domains, directory }, 'ordering a certificate');
    try {
      const material = await placeOrder({ ...this.#context, store: this.#store }, signal);
      ordered('issued');
      const renewal = new Date(renewalTime(material)).toISOString();
      log.info(
        { names: domains, until: new Date(material.notAfter).toISOString(), renewal },
        'a certificate was issued',
      );
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof AcmeFailure)) throw error;
      ordered('failed');
      await this.#writeFailure(error);
    }
  }

  async #writeFailure(failure: AcmeFailure): Promise<void> {
    const { options, now, random, log } = this.#context;
    const { directory, domains } = options;
    const before = await this.#store.failure(directory, domains);
    const settings = this.#settings();
    const count = before?.settings === settings ? before.count + 1 : 1;
    const failedAt = now();
    const nextAt = failedAt + pauseAfter(failure.kind, count, failure.retryAfterMs, random);
    await this.#store.putFailure(directory, domains, { settings, count, reason: failure.message, failedAt, nextAt });
    const next = new Date(nextAt).toISOString();
    log.error({ names: domains, reason: failure.message, failures: count, next }, 'no certificate could be got');
  }

  /** With other settings than those that failed there is nothing to wait for. */
  #settings(): string {
    return digest(this.#context.options);
  }
}

function digest(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}
