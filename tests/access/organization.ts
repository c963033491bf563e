// The organization of the town, acme: an owner, members, a team, roles and robots; and the same of a user's namespace.
import type { Caller } from './caller.ts';
import { basic, REPOSITORY, type Town } from './people.ts';

export const ROBOT = 'ci';

/** Made by its owner, as everything in it. */
export async function makeOrganization({ caller, person }: Town): Promise<void> {
  const as = person('boss').basic;
  await caller.expect(201, 'POST', '/api/v1/organizations', { as, json: { name: 'acme' } });
  for (const username of ['mia', 'theo']) {
    await caller.expect(200, 'PUT', `/api/v1/organizations/acme/members/${username}`, { as, json: { role: 'member' } });
  }
  await caller.expect(201, 'POST', '/api/v1/organizations/acme/teams', { as, json: { name: 'crew' } });
  await caller.expect(204, 'PUT', '/api/v1/organizations/acme/teams/crew/members/theo', { as });
}

/** What is given in repositories that are there by now. */
export async function grantRoles(town: Town): Promise<void> {
  const { caller } = town;
  const boss = town.person('boss').basic;
  const owner = town.person('owner').basic;
  await caller.expect(200, 'PATCH', `/api/v1/repositories/${REPOSITORY.open}`, {
    as: boss,
    json: { visibility: 'public' },
  });
  const grant = (as: string | undefined, where: string, json: object) =>
    caller.expect(200, 'PUT', `/api/v1/${where}/grants`, { as, json });
  for (const [place, as] of [
    ['app', boss],
    ['tool', owner],
  ] as const) {
    await grant(as, `repositories/${REPOSITORY[place]}`, { user: 'rita', role: 'read' });
    await grant(as, `repositories/${REPOSITORY[place]}`, { user: 'walter', role: 'write' });
  }
  await grant(boss, `repositories/${REPOSITORY.app}`, { team: 'crew', role: 'write' });
  // For requests that take it away. The user is disabled.
  for (const place of ['app', 'open'] as const) await grant(boss, `repositories/${REPOSITORY[place]}`, DISABLED);
  await grant(owner, `repositories/${REPOSITORY.tool}`, DISABLED);
  await grant(boss, 'namespaces/acme', DISABLED);
  await grant(owner, 'namespaces/olivia', DISABLED);

  const robots = [
    await makeRobot(caller, boss, 'acme', ROBOT),
    await makeRobot(caller, boss, 'acme', 'other', REPOSITORY.third),
    await makeRobot(caller, owner, 'olivia', ROBOT),
  ] as const;
  town.people.set('robot', { basic: basic(`acme+${ROBOT}`, robots[0].secret) });
  town.people.set('otherbot', { basic: basic('acme+other', robots[1].secret) });
  town.robotTokens.set('acme', robots[0].id);
  town.robotTokens.set('olivia', robots[2].id);
}

const DISABLED = { user: 'doris', role: 'read' };

async function makeRobot(
  caller: Caller,
  as: string | undefined,
  namespace: string,
  name: string,
  repository?: string,
): Promise<{ id: string; secret: string }> {
  const robots = `/api/v1/namespaces/${namespace}/robots`;
  await caller.expect(201, 'POST', robots, { as, json: { name, role: 'write', repository } });
  const answer = await caller.expect(201, 'POST', `${robots}/${name}/tokens`, {
    as,
    json: { name: 'build', level: 'delete' },
  });
  const { token, secret } = answer.json() as { token: { id: string }; secret: string };
  return { id: token.id, secret };
}
