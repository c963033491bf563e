import { afterAll, beforeAll, expect, test } from 'bun:test';
import type { AccountsContext } from '../../accounts/context.ts';
import { setGrant } from '../../accounts/grants.ts';
import { createOrganization } from '../../accounts/organizations.ts';
import { onEachDatabase } from '../../database/test-databases.ts';
import type { RegistryContext } from '../../registry/context.ts';
import { named, pushImage } from '../../registry/testing.ts';
import { type Answer, code, ORIGIN, openTestApi, type TestApi } from './testing.ts';

onEachDatabase('the API of repositories, lists', (newPlace) => {
  let api: TestApi;
  let ask: TestApi['ask'];
  let context: RegistryContext;
  let accounts: AccountsContext;
  const ids = new Map<string, string>();
  beforeAll(async () => {
    api = await openTestApi(await newPlace());
    ({ ask, context, accounts } = api);
    for (const name of ['alice', 'bob', 'carol', 'boss']) {
      ids.set(name, await api.addUser(name, { administrator: name === 'boss' }));
    }
    await createOrganization(accounts, { name: 'acme' }, ids.get('alice') ?? '', ORIGIN, { adopt: false });
  });
  afterAll(() => api?.remove());

  const at = (name: string) => `/api/v1/repositories/${name}`;
  const make = (name: string, visibility = 'private', who = 'alice') =>
    ask(who, 'POST', '/api/v1/repositories', { name, visibility });
  const namesOf = ({ body }: Answer) => (body.repositories as { name: string }[]).map((one) => one.name);

  beforeAll(async () => {
    for (const name of ['acme/came', 'alice/other', 'alice/open-one']) await make(name);
    await make('rooted', 'private', 'boss');
    await ask('nobody', 'POST', '/api/v1/repositories', { name: 'some/where', visibility: 'private' }, 'push');
    await api.addToken('a token for it', ids.get('boss') ?? '', 'admin', 'acme/came');
    await make('acme/list-private');
    await make('acme/list-public', 'public');
    for (const name of ['acme/list-private', 'acme/list-public']) await pushImage(context, name, 'one', 'v1');
    await make('acme/list-empty', 'public');
    await ask('alice', 'PATCH', at('acme/list-private'), { description: 'The Gateway' });
    await setGrant(accounts, { repository: named('acme/list-private') }, { user: 'carol' }, 'read', ORIGIN);
  });

  test('show to each what it may read, in the API and in the catalog', async () => {
    const api = async (who: string) => namesOf(await ask(who, 'GET', '/api/v1/repositories?namespace=acme'));
    const catalog = async (who: string) =>
      ((await ask(who, 'GET', '/v2/_catalog?n=1000')).body.repositories as string[]).filter((name) =>
        name.startsWith('acme/list-'),
      );
    const all = ['acme/came', 'acme/list-empty', 'acme/list-private', 'acme/list-public'];
    const open = ['acme/list-empty', 'acme/list-public'];
    expect(await api('alice')).toEqual(all);
    expect(await api('boss')).toEqual(all);
    expect(await api('bob')).toEqual(open);
    expect(await api('carol')).toEqual(['acme/list-empty', 'acme/list-private', 'acme/list-public']);
    // For one repository; what is public it may read as everyone may.
    expect(await api('a token for it')).toEqual(['acme/came', ...open]);
    expect(await catalog('alice')).toEqual(['acme/list-private', 'acme/list-public']);
    expect(await catalog('bob')).toEqual(['acme/list-public']);
    expect(await catalog('carol')).toEqual(['acme/list-private', 'acme/list-public']);
    expect(await catalog('a token for it')).toEqual(['acme/list-public']);
    expect(await api('nobody')).toEqual(open);
  });

  test('to a client without an account show what is public, and what is nobody’s, as --anonymous says', async () => {
    const seen = async (mode: 'pull' | 'push') =>
      namesOf(await ask('nobody', 'GET', '/api/v1/repositories?n=1000', undefined, mode));
    for (const mode of ['pull', 'push'] as const) {
      const names = await seen(mode);
      expect(names).toContain('rooted');
      expect(names).toContain('some/where');
      expect(names).toContain('acme/list-public');
      expect(names).not.toContain('acme/list-private');
    }
  });

  test('come in pages, filtered', async () => {
    const page = async (query: string) => ask('alice', 'GET', `/api/v1/repositories?namespace=acme&${query}`);
    const first = await page('n=2');
    expect([namesOf(first), first.body.next]).toEqual([['acme/came', 'acme/list-empty'], 'acme/list-empty']);
    const second = await page('n=2&last=acme%2Flist-empty');
    expect([namesOf(second), second.body.next]).toEqual([['acme/list-private', 'acme/list-public'], null]);
    expect(namesOf(await page('q=gateWAY'))).toEqual(['acme/list-private']);
    expect(namesOf(await page('q=LIST-p&visibility=public'))).toEqual(['acme/list-public']);
    expect(await code(page('visibility=secret'))).toBe('400 QUERY_INVALID');
    expect(await code(page('n=x'))).toBe('400 PAGINATION_NUMBER_INVALID');
    const one = (second.body.repositories as Record<string, unknown>[])[0];
    expect(one).toEqual({
      name: 'acme/list-private',
      visibility: 'private',
      description: 'The Gateway',
      createdAt: expect.stringMatching(/Z$/),
      updatedAt: expect.stringMatching(/Z$/),
    });
  });
});
