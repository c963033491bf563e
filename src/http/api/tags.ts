import { pageQuery } from '../../api/page.ts';
import { immutableTags, rollbackTagBody, rolledBackTag, tagHistoryPage, tagPage } from '../../api/tags.ts';
import { parseRepositoryName, parseTag } from '../../oci/names.ts';
import { getRepository, setImmutableTags } from '../../registry/repositories.ts';
import { listTagRows, rollbackTag, tagHistory } from '../../registry/tags.ts';
import { type ApiRoute, apiRoute, iso, limitOf, numberCursor } from './route.ts';

export const TAG_ROUTES: readonly ApiRoute[] = [
  apiRoute({
    method: 'GET',
    path: '/api/v1/repositories/:name{.+}/tags',
    access: 'read',
    summary: 'The tags of a repository, in byte order',
    chapter: 'tags',
    query: pageQuery,
    answer: tagPage,
    async handler({ registry }, request) {
      const name = parseRepositoryName(request.param('name'));
      const page = await listTagRows(registry, name, { last: request.query('last'), limit: limitOf(request) });
      return {
        tags: page.tags.map((tag) => ({ name: tag.name, digest: tag.digest, updatedAt: iso(tag.updatedAt) })),
        next: page.more ? (page.tags.at(-1)?.name ?? null) : null,
      };
    },
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/repositories/:name{.+}/tags/:tag/history',
    access: 'read',
    summary: 'What a tag pointed at, newest first, also after it was deleted',
    chapter: 'tags',
    query: pageQuery,
    answer: tagHistoryPage,
    async handler({ registry }, request) {
      const page = await tagHistory(
        registry,
        parseRepositoryName(request.param('name')),
        parseTag(request.param('tag')),
        { before: numberCursor(request), limit: limitOf(request) },
      );
      return {
        entries: page.entries.map(({ id, at, tag: _, ...entry }) => ({ id: String(id), ...entry, at: iso(at) })),
        next: page.more ? String(page.entries.at(-1)?.id) : null,
      };
    },
  }),
  apiRoute({
    method: 'POST',
    path: '/api/v1/repositories/:name{.+}/tags/:tag/rollback',
    access: 'write',
    summary: 'Point a tag where it did before',
    chapter: 'tags',
    body: rollbackTagBody,
    answer: rolledBackTag,
    async handler({ registry }, request, { body }) {
      const name = parseRepositoryName(request.param('name'));
      const tag = parseTag(request.param('tag'));
      const { digest, previous } = await rollbackTag(registry, name, tag, { to: body.to, actor: request.actor });
      return { digest, previous: previous ?? null };
    },
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/repositories/:name{.+}/immutable-tags',
    access: 'read',
    summary: 'The patterns of tags that never move',
    chapter: 'tags',
    answer: immutableTags,
    async handler({ registry }, request) {
      const repository = await getRepository(registry, parseRepositoryName(request.param('name')));
      return { patterns: repository.immutableTags };
    },
  }),
  apiRoute({
    method: 'PUT',
    path: '/api/v1/repositories/:name{.+}/immutable-tags',
    access: 'admin',
    summary: 'Set the patterns of tags that never move',
    chapter: 'tags',
    body: immutableTags,
    answer: immutableTags,
    async handler({ registry }, request, { body }) {
      await setImmutableTags(registry, parseRepositoryName(request.param('name')), body.patterns, request.actor);
      return body;
    },
  }),
];
