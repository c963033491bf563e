import {
  type AddressCheck,
  addressCheck,
  type GarbageRunDetails,
  type GarbageRunInfo,
  garbageRun,
  garbageRunDetails,
  garbageRunPage,
  type SettingInfo,
  type StorageInfo,
  settingList,
  storageInfo,
} from '../api/administration.ts';
import { type BackupRunInfo, backupRunList } from '../api/backups.ts';
import type { Connection } from './connection.ts';
import { path } from './path.ts';

/** What an administrator looks after; `checkAddress` is everyone's. */
export class AdministrationClient {
  constructor(readonly connection: Connection) {}

  storage(): Promise<StorageInfo> {
    return this.connection.call(storageInfo, 'GET', '/api/v1/instance/storage');
  }

  async settings(): Promise<SettingInfo[]> {
    return (await this.connection.call(settingList, 'GET', '/api/v1/instance/settings')).settings;
  }

  /** Newest first. */
  garbageRuns(limit?: number): AsyncIterable<GarbageRunInfo> {
    const address = '/api/v1/instance/garbage-collections';
    return this.connection.list(garbageRunPage, address, (page) => page.runs, limit === undefined ? {} : { limit });
  }

  garbageRun(id: string): Promise<GarbageRunDetails> {
    return this.connection.call(garbageRunDetails, 'GET', path`/api/v1/instance/garbage-collections/${id}`);
  }

  /** Begins one; `garbageRun` says when it is done. */
  collectGarbage(dryRun: boolean): Promise<GarbageRunInfo> {
    return this.connection.call(garbageRun, 'POST', '/api/v1/instance/garbage-collections', { dryRun });
  }

  /** The last hundred, newest first. */
  async backups(): Promise<BackupRunInfo[]> {
    return (await this.connection.call(backupRunList, 'GET', '/api/v1/instance/backups')).runs;
  }

  /** How this request reached the server. */
  checkAddress(): Promise<AddressCheck> {
    return this.connection.call(addressCheck, 'GET', '/api/v1/address-check');
  }
}
