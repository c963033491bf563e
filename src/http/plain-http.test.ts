import { describe, expect, test } from 'bun:test';
import { plainHttp } from './plain-http.ts';

const none = { publicUrl: undefined, httpsPort: 443, challenge: async () => undefined, failed: () => {} };

async function ask(url: string, options: Partial<Parameters<typeof plainHttp>[0]> = {}, host = new URL(url).host) {
  const response = await plainHttp({ ...none, ...options })(new Request(url, { headers: { Host: host } }));
  return { status: response.status, location: response.headers.get('location'), body: await response.text() };
}

describe('The port for plain http', () => {
  test('sends to https at the host that was asked for, with its port when it is not 443', async () => {
    expect((await ask('http://r.example.com:8080/a%20b?c=d')).location).toBe('https://r.example.com/a%20b?c=d');
    expect((await ask('http://[::1]/', { httpsPort: 5000 })).location).toBe('https://[::1]:5000/');
  });

  test('sends to the public address when that is fixed', async () => {
    const { status, location } = await ask('http://10.0.0.1/x', { publicUrl: 'https://r.example.com:8443' });
    expect([status, location]).toEqual([308, 'https://r.example.com:8443/x']);
  });

  test('sends nobody to what is no host', async () => {
    for (const host of ['', 'a b', 'user@evil.example.com', 'a/b', '[::zz]']) {
      expect((await ask('http://r/x', {}, host)).status).toBe(400);
    }
  });

  test('gives the answer to a challenge, and nothing for what is no token', async () => {
    const asked: string[] = [];
    const challenge = async (token: string) => {
      asked.push(token);
      return token === 'abc_-1' ? 'abc_-1.thumbprint' : undefined;
    };
    const at = 'http://r/.well-known/acme-challenge/';
    expect(await ask(`${at}abc_-1`, { challenge })).toMatchObject({ status: 200, body: 'abc_-1.thumbprint' });
    expect((await ask(`${at}other`, { challenge })).status).toBe(404);
    expect((await ask(`${at}a/b`, { challenge })).status).toBe(404);
    expect(asked).toEqual(['abc_-1', 'other']);
  });

  test('says that a challenge could not be looked up, which is not that there is none', async () => {
    const failures: unknown[] = [];
    const challenge = () => Promise.reject(new Error('database gone'));
    const { status, body } = await ask('http://r/.well-known/acme-challenge/abc', {
      challenge,
      failed: (error) => failures.push(error),
    });
    expect(status).toBe(503);
    expect(body).not.toContain('database');
    expect(failures).toHaveLength(1);
  });
});
