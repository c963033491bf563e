// Whose X-Forwarded-* headers are believed, with a real proxy that sends them.
import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { auditPage } from '../../src/api/audit.ts';
import { curl } from './curl.ts';
import { proxiesHere, type Site, startSite } from './site.ts';

setDefaultTimeout(60_000);

const here = proxiesHere('trust', []).includes('nginx');

describe.if(here)('a proxy that is not among --trusted-proxies', () => {
  let site: Site | undefined;
  afterEach(async () => {
    await site?.stop();
    site = undefined;
  });

  const stranger = ['--trusted-proxies', '192.0.2.1/32'];

  async function realm({ proxy }: Site): Promise<string> {
    const answer = await curl({ url: proxy.url, authority: proxy.authority, version: '2' }, 'GET', '/v2/');
    return /realm="([^"]+)"/.exec(answer.headers.get('www-authenticate') ?? '')?.[1] ?? '';
  }

  test('is not believed: the challenge has no https, and the audit log has its address', async () => {
    site = await startSite('nginx', { args: stranger });
    expect(await realm(site)).toBe(`http://${site.proxy.host}/auth/token`);
    const answer = await curl(site.through('2'), 'GET', '/api/v1/audit?n=5&action=token.create');
    expect(auditPage.parse(answer.json()).lines[0]).toMatchObject({ actor: 'alice', source: '127.0.0.1' });
  });

  test('needs --public-url, which is then the address of challenges and of cookies', async () => {
    site = await startSite('nginx', { args: [...stranger, '--public-url', 'https://registry.example.com'] });
    expect(await realm(site)).toBe('https://registry.example.com/auth/token');
    const { name: username, password } = site.administrator;
    const entered = await curl(site.through('2'), 'POST', '/api/v1/auth/sign-in', {
      headers: { 'Content-Type': 'application/json', Authorization: '', Origin: 'https://registry.example.com' },
      body: JSON.stringify({ username, password }),
    });
    expect(entered.status).toBe(200);
    expect(entered.headers.getSetCookie()[0]).toMatch(/^__Secure-.*; Secure/i);
  });
});
