import type { z } from 'zod';
import {
  type FormerNames,
  formerNames,
  type newRepositoryBody,
  type RepositoryDeletion,
  type RepositoryInfo,
  type RepositorySummary,
  type repositoriesQuery,
  type repositoryChangeBody,
  repositoryDeletion,
  repositoryInfo,
  repositoryPage,
} from '../api/repositories.ts';
import type { Connection } from './connection.ts';
import { repositoryPath, withQuery } from './path.ts';

export type RepositoryPage = z.infer<typeof repositoryPage>;
export type RepositoriesFilter = Omit<z.input<typeof repositoriesQuery>, 'n' | 'last'>;

export class RepositoriesClient {
  constructor(readonly connection: Connection) {}

  /** Those that the caller may read, in the order of their names. */
  list(filter: RepositoriesFilter = {}): AsyncIterable<RepositorySummary> {
    return this.connection.list(repositoryPage, '/api/v1/repositories', (page) => page.repositories, {
      query: filter,
    });
  }

  /** One page, as the query says. */
  page(query: z.input<typeof repositoriesQuery>): Promise<RepositoryPage> {
    return this.connection.page(repositoryPage, '/api/v1/repositories', query);
  }

  get(name: string): Promise<RepositoryInfo> {
    return this.connection.call(repositoryInfo, 'GET', repositoryPath(name));
  }

  create(repository: z.input<typeof newRepositoryBody>): Promise<RepositoryInfo> {
    return this.connection.call(repositoryInfo, 'POST', '/api/v1/repositories', repository);
  }

  change(name: string, change: z.input<typeof repositoryChangeBody>): Promise<RepositoryInfo> {
    return this.connection.call(repositoryInfo, 'PATCH', repositoryPath(name), change);
  }

  /** @param to the whole new name; in another namespace it is a transfer */
  rename(name: string, to: string): Promise<RepositoryInfo> {
    return this.connection.call(repositoryInfo, 'POST', `${repositoryPath(name)}/rename`, { to });
  }

  /** What deleting would mean; nothing is done. */
  deletion(name: string): Promise<RepositoryDeletion> {
    return this.connection.call(repositoryDeletion, 'GET', `${repositoryPath(name)}/deletion`);
  }

  delete(name: string): Promise<void> {
    return this.connection.send('DELETE', repositoryPath(name), { confirm: name });
  }

  /** Under which its digests can be pulled as well. */
  async formerNames(name: string): Promise<FormerNames['aliases']> {
    return (await this.connection.call(formerNames, 'GET', `${repositoryPath(name)}/aliases`)).aliases;
  }

  /** Gives a former name free. */
  removeFormerName(name: string, alias: string): Promise<void> {
    return this.connection.send('DELETE', withQuery(`${repositoryPath(name)}/aliases`, { alias }));
  }
}
