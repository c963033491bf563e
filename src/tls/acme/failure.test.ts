import { describe, expect, test } from 'bun:test';
import { failureOf, problemIn } from './failure.ts';

const problem = (type: string, detail: string, more = {}) =>
  JSON.stringify({ type: `urn:ietf:params:acme:error:${type}`, detail, ...more });

describe('what an authority answers', () => {
  test('is no error when it is none', () => {
    expect(problemIn(200, JSON.stringify({ status: 'valid' }), null)).toBeUndefined();
    expect(problemIn(200, '-----BEGIN CERTIFICATE-----', null)).toBeUndefined();
  });

  test('is a refusal in its own words, with what to do', () => {
    const found = problemIn(400, problem('dns', 'NXDOMAIN looking up A for registry.example.com'), null);
    expect(found).toBeDefined();
    if (found === undefined) return;
    const failure = failureOf(found, 'registry.example.com');
    expect(failure.kind).toBe('refused');
    expect(failure.message).toBe(
      'registry.example.com: the authority says: NXDOMAIN looking up A for registry.example.com; give registry.example.com a DNS record (A or AAAA) with the address of this server',
    );
  });

  test('of a challenge that failed is found in an answer of status 200', () => {
    const challenge = {
      type: 'http-01',
      status: 'invalid',
      error: JSON.parse(problem('connection', 'Connection refused')),
    };
    expect(problemIn(200, JSON.stringify(challenge), null)).toMatchObject({
      type: 'connection',
      detail: 'Connection refused',
    });
  });

  test.each([
    ['120', 120_000],
    ['0', undefined],
    ['soon', undefined],
    [new Date(0).toUTCString(), undefined],
  ])('says with Retry-After: %s for how long it wants to be left alone', (header, ms) => {
    const found = problemIn(429, problem('rateLimited', 'too many certificates'), header);
    expect(found?.retryAfterMs).toBe(ms);
    if (found !== undefined) expect(failureOf(found, undefined).kind).toBe('limited');
  });

  test('says with Retry-After as a date the same', () => {
    const found = problemIn(503, '', new Date(Date.now() + 60_000).toUTCString());
    expect(found?.retryAfterMs).toBeGreaterThan(50_000);
    expect(found?.retryAfterMs).toBeLessThanOrEqual(60_000);
  });

  test.each(['', '<html>bad gateway</html>', '[]', '"text"', 'null', '{"detail":7}'])(
    'that is not in its form is a fault of it: %p',
    (body) => {
      const found = problemIn(502, body, null);
      expect(found).toMatchObject({ type: '', detail: 'HTTP status 502' });
      if (found !== undefined) expect(failureOf(found, undefined).kind).toBe('unreachable');
    },
  );
});
