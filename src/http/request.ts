import type { Access, Authorizer, Caller, Target, Verdict } from '../accounts/authorize.ts';
import { ANONYMOUS, type Identity } from '../accounts/identity.ts';
import { type Readable, type ReadableStacks, readable, readableStacks } from '../accounts/readable.ts';
import { OciError } from '../oci/errors.ts';
import type { RepositoryName } from '../oci/names.ts';
import type { Actor } from '../registry/context.ts';
import { unknownRepository } from '../registry/repositories.ts';
import type { Arrival, PublicAddress } from './public-address.ts';
import { queryOf } from './route.ts';

/** What a handler may know of a request: no framework, no response. Made by `dispatch.ts`. */
export interface BerthRequest {
  /** In the log lines of this request, in its error bodies and in `X-Request-Id`. */
  readonly id: string;
  readonly raw: Request;
  readonly identity: Identity;
  /** Values of the route's `:parameters`, percent-decoded. */
  param(name: string): string;
  query(name: string): string | undefined;
  /** Every value of a parameter that may come several times. */
  queryAll(name: string): string[];
  header(name: string): string | null;
  /** The client's address; the one a trusted proxy names. */
  readonly source: string;
  /** How the client sees this registry: `https://registry.example.com`. */
  readonly base: string;
  /** How it came here, for who looks for a mistake between the client and this server. */
  readonly arrival: Arrival;
  readonly actor: Actor;
  /** Set by `dispatch.ts` before the handler runs. */
  caller: Caller;
  may(access: Access, repository: RepositoryName): Promise<boolean>;
  /** For what the path alone does not name. @throws OciError UNAUTHORIZED, DENIED, NAME_UNKNOWN */
  require(access: Access, target: Target): Promise<void>;
  /** What the caller may read, for lists. @throws OciError UNAUTHORIZED */
  readable(): Promise<Readable>;
  /** The namespaces whose stacks the caller may read, for lists. */
  readableStacks(): Promise<ReadableStacks>;
}

/** The socket's side of a request, which the fetch API does not show. */
export interface Connection {
  address(request: Request): string | undefined;
}

export class HttpRequest implements BerthRequest {
  caller: Caller = { identity: ANONYMOUS };
  readonly #params: (name: string) => string | undefined;
  #query: URLSearchParams | undefined;

  constructor(
    readonly id: string,
    readonly raw: Request,
    readonly environment: { authorizer: Authorizer; address: PublicAddress; connection: Connection },
    params: (name: string) => string | undefined,
  ) {
    this.#params = params;
  }

  param(name: string): string {
    const value = this.#params(name) ?? '';
    if (value.includes('\0')) throw new OciError('QUERY_INVALID', `${name}: holds a NUL character`);
    return value;
  }

  query(name: string): string | undefined {
    this.#query ??= new URLSearchParams(queryOf(this.raw.url));
    const value = this.#query.get(name) ?? undefined;
    if (value?.includes('\0')) throw new OciError('QUERY_INVALID', `${name}: holds a NUL character`);
    return value;
  }

  queryAll(name: string): string[] {
    this.#query ??= new URLSearchParams(queryOf(this.raw.url));
    return this.#query.getAll(name);
  }

  header(name: string): string | null {
    return this.raw.headers.get(name);
  }

  get base(): string {
    return this.environment.address.base(this.raw, this.environment.connection.address(this.raw));
  }

  get source(): string {
    return this.environment.address.client(this.raw, this.environment.connection.address(this.raw));
  }

  get arrival(): Arrival {
    return this.environment.address.arrival(this.raw, this.environment.connection.address(this.raw));
  }

  get actor(): Actor {
    const request = {
      id: this.id,
      host: this.header('host') ?? '',
      method: this.raw.method,
      userAgent: (this.header('user-agent') ?? '').slice(0, 300),
      base: this.base,
    };
    return { name: this.identity.name, source: this.source, request };
  }

  get identity(): Identity {
    return this.caller.identity;
  }

  async may(access: Access, repository: RepositoryName): Promise<boolean> {
    const { authorizer } = this.environment;
    return (
      (await authorizer.authorize(this.caller, access, { kind: 'repository', name: repository })).kind === 'allowed'
    );
  }

  async require(access: Access, target: Target): Promise<void> {
    const verdict = await this.environment.authorizer.authorize(this.caller, access, target);
    if (verdict.kind !== 'allowed') throw refusalOf(verdict, access, target);
  }

  readable(): Promise<Readable> {
    return readable(this.environment.authorizer, this.caller);
  }

  readableStacks(): Promise<ReadableStacks> {
    return readableStacks(this.environment.authorizer, this.caller);
  }
}

/** The error of a verdict that is not `allowed`. A name that may not be read answers as one that does not exist. */
export function refusalOf(verdict: Verdict, access: Access, target: Target): OciError {
  const what = wordsOf(target);
  switch (verdict.kind) {
    case 'denied':
      return new OciError('DENIED', verdict.reason);
    case 'hidden':
      return unknown(target);
    default:
      return new OciError('UNAUTHORIZED', `log in to ${VERBS[access]} ${what}`, { access });
  }
}

/** What a caller who logs in may do. */
const VERBS: Record<Access, string> = {
  none: 'see',
  read: 'read',
  write: 'write to',
  delete: 'delete from',
  admin: 'administer',
  account: 'use your account on',
  administrator: 'administer',
  agent: 'run images of',
};

function wordsOf(target: Target): string {
  if (target.kind === 'stack') return target.stack === '' ? target.namespace : `${target.namespace}/${target.stack}`;
  return target.kind === 'repository' || target.kind === 'namespace' ? target.name : 'this registry';
}

/** The words are those of a handler that looks and finds nothing, so that nobody can tell the two apart. */
function unknown(target: Target): OciError {
  if (target.kind === 'repository') return unknownRepository(target.name);
  if (target.kind === 'stack') return new OciError('NOT_FOUND', `stack: no stack ${wordsOf(target).slice(0, 100)}`);
  return new OciError('NOT_FOUND', `name: no user or organization ${wordsOf(target)}`);
}

/** The whole number of a query parameter, or undefined. @throws OciError PAGINATION_NUMBER_INVALID */
export function pageSize(request: BerthRequest, most: number): number | undefined {
  const text = request.query('n');
  if (text === undefined) return undefined;
  if (!/^\d{1,9}$/.test(text)) {
    throw new OciError('PAGINATION_NUMBER_INVALID', `n: ${JSON.stringify(text.slice(0, 50))} is not a whole number`, {
      n: text.slice(0, 50),
    });
  }
  return Math.min(Number(text), most);
}

/** `Content-Length` as a number; undefined when the body has no announced length. */
export function contentLength(request: BerthRequest): number | undefined {
  const text = request.header('content-length');
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
