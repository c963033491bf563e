/**
 * Why another registry did not give what it was asked for. The kinds are never confused: `not-found` is said only when the
 * registry itself said so, and everything that says nothing about whether a thing is there is `unavailable`.
 */
export type UpstreamFailure =
  | { kind: 'not-found' }
  /** No, wrong or insufficient credentials. Some registries say this of what is not there, too. */
  | { kind: 'unauthorized' }
  /** 429. `retryAt` (ms since 1970) when it said from when on it answers again. */
  | { kind: 'rate-limited'; retryAt: number | undefined }
  /** No answer, a cut one, a 5xx, or the answer of something that is no registry. */
  | { kind: 'unavailable'; retryAt: number | undefined }
  /** It answered with what can't be right: other bytes than the digest says, no manifest, a foreign address. */
  | { kind: 'invalid' };

export class UpstreamError extends Error {
  override readonly name = 'UpstreamError';
  readonly failure: UpstreamFailure;
  /** Of the answer, when there was one. */
  readonly status: number | undefined;

  constructor(failure: UpstreamFailure, message: string, options: ErrorOptions & { status?: number | undefined } = {}) {
    super(message, options);
    this.failure = failure;
    this.status = options.status;
  }
}

export function isNotFound(error: unknown): boolean {
  return error instanceof UpstreamError && error.failure.kind === 'not-found';
}

export function unavailable(message: string, cause?: unknown, retryAt?: number): UpstreamError {
  return new UpstreamError({ kind: 'unavailable', retryAt }, message, { cause });
}

export function invalid(message: string): UpstreamError {
  return new UpstreamError({ kind: 'invalid' }, message);
}
