import {
  type MirrorChange,
  type MirrorInfo,
  mirrorInfo,
  mirrorList,
  type NewMirror,
  requestedMirrorRun,
} from '../api/mirrors.ts';
import type { Connection } from './connection.ts';
import { path } from './path.ts';

const MIRRORS = '/api/v1/mirrors';

/** Slashes stay as they are, for proxies that refuse `%2F`. */
const mirrorPath = (repository: string) => [MIRRORS, ...repository.split('/').map((part) => path`${part}`)].join('/');

/** Repositories that follow one of another registry. For administrators. */
export class MirrorsClient {
  constructor(readonly connection: Connection) {}

  async list(): Promise<MirrorInfo[]> {
    return (await this.connection.call(mirrorList, 'GET', MIRRORS)).mirrors;
  }

  get(repository: string): Promise<MirrorInfo> {
    return this.connection.call(mirrorInfo, 'GET', mirrorPath(repository));
  }

  create(mirror: NewMirror): Promise<MirrorInfo> {
    return this.connection.call(mirrorInfo, 'POST', MIRRORS, mirror);
  }

  change(repository: string, change: MirrorChange): Promise<MirrorInfo> {
    return this.connection.call(mirrorInfo, 'PATCH', mirrorPath(repository), change);
  }

  /** The repository stays. */
  delete(repository: string): Promise<void> {
    return this.connection.send('DELETE', mirrorPath(repository));
  }

  /** @returns the run's number: it has ended when `served` is that */
  async run(repository: string): Promise<number> {
    return (await this.connection.call(requestedMirrorRun, 'POST', '/api/v1/mirror-runs', { repository })).number;
  }
}
