import { describe, expect, test } from 'bun:test';
import { startBerth } from '../support/berth.ts';
import { digestOf, firstCode, mediaTypes } from '../support/registry.ts';
import type { Served } from '../support/serve.ts';
import type { Answer } from '../support/wire.ts';
import { serve } from './spec.ts';

interface Challenge {
  realm: string;
  service: string;
  scope: string | undefined;
}

/** RFC 6750 §3 as Docker's token specification uses it. */
function challengeOf(answer: Answer): Challenge {
  const header = answer.headers.get('www-authenticate') ?? '';
  expect(header).toMatch(/^Bearer (?:[a-z_]+="[^"]*")(?:,[a-z_]+="[^"]*")*$/);
  const parameters = new Map(
    [...header.matchAll(/([a-z_]+)="([^"]*)"/g)].map(([, name = '', value = '']) => [name, value]),
  );
  return {
    realm: parameters.get('realm') ?? '',
    service: parameters.get('service') ?? '',
    scope: parameters.get('scope'),
  };
}

async function realm(served: Served, headers: Record<string, string>): Promise<string> {
  return challengeOf(await served.registry.get('/v2/', headers)).realm;
}

const digest = digestOf('x');
const requests: [method: string, path: string, scope: string][] = [
  ['GET', '/v2/a/b/manifests/v1', 'repository:a/b:pull'],
  ['HEAD', `/v2/a/b/blobs/${digest}`, 'repository:a/b:pull'],
  ['GET', '/v2/a/b/tags/list', 'repository:a/b:pull'],
  ['GET', `/v2/a/b/referrers/${digest}`, 'repository:a/b:pull'],
  ['POST', '/v2/a/b/blobs/uploads/', 'repository:a/b:pull,push'],
  ['PUT', '/v2/a/b/manifests/v1', 'repository:a/b:pull,push'],
  ['DELETE', '/v2/a/b/manifests/v1', 'repository:a/b:delete'],
  ['DELETE', `/v2/a/b/blobs/${digest}`, 'repository:a/b:delete'],
];
const reads = (method: string) => method === 'GET' || method === 'HEAD';

describe('--anonymous none', () => {
  const served = serve({ args: ['--anonymous', 'none', '--trusted-proxies', '127.0.0.1/32'] });

  test('GET /v2/ is 401 UNAUTHORIZED with a challenge: realm at the host that was asked, and a service', async () => {
    const answer = await served.registry.get('/v2/');
    expect([answer.status, firstCode(answer)]).toEqual([401, 'UNAUTHORIZED']);
    const challenge = challengeOf(answer);
    expect(challenge.realm).toStartWith(`http://127.0.0.1:${served.berth.port}/`);
    expect(challenge.service).not.toBe('');
    expect(await realm(served, { Host: 'registry.test:5000' })).toStartWith('http://registry.test:5000/');
  });

  for (const [method, path, scope] of requests) {
    test(`${method} ${path.slice(0, 40)} is 401 and asks for ${scope}`, async () => {
      const answer = await served.registry.request(method, path);
      expect(answer.status).toBe(401);
      const asked = challengeOf(answer).scope ?? '';
      expect(asked).toStartWith(scope.slice(0, scope.lastIndexOf(':') + 1));
      for (const action of scope.slice(scope.lastIndexOf(':') + 1).split(',')) {
        expect(asked.slice(asked.lastIndexOf(':') + 1).split(',')).toContain(action);
      }
    });
  }

  test('a repository that is not there answers as one that is', async () => {
    const answer = await served.registry.get('/v2/not/there/tags/list');
    expect([answer.status, firstCode(answer)]).toEqual([401, 'UNAUTHORIZED']);
  });

  test('the catalog is not for everybody', async () => {
    expect((await served.registry.get('/v2/_catalog')).status).toBe(401);
  });

  test('the realm follows X-Forwarded-Proto and -Host of a trusted proxy', async () => {
    const forwarded = { 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'registry.example.org' };
    expect(await realm(served, forwarded)).toStartWith('https://registry.example.org/');
    const proto = { Host: 'registry.example.org:8443', 'X-Forwarded-Proto': 'https' };
    expect(await realm(served, proto)).toStartWith('https://registry.example.org:8443/');
  });

  test('a header that is no host and no scheme does not get into the challenge', async () => {
    for (const host of ['a"b', 'a b', 'a,b="c"', 'a/b', '<x>', 'a\\"']) {
      const answer = await served.registry.get('/v2/', { 'X-Forwarded-Host': host, 'X-Forwarded-Proto': 'javascript' });
      expect(answer.status).toBe(401);
      expect(challengeOf(answer).realm).toMatch(/^https?:\/\/[A-Za-z0-9.:[\]-]+\//);
    }
  });

  test('probes stay open', async () => {
    for (const path of ['/livez', '/readyz']) expect((await served.registry.get(path)).status).toBe(200);
  });
});

describe('--anonymous none, a proxy that is not trusted', () => {
  const served = serve({ args: ['--anonymous', 'none', '--trusted-proxies', '192.0.2.0/24'] });

  test('its X-Forwarded headers are not believed', async () => {
    const forwarded = { 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'evil.example.org' };
    expect(await realm(served, forwarded)).toStartWith(`http://127.0.0.1:${served.berth.port}/`);
  });
});

describe('--anonymous none --public-url', () => {
  const served = serve({ args: ['--anonymous', 'none', '--public-url', 'https://registry.example.org/'] });

  test('the realm is at the public URL, whatever was asked', async () => {
    const forwarded = { Host: 'other:1', 'X-Forwarded-Proto': 'http', 'X-Forwarded-Host': 'else.example.org' };
    for (const headers of [{}, forwarded]) {
      expect(await realm(served, headers)).toMatch(/^https:\/\/registry\.example\.org\/[^/]/);
    }
  });
});

describe('--anonymous pull', () => {
  const served = serve({ args: ['--anonymous', 'pull'] });

  test('GET /v2/ and the catalog are open', async () => {
    for (const path of ['/v2/', '/v2/_catalog']) expect((await served.registry.get(path)).status).toBe(200);
  });

  for (const [method, path, scope] of requests) {
    test(`${method} ${path.slice(0, 40)} is ${reads(method) ? 'answered' : 'refused with a scope'}`, async () => {
      const body = method === 'PUT' ? { headers: { 'Content-Type': mediaTypes.ociManifest }, body: '{}' } : {};
      const answer = await served.registry.request(method, path, body);
      if (reads(method)) {
        expect([200, 404]).toContain(answer.status);
      } else {
        expect([answer.status, firstCode(answer)]).toEqual([401, 'UNAUTHORIZED']);
        expect(challengeOf(answer).scope).toStartWith(scope.slice(0, scope.lastIndexOf(':') + 1));
      }
    });
  }

  test('a refused push leaves nothing', async () => {
    await served.registry.request('POST', '/v2/a/b/blobs/uploads/?digest=x', { body: 'x' });
    const catalog = await served.registry.get('/v2/_catalog');
    expect(catalog.json()).toEqual({ repositories: [] });
  });
});

test('an unknown --anonymous is refused by name', async () => {
  const refused = startBerth({ args: ['--anonymous', 'everyone'] });
  await expect(refused).rejects.toThrow(/anonymous/);
});
