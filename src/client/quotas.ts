import {
  type DefaultQuota,
  defaultQuotaInfo,
  type NamespaceUsageInfo,
  namespaceUsage,
  usagePage,
} from '../api/quotas.ts';
import type { Connection } from './connection.ts';
import { path } from './path.ts';

/** How much namespaces hold and may hold. For administrators; `usage` is also for a namespace's owner. */
export class QuotasClient {
  constructor(readonly connection: Connection) {}

  list(): AsyncIterable<NamespaceUsageInfo> {
    return this.connection.list(usagePage, '/api/v1/quotas', (page) => page.namespaces);
  }

  /** @param namespace `_` for names without one */
  get(namespace: string): Promise<NamespaceUsageInfo> {
    return this.connection.call(namespaceUsage, 'GET', path`/api/v1/quotas/${namespace}`);
  }

  set(namespace: string, bytes: number): Promise<NamespaceUsageInfo> {
    return this.connection.call(namespaceUsage, 'PUT', path`/api/v1/quotas/${namespace}`, { bytes });
  }

  remove(namespace: string): Promise<void> {
    return this.connection.send('DELETE', path`/api/v1/quotas/${namespace}`);
  }

  default(): Promise<DefaultQuota> {
    return this.connection.call(defaultQuotaInfo, 'GET', '/api/v1/default-quota');
  }

  /** @param bytes null takes it away */
  setDefault(bytes: number | null): Promise<DefaultQuota> {
    return this.connection.call(defaultQuotaInfo, 'PUT', '/api/v1/default-quota', { bytes });
  }

  usage(namespace: string): Promise<NamespaceUsageInfo> {
    return this.connection.call(namespaceUsage, 'GET', path`/api/v1/namespaces/${namespace}/usage`);
  }
}
