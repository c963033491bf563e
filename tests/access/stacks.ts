// What the town ships: a stack of the organization and one of a user, each run by a server in its first environment.
import { basic, pushImage, REPOSITORY, type Town } from './people.ts';

export const STACKS = ['shop of acme', 'shop of olivia', 'shop of nowhere'] as const;
/** The variable of every environment that is a secret, and its value by namespace. */
export const SECRET_NAME = 'PASSWORD';
export const SECRET: Record<Owner, string> = {
  acme: 'xyzzy-of-acme-kept-from-everyone',
  olivia: 'xyzzy-of-olivia-kept-from-everyone',
};

type Owner = 'acme' | 'olivia';

export function stackPath(namespace: string): string {
  return `/api/v1/namespaces/${namespace}/stacks/shop`;
}

/** A compose file with one service. */
export function composeFile(repository: string): string {
  return `services:
  web:
    image: ${repository}:v1
    x-berth: { repository: ${repository} }
    environment:
      ${SECRET_NAME}: "\${${SECRET_NAME}:-}"
      GREETING: "\${GREETING:-hello}"
`;
}

/** Whose stack a row's target is, if it is one. */
export function stackOwner(target: string | undefined): string | undefined {
  return /^shop of (.+)$/.exec(target ?? '')?.[1];
}

/** The namespace and the repository of a row's target. */
export function placeOf(target: string | undefined): { namespace: string; repository: string } {
  const namespace = stackOwner(target) ?? 'acme';
  return { namespace, repository: namespace === 'olivia' ? REPOSITORY.other : REPOSITORY.third };
}

export async function makeStacks(town: Town): Promise<void> {
  const agents = { acme: '', olivia: '' };
  for (const namespace of ['acme', 'olivia'] as const) {
    const as = town.person(namespace === 'acme' ? 'boss' : 'owner').basic;
    const token = await makeStack(town, namespace, as);
    agents[namespace] = basic('agent', token);
  }
  town.people.set('agent', { basic: agents.acme });
}

/** Two releases, each stable in `test`. Returns the token of the server there. */
async function makeStack(town: Town, namespace: Owner, as: string | undefined): Promise<string> {
  const { caller } = town;
  const { repository } = placeOf(`shop of ${namespace}`);
  const stack = stackPath(namespace);
  const test = `${stack}/environments/test`;
  await caller.expect(201, 'POST', `/api/v1/namespaces/${namespace}/stacks`, {
    as,
    json: { name: 'shop', file: composeFile(repository) },
  });
  for (const name of ['test', 'staging', 'spare']) {
    await caller.expect(201, 'POST', `${stack}/environments`, { as, json: { name } });
  }
  caller.remember(SECRET[namespace]);
  await caller.expect(200, 'PATCH', `${test}/config`, {
    as,
    json: { set: { [SECRET_NAME]: { value: SECRET[namespace], secret: true }, GREETING: { value: 'good morning' } } },
  });
  const enrolled = await caller.expect(201, 'POST', `${test}/targets`, { as, json: { name: 'one' } });
  const { token } = enrolled.json() as { token: string };
  await pushImage(caller, town.person('admin').basic ?? '', repository, 'v2', 'a second one');
  for (const number of [1, 2]) {
    await caller.expect(201, 'POST', `${stack}/releases`, { as, json: { images: { web: `v${number}` } } });
    await caller.expect(201, 'POST', `${test}/deployments`, { as, json: { release: number } });
    await reportStable(town, basic('agent', token), number);
  }
  return token;
}

/** What an agent does and says when all goes well. */
export async function reportStable({ caller }: Town, as: string | undefined, number: number): Promise<void> {
  const report = (more: object) =>
    caller.expect(204, 'POST', '/api/v1/agent/report', { as, json: { now: Date.now(), ...more } });
  await report({});
  const state = await caller.expect(200, 'GET', '/api/v1/agent/state', { as });
  const { deployment } = state.json() as {
    deployment: { number: number; images: Record<string, { digest: string }> } | null;
  };
  if (deployment?.number !== number) throw new Error(`the agent is to run ${deployment?.number}, not ${number}`);
  const services = Object.entries(deployment.images).map(([service, { digest }]) => ({
    service,
    digest,
    containers: 1,
    health: 'healthy',
    restarts: 0,
  }));
  await report({ deployment: { number, phase: 'monitoring' }, services });
  await report({ deployment: { number, phase: 'stable' }, services });
}
