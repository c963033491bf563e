import type { z } from 'zod';
import { type AuditLineInfo, type auditFilter, auditPage } from '../api/audit.ts';
import type { Connection } from './connection.ts';
import { path } from './path.ts';

export type AuditFilter = z.input<typeof auditFilter>;

export class AuditClient {
  constructor(readonly connection: Connection) {}

  /** Newest first. An administrator's. */
  list(filter: AuditFilter, limit?: number): AsyncIterable<AuditLineInfo> {
    return this.#lines('/api/v1/audit', filter, limit);
  }

  /** What was done to a user's or an organization's things. Its owner's. */
  ofNamespace(namespace: string, filter: AuditFilter, limit?: number): AsyncIterable<AuditLineInfo> {
    return this.#lines(path`/api/v1/namespaces/${namespace}/audit`, filter, limit);
  }

  #lines(address: string, query: AuditFilter, limit: number | undefined): AsyncIterable<AuditLineInfo> {
    const options = limit === undefined ? { query } : { query, limit };
    return this.connection.list(auditPage, address, (page) => page.lines, options);
  }
}
