import type { z } from 'zod';
import type { pageQuery } from '../api/page.ts';
import {
  type newReleaseBody,
  type ReleaseDiff,
  type ReleaseInfo,
  releaseDiff,
  releaseInfo,
  releasePage,
  type revokeReleaseBody,
} from '../api/releases.ts';
import type { Connection } from './connection.ts';
import { path } from './path.ts';
import { type StackName, stackPath } from './stacks.ts';

export type ReleasePage = z.infer<typeof releasePage>;

/** What was fixed once, by digest, and may be deployed anywhere. */
export class ReleasesClient {
  constructor(readonly connection: Connection) {}

  /** Newest first. */
  list(stack: StackName, limit?: number): AsyncIterable<ReleaseInfo> {
    const options = limit === undefined ? {} : { limit };
    return this.connection.list(releasePage, `${stackPath(stack)}/releases`, (page) => page.releases, options);
  }

  /** One page, newest first. */
  page(stack: StackName, query: z.input<typeof pageQuery>): Promise<ReleasePage> {
    return this.connection.page(releasePage, `${stackPath(stack)}/releases`, query);
  }

  get(stack: StackName, number: number): Promise<ReleaseInfo> {
    return this.connection.call(releaseInfo, 'GET', this.#path(stack, number));
  }

  create(stack: StackName, release: z.input<typeof newReleaseBody>): Promise<ReleaseInfo> {
    return this.connection.call(releaseInfo, 'POST', `${stackPath(stack)}/releases`, release);
  }

  /** What `to` has that `from` has not. */
  diff(stack: StackName, from: number, to: number): Promise<ReleaseDiff> {
    return this.connection.call(releaseDiff, 'GET', this.#path(stack, from) + path`/diff/${String(to)}`);
  }

  /** No automation deploys it any more. */
  revoke(stack: StackName, number: number, body: z.input<typeof revokeReleaseBody>): Promise<ReleaseInfo> {
    return this.connection.call(releaseInfo, 'POST', `${this.#path(stack, number)}/revoke`, body);
  }

  #path(stack: StackName, number: number): string {
    return stackPath(stack) + path`/releases/${String(number)}`;
  }
}
