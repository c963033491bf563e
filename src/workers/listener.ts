import type { Logger } from 'pino';
import type { ServerTlsState } from '../tls/server-tls.ts';
import { synFilter } from './syn-filter.ts';

export interface ListenerOptions {
  hostname: string;
  port: number;
  answer: (request: Request) => Response | Promise<Response>;
  log: Logger;
}

type Server = ReturnType<typeof Bun.serve>;

interface Opened {
  server: Server;
  /** It only ends what has begun. */
  retiring: boolean;
}

/** Connections that had begun have been taken by then, if their packets need less; well under the second after which a SYN is sent anew. */
const LAST_CONNECTIONS_MS = 700;

/**
 * A worker's port: beside those of the other workers (SO_REUSEPORT). With another certificate a second socket is opened and the first one
 * retired, because Bun can't give a server another certificate (docs/decisions/0021-certificate-reload.md). Nothing listens before `open`.
 */
export class Listener {
  readonly #opened = new Set<Opened>();
  #current: Opened | undefined;
  #exchange = Promise.resolve();
  #stopped = false;

  constructor(private readonly options: ListenerOptions) {}

  /** @param tls what to show; plain HTTP without it */
  open(tls?: ServerTlsState): void {
    this.#current = this.#listen(tls);
  }

  /** Answers with another certificate from now on. Running requests go on to their end. Exchanges come one after the other. */
  exchange(tls: ServerTlsState): Promise<void> {
    this.#exchange = this.#exchange
      .then(() => this.#replace(tls))
      .catch((error: unknown) =>
        this.options.log.error({ err: error }, 'the certificate could not be exchanged; the one before is served on'),
      );
    return this.#exchange;
  }

  get pendingRequests(): number {
    let pending = 0;
    for (const { server } of this.#opened) pending += server.pendingRequests;
    return pending;
  }

  /** Where the client of a request is, whichever socket it came through. */
  address(request: Request): string | undefined {
    return this.#current?.server.requestIP(request)?.address;
  }

  /** Takes no more connections; resolves when those that there are have ended. */
  async finish(): Promise<void> {
    this.#stopped = true;
    await Promise.all([...this.#opened].map(({ server }) => server.stop(false)));
    while (this.pendingRequests > 0) await Bun.sleep(20);
  }

  /** Cuts off whatever there is. */
  async cut(): Promise<void> {
    this.#stopped = true;
    await Promise.all([...this.#opened].map(({ server }) => server.stop(true)));
  }

  async #replace(tls: ServerTlsState): Promise<void> {
    if (this.#stopped) return;
    const former = this.#current;
    // They must be found while there are no others.
    const dropNewConnections = former === undefined ? undefined : synFilter(this.options.port);
    this.#current = this.#listen(tls);
    const { fingerprint, names, notAfter } = tls.material;
    this.options.log.info(
      { names, notAfter: new Date(notAfter).toISOString(), fingerprint },
      former === undefined ? 'a certificate has come; https is served' : 'the certificate was exchanged',
    );
    if (former === undefined) return;
    former.retiring = true;
    if (dropNewConnections?.()) await Bun.sleep(LAST_CONNECTIONS_MS);
    else this.options.log.debug('the former socket could not be filtered; connections in its queue may be reset');
    void former.server.stop(false).then(() => this.#opened.delete(former));
  }

  #listen(tls: ServerTlsState | undefined): Opened {
    const { hostname, port, answer, log } = this.options;
    const closing = async (request: Request) => {
      const response = await answer(request);
      response.headers.set('Connection', 'close');
      return response;
    };
    const server = Bun.serve({
      hostname,
      port,
      reusePort: true,
      idleTimeout: 240,
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      development: false,
      ...(tls === undefined ? {} : { tls: optionsOf(tls) }),
      fetch: (request) => (opened.retiring ? closing(request) : answer(request)),
      error: (error) => {
        log.error({ err: error }, 'a response failed');
        return new Response('internal error\n', { status: 500 });
      },
    });
    const opened: Opened = { server, retiring: false };
    this.#opened.add(opened);
    return opened;
  }
}

/** Bun takes no TLS before 1.2. */
function optionsOf({ material, clients }: ServerTlsState): Bun.TLSOptions {
  return {
    cert: material.certificate,
    key: material.key,
    ...(clients === undefined ? {} : { ca: clients.certificates, requestCert: true, rejectUnauthorized: true }),
  };
}
