import { expect, test } from 'bun:test';
import { ERRORS, type ErrorCode, OciError, sentCode } from './errors.ts';

/** OCI Distribution 1.1 "Error Codes", code-1 to code-14. */
const SPECIFIED = [
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
];
const codes = Object.keys(ERRORS) as ErrorCode[];

test('the table has every code of the specification, under its own number', () => {
  for (const [index, code] of SPECIFIED.entries()) {
    expect(ERRORS[code as ErrorCode]?.source).toBe(`OCI code-${index + 1}` as never);
    expect(sentCode(code as ErrorCode)).toBe(code);
  }
});

test('a code that is sent in place of another is one of the table, and has no other in its place', () => {
  for (const code of codes) {
    const sent = sentCode(code) as ErrorCode;
    expect(codes).toContain(sent);
    expect(sentCode(sent)).toBe(sent);
    if (sent !== code) expect(SPECIFIED).toContain(sent);
  }
});

test('every row has an error status, and a message that is not another row’s', () => {
  for (const code of codes) {
    expect(ERRORS[code].status).toBeWithin(400, 600);
    expect(code).toMatch(/^[A-Z]+(_[A-Z]+)*$/);
  }
  expect(new Set(codes.map((code) => ERRORS[code].message)).size).toBe(codes.length);
});

test('an error keeps its code, reason, detail and cause', () => {
  const cause = new Error('disk');
  const error = new OciError('UNAVAILABLE', 'later', { digest: 'x' }, { cause });
  expect(error).toMatchObject({
    name: 'OciError',
    code: 'UNAVAILABLE',
    message: 'later',
    detail: { digest: 'x' },
    cause,
  });
});
