// `berth login`, `berth logout` and `berth whoami`, and where the token of a log-in is kept.
import { describe, expect, test } from 'bun:test';
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { tokenInfo } from '../../src/api/tokens.ts';
import { freePort } from '../support/ports.ts';
import { ADMINISTRATOR, type Person, serveAccounts } from './person.ts';

const place = serveAccounts();

const credentials = z.strictObject({
  logins: z.array(
    z.strictObject({
      server: z.string(),
      username: z.string(),
      token: z.string(),
      tokenId: z.string().nullable(),
      expiresAt: z.string().nullable(),
    }),
  ),
});
type Login = z.infer<typeof credentials>['logins'][number];

const fileOf = (person: Person) => join(person.home, 'credentials.json');
const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);
const caller = z.looseObject({ kind: z.string(), name: z.string(), level: z.string().nullable() });
const tokens = z.array(tokenInfo);

function loginsOf(person: Person): Login[] {
  return credentials.parse(JSON.parse(readFileSync(fileOf(person), 'utf8'))).logins;
}

function onlyLogin(person: Person): Login {
  const [login, ...others] = loginsOf(person);
  if (login === undefined || others.length > 0) throw new Error(`${others.length} logins`);
  return login;
}

const keep = (person: Person, logins: Login[]) => writeFileSync(fileOf(person), JSON.stringify({ logins }));

async function loggedIn(): Promise<Person> {
  const person = place.person();
  await person.logIn();
  return person;
}

describe('a log-in with the password', () => {
  test.concurrent('keeps a token of its own for 90 days, in a file that nobody else can read', async () => {
    const person = await loggedIn();
    expect([mode(person.home), mode(fileOf(person))]).toEqual(['700', '600']);
    expect(readdirSync(person.home)).toEqual(['credentials.json']);
    const login = onlyLogin(person);
    expect(login).toMatchObject({ server: place.server.url, username: 'alice' });
    expect(readFileSync(fileOf(person), 'utf8')).not.toContain(ADMINISTRATOR.password);
    const made = tokens.parse(await person.json('token list')).find((token) => token.id === login.tokenId);
    expect(made?.name).toStartWith('berth on ');
    expect(made?.level).toBe('admin');
    const days = (Date.parse(made?.expiresAt ?? '') - Date.parse(made?.createdAt ?? '')) / 86_400_000;
    expect(Math.round(days)).toBe(90);
    expect(caller.parse(await person.json('whoami'))).toMatchObject({ kind: 'user', name: 'alice', level: 'admin' });
  });

  test.concurrent('names the server as docker does, and later commands go to it', async () => {
    const person = place.person();
    const env = { BERTH_SERVER: '' };
    await person.run(`login ${place.server.host} -u alice --password-stdin`, { stdin: ADMINISTRATOR.password, env });
    expect(onlyLogin(person).server).toBe(place.server.url);
    expect(await person.run('whoami', { env })).toBe('alice\n');
  });

  test.concurrent('is refused for a wrong password, and keeps nothing', async () => {
    const person = place.person();
    const line = 'login -u alice --password-stdin';
    expect(await person.refused(1, line, { stdin: 'wrong password 1\n' })).toContain('password is wrong');
    expect(await person.refused(1, line.replace('alice', 'nobody'), { stdin: 'wrong password 1\n' })).toContain(
      'password is wrong',
    );
    expect(existsSync(fileOf(person))).toBe(false);
  });

  test.concurrent('a second one takes the place of the first, whose token ends', async () => {
    const person = await loggedIn();
    const { token: first, tokenId } = onlyLogin(person);
    await person.logIn();
    expect(onlyLogin(person).tokenId).not.toBe(tokenId);
    await person.refused(1, 'token list', { env: { BERTH_TOKEN: first } });
    expect(tokens.parse(await person.json('token list')).map(({ id }) => id)).not.toContain(tokenId ?? '');
  });

  test.concurrent('wants a name and a password from somewhere', async () => {
    const person = place.person();
    expect(await person.refused(2, 'login --password-stdin', { stdin: 'x' })).toContain('give -u NAME');
    expect(await person.refused(2, 'login -u alice')).toContain('--password-stdin');
    expect(await person.refused(2, 'login -u alice --password-stdin', { stdin: '' })).toContain('standard input');
    expect(await person.refused(2, 'login --password-stdin --token-stdin', { stdin: 'x' })).toContain('--token-stdin');
  });
});

describe('a log-in with a token', () => {
  test.concurrent('keeps that token, and logging out does not revoke it', async () => {
    const owner = await loggedIn();
    const token = (await owner.run('token create for-login --level read')).trim();
    const person = place.person();
    await person.run('login --token-stdin', { stdin: `${token}\n` });
    expect(onlyLogin(person)).toMatchObject({ username: 'alice', token, tokenId: null });
    expect(caller.parse(await person.json('whoami'))).toMatchObject({ name: 'alice', level: 'read' });
    await person.run('logout');
    expect(loginsOf(person)).toEqual([]);
    expect(await person.run('whoami', { env: { BERTH_TOKEN: token } })).toBe('alice\n');
  });

  test.concurrent('in the place of the password it is kept as well, if it is that of the user', async () => {
    const owner = await loggedIn();
    const token = (await owner.run('token create as-password')).trim();
    const person = place.person();
    const refused = await person.refused(1, 'login -u bob --password-stdin', { stdin: token });
    expect(refused).toContain('the token is that of alice, not of bob');
    await person.run('login -u alice --password-stdin', { stdin: token });
    expect(onlyLogin(person).token).toBe(token);
  });

  test.concurrent('is refused for what is no token, or none of this server', async () => {
    const person = place.person();
    expect(await person.refused(2, 'login --token-stdin', { stdin: 'hunter2' })).toContain('not an access token');
    const unknown = `berth_pat_${'x'.repeat(32)}`;
    expect(await person.refused(1, 'login --token-stdin', { stdin: unknown })).toContain('log-in refused');
    expect(existsSync(fileOf(person))).toBe(false);
  });
});

describe('logging out', () => {
  test.concurrent('revokes the token and forgets it', async () => {
    const person = await loggedIn();
    const { token } = onlyLogin(person);
    expect(await person.run('logout')).toContain('logged out');
    expect(loginsOf(person)).toEqual([]);
    await person.refused(1, 'token list', { env: { BERTH_TOKEN: token } });
    expect((await person.try(['whoami'])).code).toBe(1);
    expect(await person.refused(1, 'logout')).toContain('nobody is logged in');
  });

  test.concurrent('forgets a token that cannot be revoked now, and says how to', async () => {
    const person = await loggedIn();
    const gone = `http://127.0.0.1:${await freePort()}`;
    keep(person, [{ ...onlyLogin(person), server: gone }]);
    const message = await person.refused(1, `logout ${gone}`);
    expect(message).toContain('could not be revoked');
    expect(message).toContain('berth token revoke');
    expect(loginsOf(person)).toEqual([]);
  });

  test.concurrent('leaves the log-ins at other servers alone', async () => {
    const person = await loggedIn();
    const login = onlyLogin(person);
    const other = { ...login, server: 'https://other.example.com', tokenId: null };
    keep(person, [other, login]);
    await person.run('logout', { env: { BERTH_SERVER: '' } });
    expect(loginsOf(person)).toEqual([other]);
  });
});

describe('what is kept', () => {
  test.concurrent('is closed to others again when they could read it, with a warning', async () => {
    const person = await loggedIn();
    chmodSync(fileOf(person), 0o644);
    const { code, stdout, stderr } = await person.try(['whoami']);
    expect([code, stdout]).toEqual([0, 'alice\n']);
    expect(stderr).toContain('had mode 644');
    expect(mode(fileOf(person))).toBe('600');
  });

  test.concurrent('is not sent once it has expired: the command says to log in again', async () => {
    const person = await loggedIn();
    keep(person, [{ ...onlyLogin(person), expiresAt: '2020-01-01T00:00:00.000Z' }]);
    expect(await person.refused(1, 'token list')).toContain('log in again');
  });

  test.concurrent('goes to its own server alone', async () => {
    const person = await loggedIn();
    const seen: (string | null)[] = [];
    const stranger = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      fetch(request) {
        seen.push(request.headers.get('authorization'));
        return Response.redirect(`${place.server.url}/api/v1/caller`);
      },
    });
    try {
      const message = await person.refused(1, `whoami --server http://127.0.0.1:${stranger.port}`);
      expect(message).toContain(`redirects to ${place.server.url}`);
      expect(seen).toEqual([null]);
    } finally {
      await stranger.stop(true);
    }
  });

  test.concurrent('that is damaged is named, and not overwritten', async () => {
    const person = await loggedIn();
    writeFileSync(fileOf(person), '{"logins": [');
    expect(await person.refused(1, 'whoami')).toContain(fileOf(person));
    await person.refused(1, 'login -u alice --password-stdin', { stdin: ADMINISTRATOR.password });
    expect(readFileSync(fileOf(person), 'utf8')).toBe('{"logins": [');
  });

  test.concurrent('stands in the configuration folder of the system', async () => {
    const person = place.person();
    const env = { BERTH_CONFIG_HOME: '', XDG_CONFIG_HOME: person.home, HOME: join(person.home, 'home') };
    await person.run('login -u alice --password-stdin', { stdin: ADMINISTRATOR.password, env });
    const folder = join(person.home, 'berth');
    expect([mode(folder), mode(join(folder, 'credentials.json'))]).toEqual(['700', '600']);
    expect(await person.run('whoami', { env })).toBe('alice\n');
    // A relative path is to be ignored (XDG Base Directory Specification).
    const relative = { ...env, XDG_CONFIG_HOME: 'config' };
    await person.run('login -u alice --password-stdin', { stdin: ADMINISTRATOR.password, env: relative });
    const home = process.platform === 'darwin' ? 'Library/Application Support' : '.config';
    expect(existsSync(join(env.HOME, home, 'berth/credentials.json'))).toBe(true);
  });
});

describe('BERTH_TOKEN', () => {
  test.concurrent('comes before the log-in', async () => {
    const person = await loggedIn();
    const token = (await person.run('token create script --level read')).trim();
    const env = { BERTH_TOKEN: `${token}\n` };
    expect(caller.parse(await person.json('whoami', { env }))).toMatchObject({ name: 'alice', level: 'read' });
    expect(await person.refused(1, 'token list', { env })).toContain('this token may not manage the account');
  });

  test.concurrent('that is no token is refused, and not printed', async () => {
    const message = await place.person().refused(2, 'whoami', { env: { BERTH_TOKEN: 'hunter2\nhunter3' } });
    expect(message).toContain('BERTH_TOKEN');
    expect(message).not.toContain('hunter');
  });
});

describe('an address', () => {
  test.concurrent('that is none, or holds more than one, is refused with the flag that gave it', async () => {
    const person = place.person();
    await person.refusesAll(2, {
      'whoami --server ftp://localhost': '--server: "ftp://localhost" is not an address',
      'whoami --server http://': '--server: "http://" is not an address',
      'whoami --server http://localhost:5000/v2/': 'more than a host and a port; give http://localhost:5000',
      'login ftp://localhost': 'SERVER: ',
    });
    const password = 'hunter2';
    const message = await person.refused(2, `whoami --server http://alice:${password}@localhost:5000`);
    expect(message).toContain('holds a username');
    expect(message).not.toContain(password);
    expect(await person.refused(2, 'whoami', { env: { BERTH_SERVER: 'x y' } })).toContain('BERTH_SERVER: ');
  });

  test.concurrent('where nothing answers, or something else, is named', async () => {
    const person = place.person();
    const gone = `http://127.0.0.1:${await freePort()}`;
    expect(await person.refused(1, `whoami --server ${gone}`)).toContain(`no Berth answers at ${gone}`);
    const page = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response('<h1>It works!</h1>') });
    try {
      expect(await person.refused(1, `whoami --server http://127.0.0.1:${page.port}`)).toContain('is no Berth');
    } finally {
      await page.stop(true);
    }
  });
});
