import type { Logger } from 'pino';
import type { Settings } from '../config/settings.ts';
import { plainHttp, withChallenges } from '../http/plain-http.ts';
import type { ServerTls, ServerTlsState } from '../tls/server-tls.ts';
import type { TlsMaterial } from '../tls/tls-material.ts';
import { watchExpiry } from './expiry-watch.ts';
import { Listener } from './listener.ts';

export interface ListeningOptions {
  settings: Pick<Settings, 'host' | 'port' | 'httpPort' | 'publicUrl'>;
  /** undefined serves plain HTTP. */
  tls: ServerTls | undefined;
  answer: (request: Request) => Response | Promise<Response>;
  /** What an ACME authority is to find under a token; undefined without one. */
  challenge: ((token: string) => Promise<string | undefined>) | undefined;
  /** Whether this worker is the one that warns of what all of them see. */
  warns: boolean;
  log: Logger;
}

/** A worker's ports: the registry's, and the one with plain HTTP that sends to it. */
export class Listening {
  readonly #options: ListeningOptions;
  readonly #registry: Listener;
  readonly #plain: Listener | undefined;
  #state: ServerTlsState | undefined;
  #ends: (() => void)[] = [];

  constructor(options: ListeningOptions) {
    this.#options = options;
    const { settings, answer, challenge, log } = options;
    const { host: hostname, port, httpPort, publicUrl } = settings;
    const failed = (err: unknown) => log.warn({ err }, 'a challenge could not be looked up');
    const whole = challenge === undefined ? answer : withChallenges(answer, { challenge, failed });
    this.#registry = new Listener({ hostname, port, answer: whole, log });
    if (httpPort === undefined) return;
    this.#plain = new Listener({
      hostname,
      port: httpPort,
      answer: plainHttp({ publicUrl, httpsPort: port, challenge: challenge ?? (async () => undefined), failed }),
      log,
    });
  }

  /** @throws CertificateError */
  async open(): Promise<void> {
    const { tls, warns, log } = this.#options;
    this.#plain?.open();
    if (tls === undefined) return this.#registry.open();
    this.#state = await tls.current();
    // Without a certificate yet there is nothing to open.
    if (this.#state !== undefined) this.#registry.open(this.#state);
    this.#ends = [
      tls.watch(this.#state, (state) => {
        this.#state = state;
        void this.#registry.exchange(state);
      }),
    ];
    if (warns) this.#ends.push(watchExpiry(() => this.#state?.material, log));
  }

  get pendingRequests(): number {
    return this.#registry.pendingRequests;
  }

  /** Until when the certificate is good, in ms since 1970. */
  get certificateEnd(): number | undefined {
    return this.#state?.material.notAfter;
  }

  /** What is served; undefined over plain HTTP. */
  get certificate(): TlsMaterial | undefined {
    return this.#state?.material;
  }

  address(request: Request): string | undefined {
    return this.#registry.address(request);
  }

  /** Takes no more connections; resolves when those that there are have ended. */
  async finish(): Promise<void> {
    for (const end of this.#ends) end();
    await Promise.all([this.#registry.finish(), this.#plain?.finish()]);
  }

  /** Cuts off whatever there is. */
  async cut(): Promise<void> {
    await Promise.all([this.#registry.cut(), this.#plain?.cut()]);
  }
}
