// The rows of stacks, environments, releases, deployments and targets, and of the agents.
import { type Call, json, type Row } from './row.ts';
import { composeFile, placeOf, STACKS, stackPath } from './stacks.ts';

/** Nobody has the third. Who may not see it learns nothing else; an administrator that there is none. */
const inStack = (status: number) => ({
  'shop of acme': status,
  'shop of olivia': status,
  'shop of nowhere': 404,
});

const STACK = '/api/v1/namespaces/:namespace/stacks/:stack';
const ENVIRONMENT = `${STACK}/environments/:environment`;
const targets = STACKS;

const idle = () => true;
const reading: Row = { asks: 'read', targets, ok: inStack(200) };

/** A deployment of another release than the one that runs, made by an administrator. */
async function deployAnother({ town, target, allowed }: Call): Promise<string> {
  const { namespace } = placeOf(target);
  if (!allowed || namespace === 'nowhere') return '2';
  const path = `${stackPath(namespace)}/environments/test/deployments`;
  const answer = await town.caller.expect(201, 'POST', path, {
    as: town.person('admin').basic,
    json: { release: 1 },
  });
  return String((answer.json() as { number: number }).number);
}

/** Ends the servers of all stacks: what they run can't be deleted. */
export function revokeTargets({ town, allowed }: Pick<Call, 'town' | 'allowed'>): void {
  if (allowed) town.sql((db) => db.run('update targets set revoked_at = 1'));
}

const held = ({ town, allowed }: Call) => {
  if (allowed) town.sql((db) => db.run("update environments set held_by = 'someone', held_at = 1, held_reason = ''"));
  return {};
};

export const STACK_ROWS: Readonly<Record<string, Row>> = {
  'GET /api/v1/stacks': { asks: 'read', ok: 200 },
  'POST /api/v1/namespaces/:namespace/stacks': {
    asks: 'write',
    targets,
    ok: inStack(201),
    send: ({ target }) => ({ json: { name: 'another', file: composeFile(placeOf(target).repository) } }),
  },
  [`GET ${STACK}`]: reading,
  [`DELETE ${STACK}`]: {
    asks: 'admin',
    targets,
    ok: inStack(204),
    send: (call) => {
      revokeTargets(call);
      return {};
    },
  },
  [`GET ${STACK}/file`]: reading,
  [`PUT ${STACK}/file`]: {
    asks: 'write',
    targets,
    ok: inStack(200),
    send: ({ target }) => ({ json: { file: `${composeFile(placeOf(target).repository)}# changed\n` } }),
  },
  [`POST ${STACK}/resolve`]: { ...reading, send: json({ environment: 'test' }), idle },

  [`GET ${STACK}/environments`]: reading,
  [`POST ${STACK}/environments`]: { asks: 'admin', targets, ok: inStack(201), send: json({ name: 'another' }) },
  [`GET ${ENVIRONMENT}`]: reading,
  [`PATCH ${ENVIRONMENT}`]: { asks: 'admin', targets, ok: inStack(200), send: json({ protected: true }) },
  [`DELETE ${ENVIRONMENT}`]: {
    asks: 'admin',
    targets,
    ok: inStack(204),
    send: () => ({ params: { environment: 'spare' } }),
  },
  [`GET ${ENVIRONMENT}/status`]: reading,
  [`POST ${ENVIRONMENT}/hold`]: { asks: 'write', targets, ok: inStack(200), send: json({ reason: 'a fair' }) },
  [`POST ${ENVIRONMENT}/resume`]: { asks: 'write', targets, ok: inStack(200), send: held },
  [`GET ${ENVIRONMENT}/config`]: reading,
  [`PATCH ${ENVIRONMENT}/config`]: {
    asks: 'admin',
    targets,
    ok: inStack(200),
    send: json({ set: { GREETING: { value: 'good evening' } } }),
  },
  [`GET ${ENVIRONMENT}/config/versions`]: reading,

  [`GET ${ENVIRONMENT}/deployments`]: reading,
  [`POST ${ENVIRONMENT}/deployments`]: { asks: 'write', targets, ok: inStack(201), send: json({ release: 1 }) },
  [`GET ${ENVIRONMENT}/deployments/:number`]: reading,
  [`POST ${ENVIRONMENT}/deployments/:number/cancel`]: {
    asks: 'write',
    targets,
    ok: inStack(200),
    send: async (call) => ({ params: { number: await deployAnother(call) } }),
  },
  [`POST ${ENVIRONMENT}/promote`]: {
    asks: 'write',
    targets,
    ok: inStack(201),
    send: json({}, { environment: 'staging' }),
  },
  [`POST ${ENVIRONMENT}/rollback`]: { asks: 'write', targets, ok: inStack(201), send: json({}) },
  [`POST ${ENVIRONMENT}/plan`]: { ...reading, send: json({ kind: 'deploy', release: 1 }), idle },

  [`GET ${STACK}/releases`]: reading,
  [`POST ${STACK}/releases`]: { asks: 'write', targets, ok: inStack(201), send: json({ version: '9.9' }) },
  [`GET ${STACK}/releases/:number`]: reading,
  [`GET ${STACK}/releases/:number/diff/:other`]: reading,
  [`POST ${STACK}/releases/:number/revoke`]: { asks: 'write', targets, ok: inStack(200), send: json({}) },

  [`GET ${ENVIRONMENT}/targets`]: reading,
  [`POST ${ENVIRONMENT}/targets`]: { asks: 'admin', targets, ok: inStack(201), send: json({}) },
  [`DELETE ${ENVIRONMENT}/targets/:target`]: { asks: 'admin', targets, ok: inStack(204) },

  'GET /api/v1/agent/state': { asks: 'agent', ok: 200 },
  'GET /api/v1/agent/events': { asks: 'agent', ok: 200, endless: true },
  'POST /api/v1/agent/report': {
    asks: 'agent',
    ok: 204,
    send: () => ({ json: { now: Date.now(), agentVersion: '1.0.0' } }),
  },
};
