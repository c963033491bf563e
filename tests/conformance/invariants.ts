// What holds of every answer of /v2/, whatever was asked: checked on each answer that any conformance test gets.
import { errorsOf } from '../support/registry.ts';
import { noServerError } from '../support/serve.ts';
import type { Answer } from '../support/wire.ts';

/** OCI Distribution 1.1 "Error Codes", code-1 to code-14. */
export const OCI_CODES = new Set([
  'BLOB_UNKNOWN',
  'BLOB_UPLOAD_INVALID',
  'BLOB_UPLOAD_UNKNOWN',
  'DIGEST_INVALID',
  'MANIFEST_BLOB_UNKNOWN',
  'MANIFEST_INVALID',
  'MANIFEST_UNKNOWN',
  'NAME_INVALID',
  'NAME_UNKNOWN',
  'SIZE_INVALID',
  'UNAUTHORIZED',
  'DENIED',
  'UNSUPPORTED',
  'TOOMANYREQUESTS',
]);

/** Codes beyond the table: "Legacy Docker support error codes", and what answers a request the specification does not know. */
const BEYOND: Record<string, number> = { TAG_INVALID: 400, PRECONDITION_FAILED: 412, NOT_FOUND: 404 };

class Violation extends Error {
  override readonly name = 'Violation';
}

export function checkAnswer(method: string, path: string, answer: Answer): void {
  const fail = (what: string): never => {
    throw new Violation(`${method} ${path} → ${answer.status}: ${what}\n${answer.text().slice(0, 500)}`);
  };
  noServerError(method, path, answer);
  if (answer.headers.get('x-request-id') === null) fail('no X-Request-Id');
  checkLocation(answer, fail);
  checkWarnings(answer, fail);
  if (!path.startsWith('/v2')) return;
  if (answer.headers.get('docker-distribution-api-version') !== 'registry/2.0') fail('no API version header');
  if (answer.status >= 400 && method !== 'HEAD') checkError(method, answer, fail);
}

type Fail = (what: string) => never;

/** Design section 4: an absolute or query-borne Location behind a proxy is the most reported push failure there is. */
function checkLocation(answer: Answer, fail: Fail): void {
  const location = answer.headers.get('location');
  if (location !== null && !/^\/v2\/[^?#]*$/.test(location)) fail(`Location is not a bare path: ${location}`);
  const link = answer.headers.get('link');
  if (link !== null && !/^<\/v2\/[^>]+>; rel="next"$/.test(link)) fail(`Link is not a relative next: ${link}`);
}

function checkWarnings(answer: Answer, fail: Fail): void {
  const warning = answer.headers.get('warning');
  if (warning === null) return;
  if (!/^299 - "(?:[^"\\]|\\.)*"(?:, 299 - "(?:[^"\\]|\\.)*")*$/.test(warning)) fail(`Warning: ${warning}`);
  if (Buffer.byteLength(warning) > 4096) fail('more than 4096 bytes of warnings');
}

function checkError(method: string, answer: Answer, fail: Fail): void {
  if (answer.headers.get('content-type')?.split(';')[0] !== 'application/json') fail('the error is not JSON');
  for (const error of errorsOf(answer)) {
    if (!/^[A-Z_]+$/.test(error.code)) fail(`code ${error.code}`);
    const known = OCI_CODES.has(error.code) || BEYOND[error.code] === answer.status;
    if (!known) fail(`code ${error.code} is not one of the table`);
    if (typeof error.message !== 'string' || error.message === '') fail('no message');
    if (!JSON.stringify(error).includes(answer.headers.get('x-request-id') ?? 'none'))
      fail('no request id in the body');
  }
  if (answer.status === 405 && method !== 'DELETE') {
    // RFC 9110 §15.5.6. A DELETE refused for what it would break is 405 too (OCI "Deleting Blobs").
    if (answer.headers.get('allow') === null) fail('405 without Allow');
  }
}
