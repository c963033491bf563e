import {
  deleteRepositoryBody,
  formerNameQuery,
  formerNames,
  newRepositoryBody,
  type RepositoryInfo,
  renameRepositoryBody,
  repositoriesQuery,
  repositoryChangeBody,
  repositoryDeletion,
  repositoryInfo,
  repositoryPage,
} from '../../api/repositories.ts';
import { OciError } from '../../oci/errors.ts';
import { namespaceOf, parseRepositoryName, type RepositoryName } from '../../oci/names.ts';
import { type CatalogPage, listRepositories, type ReadableRepositories } from '../../registry/catalog.ts';
import { newestRepositories } from '../../registry/newest-repositories.ts';
import { deleteRepository, planRepositoryDeletion } from '../../registry/repository-deletion.ts';
import {
  createRepository,
  describeRepositories,
  getRepositoryDetails,
  updateRepository,
} from '../../registry/repository-management.ts';
import { listFormerNames, removeFormerName, renameRepository } from '../../registry/repository-renaming.ts';
import type { BerthRequest } from '../request.ts';
import { type ApiContext, type ApiRoute, apiRoute, iso, limitOf } from './route.ts';

/**
 * Repositories as people manage them. A name with a component that is a word of these paths, those of tags or those of images (`alice/tags`,
 * `alice/images/app`) is sent with `%2F` for its slashes.
 */
export const REPOSITORY_ROUTES: readonly ApiRoute[] = [
  apiRoute({
    method: 'GET',
    path: '/api/v1/repositories',
    // Without an account too: what is public shows to everyone.
    access: 'none',
    summary: 'The repositories that you may read, in the order of their names or the newest first',
    chapter: 'repositories',
    query: repositoriesQuery,
    answer: repositoryPage,
    async handler({ registry }, request, { query }) {
      const page = {
        last: query.last,
        limit: limitOf(request),
        namespace: query.namespace || undefined,
        visibility: query.visibility,
        text: query.q,
      };
      const { repositories, next } =
        query.sort === 'updated'
          ? await newestRepositories(registry, await request.readable(), page)
          : await byName(registry, await request.readable(), page);
      const described = await describeRepositories(registry, repositories);
      return {
        repositories: described.map(({ createdAt, updatedAt, ...repository }) => ({
          ...repository,
          createdAt: iso(createdAt),
          updatedAt: iso(updatedAt),
        })),
        next,
      };
    },
  }),
  apiRoute({
    method: 'POST',
    path: '/api/v1/repositories',
    access: 'read',
    target: 'catalog',
    summary: 'Make an empty repository; needs the right to push there',
    chapter: 'repositories',
    body: newRepositoryBody,
    answer: repositoryInfo,
    status: 201,
    async handler({ registry }, request, { body }) {
      const name = parseRepositoryName(body.name);
      await request.require('write', { kind: 'repository', name });
      await createRepository(registry, { ...body, name }, request.actor);
      await nextTurn();
      return info(registry, request, name);
    },
  }),
  apiRoute({
    method: 'POST',
    path: '/api/v1/repositories/:name{.+}/rename',
    access: 'admin',
    summary: 'Give a repository another name, or another owner; its digests stay pullable under the one it had',
    chapter: 'repositories',
    body: renameRepositoryBody,
    answer: repositoryInfo,
    async handler(context, request, { body }) {
      const from = nameOf(request);
      const to = parseRepositoryName(body.to);
      await requirePlace(context, request, from, to);
      await renameRepository(context.registry, from, to, request.actor);
      await nextTurn();
      return info(context.registry, request, to);
    },
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/repositories/:name{.+}/deletion',
    access: 'admin',
    summary: 'What would go with a repository, and what uses it',
    chapter: 'repositories',
    answer: repositoryDeletion,
    handler: async ({ registry }, request) => planRepositoryDeletion(registry, nameOf(request)),
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/repositories/:name{.+}/aliases',
    access: 'admin',
    summary: 'The former names of a repository',
    chapter: 'repositories',
    answer: formerNames,
    async handler({ registry }, request) {
      const names = await listFormerNames(registry, nameOf(request));
      return { aliases: names.map(({ name, since }) => ({ name, since: iso(since) })) };
    },
  }),
  apiRoute({
    method: 'DELETE',
    path: '/api/v1/repositories/:name{.+}/aliases',
    access: 'admin',
    summary: 'Give a former name free',
    chapter: 'repositories',
    query: formerNameQuery,
    async handler({ registry }, request, { query }) {
      await removeFormerName(registry, nameOf(request), parseRepositoryName(query.alias), request.actor);
    },
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/repositories/:name{.+}',
    access: 'read',
    summary: 'A repository',
    chapter: 'repositories',
    answer: repositoryInfo,
    handler: async ({ registry }, request) => info(registry, request, nameOf(request)),
  }),
  apiRoute({
    method: 'PATCH',
    path: '/api/v1/repositories/:name{.+}',
    access: 'admin',
    summary: 'Change who may see a repository, and what it says of itself',
    chapter: 'repositories',
    body: repositoryChangeBody,
    answer: repositoryInfo,
    async handler({ registry }, request, { body }) {
      await updateRepository(registry, nameOf(request), body, request.actor);
      return info(registry, request, nameOf(request));
    },
  }),
  apiRoute({
    method: 'DELETE',
    path: '/api/v1/repositories/:name{.+}',
    access: 'admin',
    summary: 'Delete a repository with all that is in it',
    chapter: 'repositories',
    body: deleteRepositoryBody,
    async handler({ registry }, request, { body }) {
      const name = nameOf(request);
      if (body.confirm !== name) {
        throw new OciError(
          'BODY_INVALID',
          `confirm: write the full name, ${name}, to delete it with all that is in it`,
        );
      }
      await deleteRepository(registry, name, request.actor);
    },
  }),
];

async function byName(registry: ApiContext['registry'], readable: ReadableRepositories, page: CatalogPage) {
  const { repositories, more } = await listRepositories(registry, readable, page);
  return { repositories, next: more ? (repositories.at(-1) ?? null) : null };
}

function nameOf(request: BerthRequest): RepositoryName {
  return parseRepositoryName(request.param('name'));
}

/** Who may do what is cached for a turn of the event loop: what this request changed shows in the next one. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function info(
  registry: ApiContext['registry'],
  request: BerthRequest,
  name: RepositoryName,
): Promise<RepositoryInfo> {
  const { createdAt, updatedAt, ...details } = await getRepositoryDetails(registry, name);
  const role = (await request.may('admin', name)) ? 'admin' : (await request.may('write', name)) ? 'write' : 'read';
  return { ...details, createdAt: iso(createdAt), updatedAt: iso(updatedAt), role };
}

/**
 * Whether the caller may bring a repository to a name. In the same namespace it is as making one of that name, so that a name
 * which is taken by what the caller may not see answers as one that is free. In another, whoever owns that one has to agree;
 * outside of every account's namespace that is an administrator, or everyone where everyone may push.
 *
 * @throws OciError DENIED, UNAUTHORIZED
 */
async function requirePlace(
  { reader, accounts }: ApiContext,
  request: BerthRequest,
  from: RepositoryName,
  to: RepositoryName,
): Promise<void> {
  const namespace = namespaceOf(to);
  if (namespace === namespaceOf(from)) return request.require('write', { kind: 'repository', name: to });
  if (accounts.policy.anonymous === 'push' && (await reader.namespace(namespace)) === undefined) return;
  if (namespace === '') return request.require('administrator', { kind: 'instance' });
  return request.require('admin', { kind: 'namespace', name: namespace });
}
