import type { z } from 'zod';
import { type ResolvedSet, type resolveBody, resolvedSet } from '../api/releases.ts';
import { type newStackBody, type StackFile, type StackInfo, stackFile, stackInfo, stackPage } from '../api/stacks.ts';
import type { Connection } from './connection.ts';
import { path, withQuery } from './path.ts';

/** `alice/shop` in its parts. */
export interface StackName {
  namespace: string;
  stack: string;
}

/** Where the API has a stack. */
export function stackPath({ namespace, stack }: StackName): string {
  return path`/api/v1/namespaces/${namespace}/stacks/${stack}`;
}

/** Compose files and their services. */
export class StacksClient {
  constructor(readonly connection: Connection) {}

  /** Those that the caller may read. */
  list(limit?: number): AsyncIterable<StackInfo> {
    const options = limit === undefined ? {} : { limit };
    return this.connection.list(stackPage, '/api/v1/stacks', (page) => page.stacks, options);
  }

  get(name: StackName): Promise<StackInfo> {
    return this.connection.call(stackInfo, 'GET', stackPath(name));
  }

  create(namespace: string, stack: z.input<typeof newStackBody>): Promise<StackInfo> {
    return this.connection.call(stackInfo, 'POST', path`/api/v1/namespaces/${namespace}/stacks`, stack);
  }

  delete(name: StackName): Promise<void> {
    return this.connection.send('DELETE', stackPath(name));
  }

  /** @param digest of an older one; the newest without it */
  file(name: StackName, digest?: string): Promise<StackFile> {
    return this.connection.call(stackFile, 'GET', withQuery(`${stackPath(name)}/file`, { digest }));
  }

  /** Releases that are made from now on have it. */
  setFile(name: StackName, file: string): Promise<StackInfo> {
    return this.connection.call(stackInfo, 'PUT', `${stackPath(name)}/file`, { file });
  }

  /** What a laptop needs to run a set of versions. */
  resolve(name: StackName, wanted: z.input<typeof resolveBody>): Promise<ResolvedSet> {
    return this.connection.call(resolvedSet, 'POST', `${stackPath(name)}/resolve`, wanted);
  }
}
