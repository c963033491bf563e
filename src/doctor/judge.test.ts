import { describe, expect, test } from 'bun:test';
import { judgeCertificate, type ShownCertificate } from './certificate.ts';
import { judgeChallenge, judgeClock, judgeLocation, trialSizes } from './judge.ts';
import { ofProxy, proxyLines, proxyOf, wantsHttps } from './proxies.ts';

const ORIGIN = 'https://registry.example.com';
const MIB = 1024 * 1024;

describe('a challenge', () => {
  test('is right when its realm has the scheme, host and port that were asked', () => {
    expect(judgeChallenge(ORIGIN, `Bearer realm="${ORIGIN}/auth/token",service="berth"`)).toEqual({
      kind: 'bearer',
      realm: `${ORIGIN}/auth/token`,
      service: 'berth',
      faults: [],
    });
  });

  test('has a fault for each part of its realm that differs', () => {
    const faults = (realm: string) => {
      const judged = judgeChallenge(ORIGIN, `Bearer service="a",realm="${realm}"`);
      return judged.kind === 'bearer' ? judged.faults : judged.kind;
    };
    expect(faults('http://registry.example.com/token')).toEqual(['clients are sent to http, not to https']);
    expect(faults('https://registry.example.com:8443/token')).toEqual([
      'clients are sent to registry.example.com:8443, not to registry.example.com',
    ]);
    expect(faults('http://10.0.0.5:5000/token')).toEqual([
      'clients are sent to http, not to https',
      'clients are sent to 10.0.0.5, not to registry.example.com',
    ]);
    expect(faults('/token')).toBe('unreadable');
  });

  test('may be another scheme of HTTP, or none that clients know', () => {
    expect(judgeChallenge(ORIGIN, 'Basic realm="Registry"')).toEqual({ kind: 'basic' });
    expect(judgeChallenge(ORIGIN, 'Negotiate')).toEqual({ kind: 'unreadable' });
  });
});

describe('the address of an upload', () => {
  const judge = (location: string | null) => judgeLocation(ORIGIN, location, 'alice/app', 'id-1');

  test('is right as a path and as a whole address, and keeps its query', () => {
    const path = '/v2/alice/app/blobs/uploads/id-1';
    expect(judge(path)).toEqual({ kind: 'right', path });
    expect(judge(`${ORIGIN}${path}?_state=a%2Fb`)).toEqual({ kind: 'right', path: `${path}?_state=a%2Fb` });
  });

  test('leads elsewhere with another scheme, host or port', () => {
    const path = '/v2/alice/app/blobs/uploads/id-1';
    for (const origin of ['http://registry.example.com', 'https://other.test', `${ORIGIN}:8443`]) {
      expect(judge(origin + path)).toEqual({ kind: 'elsewhere', origin, path });
    }
  });

  test('is mangled under a prefix, or when it is not of this upload', () => {
    expect(judge('/registry/v2/alice/app/blobs/uploads/id-1')).toMatchObject({ kind: 'mangled' });
    expect(judge('/v2/alice/app/blobs/uploads/id-2')).toMatchObject({ kind: 'mangled' });
    expect(judge(null)).toEqual({ kind: 'missing' });
  });
});

describe('the clock', () => {
  const now = Date.parse('2026-01-01T12:00:00Z');
  const at = (skewMs: number) => judgeClock(new Date(now + skewMs).toUTCString(), now, now + 50);

  test('is right within a minute, and for the second that Date leaves out', () => {
    for (const skew of [0, -900, 59_000, -59_000]) expect(at(skew).state).toBe('ok');
  });

  test('is named when it goes wrong, and which way', () => {
    expect(at(300_000)).toMatchObject({ state: 'warning' });
    expect(at(300_000).seen).toContain("300 s ahead of this machine's");
    expect(at(-300_000).seen).toContain("300 s behind this machine's");
    expect(judgeClock(null, now, now).state).toBe('warning');
  });
});

test('bodies grow to the largest that is asked for', () => {
  expect(trialSizes(100 * MIB)).toEqual([MIB, 2 * MIB, 20 * MIB, 100 * MIB]);
  expect(trialSizes(512 * 1024)).toEqual([512 * 1024]);
  expect(trialSizes(5 * 1024 * MIB).at(-1)).toBe(5 * 1024 * MIB);
});

describe('a certificate', () => {
  const now = new Date('2026-06-01T00:00:00Z');
  const judge = (shown: Partial<ShownCertificate>) =>
    judgeCertificate(
      {
        chainError: undefined,
        nameError: undefined,
        names: 'DNS:registry.example.com',
        issuer: 'Example CA',
        notBefore: new Date('2026-01-01T00:00:00Z'),
        notAfter: new Date('2026-12-31T00:00:00Z'),
        ...shown,
      },
      { registry: 'registry.example.com', name: 'registry.example.com', now, proxy: 'nginx' },
    );

  test('is right, or ends soon, or has ended', () => {
    expect(judge({}).state).toBe('ok');
    expect(judge({ notAfter: new Date('2026-06-10T00:00:00Z') })).toMatchObject({
      state: 'warning',
      seen: 'ends on 2026-06-10 (days left: 9)',
    });
    expect(judge({ notAfter: new Date('2026-05-31T00:00:00Z') }).state).toBe('failed');
    expect(judge({ notBefore: new Date('2026-06-02T00:00:00Z') }).seen).toContain('one of the clocks is wrong');
  });

  test('without its chain is told from one of an unknown authority', () => {
    const chain = judge({ chainError: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' });
    expect(chain.seen).toStartWith('the server sends no chain');
    expect(chain.lines.map(({ where }) => where)).toContain('nginx');
    const unknown = judge({ chainError: 'SELF_SIGNED_CERT_IN_CHAIN' });
    expect(unknown.seen).toStartWith('is by Example CA, which this machine does not know');
    expect(unknown.lines[0]?.code).toContain('/etc/docker/certs.d/registry.example.com/ca.crt');
  });
});

describe('the program in front', () => {
  test('gives itself away by its headers or its error page', () => {
    const none = { server: null, via: null };
    expect(proxyOf({ ...none, server: 'nginx/1.22.1' })).toBe('nginx');
    expect(proxyOf({ ...none, server: 'Apache/2.4.62 (Debian)' })).toBe('Apache httpd');
    expect(proxyOf({ ...none, via: '1.1 Caddy' })).toBe('Caddy');
    expect(proxyOf({ ...none, text: '<hr><center>nginx</center>' })).toBe('nginx');
    expect(proxyOf(none)).toBeUndefined();
  });

  test('has its own lines alone; those of Berth stay, and without a name all do', () => {
    expect(proxyLines('body limit', 'nginx').map(({ where }) => where)).toEqual(['nginx']);
    expect(proxyLines('body limit', undefined).map(({ where }) => where)).toEqual([
      'nginx',
      'Apache httpd',
      'Caddy',
      'Traefik',
    ]);
    const lines = [
      { where: 'nginx', code: 'a' },
      { where: 'Berth', code: 'b' },
    ];
    expect(ofProxy(lines, 'Caddy')).toEqual([{ where: 'Berth', code: 'b' }]);
  });

  test('says in its own words that it wanted HTTPS', () => {
    expect(wantsHttps('<center>The plain HTTP request was sent to HTTPS port</center>')).toBe(true);
    expect(wantsHttps('Client sent an HTTP request to an HTTPS server.')).toBe(true);
    expect(wantsHttps('{"errors":[]}')).toBe(false);
  });
});
