// What a client and Berth say to each other comes through each proxy as it was said, over HTTP/1.1 and HTTP/2.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { randomBytes } from 'node:crypto';
import { auditPage } from '../../src/api/audit.ts';
import { describeBytes, digestOf, mediaTypes } from '../support/registry.ts';
import { type Curl, type CurlRequest, curl } from './curl.ts';
import { proxiesHere, type Site, startSite } from './site.ts';

setDefaultTimeout(60_000);

const json = (body: object) => ({ headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });

describe.each(proxiesHere('what goes over the wire', []))('behind %s', (name) => {
  let site: Site;
  beforeAll(async () => {
    site = await startSite(name);
  });
  afterAll(() => site?.stop());

  describe.each(['1.1', '2'] as const)('over HTTP/%s', (version) => {
    const repository = `alice/app-${version}`;
    const as = (): Curl => site.through(version);
    const call = (method: string, path: string, request?: CurlRequest) => curl(as(), method, path, request);
    const anonymous = (method: string, path: string, request?: CurlRequest) => {
      const { authorization: _, ...nobody } = as();
      return curl(nobody, method, path, request);
    };
    const putManifest = (reference: string, manifest: object, headers: Record<string, string> = {}) =>
      call('PUT', `/v2/${repository}/manifests/${reference}`, {
        headers: { 'Content-Type': mediaTypes.ociManifest, ...headers },
        body: JSON.stringify(manifest),
      });
    const layer = randomBytes(300_000);
    const config = JSON.stringify({ os: 'linux', architecture: 'amd64', version, name });
    const manifest = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: describeBytes(config, mediaTypes.ociConfig),
      layers: [describeBytes(layer, mediaTypes.ociLayer)],
    };
    const digest = digestOf(JSON.stringify(manifest));

    test('the protocol is the one that was asked for', async () => {
      expect((await call('GET', '/v2/')).protocol).toBe(version === '2' ? 'HTTP/2' : 'HTTP/1.1');
    });

    test('the challenge names the address that the client wrote, with https and its port', async () => {
      const { status, headers } = await anonymous('GET', '/v2/');
      expect(status).toBe(401);
      expect(headers.get('www-authenticate')).toContain(`realm="${site.proxy.url}/auth/token"`);
    });

    test('nobody can put another address into the challenge', async () => {
      const forged = { 'X-Forwarded-Host': 'evil.example.com', 'X-Forwarded-Proto': 'http' };
      const { headers } = await anonymous('GET', '/v2/', { headers: forged });
      expect(headers.get('www-authenticate')).toContain(`realm="${site.proxy.url}/auth/token"`);
    });

    test('a blob is pushed in chunks, with and without their length, at addresses that lead back through the proxy', async () => {
      const opened = await call('POST', `/v2/${repository}/blobs/uploads/`, { body: '' });
      expect(opened.status).toBe(202);
      const there = (answer: typeof opened) => {
        const location = new URL(answer.headers.get('location') ?? '', site.proxy.url);
        expect(location.origin).toBe(site.proxy.url);
        return `${location.pathname}${location.search}`;
      };
      const half = 150_000;
      const first = await call('PATCH', there(opened), {
        headers: { 'Content-Type': 'application/octet-stream', 'Content-Range': `0-${half - 1}` },
        body: layer.subarray(0, half),
      });
      expect([first.status, first.headers.get('range')]).toEqual([202, `0-${half - 1}`]);
      const second = await call('PATCH', there(first), {
        headers: { 'Content-Type': 'application/octet-stream' },
        body: layer.subarray(half),
        streamed: true,
      });
      expect([second.status, second.headers.get('range')]).toEqual([202, `0-${layer.length - 1}`]);
      const at = there(second);
      const pushed = digestOf(layer);
      const done = await call('PUT', `${at}${at.includes('?') ? '&' : '?'}digest=${pushed}`, { body: '' });
      expect(done.status).toBe(201);
      expect(there(done)).toBe(`/v2/${repository}/blobs/${pushed}`);
      expect((await call('GET', there(done))).body.equals(layer)).toBe(true);
    });

    test('a blob is pushed in one request, by a client that waits for 100 Continue', async () => {
      const path = `/v2/${repository}/blobs/uploads/?digest=${digestOf(config)}`;
      const body = { headers: { 'Content-Type': 'application/octet-stream', Expect: '100-continue' }, body: config };
      expect((await call('POST', path, body)).status).toBe(201);
    });

    test('a manifest is pushed, and HEAD tells its true length and digest', async () => {
      expect((await putManifest('v1', manifest)).status).toBe(201);
      const { status, headers } = await call('HEAD', `/v2/${repository}/manifests/v1`);
      expect(status).toBe(200);
      expect(headers.get('content-length')).toBe(String(JSON.stringify(manifest).length));
      expect(headers.get('docker-content-digest')).toBe(digest);
      expect(headers.get('content-type')).toBe(mediaTypes.ociManifest);
      const blob = await call('HEAD', `/v2/${repository}/blobs/${digestOf(layer)}`);
      expect(blob.headers.get('content-length')).toBe(String(layer.length));
    });

    test('a range of a blob is a range, and what the client has is not sent again', async () => {
      const path = `/v2/${repository}/blobs/${digestOf(layer)}`;
      const part = await call('GET', path, { headers: { Range: 'bytes=1000-1999' } });
      expect(part.status).toBe(206);
      expect(part.headers.get('content-range')).toBe(`bytes 1000-1999/${layer.length}`);
      expect(part.body.equals(layer.subarray(1000, 2000))).toBe(true);
      const etag = (await call('HEAD', path)).headers.get('etag') ?? '';
      expect((await call('GET', path, { headers: { 'If-None-Match': etag } })).status).toBe(304);
    });

    test('If-Match holds a tag where it is, and says 412', async () => {
      const other = { ...manifest, annotations: { version: 'two' } };
      const wrong = { 'If-Match': `"${digestOf('something else')}"` };
      expect((await putManifest('v1', other, wrong)).status).toBe(412);
      expect((await putManifest('v1', manifest, { 'If-Match': `"${digest}"` })).status).toBe(201);
    });

    test('blobs of another repository are mounted, and an image is made of them', async () => {
      const mounted = `alice/mounted-${version}`;
      for (const blob of [digestOf(layer), digestOf(config)]) {
        const path = `/v2/${mounted}/blobs/uploads/?mount=${blob}&from=${repository}`;
        expect((await call('POST', path, { body: '' })).status).toBe(201);
      }
      const headers = { 'Content-Type': mediaTypes.ociManifest };
      const put = await call('PUT', `/v2/${mounted}/manifests/v1`, { headers, body: JSON.stringify(manifest) });
      expect(put.status).toBe(201);
    });

    test('referrers are listed', async () => {
      const artifact = {
        ...manifest,
        artifactType: 'text/example',
        subject: describeBytes(JSON.stringify(manifest), mediaTypes.ociManifest),
      };
      const put = await putManifest('signature', artifact);
      expect(put.headers.get('oci-subject')).toBe(digest);
      const list = await call('GET', `/v2/${repository}/referrers/${digest}?artifactType=text%2Fexample`);
      expect(list.headers.get('oci-filters-applied')).toBe('artifactType');
      expect(list.json()).toMatchObject({ manifests: [{ digest: digestOf(JSON.stringify(artifact)) }] });
    });

    test('tags and the catalog are read page by page along the Link header', async () => {
      const tags = await pages(`/v2/${repository}/tags/list?n=1`);
      expect(tags).toEqual([['signature'], ['v1']]);
      const repositories = await pages('/v2/_catalog?n=1');
      expect(repositories.every((page) => page.length === 1)).toBe(true);
      expect(repositories.flat()).toEqual(expect.arrayContaining([repository, `alice/mounted-${version}`]));
    });

    async function pages(first: string): Promise<string[][]> {
      const found: string[][] = [];
      let path: string | undefined = first;
      while (path !== undefined && found.length < 20) {
        const answer = await call('GET', path);
        expect(answer.status).toBe(200);
        const { tags, repositories } = answer.json() as { tags?: string[]; repositories?: string[] };
        found.push(tags ?? repositories ?? []);
        const link = /^<([^>]+)>; rel="next"$/.exec(answer.headers.get('link') ?? '')?.[1];
        const next: URL | undefined = link === undefined ? undefined : new URL(link, `${site.proxy.url}${path}`);
        if (next !== undefined) expect(next.origin).toBe(site.proxy.url);
        path = next === undefined ? undefined : `${next.pathname}${next.search}`;
      }
      return found;
    }

    test('a path is Berth’s to read: slashes and other characters may be escaped', async () => {
      const escaped = await call('GET', `/api/v1/repositories/${encodeURIComponent(repository)}`);
      const plain = await call('GET', `/api/v1/repositories/${repository}`);
      expect([escaped.status, plain.status]).toEqual([200, 200]);
      expect(escaped.json()).toEqual(plain.json());
      expect((await call('GET', `/v2/${repository}/manifests/${digest.replace(':', '%3A')}`)).status).toBe(200);
    });

    test('an error is Berth’s own, not the proxy’s page', async () => {
      const missing = await call('GET', `/v2/${repository}/manifests/nothing`);
      expect(missing.status).toBe(404);
      expect(missing.json()).toMatchObject({ errors: [{ code: 'MANIFEST_UNKNOWN' }] });
    });

    test('the audit log has the client’s address, also when the client says that it has another', async () => {
      const forged = { ...json({ name: `acme-${version.replace('.', '')}` }) };
      const headers = { ...forged.headers, 'X-Forwarded-For': '203.0.113.9' };
      expect((await call('POST', '/api/v1/organizations', { ...forged, headers })).status).toBe(201);
      const { lines } = auditPage.parse((await call('GET', '/api/v1/audit?n=5&action=organization.create')).json());
      expect(lines[0]).toMatchObject({ actor: 'alice', source: site.address });
    });

    test('the page comes with its policy, and the cookie of a log-in is for HTTPS alone', async () => {
      const document = await anonymous('GET', '/', { headers: { Accept: 'text/html' } });
      expect(document.status).toBe(200);
      expect(document.text()).toContain('<title>');
      expect(document.headers.get('content-security-policy')).toContain("default-src 'none'");
      const script = /src="(\/assets\/[^"]+)"/.exec(document.text())?.[1] ?? '';
      expect((await anonymous('GET', script)).status).toBe(200);
      const { name: username, password } = site.administrator;
      const { headers, body } = json({ username, password });
      const entered = await anonymous('POST', '/api/v1/auth/sign-in', {
        headers: { ...headers, Origin: site.proxy.url, 'Sec-Fetch-Site': 'same-origin' },
        body,
      });
      expect(entered.status).toBe(200);
      const [cookie = ''] = entered.headers.getSetCookie();
      expect(cookie).toMatch(/^__Secure-.*; Secure/i);
      const session = await anonymous('GET', '/api/v1/auth/session', {
        headers: { Cookie: cookie.split(';')[0] ?? '' },
      });
      expect(session.json()).toMatchObject({ user: { username: 'alice' } });
    });

    test('an agent’s events come as they happen', async () => {
      const stacks = '/api/v1/namespaces/alice/stacks';
      const stack = `shop-${version.replace('.', '')}`;
      const file = `services:\n  web:\n    image: ${site.proxy.host}/${repository}:v1\n`;
      expect((await call('POST', stacks, json({ name: stack, file }))).status).toBe(201);
      expect((await call('POST', `${stacks}/${stack}/environments`, json({ name: 'test' }))).status).toBe(201);
      const targets = `${stacks}/${stack}/environments/test/targets`;
      const enrolled = (await call('POST', targets, json({ name: 'one' }))).json() as {
        token: string;
        command: string;
      };
      expect(enrolled.command).toContain(`--server ${site.proxy.url} `);
      const agent = { Authorization: `Bearer ${enrolled.token}` };
      const state = await call('GET', '/api/v1/agent/state', { headers: agent });
      expect(state.json()).toMatchObject({ stack: `alice/${stack}`, deployment: null });
      const etag = { ...agent, 'If-None-Match': state.headers.get('etag') ?? '' };
      expect((await call('GET', '/api/v1/agent/state', { headers: etag })).status).toBe(304);
      // The stream does not end: were it held back, nothing would come in curl's minute.
      const events = await call('GET', '/api/v1/agent/events', { headers: agent, until: 20 });
      expect(events.headers.get('content-type')).toContain('text/event-stream');
      expect(events.text()).toStartWith('event: state\n');
    });
  });
});
