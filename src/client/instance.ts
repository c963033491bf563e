import type { z } from 'zod';
import { callerInfo, instanceInfo, type setupBody, type UserInfo, userInfo } from '../api/users.ts';
import type { Connection } from './connection.ts';

export type CallerInfo = z.infer<typeof callerInfo>;
export type InstanceInfo = z.infer<typeof instanceInfo>;

/** What everyone may ask. */
export class InstanceClient {
  constructor(readonly connection: Connection) {}

  get(): Promise<InstanceInfo> {
    return this.connection.call(instanceInfo, 'GET', '/api/v1/instance');
  }

  /** Whom the credential stands for. */
  caller(): Promise<CallerInfo> {
    return this.connection.call(callerInfo, 'GET', '/api/v1/caller');
  }

  /** Makes the first account with the secret of the set-up link. */
  setUp(user: z.input<typeof setupBody>): Promise<UserInfo> {
    return this.connection.call(userInfo, 'POST', '/api/v1/setup', user);
  }
}
