/** The server refused, or failed; the message is its own. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  /** Of the error table. */
  readonly code: string;
  readonly detail: string;
  /** Under which the server's log has it. */
  readonly requestId: string | undefined;

  constructor(problem: { status: number; code: string; detail: string; requestId?: string | undefined }) {
    const { status, code, detail, requestId } = problem;
    super(status >= 500 && requestId !== undefined ? `${detail} (request ${requestId})` : detail);
    this.status = status;
    this.code = code;
    this.detail = detail;
    this.requestId = requestId;
  }
}

/** Nothing answered at the address, or something that is no Berth. */
export class ServerUnreachableError extends Error {
  override readonly name = 'ServerUnreachableError';
}
