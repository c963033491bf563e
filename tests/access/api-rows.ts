// The rows of the management API.

import { isPlace } from './expected.ts';
import { PASSWORD, REPOSITORY } from './people.ts';
import { found, json, type Row, read } from './row.ts';
import { revokeTargets } from './stack-rows.ts';

/** Only acme is an organization. */
const inOrganization = (status: number) => ({ acme: status, olivia: 404, nowhere: 404 });
const inNamespace = (status: number) => ({ acme: status, olivia: status, nowhere: 404 });

const ORGANIZATION = '/api/v1/organizations/:namespace';
const NAMESPACE = '/api/v1/namespaces/:namespace';
const COLLECTIONS = '/api/v1/instance/garbage-collections';
const REPOSITORIES = '/api/v1/repositories/:name{.+}';

const INSTANCE: Record<string, Row> = {
  'GET /api/v1/instance': { asks: 'none', ok: 200 },
  'GET /api/v1/caller': { asks: 'none', ok: 200 },
  'POST /api/v1/setup': {
    asks: 'none',
    ok: 403,
    send: json({ secret: 'berth_setup_guess', username: 'mallory', password: PASSWORD }),
  },
  'GET /api/openapi.json': { asks: 'none', ok: 200 },
  'GET /api/docs': { asks: 'none', ok: 200 },
  'GET /api/v1/audit': { asks: 'administrator', ok: 200 },
  'GET /api/v1/audit/export': { asks: 'administrator', ok: 200 },
  [`GET ${NAMESPACE}/audit`]: { asks: 'admin', ok: 200 },
  'GET /api/v1/instance/storage': { asks: 'administrator', ok: 200 },
  'GET /api/v1/instance/settings': { asks: 'administrator', ok: 200 },
  'GET /api/v1/instance/certificate': { asks: 'administrator', ok: 200 },
  'GET /api/v1/instance/backups': { asks: 'administrator', ok: 200 },
  // Nothing has failed over plain HTTP.
  'POST /api/v1/instance/certificate/retry': { asks: 'administrator', ok: 409 },
  [`GET ${COLLECTIONS}`]: { asks: 'administrator', ok: 200 },
  [`POST ${COLLECTIONS}`]: { asks: 'administrator', ok: 202, send: json({ dryRun: true }) },
  // There is one only where somebody has just begun it.
  [`GET ${COLLECTIONS}/:id`]: { asks: 'administrator', ok: 404, send: () => ({ params: { id: 'none' } }) },
  'GET /api/v1/address-check': { asks: 'none', ok: 200 },
  // What is sent is thrown away.
  'POST /api/v1/address-check/body': { asks: 'account', ok: 200, send: () => ({ body: 'bytes' }), idle: () => true },
  'GET /api/v1/address-check/pause': { asks: 'account', ok: 200 },
};

const QUOTAS: Record<string, Row> = {
  'GET /api/v1/quotas': { asks: 'administrator', ok: 200 },
  'GET /api/v1/quotas/:holder': { asks: 'administrator', ok: 200, send: () => ({ params: { holder: 'acme' } }) },
  'PUT /api/v1/quotas/:holder': {
    asks: 'administrator',
    ok: 200,
    send: () => ({ params: { holder: 'acme' }, json: { bytes: 2 ** 40 } }),
  },
  'DELETE /api/v1/quotas/:holder': {
    asks: 'administrator',
    ok: 204,
    send: ({ town, allowed }) => {
      if (allowed) town.sql((db) => db.run("insert into quotas values ('spare', 1, 0) on conflict do nothing"));
      return { params: { holder: 'spare' } };
    },
  },
  'GET /api/v1/default-quota': { asks: 'administrator', ok: 200 },
  'PUT /api/v1/default-quota': { asks: 'administrator', ok: 200, send: json({ bytes: 2 ** 50 }) },
  [`GET ${NAMESPACE}/usage`]: { asks: 'admin', ok: 200 },
};

const USERS: Record<string, Row> = {
  'GET /api/v1/user': { asks: 'account', ok: 200 },
  'PATCH /api/v1/user': { asks: 'account', ok: 200, send: json({ name: 'Another' }) },
  'GET /api/v1/users': { asks: 'administrator', ok: 200 },
  'POST /api/v1/users': {
    asks: 'administrator',
    ok: 201,
    send: json({ username: 'mallory', password: PASSWORD, administrator: true }),
  },
  'GET /api/v1/users/:username': { asks: 'administrator', ok: 200 },
  'PATCH /api/v1/users/:username': { asks: 'administrator', ok: 200, send: json({ administrator: true }) },
  'POST /api/v1/users/:username/disable': { asks: 'administrator', ok: 200 },
  'POST /api/v1/users/:username/enable': {
    asks: 'administrator',
    ok: 200,
    send: () => ({ params: { username: 'doris' } }),
  },
  'PUT /api/v1/users/:username/password': {
    asks: 'administrator',
    ok: 204,
    send: json({ password: 'another password' }),
  },
  'DELETE /api/v1/users/:username/two-factor': {
    asks: 'administrator',
    ok: 204,
    send: ({ town, allowed }) => {
      if (allowed) town.sql((db) => db.run("update users set two_factor_enabled = 1 where username = 'stella'"));
      return {};
    },
  },
  'GET /api/v1/users/:username/deletion': { asks: 'administrator', ok: 200 },
  'DELETE /api/v1/users/:username': { asks: 'administrator', ok: 204, send: json({ confirm: 'stella' }) },
  'POST /api/v1/sign-up': {
    asks: 'none',
    ok: 201,
    send: ({ person }) => ({
      json: { username: 'mallory', password: PASSWORD },
      // One address may sign up so many times.
      headers: { 'X-Forwarded-For': `198.51.100.${person.length}` },
    }),
  },
};

const TOKENS: Record<string, Row> = {
  'GET /api/v1/tokens': { asks: 'account', ok: 200 },
  'POST /api/v1/tokens': { asks: 'account', ok: 201, send: json({ name: 'mine', level: 'admin' }) },
  'DELETE /api/v1/tokens/:id': {
    asks: 'account',
    ok: 204,
    send: async ({ town, person, allowed }) => ({ params: { id: await town.makeToken(allowed ? person : 'owner') } }),
  },
};

const SESSIONS: Record<string, Row> = {
  'POST /api/v1/auth/sign-in': { asks: 'none', ok: 200, send: json({ username: 'stella', password: PASSWORD }) },
  // Without the cookie of a log-in that has got so far.
  'POST /api/v1/auth/sign-in/code': { asks: 'none', ok: 401, send: json({ code: '123456' }) },
  'POST /api/v1/auth/sign-in/backup-code': { asks: 'none', ok: 401, send: json({ code: 'abcde-fghij' }) },
  'POST /api/v1/auth/sign-out': { asks: 'none', ok: 204, idle: ({ person }) => person !== 'browser' },
  'GET /api/v1/auth/session': { asks: 'none', ok: 200 },
  'GET /api/v1/auth/sessions': { asks: 'session', ok: 200 },
  'DELETE /api/v1/auth/sessions/:id': {
    asks: 'session',
    ok: 204,
    send: async ({ town, allowed }) => {
      if (allowed) await town.signIn('stella');
      return { params: { id: town.sql((db) => idOf(db.query(NEWEST_SESSION).get())) } };
    },
  },
  'DELETE /api/v1/auth/sessions': {
    asks: 'session',
    ok: 200,
    send: async ({ town, allowed }) => {
      if (allowed) await town.signIn('stella');
      return {};
    },
  },
  'PUT /api/v1/auth/password': {
    asks: 'session',
    ok: 204,
    send: json({ currentPassword: PASSWORD, newPassword: 'another password' }),
  },
  'POST /api/v1/auth/two-factor': { asks: 'session', ok: 200, send: json({ password: PASSWORD }) },
  // There is no second factor to confirm or to end; `src/http/session` has the tests of one.
  'POST /api/v1/auth/two-factor/confirm': { asks: 'session', ok: 409, send: json({ code: '123456' }) },
  'POST /api/v1/auth/two-factor/disable': { asks: 'session', ok: 409, send: json({ password: PASSWORD }) },
  'POST /api/v1/auth/two-factor/backup-codes': { asks: 'session', ok: 409, send: json({ password: PASSWORD }) },
  'GET /api/v1/auth/providers': { asks: 'none', ok: 200 },
  // No provider is configured; `tests/oidc` has one.
  'GET /api/v1/auth/oidc/:provider': { asks: 'none', ok: 404 },
  'GET /api/v1/auth/callback/:provider': { asks: 'none', ok: 404 },
  'POST /api/v1/auth/oidc/:provider/link': { asks: 'session', ok: 404, send: json({}) },
  'DELETE /api/v1/auth/oidc/:provider/link': { asks: 'session', ok: 404 },
};

const NEWEST_SESSION =
  "select s.id from sessions s join users u on u.id = s.user_id where u.username = 'stella' order by s.created_at desc";

function idOf(row: unknown): string {
  return String((row as { id: string }).id);
}

const ORGANIZATIONS: Record<string, Row> = {
  'GET /api/v1/organizations': { asks: 'account', ok: 200 },
  'POST /api/v1/organizations': { asks: 'account', ok: 201, send: json({ name: 'newco' }) },
  [`GET ${ORGANIZATION}`]: { asks: 'read', ok: inOrganization(200) },
  [`PATCH ${ORGANIZATION}`]: { asks: 'admin', ok: inOrganization(200), send: json({ description: 'changed' }) },
  [`GET ${ORGANIZATION}/deletion`]: { asks: 'admin', ok: inOrganization(200) },
  [`DELETE ${ORGANIZATION}`]: {
    asks: 'admin',
    ok: inOrganization(204),
    send: (call) => {
      revokeTargets(call);
      return { json: { confirm: call.target, repositories: { transferTo: 'boris' } } };
    },
  },
  [`GET ${ORGANIZATION}/members`]: { asks: 'read', ok: inOrganization(200) },
  [`GET ${ORGANIZATION}/members/:username`]: {
    asks: 'read',
    ok: inOrganization(200),
    send: () => ({ params: { username: 'mia' } }),
  },
  [`PUT ${ORGANIZATION}/members/:username`]: { asks: 'admin', ok: inOrganization(200), send: json({ role: 'owner' }) },
  [`DELETE ${ORGANIZATION}/members/:username`]: {
    asks: 'remove',
    ok: inOrganization(204),
    send: () => ({ params: { username: 'mia' } }),
  },
  [`GET ${ORGANIZATION}/teams`]: { asks: 'read', ok: inOrganization(200) },
  [`POST ${ORGANIZATION}/teams`]: { asks: 'admin', ok: inOrganization(201), send: json({ name: 'gang' }) },
  [`GET ${ORGANIZATION}/teams/:team`]: { asks: 'read', ok: inOrganization(200) },
  [`PATCH ${ORGANIZATION}/teams/:team`]: { asks: 'admin', ok: inOrganization(200), send: json({ name: 'gang' }) },
  [`DELETE ${ORGANIZATION}/teams/:team`]: { asks: 'admin', ok: inOrganization(204) },
  [`GET ${ORGANIZATION}/teams/:team/members`]: { asks: 'read', ok: inOrganization(200) },
  [`PUT ${ORGANIZATION}/teams/:team/members/:username`]: {
    asks: 'admin',
    ok: inOrganization(204),
    send: () => ({ params: { username: 'mia' } }),
  },
  [`DELETE ${ORGANIZATION}/teams/:team/members/:username`]: {
    asks: 'admin',
    ok: inOrganization(204),
    send: () => ({ params: { username: 'theo' } }),
  },
  // Whoever owns the organization may invite into it.
  'GET /api/v1/invitations': {
    asks: 'admin',
    targets: ['acme'],
    ok: 200,
    send: () => ({ query: 'organization=acme' }),
  },
  'POST /api/v1/invitations': { asks: 'admin', targets: ['acme'], ok: 201, send: json({ organization: 'acme' }) },
  'DELETE /api/v1/invitations/:id': {
    asks: 'withdraw',
    ok: 204,
    send: async ({ town }) => ({ params: { id: await town.invite() } }),
  },
};

const GRANTS_AND_ROBOTS: Record<string, Row> = {
  [`GET ${NAMESPACE}/grants`]: { asks: 'admin', ok: inNamespace(200) },
  [`PUT ${NAMESPACE}/grants`]: { asks: 'admin', ok: inNamespace(200), send: json({ user: 'stella', role: 'admin' }) },
  [`DELETE ${NAMESPACE}/grants`]: { asks: 'admin', ok: inNamespace(204), send: () => ({ query: 'user=doris' }) },
  [`GET ${REPOSITORIES}/grants`]: { asks: 'admin', ok: found(200) },
  [`PUT ${REPOSITORIES}/grants`]: { asks: 'admin', ok: found(200), send: json({ user: 'stella', role: 'admin' }) },
  [`DELETE ${REPOSITORIES}/grants`]: { asks: 'admin', ok: found(204), send: () => ({ query: 'user=doris' }) },
  [`GET ${NAMESPACE}/robots`]: { asks: 'admin', ok: inNamespace(200) },
  [`POST ${NAMESPACE}/robots`]: { asks: 'admin', ok: inNamespace(201), send: json({ name: 'new', role: 'admin' }) },
  [`GET ${NAMESPACE}/robots/:robot`]: { asks: 'admin', ok: inNamespace(200) },
  [`PATCH ${NAMESPACE}/robots/:robot`]: { asks: 'admin', ok: inNamespace(200), send: json({ role: 'admin' }) },
  [`DELETE ${NAMESPACE}/robots/:robot`]: { asks: 'admin', ok: inNamespace(204) },
  [`GET ${NAMESPACE}/robots/:robot/tokens`]: { asks: 'admin', ok: inNamespace(200) },
  [`POST ${NAMESPACE}/robots/:robot/tokens`]: { asks: 'admin', ok: inNamespace(201), send: json({ name: 'new' }) },
  [`DELETE ${NAMESPACE}/robots/:robot/tokens/:id`]: {
    asks: 'admin',
    ok: inNamespace(204),
    send: ({ town, target = '' }) => ({ params: { id: town.robotTokens.get(target) ?? 'none' } }),
  },
};

const MANAGEMENT: Record<string, Row> = {
  'GET /api/v1/repositories': { asks: 'none', ok: 200 },
  'POST /api/v1/repositories': {
    asks: 'write',
    targets: ['missing'],
    ok: 201,
    send: json({ name: REPOSITORY.missing, visibility: 'public' }),
  },
  [`POST ${REPOSITORIES}/rename`]: {
    asks: 'admin',
    ok: found(200),
    send: ({ target }) => ({ json: { to: `${REPOSITORY[isPlace(target) ? target : 'open']}-renamed` } }),
  },
  [`GET ${REPOSITORIES}/deletion`]: { asks: 'admin', ok: found(200) },
  [`GET ${REPOSITORIES}/aliases`]: { asks: 'admin', ok: found(200) },
  [`DELETE ${REPOSITORIES}/aliases`]: {
    asks: 'admin',
    ok: found(204),
    send: ({ town, target, allowed }) => {
      const name = REPOSITORY[isPlace(target) ? target : 'open'];
      if (allowed) town.sql((db) => db.run(FORMER_NAME, [`${name}-former`, name]));
      return { query: `alias=${name}-former` };
    },
  },
  [`GET ${REPOSITORIES}`]: read(),
  [`PATCH ${REPOSITORIES}`]: {
    asks: 'admin',
    ok: found(200),
    send: json({ visibility: 'public', description: 'changed' }),
  },
  [`DELETE ${REPOSITORIES}`]: {
    asks: 'admin',
    ok: found(204),
    send: ({ target }) => ({ json: { confirm: REPOSITORY[isPlace(target) ? target : 'open'] } }),
  },
  [`GET ${REPOSITORIES}/tags`]: read(),
  [`GET ${REPOSITORIES}/tags/:tag`]: read(),
  [`DELETE ${REPOSITORIES}/tags/:tag`]: { asks: 'delete', ok: found(204) },
  [`GET ${REPOSITORIES}/tags/:tag/history`]: read(),
  [`POST ${REPOSITORIES}/tags/:tag/rollback`]: { asks: 'write', ok: found(200), send: json({}) },
  [`GET ${REPOSITORIES}/immutable-tags`]: read(),
  [`PUT ${REPOSITORIES}/immutable-tags`]: { asks: 'admin', ok: found(200), send: json({ patterns: ['v*'] }) },
};

const FORMER_NAME =
  'insert into repository_aliases (name, repository_id, created_at) select ?, id, 1 from repositories where name = ?';

export const API_ROWS: Readonly<Record<string, Row>> = {
  ...INSTANCE,
  ...QUOTAS,
  ...USERS,
  ...TOKENS,
  ...SESSIONS,
  ...ORGANIZATIONS,
  ...GRANTS_AND_ROBOTS,
  ...MANAGEMENT,
};
