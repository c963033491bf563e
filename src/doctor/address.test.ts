import { describe, expect, test } from 'bun:test';
import type { AddressCheck } from '../api/administration.ts';
import { type Finding, judgeAddress, judgeBody, judgeV2, linesOf, verdictOf } from './address.ts';

function openedAt(address: string) {
  const { origin, protocol, hostname, host } = new URL(address);
  return { origin, protocol, hostname, host };
}

/** What the server says of a request that came as it was sent. */
function arrivedAs(base: string, more: Partial<AddressCheck> = {}): AddressCheck {
  return {
    base,
    realm: `${base}/auth/token`,
    publicUrl: null,
    forwarded: { proto: null, host: null, for: null },
    host: new URL(base).host,
    trusted: true,
    peer: null,
    client: '203.0.113.9',
    conditions: [],
    ...more,
  };
}

const forwarded = (proto: string | null, host: string | null, hops: string | null = '203.0.113.9') => ({
  proto,
  host,
  for: hops,
});

const kinds = (findings: readonly Finding[]) => findings.map(({ kind }) => kind);
const codes = (findings: readonly Finding[]) => findings.flatMap((finding) => linesOf(finding).map(({ code }) => code));

const page = openedAt('https://registry.example.com');

describe('the address', () => {
  test('is right when the server understands it as it was opened', () => {
    const direct = openedAt('http://192.168.1.10:5000');
    expect(judgeAddress(direct, arrivedAs('http://192.168.1.10:5000'))).toEqual([
      { kind: 'addressRight', origin: 'http://192.168.1.10:5000' },
    ]);
    const proxied = arrivedAs(page.origin, { forwarded: forwarded('https', page.host) });
    expect(kinds(judgeAddress(page, proxied))).toEqual(['addressRight']);
  });

  test('is the one that was set, or another than that', () => {
    const set = arrivedAs(page.origin, { publicUrl: page.origin, host: '10.0.0.5:5000' });
    expect(kinds(judgeAddress(page, set))).toEqual(['addressRight']);
    const other = judgeAddress(openedAt('http://10.0.0.5:5000'), set);
    expect(other).toEqual([{ kind: 'publicUrlOther', publicUrl: page.origin, origin: 'http://10.0.0.5:5000' }]);
    expect(other.map(verdictOf)).toEqual(['warn']);
  });

  test('has a wrong scheme when the proxy does not say it', () => {
    const found = judgeAddress(page, arrivedAs('http://registry.example.com'));
    expect(kinds(found)).toEqual(['schemeMissing']);
    expect(found.map(verdictOf)).toEqual(['bad']);
    expect(codes(found)).toEqual([
      'proxy_set_header X-Forwarded-Proto $scheme;',
      'RequestHeader set X-Forwarded-Proto "https"',
    ]);
  });

  test('has a wrong scheme when the proxy says that of the hop before it', () => {
    const check = arrivedAs('http://registry.example.com', { forwarded: forwarded('http', page.host) });
    const found = judgeAddress(page, check);
    expect(found).toEqual([{ kind: 'schemeWrong', scheme: 'https', said: 'http' }]);
    expect(codes(found)[0]).toBe('proxy_set_header X-Forwarded-Proto https;');
  });

  test('has a wrong host when the proxy rewrites it', () => {
    const check = arrivedAs('https://127.0.0.1:5000', { forwarded: forwarded('https', null) });
    const found = judgeAddress(page, check);
    expect(kinds(found)).toEqual(['hostRewritten']);
    expect(codes(found)).toEqual([
      'proxy_set_header Host $http_host;',
      'ProxyPreserveHost On',
      'berth serve --public-url https://registry.example.com',
    ]);
  });

  test('has lost its port with nginx’s $host', () => {
    const opened = openedAt('https://registry.example.com:8443');
    const check = arrivedAs('https://registry.example.com', { forwarded: forwarded('https', null) });
    expect(judgeAddress(opened, check)).toEqual([
      {
        kind: 'portDropped',
        host: 'registry.example.com:8443',
        arrived: 'registry.example.com',
        origin: 'https://registry.example.com:8443',
      },
    ]);
  });

  test('has a wrong host when X-Forwarded-Host says another', () => {
    const check = arrivedAs('https://inner', { host: page.host, forwarded: forwarded('https', 'inner') });
    const found = judgeAddress(page, check);
    expect(found).toEqual([{ kind: 'forwardedHostWrong', host: page.host, said: 'inner' }]);
    expect(codes(found)[0]).toBe('proxy_set_header X-Forwarded-Host $http_host;');
  });

  test('may be wrong in scheme and host at once', () => {
    expect(kinds(judgeAddress(page, arrivedAs('http://127.0.0.1:5000')))).toEqual(['schemeMissing', 'hostRewritten']);
  });

  test('counts the first of several proxies', () => {
    const check = arrivedAs('http://registry.example.com', { forwarded: forwarded('http, https', page.host) });
    expect(judgeAddress(page, check)).toEqual([{ kind: 'schemeWrong', scheme: 'https', said: 'http' }]);
  });

  test('is wrong because right headers come from a proxy that is not trusted', () => {
    const check = arrivedAs('http://registry.example.com', {
      forwarded: forwarded('https', page.host),
      trusted: false,
      peer: '10.0.0.7',
    });
    const found = judgeAddress(page, check);
    expect(kinds(found)).toEqual(['untrusted']);
    expect(codes(found)).toEqual(['berth serve --trusted-proxies 10.0.0.7']);
  });

  test('is wrong because of both: headers that are not trusted, and not right', () => {
    const check = arrivedAs('http://10.0.0.5:5000', {
      forwarded: forwarded(null, null),
      trusted: false,
      peer: '10.0.0.7',
    });
    expect(kinds(judgeAddress(page, check))).toEqual(['untrusted', 'schemeMissing', 'hostRewritten']);
  });

  test('is right, but the clients’ addresses are lost', () => {
    const untrusted = arrivedAs('http://registry.example.com', {
      forwarded: forwarded(null, null),
      trusted: false,
      peer: '10.0.0.7',
    });
    const plain = openedAt('http://registry.example.com');
    expect(kinds(judgeAddress(plain, untrusted))).toEqual(['addressRight', 'clientsUntrusted']);
    const missing = arrivedAs(page.origin, { forwarded: forwarded('https', page.host, null) });
    const found = judgeAddress(page, missing);
    expect(kinds(found)).toEqual(['addressRight', 'clientsMissing']);
    expect(found.map(verdictOf)).toEqual(['ok', 'warn']);
  });

  test('that differs for no reason that shows is still said to differ', () => {
    const found = judgeAddress(page, arrivedAs('https://localhost', { host: page.host }));
    expect(kinds(found)).toEqual(['baseOther']);
  });
});

describe('/v2/', () => {
  const answer = (status: number, challenge: string | null, version: string | null = 'registry/2.0') =>
    judgeV2(page, { kind: 'answer', status, challenge, version });
  const bearer = (realm: string) => `Bearer realm="${realm}",service="berth"`;

  test('is right when it sends clients to this address', () => {
    expect(answer(401, bearer('https://registry.example.com/auth/token'))).toEqual([
      { kind: 'loginRight', realm: 'https://registry.example.com/auth/token' },
    ]);
    expect(kinds(answer(200, null))).toEqual(['open']);
  });

  test('is wrong when it sends clients elsewhere', () => {
    const found = answer(401, bearer('http://registry.example.com/auth/token'));
    expect(kinds(found)).toEqual(['realmOther']);
    expect(found.map(verdictOf)).toEqual(['bad']);
  });

  test('is not reached when something else answers', () => {
    expect(kinds(answer(200, null, null))).toEqual(['notBerth']);
    expect(kinds(answer(404, null, null))).toEqual(['notBerth']);
    expect(kinds(answer(502, null, null))).toEqual(['notBerth']);
    expect(kinds(answer(401, 'Basic realm="Restricted"', null))).toEqual(['ownPassword']);
    expect(kinds(answer(401, null, null))).toEqual(['noChallenge']);
    expect(kinds(answer(401, 'Bearer', null))).toEqual(['noChallenge']);
    expect(kinds(judgeV2(page, { kind: 'redirect' }))).toEqual(['redirected']);
    expect(kinds(judgeV2(page, { kind: 'failed' }))).toEqual(['noAnswer']);
  });

  test('that lost its version header is a warning', () => {
    const found = answer(401, bearer('https://registry.example.com/auth/token'), null);
    expect(found.map(verdictOf)).toEqual(['ok', 'warn']);
  });
});

describe('a body', () => {
  const MIB = 1024 * 1024;

  test('that arrives is right', () => {
    expect(judgeBody(2 * MIB, { kind: 'arrived' })).toEqual({ kind: 'bodyRight', bytes: 2 * MIB });
  });

  test('that is too large for a proxy names the line of that proxy', () => {
    const by = (server: string | null) => codes([judgeBody(2 * MIB, { kind: 'status', status: 413, server })]);
    expect(by('nginx/1.22.1')).toEqual(['client_max_body_size 0;']);
    expect(by('Apache/2.4')).toEqual(['LimitRequestBody 0']);
    expect(by('cloudflare')).toEqual([]);
    expect(by(null)).toEqual(['client_max_body_size 0;', 'LimitRequestBody 0']);
  });

  test('that is cut off or takes too long says so', () => {
    expect(codes([judgeBody(MIB, { kind: 'cut' })])).toContain('client_max_body_size 0;');
    expect(verdictOf(judgeBody(MIB, { kind: 'slow' }))).toBe('warn');
    expect(judgeBody(MIB, { kind: 'status', status: 403, server: null })).toEqual({
      kind: 'bodyRefused',
      bytes: MIB,
      status: 403,
    });
  });
});
