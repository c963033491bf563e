import type { RepositoryName } from '../oci/names.ts';
import type { UpstreamsContext } from './context.ts';
import { parseRegistryAddress } from './registry-address.ts';
import { RegistryClient } from './registry-client.ts';
import type { Patience } from './registry-transport.ts';
import { UpstreamError } from './upstream-error.ts';
import { findUpstreamRow, sealedFor, type UpstreamRow, unknownUpstream } from './upstreams.ts';

/**
 * The clients of the upstreams, by name. The row is read each time, so a new address or password holds for what is asked next, in every
 * process; until it changes the client is the same one, with its tokens. Whoever works with one for long opens it again now and then.
 */
export class UpstreamClients {
  readonly #context: UpstreamsContext;
  readonly #patience: Partial<Patience>;
  readonly #kept = new Map<string, { state: string; client: RegistryClient }>();

  /** @param patience how long is waited and how often tried; as a person does at a command without it */
  constructor(context: UpstreamsContext, patience: Partial<Patience> = {}) {
    this.#context = context;
    this.#patience = patience;
  }

  /** @throws OciError NOT_FOUND; UNKNOWN when the password was sealed with another key */
  async open(name: string): Promise<RegistryClient> {
    const row = await findUpstreamRow(this.#context, name);
    if (row === undefined) {
      this.#kept.delete(name);
      throw unknownUpstream(name);
    }
    const state = JSON.stringify(row);
    const kept = this.#kept.get(name);
    if (kept?.state === state) return kept.client;
    const client = this.#make(row);
    this.#kept.set(name, { state, client });
    return client;
  }

  #make({ name, address, username, sealed_password: sealed, ca }: UpstreamRow): RegistryClient {
    const credentials =
      username === null || sealed === null
        ? undefined
        : { username, password: this.#context.secrets.open(sealed, sealedFor(name)) };
    return new RegistryClient({
      address: parseRegistryAddress(address),
      credentials,
      ca: ca ?? undefined,
      authorityFlag: '--authority of berth upstream edit',
      patience: this.#patience,
      fetch: this.#context.fetch,
      now: this.#context.now,
    });
  }
}

/** How a look at an upstream went. */
export type UpstreamCheck =
  /** `login`: whether it asked for the log-in and took it; false when it asked for none. */
  { kind: 'ok'; login: boolean } | { kind: UpstreamError['failure']['kind']; why: string };

/** Somebody waits for the answer. */
const CHECK_PATIENCE: Partial<Patience> = {
  tries: 2,
  pauseMs: 300,
  longestPauseMs: 2_000,
  answerMs: 15_000,
  idleMs: 15_000,
};

/**
 * Asks the registry whether it is one and takes the log-in; with a repository, whether its tags may be listed.
 *
 * @throws OciError NOT_FOUND, UNKNOWN
 */
export async function checkUpstream(
  context: UpstreamsContext,
  name: string,
  repository: RepositoryName | undefined,
  signal?: AbortSignal,
): Promise<UpstreamCheck> {
  const client = await new UpstreamClients(context, CHECK_PATIENCE).open(name);
  try {
    const login = await client.check(signal);
    if (repository !== undefined) for await (const _ of client.tags(repository, signal)) break;
    return { kind: 'ok', login };
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error;
    return { kind: error.failure.kind, why: error.message };
  }
}
