import type { Access, Authorize, Identity } from '../accounts/authorize.ts';
import { OciError } from '../oci/errors.ts';
import type { RepositoryName } from '../oci/names.ts';
import type { Actor } from '../registry/context.ts';
import type { PublicAddress } from './public-address.ts';
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
  header(name: string): string | null;
  /** The client's address; the one a trusted proxy names. */
  readonly source: string;
  readonly actor: Actor;
  may(access: Access, repository: RepositoryName): boolean;
}

/** The socket's side of a request, which the fetch API does not show. */
export interface Connection {
  address(request: Request): string | undefined;
}

export class HttpRequest implements BerthRequest {
  readonly identity: Identity = { kind: 'anonymous' };
  readonly #params: (name: string) => string | undefined;
  #query: URLSearchParams | undefined;

  constructor(
    readonly id: string,
    readonly raw: Request,
    readonly environment: { authorize: Authorize; address: PublicAddress; connection: Connection },
    params: (name: string) => string | undefined,
  ) {
    this.#params = params;
  }

  param(name: string): string {
    return this.#params(name) ?? '';
  }

  query(name: string): string | undefined {
    this.#query ??= new URLSearchParams(queryOf(this.raw.url));
    const value = this.#query.get(name) ?? undefined;
    if (value?.includes('\0')) throw new OciError('QUERY_INVALID', `${name}: holds a NUL character`);
    return value;
  }

  header(name: string): string | null {
    return this.raw.headers.get(name);
  }

  get source(): string {
    return this.environment.address.client(this.raw, this.environment.connection.address(this.raw));
  }

  get actor(): Actor {
    return { name: this.identity.kind, source: this.source };
  }

  may(access: Access, repository: RepositoryName): boolean {
    return this.environment.authorize(this.identity, access, repository) === 'allowed';
  }
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
