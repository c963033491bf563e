import type { z } from 'zod';
import {
  type AppliedRetention,
  appliedRetention,
  MOST_PREVIEWED,
  type RetentionInfo,
  type RetentionPreview,
  type RetentionRemoval,
  type RetentionTag,
  retentionInfo,
  type retentionPolicy,
  retentionPreview,
  retentionRemovalPage,
} from '../api/retention.ts';
import type { Connection } from './connection.ts';
import { path, repositoryPath, withQuery } from './path.ts';

/** Where a policy holds; without a name, wherever there is none nearer. */
export type RetentionPlace = { namespace: string } | { repository: string } | 'instance';

export type RetentionPolicyInput = z.input<typeof retentionPolicy>;
type Which = RetentionTag['decision'] | undefined;

export class RetentionClient {
  constructor(readonly connection: Connection) {}

  get(place: RetentionPlace): Promise<RetentionInfo> {
    return this.connection.call(retentionInfo, 'GET', pathOf(place));
  }

  /** In place of the one before. */
  set(place: RetentionPlace, policy: RetentionPolicyInput): Promise<RetentionInfo> {
    return this.connection.call(retentionInfo, 'PUT', pathOf(place), policy);
  }

  remove(place: RetentionPlace): Promise<void> {
    return this.connection.send('DELETE', pathOf(place));
  }

  /** One page of what a policy would do. @param policy without it the one that holds */
  preview(
    repository: string,
    policy?: RetentionPolicyInput,
    query: { n?: string | undefined; last?: string | undefined; decision?: Which } = {},
  ): Promise<RetentionPreview> {
    const address = withQuery(`${repositoryPath(repository)}/retention/preview`, query);
    return this.connection.call(retentionPreview, 'POST', address, policy === undefined ? {} : { policy });
  }

  /** All of it, page by page. */
  async *previewAll(
    repository: string,
    policy: RetentionPolicyInput | undefined,
    decision: Which,
  ): AsyncIterable<RetentionPreview> {
    let last: string | undefined;
    do {
      const page: RetentionPreview = await this.preview(repository, policy, {
        n: String(MOST_PREVIEWED),
        decision,
        ...(last === undefined ? {} : { last }),
      });
      yield page;
      last = page.next ?? undefined;
    } while (last !== undefined);
  }

  /** Removes for some seconds what the policy that holds does not keep; `more` says to ask again. */
  apply(repository: string): Promise<AppliedRetention> {
    return this.connection.call(appliedRetention, 'POST', `${repositoryPath(repository)}/retention/apply`);
  }

  /** What policies removed, newest first. */
  removals(repository: string, limit?: number): AsyncIterable<RetentionRemoval> {
    const address = `${repositoryPath(repository)}/retention/removals`;
    const options = limit === undefined ? {} : { limit };
    return this.connection.list(retentionRemovalPage, address, (page) => page.removals, options);
  }
}

function pathOf(place: RetentionPlace): string {
  if (place === 'instance') return '/api/v1/instance/retention';
  return 'repository' in place
    ? `${repositoryPath(place.repository)}/retention`
    : path`/api/v1/namespaces/${place.namespace}/retention`;
}
