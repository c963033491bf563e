// The commands that list, inspect, copy and delete: what an account finds is what it may read, and what a token may do is asked.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { join } from 'node:path';
import { busyboxImage } from '../support/images.ts';
import { type Ran, requireTools, tryRun } from '../support/tools.ts';
import { type Account, type AccountsRegistry, startAccounts } from './accounts.ts';
import { type ContainersStore, makeStore } from './containers-storage.ts';

const canRun = requireTools('accounts: commands', ['root', 'skopeo', 'podman']);
setDefaultTimeout(60_000);

describe.if(canRun)('an account', () => {
  let registry: AccountsRegistry;
  let store: ContainersStore;
  let alice: Account;
  let bob: Account;

  beforeAll(async () => {
    registry = await startAccounts();
    store = makeStore();
    alice = await registry.signUp('alice');
    bob = await registry.signUp('bob');
    await registry.createRepository(alice, 'alice/public', 'public');
    for (const name of ['alice/public:1', 'alice/private:1', 'alice/private:2']) await copy(alice, name);
  });

  afterAll(async () => {
    await store?.remove();
    await registry?.stop();
  });

  const skopeo = (...args: string[]): Promise<Ran> => tryRun(['skopeo', ...args], { env: { HOME: store.work } });
  const at = (name: string) => `docker://${registry.host}/${name}`;
  const insecure = '--tls-verify=false';
  const credentials = ({ name, secret }: Pick<Account, 'name' | 'secret'>) => ['--creds', `${name}:${secret}`];

  async function copy({ name, secret }: Account, to: string): Promise<void> {
    const { source } = await busyboxImage();
    const flags = ['--dest-creds', `${name}:${secret}`, '--dest-tls-verify=false'];
    expect((await skopeo('copy', ...flags, source, at(to))).code).toBe(0);
  }

  test('finds with podman search the repositories that it may read', async () => {
    const file = (who: string) => ['--authfile', join(store.work, `${who}.json`)];
    const search = (who: string) =>
      store.tryPodman(['search', ...file(who), insecure, '--format', '{{.Name}}', `${registry.host}/`]);
    for (const [{ name, password }, found] of [
      [alice, ['alice/private', 'alice/public']],
      [bob, ['alice/public']],
    ] as const) {
      const login = ['login', ...file(name), insecure, '--username', name, '--password-stdin', registry.host];
      await store.podman(login, { stdin: password });
      const { stdout } = await search(name);
      expect(stdout.trim().split('\n')).toEqual(found.map((repository) => `${registry.host}/${repository}`));
    }
    await Bun.write(join(store.work, 'nobody.json'), '{}');
    expect((await search('nobody')).stderr).toContain('unauthorized: log in');
  });

  test('lists and inspects with skopeo what it may read, and is told of nothing else', async () => {
    for (const command of [
      ['list-tags', at('alice/private')],
      ['inspect', at('alice/private:1')],
    ]) {
      expect((await skopeo(...command, insecure, ...credentials(alice))).code).toBe(0);
      const other = await skopeo(...command, insecure, ...credentials(bob));
      expect([other.code, other.stderr]).toEqual([1, expect.stringMatching(/name unknown|Not Found/)]);
      const nobody = await skopeo(...command, insecure, '--no-creds');
      expect([nobody.code, nobody.stderr]).toEqual([1, expect.stringMatching(/denied|unauthorized/)]);
    }
    expect((await skopeo('list-tags', at('alice/public'), insecure, '--no-creds')).code).toBe(0);
  });

  test('deletes with a token that says so, and not with one that may only write', async () => {
    const remove = (name: string, secret: string) =>
      skopeo('delete', insecure, ...credentials({ name, secret }), at('alice/public:1'));
    const write = await registry.makeToken(alice, { level: 'write' });
    const refused = await remove('alice', write.secret);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/denied/i)]);
    expect((await remove('bob', bob.secret)).stderr).toMatch(/denied/i);
    const found = await skopeo('inspect', insecure, '--no-creds', at('alice/public:1'));
    expect(found.code).toBe(0);
    const full = await registry.makeToken(alice, { level: 'delete' });
    expect((await remove('alice', full.secret)).code).toBe(0);
    expect((await skopeo('inspect', insecure, '--no-creds', at('alice/public:1'))).code).toBe(1);
  });

  test("copies from another account's repository that it may read to its own, in one command", async () => {
    const own = at('bob/copied:1');
    const flags = ['--src-tls-verify=false', '--dest-tls-verify=false', '--preserve-digests'];
    const command = ['copy', ...flags, '--src-creds', `bob:${bob.secret}`, '--dest-creds', `bob:${bob.secret}`];
    expect((await skopeo(...command, at('alice/private:2'), own)).code).toBe(1);
    await registry.grant(alice, 'alice/private', 'bob', 'read');
    expect((await skopeo(...command, at('alice/private:2'), own)).code).toBe(0);
    const shown = await skopeo('inspect', insecure, ...credentials(bob), '--format', '{{.Digest}}', own);
    expect(shown.stdout.trim()).toBe((await busyboxImage()).manifest.digest);
  });
});
