// What a person does on Docker Hub, on a Berth with accounts, with each client: sign up, make a repository, log in, push,
// log out, let someone in.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { newerEngine } from '../support/engine.ts';
import { type Ran, requireTools } from '../support/tools.ts';
import {
  type Account,
  type AccountsRegistry,
  buildahClient,
  containerdClient,
  dockerClient,
  podmanClient,
  type RegistryClient,
  skopeoClient,
  startAccounts,
} from './accounts.ts';

setDefaultTimeout(60_000);

const CLIENTS: { name: string; tools: string[]; start: () => Promise<RegistryClient> }[] = [
  {
    name: 'Docker Engine 26.1',
    tools: [...newerEngine, 'skopeo'],
    start: () => dockerClient({ release: 'newer' }),
  },
  {
    name: "Docker Engine 26.1 with containerd's image store",
    tools: [...newerEngine, 'skopeo'],
    start: () => dockerClient({ release: 'newer', containerdStore: true }),
  },
  { name: 'podman', tools: ['podman', 'runc'], start: podmanClient },
  { name: 'skopeo', tools: ['skopeo', 'podman', 'runc'], start: skopeoClient },
  { name: 'buildah', tools: ['buildah', 'runc'], start: buildahClient },
  { name: 'ctr', tools: ['containerd', 'ctr', 'runc', 'tar'], start: containerdClient },
];

/** `done`, or why not. */
const outcome = ({ code, stdout, stderr }: Ran): string => (code === 0 ? 'done' : `failed: ${stdout}${stderr}`);

for (const { name, tools, start } of CLIENTS) {
  describe.if(requireTools(`accounts: ${name}`, ['root', ...tools]))(`accounts with ${name}`, () => {
    let registry: AccountsRegistry;
    let client: RegistryClient;
    let alice: Account;
    let bob: Account;

    beforeAll(async () => {
      [registry, client] = await Promise.all([startAccounts(), start()]);
      alice = await registry.signUp('alice');
      bob = await registry.signUp('bob');
    });

    afterAll(async () => {
      await client?.stop();
      await registry?.stop();
    });

    const at = (repository: string, tag = '1.0') => `${registry.host}/${repository}:${tag}`;
    const login = async (account: { name: string }, secret: string) =>
      expect(outcome(await client.login(registry.host, account.name, secret))).toBe('done');
    /** Where nothing was kept some clients say so and fail. */
    const logoutAfterFailure = () => client.logout(registry.host);
    const logout = async () => expect(outcome(await client.logout(registry.host))).toBe('done');
    const push = async (repository: string, tag?: string) => outcome(await client.push(at(repository, tag)));
    /** By another tag: some clients send nothing when the tag is there and names what they have. */
    const pushMore = (repository: string) => push(repository, '2.0');
    const pull = async (repository: string) => outcome(await client.pull(at(repository)));
    const runs = async (repository: string) => expect(await client.run(at(repository))).toBe(client.image.prints);

    const UNKNOWN = /^failed: .*(unauthorized|denied|authentication required|authorization failed)/is;
    const HIDDEN = /^failed: .*(not found|name unknown)/is;
    const REFUSED = /^failed: .*(denied|403 Forbidden)/is;
    /** ctr sometimes loses the answer to a manifest that it was still sending, when it had found all that the manifest names. */
    const READ_ONLY = /^failed: .*(denied|403 Forbidden|unauthorized|authorization failed|closed pipe)/is;
    const WRONG = /^failed: .*(unauthorized|invalid username\/password)/is;

    test('a wrong password is refused when the log-in is made or, where there is none, used', async () => {
      const first = await client.login(registry.host, 'alice', 'not the password');
      const said = first.code === 0 ? await push('alice/wrong') : outcome(first);
      expect(said).toMatch(WRONG);
      expect(await push('alice/wrong')).toMatch(/^failed/);
      await logoutAfterFailure();
    });

    test('the owner pushes to a private repository, and then nobody but who is let in pulls it', async () => {
      await registry.createRepository(alice, 'alice/app', 'private');
      await login(alice, alice.password);
      expect(await push('alice/app')).toBe('done');
      expect(await pull('alice/app')).toBe('done');
      await runs('alice/app');
      await logout();
      expect(await pull('alice/app')).toMatch(UNKNOWN);

      await login(bob, bob.password);
      expect(await pull('alice/app')).toMatch(HIDDEN);
      // The same words as for a name that there is not. What goes to standard output may be a progress, told when it takes long.
      const wordsFor = async (name: string) => {
        const { stderr } = await client.pull(at(name));
        expect(`failed: ${stderr}`).toMatch(HIDDEN);
        return stderr.replaceAll(name, 'NAME').replaceAll(/time="[^"]*"/g, '');
      };
      expect(await wordsFor('alice/none')).toBe(await wordsFor('alice/app'));
      expect(await pushMore('alice/app')).toMatch(REFUSED);

      await registry.grant(alice, 'alice/app', 'bob', 'read');
      expect(await pull('alice/app')).toBe('done');
      await runs('alice/app');
      expect(await pushMore('alice/app')).toMatch(READ_ONLY);
      expect(await registry.tags(alice, 'alice/app')).toEqual(['1.0']);
      await registry.grant(alice, 'alice/app', 'bob', 'write');
      expect(await pushMore('alice/app')).toBe('done');
      await logout();
    });

    test('a repository that nobody made comes to be by a push, private, under the own name alone', async () => {
      await login(alice, alice.password);
      expect(await push('alice/made/by-push')).toBe('done');
      expect(await registry.visibility(alice, 'alice/made/by-push')).toBe('private');
      expect(await pushMore('bob/from-alice')).toMatch(REFUSED);
      expect(await pushMore('nobody/app')).toMatch(REFUSED);
      expect(await pushMore('rootless')).toMatch(REFUSED);
      await logout();
      expect(await pull('alice/made/by-push')).toMatch(UNKNOWN);
    });

    test('a public repository is pulled without a log-in, and is not pushed to', async () => {
      await registry.createRepository(alice, 'alice/public', 'public');
      await login(alice, alice.password);
      expect(await push('alice/public')).toBe('done');
      await logout();
      expect(await pull('alice/public')).toBe('done');
      await runs('alice/public');
      expect(await pushMore('alice/public')).toMatch(READ_ONLY);
      await login(bob, bob.password);
      expect(await pull('alice/public')).toBe('done');
      expect(await pushMore('alice/public')).toMatch(READ_ONLY);
      expect(await registry.tags(alice, 'alice/public')).toEqual(['1.0']);
      await logout();
    });

    test('a token takes the place of the password, without a hash; one that may only read does not push', async () => {
      const [write, read] = await Promise.all([
        registry.makeToken(alice, { level: 'write' }),
        registry.makeToken(alice, { level: 'read' }),
      ]);
      const before = await registry.hashes();
      await login(alice, write.secret);
      expect(await push('alice/by-token')).toBe('done');
      expect(await pull('alice/by-token')).toBe('done');
      await logout();
      await login(alice, read.secret);
      expect(await pull('alice/by-token')).toBe('done');
      await runs('alice/by-token');
      expect(await pushMore('alice/by-token')).toMatch(READ_ONLY);
      expect(await registry.tags(alice, 'alice/by-token')).toEqual(['1.0']);
      await logout();
      expect(await registry.hashes()).toBe(before);
    });

    test('a robot of an organization pushes there and nowhere else, until it is gone', async () => {
      await registry.api(alice, 'POST', 'organizations', { name: 'acme' });
      const secret = await registry.makeRobot(alice, 'acme', 'ci');
      await login({ name: 'acme+ci' }, secret);
      expect(await push('acme/api')).toBe('done');
      expect(await pull('acme/api')).toBe('done');
      await runs('acme/api');
      expect(await pushMore('alice/app')).toMatch(REFUSED);
      await registry.api(alice, 'DELETE', 'namespaces/acme/robots/ci');
      expect(await pushMore('acme/api')).toMatch(WRONG);
      await logout();
    });

    test('what a token was for is over at once when it is revoked', async () => {
      const { id, secret } = await registry.makeToken(alice, { level: 'write' });
      await login(alice, secret);
      expect(await push('alice/revoked')).toBe('done');
      await registry.api(alice, 'DELETE', `tokens/${id}`);
      expect(await pushMore('alice/revoked')).toMatch(WRONG);
      expect(await pull('alice/revoked')).toMatch(/^failed/);
      await logout();
    });

    test('a disabled user neither pushes nor pulls nor logs in, and does again when enabled', async () => {
      const carol = await registry.signUp('carol');
      await login(carol, carol.password);
      expect(await push('carol/app')).toBe('done');
      await registry.api(registry.administrator, 'POST', 'users/carol/disable');
      expect(await pushMore('carol/app')).toMatch(WRONG);
      expect(await pull('carol/app')).toMatch(/^failed/);
      const again = await client.login(registry.host, 'carol', carol.password);
      expect(again.code === 0 ? await pull('carol/app') : outcome(again)).toMatch(/^failed/);
      await registry.api(registry.administrator, 'POST', 'users/carol/enable');
      await login(carol, carol.password);
      expect(await pull('carol/app')).toBe('done');
      await logout();
    });
  });
}
