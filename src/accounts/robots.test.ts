import { beforeEach, expect, test } from 'bun:test';
import { onEachDatabase } from '../database/test-databases.ts';
import { parseRepositoryName } from '../oci/names.ts';
import { createToken, listTokens } from './access-tokens.ts';
import { Credentials } from './credentials.ts';
import { createOrganization } from './organizations.ts';
import { Passwords } from './passwords.ts';
import { PermissionReader } from './permission-reader.ts';
import { createRobot, deleteRobot, getRobot, listRobots, updateRobot } from './robots.ts';
import { codeOf, ORIGIN, openTestAccounts, type TestAccounts } from './testing.ts';

onEachDatabase('robots', (newPlace) => {
  let accounts: TestAccounts;
  let credentials: Credentials;
  beforeEach(async () => {
    accounts = await openTestAccounts(await newPlace());
    const { context } = accounts;
    credentials = new Credentials(context, new PermissionReader(context.database), new Passwords());
    const alice = await accounts.addUser('alice');
    await createOrganization(context, { name: 'acme' }, alice.id, ORIGIN, { adopt: false });
    await accounts.addRepository('acme/app');
    await accounts.addRepository('alice/app');
  });
  const tokenOf = async (robotId: number) => {
    const token = { kind: 'robot', owner: { robotId }, name: 'ci', level: 'write', expiresAt: null } as const;
    return (await createToken(accounts.context, token, ORIGIN)).secret;
  };
  const logIn = (name: string, secret: string) => credentials.prove(name, secret, '192.0.2.9');

  test('a robot logs in as namespace+name with a token, and is what it was made', async () => {
    const { context } = accounts;
    const robot = await createRobot(context, 'acme', { name: 'ci', description: 'builds', role: 'write' }, ORIGIN);
    expect(robot).toEqual(await getRobot(context, 'acme', 'ci'));
    expect(robot).toMatchObject({ username: 'acme+ci', role: 'write', repository: null, createdBy: 'root' });
    const { identity } = await logIn('acme+ci', await tokenOf(robot.id));
    expect(identity).toMatchObject({ kind: 'robot', name: 'acme+ci', role: 'write', repositoryId: null });
    expect(await accounts.audited('acme+ci')).toEqual([['robot.create', { role: 'write', repository: null }]]);
  });

  test('users have robots as well', async () => {
    const robot = await createRobot(accounts.context, 'alice', { name: 'ci', role: 'read' }, ORIGIN);
    expect((await logIn('alice+ci', await tokenOf(robot.id))).identity.name).toBe('alice+ci');
  });

  test('its name is its own in the namespace, also when two make it at once', async () => {
    const { context, another } = accounts;
    const codes = await Promise.all([
      codeOf(createRobot(context, 'acme', { name: 'ci', role: 'read' }, ORIGIN)),
      codeOf(createRobot(another, 'acme', { name: 'ci', role: 'admin' }, ORIGIN)),
    ]);
    expect(codes.toSorted()).toEqual(['NAME_TAKEN', 'done']);
    expect(await codeOf(createRobot(context, 'alice', { name: 'ci', role: 'read' }, ORIGIN))).toBe('done');
    expect(await codeOf(createRobot(context, 'nobody', { name: 'ci', role: 'read' }, ORIGIN))).toBe('NOT_FOUND');
  });

  test.each(['', 'CI', 'a+b', 'a/b', 'x'.repeat(65)])('it can not be called %p', async (name) => {
    expect(await codeOf(createRobot(accounts.context, 'acme', { name, role: 'read' }, ORIGIN))).toBe('BODY_INVALID');
  });

  test('one for a repository is for one of its namespace', async () => {
    const { context } = accounts;
    const make = (name: string, repository: string) =>
      createRobot(context, 'acme', { name, role: 'read', repository: parseRepositoryName(repository) }, ORIGIN);
    expect((await make('ci', 'acme/app')).repository).toBe(parseRepositoryName('acme/app'));
    expect(await codeOf(make('ci2', 'alice/app'))).toBe('BODY_INVALID');
    expect(await codeOf(make('ci2', 'acme'))).toBe('BODY_INVALID');
    expect(await codeOf(make('ci2', 'acme/none'))).toBe('NAME_UNKNOWN');
  });

  test('one that is disabled can not log in, and can again when it is enabled', async () => {
    const { context } = accounts;
    const robot = await createRobot(context, 'acme', { name: 'ci', role: 'write' }, ORIGIN);
    const secret = await tokenOf(robot.id);
    expect((await updateRobot(context, 'acme', 'ci', { disabled: true }, ORIGIN)).disabledAt).toBeNumber();
    await updateRobot(context, 'acme', 'ci', { disabled: true }, ORIGIN);
    expect(await codeOf(logIn('acme+ci', secret))).toBe('UNAUTHORIZED');
    expect((await updateRobot(context, 'acme', 'ci', { disabled: false }, ORIGIN)).disabledAt).toBeNull();
    expect(await codeOf(logIn('acme+ci', secret))).toBe('done');
    expect((await accounts.audited('acme+ci')).map(([, detail]) => detail?.disabled)).toEqual([undefined, true, false]);
  });

  test('its role and description change, field by field', async () => {
    const { context } = accounts;
    await createRobot(context, 'acme', { name: 'ci', role: 'write' }, ORIGIN);
    await updateRobot(context, 'acme', 'ci', { description: 'builds' }, ORIGIN);
    await updateRobot(context, 'acme', 'ci', { role: 'read' }, ORIGIN);
    expect(await getRobot(context, 'acme', 'ci')).toMatchObject({ description: 'builds', role: 'read' });
    expect(await codeOf(updateRobot(context, 'acme', 'gone', {}, ORIGIN))).toBe('NOT_FOUND');
  });

  test('its tokens end with it, and a new one of the name has none of them', async () => {
    const { context } = accounts;
    const robot = await createRobot(context, 'acme', { name: 'ci', role: 'write' }, ORIGIN);
    const secret = await tokenOf(robot.id);
    await deleteRobot(context, 'acme', 'ci', ORIGIN);
    expect(await codeOf(logIn('acme+ci', secret))).toBe('UNAUTHORIZED');
    const again = await createRobot(context, 'acme', { name: 'ci', role: 'write' }, ORIGIN);
    expect(await listTokens(context, { robotId: again.id })).toEqual([]);
    expect(await codeOf(logIn('acme+ci', secret))).toBe('UNAUTHORIZED');
    expect(await codeOf(deleteRobot(context, 'alice', 'ci', ORIGIN))).toBe('NOT_FOUND');
  });

  test('robots are listed in pages', async () => {
    const { context } = accounts;
    for (const name of ['c', 'a', 'b']) await createRobot(context, 'acme', { name, role: 'read' }, ORIGIN);
    const first = await listRobots(context, 'acme', { limit: 2 });
    expect([first.robots.map((robot) => robot.username), first.more]).toEqual([['acme+a', 'acme+b'], true]);
    const second = await listRobots(context, 'acme', { last: 'b', limit: 2 });
    expect([second.robots.map((robot) => robot.name), second.more]).toEqual([['c'], false]);
  });
});
