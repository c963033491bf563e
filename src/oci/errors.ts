/**
 * The error table of the distribution protocol: OCI Distribution 1.1 "Error Codes" (code-1 to code-14), what Docker
 * Registry v2 adds, and Berth's own.
 *
 * `status` is the HTTP status that the renderers use, `message` a title. `sent` is the code on /v2/ where it is not
 * the row's own: the specification wants one of its fourteen, so a case that it has no code for travels under the nearest.
 * docs/reference/errors.md repeats this table, and a test holds the two together.
 */
export const ERRORS = {
  BLOB_UNKNOWN: { status: 404, message: 'blob unknown to registry', source: 'OCI code-1' },
  BLOB_UPLOAD_INVALID: { status: 400, message: 'blob upload invalid', source: 'OCI code-2' },
  BLOB_UPLOAD_UNKNOWN: { status: 404, message: 'blob upload unknown to registry', source: 'OCI code-3' },
  DIGEST_INVALID: { status: 400, message: 'provided digest did not match uploaded content', source: 'OCI code-4' },
  MANIFEST_BLOB_UNKNOWN: {
    status: 404,
    message: 'manifest references a manifest or blob unknown to registry',
    source: 'OCI code-5',
  },
  MANIFEST_INVALID: { status: 400, message: 'manifest invalid', source: 'OCI code-6' },
  MANIFEST_UNKNOWN: { status: 404, message: 'manifest unknown to registry', source: 'OCI code-7' },
  NAME_INVALID: { status: 400, message: 'invalid repository name', source: 'OCI code-8' },
  NAME_UNKNOWN: { status: 404, message: 'repository name not known to registry', source: 'OCI code-9' },
  SIZE_INVALID: { status: 400, message: 'provided length did not match content length', source: 'OCI code-10' },
  UNAUTHORIZED: { status: 401, message: 'authentication required', source: 'OCI code-11' },
  DENIED: { status: 403, message: 'requested access to the resource is denied', source: 'OCI code-12' },
  UNSUPPORTED: { status: 405, message: 'the operation is unsupported', source: 'OCI code-13' },
  TOOMANYREQUESTS: { status: 429, message: 'too many requests', source: 'OCI code-14' },
  TAG_INVALID: { status: 400, message: 'manifest tag did not match the allowed form', source: 'Docker Registry v2' },
  CHUNK_OUT_OF_ORDER: {
    status: 416,
    sent: 'BLOB_UPLOAD_INVALID',
    message: 'the chunk does not begin where the upload ends',
    source: 'OCI code-2',
  },
  RANGE_NOT_SATISFIABLE: {
    status: 416,
    sent: 'SIZE_INVALID',
    message: 'no byte of the range exists',
    source: 'RFC 9110',
  },
  PAGINATION_NUMBER_INVALID: {
    status: 400,
    sent: 'UNSUPPORTED',
    message: 'invalid number of results requested',
    source: 'Docker Registry v2',
  },
  MANIFEST_TOO_LARGE: {
    status: 413,
    sent: 'SIZE_INVALID',
    message: 'manifest is larger than 4 MiB',
    source: 'OCI code-10',
  },
  BODY_TOO_LARGE: {
    status: 413,
    sent: 'SIZE_INVALID',
    message: 'the request body is larger than this route takes',
    source: 'Berth',
  },
  PRECONDITION_FAILED: { status: 412, message: 'the tag is not what the request expected', source: 'Berth' },
  BODY_INVALID: { status: 400, message: 'the request body is not what this route takes', source: 'Berth' },
  QUERY_INVALID: { status: 400, sent: 'UNSUPPORTED', message: 'a query parameter is malformed', source: 'Berth' },
  HOST_INVALID: { status: 400, sent: 'UNSUPPORTED', message: 'the Host header is malformed', source: 'RFC 9112' },
  NAME_TAKEN: { status: 409, message: 'the name is taken', source: 'Berth' },
  CONFLICT: { status: 409, message: 'the request does not fit what is there', source: 'Berth' },
  LOCKED: { status: 423, message: 'another deployment holds the environment', source: 'Berth' },
  REFUSED: { status: 409, message: 'a policy refuses it', source: 'Berth' },
  NOT_FOUND: { status: 404, message: 'no such resource', source: 'Berth' },
  STORAGE_FULL: { status: 507, message: 'the registry has no space left', source: 'Berth' },
  UNAVAILABLE: { status: 503, message: 'the registry cannot answer now; try again', source: 'Docker Registry v2' },
  UNKNOWN: { status: 500, message: 'unknown error', source: 'Docker Registry v2' },
} as const satisfies Record<string, { status: number; sent?: string; message: string; source: string }>;

export type ErrorCode = keyof typeof ERRORS;

/** The code that /v2/ sends for a row. */
export function sentCode(code: ErrorCode): string {
  const row = ERRORS[code];
  return 'sent' in row ? row.sent : code;
}

/** A failure that has a row in the table. `reason` says which field and value, and what to do; it is shown to the client. */
export class OciError extends Error {
  override readonly name = 'OciError';
  readonly code: ErrorCode;
  /** Goes into the error body's `detail`; JSON values only. */
  readonly detail: Record<string, unknown>;

  constructor(code: ErrorCode, reason: string, detail: Record<string, unknown> = {}, options?: ErrorOptions) {
    super(reason, options);
    this.code = code;
    this.detail = detail;
  }
}
