import { pageQuery } from '../../api/page.ts';
import {
  immutableTags,
  rollbackTagBody,
  rolledBackTag,
  type TagInfo,
  tagHistoryPage,
  tagInfo,
  tagPage,
  tagsQuery,
} from '../../api/tags.ts';
import { parseRepositoryName, parseTag } from '../../oci/names.ts';
import { getRepository, setImmutableTags } from '../../registry/repositories.ts';
import { describeTags, getTag, listTagRows, type TagDetails, type TagRow } from '../../registry/tag-list.ts';
import { deleteTag, rollbackTag, tagHistory } from '../../registry/tags.ts';
import { type ApiRoute, apiRoute, iso, isoOrNull, limitOf, numberCursor } from './route.ts';

/** Details of one page at most: each tag's manifests are read for them. */
const MOST_DETAILS = 200;

export const TAG_ROUTES: readonly ApiRoute[] = [
  // Before what ends in a word that may be a tag.
  apiRoute({
    method: 'GET',
    path: '/api/v1/repositories/:name{.+}/tags/:tag',
    access: 'read',
    summary: 'A tag, with its details',
    chapter: 'tags',
    answer: tagInfo,
    async handler({ registry }, request) {
      const { repository, tag } = await getTag(
        registry,
        parseRepositoryName(request.param('name')),
        parseTag(request.param('tag')),
      );
      return infoOf(tag, await describeTags(registry, repository, [tag]));
    },
  }),
  apiRoute({
    method: 'DELETE',
    path: '/api/v1/repositories/:name{.+}/tags/:tag',
    access: 'delete',
    summary: 'Delete a tag; its manifest stays as long as its history is kept',
    chapter: 'tags',
    async handler({ registry }, request) {
      const name = parseRepositoryName(request.param('name'));
      await deleteTag(registry, name, parseTag(request.param('tag')), {}, request.actor);
    },
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/repositories/:name{.+}/tags',
    access: 'read',
    summary: 'The tags of a repository, by name or by when they were set',
    chapter: 'tags',
    query: tagsQuery,
    answer: tagPage,
    async handler({ registry }, request, { query }) {
      const detailed = query.details === 'true';
      const limit = limitOf(request);
      const { repository, tags, next } = await listTagRows(registry, parseRepositoryName(request.param('name')), {
        last: query.last,
        limit: detailed ? Math.min(limit, MOST_DETAILS) : limit,
        sort: query.sort ?? 'name',
        descending: query.order === 'desc',
        text: query.q,
      });
      const details = detailed ? await describeTags(registry, repository, tags) : undefined;
      return { tags: tags.map((tag) => infoOf(tag, details)), next };
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

function infoOf(tag: TagRow, described: ReadonlyMap<string, TagDetails> | undefined): TagInfo {
  const details = described?.get(tag.name);
  return {
    name: tag.name,
    digest: tag.digest,
    updatedAt: iso(tag.updatedAt),
    details: details === undefined ? null : { ...details, pulledAt: isoOrNull(details.pulledAt) },
  };
}
