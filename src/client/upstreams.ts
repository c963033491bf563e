import {
  type NewUpstream,
  type UpstreamChange,
  type UpstreamCheckInfo,
  type UpstreamInfo,
  upstreamCheck,
  upstreamInfo,
  upstreamList,
} from '../api/upstreams.ts';
import type { Connection } from './connection.ts';
import { path } from './path.ts';

const UPSTREAMS = '/api/v1/upstreams';

/** Other registries by name. For administrators. */
export class UpstreamsClient {
  constructor(readonly connection: Connection) {}

  async list(): Promise<UpstreamInfo[]> {
    return (await this.connection.call(upstreamList, 'GET', UPSTREAMS)).upstreams;
  }

  get(name: string): Promise<UpstreamInfo> {
    return this.connection.call(upstreamInfo, 'GET', path`/api/v1/upstreams/${name}`);
  }

  create(upstream: NewUpstream): Promise<UpstreamInfo> {
    return this.connection.call(upstreamInfo, 'POST', UPSTREAMS, upstream);
  }

  change(name: string, change: UpstreamChange): Promise<UpstreamInfo> {
    return this.connection.call(upstreamInfo, 'PATCH', path`/api/v1/upstreams/${name}`, change);
  }

  /** Refused while a cache or a mirror uses it. */
  delete(name: string): Promise<void> {
    return this.connection.send('DELETE', path`/api/v1/upstreams/${name}`);
  }

  /** @param repository one of its own, whose tags are to be listed, too */
  check(name: string, repository?: string): Promise<UpstreamCheckInfo> {
    const body = repository === undefined ? {} : { repository };
    return this.connection.call(upstreamCheck, 'POST', path`/api/v1/upstreams/${name}/check`, body);
  }
}
