import type { z } from 'zod';
import {
  immutableTags,
  rolledBackTag,
  type TagChange,
  type TagInfo,
  tagHistoryPage,
  tagInfo,
  tagPage,
  type tagsQuery,
} from '../api/tags.ts';
import type { Connection } from './connection.ts';
import { path, repositoryPath } from './path.ts';

export type TagPage = z.infer<typeof tagPage>;

export class TagsClient {
  constructor(readonly connection: Connection) {}

  /** Every tag, in byte order. */
  list(repository: string): AsyncIterable<TagInfo> {
    return this.connection.list(tagPage, `${repositoryPath(repository)}/tags`, (page) => page.tags);
  }

  /** One page, as the query says. */
  page(repository: string, query: z.input<typeof tagsQuery>): Promise<TagPage> {
    return this.connection.page(tagPage, `${repositoryPath(repository)}/tags`, query);
  }

  /** With its details. */
  get(repository: string, tag: string): Promise<TagInfo> {
    return this.connection.call(tagInfo, 'GET', repositoryPath(repository) + path`/tags/${tag}`);
  }

  /** Its manifest stays as long as its history is kept. */
  delete(repository: string, tag: string): Promise<void> {
    return this.connection.send('DELETE', repositoryPath(repository) + path`/tags/${tag}`);
  }

  /** Newest first. */
  history(repository: string, tag: string, limit?: number): AsyncIterable<TagChange> {
    const address = repositoryPath(repository) + path`/tags/${tag}/history`;
    return this.connection.list(tagHistoryPage, address, (page) => page.entries, limit === undefined ? {} : { limit });
  }

  /** @param to a digest of the history; without it the one before the current */
  rollback(repository: string, tag: string, to?: string): Promise<z.infer<typeof rolledBackTag>> {
    const address = repositoryPath(repository) + path`/tags/${tag}/rollback`;
    return this.connection.call(rolledBackTag, 'POST', address, to === undefined ? {} : { to });
  }

  /** The patterns of tags that never move. */
  async immutable(repository: string): Promise<string[]> {
    const address = `${repositoryPath(repository)}/immutable-tags`;
    return (await this.connection.call(immutableTags, 'GET', address)).patterns;
  }

  async setImmutable(repository: string, patterns: string[]): Promise<string[]> {
    const address = `${repositoryPath(repository)}/immutable-tags`;
    return (await this.connection.call(immutableTags, 'PUT', address, { patterns })).patterns;
  }
}
