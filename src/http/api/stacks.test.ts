import { afterAll, beforeAll, expect, test } from 'bun:test';
import { setGrant } from '../../accounts/grants.ts';
import { createOrganization } from '../../accounts/organizations.ts';
import { type StackInfo, stackInfo, stackPage } from '../../api/stacks.ts';
import { onEachDatabase } from '../../database/test-databases.ts';
import { ORIGIN, openTestApi, type TestApi } from './testing.ts';

const FILE =
  'services:\n  web:\n    image: nginx@sha256:0000000000000000000000000000000000000000000000000000000000000000\n';

onEachDatabase('the API of stacks', (newPlace) => {
  let api: TestApi;
  let ask: TestApi['ask'];
  beforeAll(async () => {
    api = await openTestApi(await newPlace());
    ({ ask } = api);
    const ids = new Map<string, string>();
    for (const name of ['alice', 'bob', 'carol', 'boss']) {
      ids.set(name, await api.addUser(name, { administrator: name === 'boss' }));
    }
    const alice = ids.get('alice') ?? '';
    await createOrganization(api.accounts, { name: 'acme' }, alice, ORIGIN, { adopt: false });
    await setGrant(api.accounts, { namespace: 'acme' }, { user: 'bob' }, 'write', ORIGIN);
    await setGrant(api.accounts, { namespace: 'acme' }, { user: 'carol' }, 'read', ORIGIN);
    await api.addToken('alice reads', alice, 'read');
    await api.addToken('alice writes', alice, 'write');
    for (const name of ['shop', 'blog']) {
      expect((await ask('alice', 'POST', '/api/v1/namespaces/acme/stacks', { name, file: FILE })).status).toBe(201);
    }
    await ask('bob', 'POST', '/api/v1/namespaces/bob/stacks', { name: 'own', file: FILE });
  });
  afterAll(() => api?.remove());

  test.each([
    ['alice', 'admin'],
    ['bob', 'write'],
    ['carol', 'read'],
    ['boss', 'admin'],
    ['alice reads', 'read'],
    ['alice writes', 'write'],
  ] as const)('%s, with the credential that it showed, has the role %s in a stack', async (who, role) => {
    const { body } = await ask(who, 'GET', '/api/v1/namespaces/acme/stacks/shop');
    expect(stackInfo.parse(body).role).toBe(role);
  });

  test('a list says the role in each, by whose it is', async () => {
    const { body } = await ask('bob', 'GET', '/api/v1/stacks');
    const stacks: StackInfo[] = stackPage.parse(body).stacks;
    expect(stacks.map(({ name, role }) => [name, role])).toEqual([
      ['acme/blog', 'write'],
      ['acme/shop', 'write'],
      ['bob/own', 'admin'],
    ]);
  });

  test('who changes the file is told the role too', async () => {
    const { body } = await ask('bob', 'PUT', '/api/v1/namespaces/acme/stacks/shop/file', {
      file: `${FILE}# changed\n`,
    });
    expect(stackInfo.parse(body).role).toBe('write');
  });
});
