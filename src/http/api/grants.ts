import {
  type Grant,
  type GrantPlace,
  type GrantSubject,
  listGrants,
  removeGrant,
  setGrant,
} from '../../accounts/grants.ts';
import { type GrantInfo, grantBody, grantInfo, grantPage, grantQuery } from '../../api/grants.ts';
import { pageQuery } from '../../api/page.ts';
import { OciError } from '../../oci/errors.ts';
import { parseRepositoryName } from '../../oci/names.ts';
import type { BerthRequest } from '../request.ts';
import { type ApiContext, type ApiRoute, apiRoute, iso, limitOf, numberCursor, originOf } from './route.ts';

const LIST = { access: 'admin', chapter: 'grants', query: pageQuery, answer: grantPage } as const;
const SET = { access: 'admin', chapter: 'grants', body: grantBody, answer: grantInfo } as const;
const REMOVE = { access: 'admin', chapter: 'grants', query: grantQuery } as const;

export const GRANT_ROUTES: readonly ApiRoute[] = [
  apiRoute({
    method: 'GET',
    path: '/api/v1/namespaces/:namespace/grants',
    ...LIST,
    summary: 'Who was granted a role in all repositories of a user or an organization, oldest first',
    handler: (context, request) => list(context, request, namespaceOf(request)),
  }),
  apiRoute({
    method: 'PUT',
    path: '/api/v1/namespaces/:namespace/grants',
    ...SET,
    summary:
      'Grant a user or a team a role in all repositories of a user or an organization, in place of the one before',
    handler: (context, request, { body }) => set(context, request, namespaceOf(request), body),
  }),
  apiRoute({
    method: 'DELETE',
    path: '/api/v1/namespaces/:namespace/grants',
    ...REMOVE,
    summary: 'Take back a role in all repositories of a user or an organization',
    handler: (context, request, { query }) => remove(context, request, namespaceOf(request), query),
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/repositories/:name{.+}/grants',
    ...LIST,
    summary: 'Who was granted a role in this repository alone, oldest first',
    handler: (context, request) => list(context, request, repositoryOf(request)),
  }),
  apiRoute({
    method: 'PUT',
    path: '/api/v1/repositories/:name{.+}/grants',
    ...SET,
    summary: 'Grant a user or a team a role in this repository, in place of the one before',
    handler: (context, request, { body }) => set(context, request, repositoryOf(request), body),
  }),
  apiRoute({
    method: 'DELETE',
    path: '/api/v1/repositories/:name{.+}/grants',
    ...REMOVE,
    summary: 'Take back a role in this repository',
    handler: (context, request, { query }) => remove(context, request, repositoryOf(request), query),
  }),
];

interface Subject {
  user?: string | undefined;
  team?: string | undefined;
}

function namespaceOf(request: BerthRequest): GrantPlace {
  return { namespace: request.param('namespace') };
}

function repositoryOf(request: BerthRequest): GrantPlace {
  return { repository: parseRepositoryName(request.param('name')) };
}

async function list(
  { accounts }: ApiContext,
  request: BerthRequest,
  place: GrantPlace,
): Promise<{ grants: GrantInfo[]; next: string | null }> {
  const { grants, next } = await listGrants(accounts, place, {
    after: numberCursor(request),
    limit: limitOf(request),
  });
  return { grants: grants.map(grantInfoOf), next: next === undefined ? null : String(next) };
}

async function set(
  { accounts }: ApiContext,
  request: BerthRequest,
  place: GrantPlace,
  body: Subject & { role: Grant['role'] },
): Promise<GrantInfo> {
  const subject = subjectOf(body, 'BODY_INVALID');
  return grantInfoOf(await setGrant(accounts, place, subject, body.role, originOf(request)));
}

async function remove(
  { accounts }: ApiContext,
  request: BerthRequest,
  place: GrantPlace,
  query: Subject,
): Promise<undefined> {
  await removeGrant(accounts, place, subjectOf(query, 'QUERY_INVALID'), originOf(request));
}

/** @throws OciError `code` when not exactly one is given */
function subjectOf({ user, team }: Subject, code: 'BODY_INVALID' | 'QUERY_INVALID'): GrantSubject {
  if (user !== undefined && team === undefined) return { user };
  if (team !== undefined && user === undefined) return { team };
  throw new OciError(code, 'user: give either user or team');
}

function grantInfoOf(grant: Grant): GrantInfo {
  return { ...grant, createdAt: iso(grant.createdAt) };
}
