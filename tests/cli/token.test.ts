// `berth token`: made, used as docker does, seen in the list, revoked.
import { beforeAll, describe, expect, test } from 'bun:test';
import { newToken, tokenInfo } from '../../src/api/tokens.ts';
import { type Person, serveAccounts } from './person.ts';

const place = serveAccounts();
let alice: Person;

beforeAll(async () => {
  alice = place.person();
  await alice.logIn();
  await alice.run('repository create alice/app');
  await alice.run('robot create alice+ci --role write');
}, 60_000);

/** As `docker login` and `docker pull` ask for one. */
async function bearer(name: string, secret: string, scope = 'repository:alice/app:pull,push'): Promise<Response> {
  return fetch(`${place.server.url}/auth/token?scope=${encodeURIComponent(scope)}`, {
    headers: { Authorization: `Basic ${btoa(`${name}:${secret}`)}` },
  });
}

/** The scope that a bearer token was granted. */
async function granted(name: string, secret: string): Promise<string> {
  const response = await bearer(name, secret);
  expect(response.status).toBe(200);
  const { scope } = (await response.json()) as { scope: string };
  return scope;
}

const list = async (options = '') => tokenInfo.array().parse(await alice.json(`token list${options}`));

describe('a personal token', () => {
  test.concurrent('is printed alone, logs docker in, shows when it was used, and ends when it is revoked', async () => {
    const { stdout, stderr } = await alice.try(['token', 'create', 'laptop of alice', '--expires', '30d']);
    expect(stdout).toMatch(/^berth_pat_[0-9A-Za-z]{32}\n$/);
    expect(stderr).toContain('only time');
    const secret = stdout.trim();
    expect(await granted('alice', secret)).toBe('repository:alice/app:pull,push');
    const found = (await list()).find((token) => token.name === 'laptop of alice');
    expect(found).toMatchObject({ kind: 'personal', level: 'write', repository: null, lastUsedFrom: '127.0.0.1' });
    const days = (Date.parse(found?.expiresAt ?? '') - Date.parse(found?.createdAt ?? '')) / 86_400_000;
    expect(Math.round(days)).toBe(30);
    expect(await alice.run('token list')).toContain('laptop of alice');
    expect(await alice.run(`token revoke ${found?.id}`)).toBe(`revoked ${found?.id}\n`);
    expect((await bearer('alice', secret)).status).toBe(401);
    expect((await list()).map(({ id }) => id)).not.toContain(found?.id ?? '');
    expect(await alice.refused(1, `token revoke ${found?.id}`)).toContain('no token');
  });

  test.concurrent('is narrowed to a level, a repository and a time', async () => {
    const line = 'token create narrow --level read --repository alice/app --expires never';
    const { token, secret } = newToken.parse(await alice.json(line));
    expect(token).toMatchObject({ level: 'read', repository: 'alice/app', expiresAt: null });
    expect(await granted('alice', secret)).toBe('repository:alice/app:pull');
  });

  test.concurrent('does nothing after its time', async () => {
    const { secret } = newToken.parse(await alice.json('token create short --expires 1s'));
    const env = { BERTH_TOKEN: secret };
    let refused = await alice.try(['whoami'], { env });
    for (let tries = 0; refused.code === 0 && tries < 200; tries++) refused = await alice.try(['whoami'], { env });
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('expired');
    expect(refused.stderr).toContain('berth login');
    expect((await bearer('alice', secret)).status).toBe(401);
  });

  test.concurrent('is refused for values that there are not, naming the flag', async () => {
    await alice.refusesAll(2, {
      'token create wrong --level root': '--level: "root" is not one of read, write, delete, admin',
      'token create wrong --expires soon': '--expires: "soon"',
      'token create wrong --expires 0s': '--expires: "0s"',
      'token create wrong --repository Alice/App': '--repository: ',
      'token create wrong --robot ci': '--robot: "ci"',
      'token create wrong --output yaml': '--output: "yaml" is not one of text, json',
      'token revoke ../users': 'ID: ',
      'token create wrong --robot alice+ci --repository alice/app': '--repository: ',
    });
    expect((await list()).map(({ name }) => name)).not.toContain('wrong');
  });

  test.concurrent('is nobody’s to make without a log-in', async () => {
    expect(await place.person().refused(1, 'token create mine')).toContain('log in with berth login');
  });
});

describe("a robot's token", () => {
  test.concurrent('logs in under the robot’s name, and is listed and revoked as the robot’s', async () => {
    const { token, secret } = newToken.parse(await alice.json('token create build --robot alice+ci'));
    expect(secret).toStartWith('berth_robot_');
    expect(await granted('alice+ci', secret)).toBe('repository:alice/app:pull,push');
    expect(await alice.run('whoami', { env: { BERTH_TOKEN: secret } })).toBe('alice+ci\n');
    expect((await list(' --robot alice+ci')).map(({ id }) => id)).toEqual([token.id]);
    expect((await list()).map(({ id }) => id)).not.toContain(token.id);
    expect(await alice.refused(1, `token revoke ${token.id}`)).toContain('no token');
    await alice.run(`token revoke ${token.id} --robot alice+ci`);
    expect((await bearer('alice+ci', secret)).status).toBe(401);
  });

  test.concurrent('is made for a robot that is there', async () => {
    expect(await alice.refused(1, 'token create build --robot alice+nobody')).toContain('no robot');
  });
});
