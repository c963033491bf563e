import type { z } from 'zod';
import {
  type deleteUserBody,
  type newUserBody,
  type profileBody,
  type UserInfo,
  type userChangeBody,
  userDeletion,
  userInfo,
  userPage,
} from '../api/users.ts';
import type { Connection } from './connection.ts';
import { path } from './path.ts';

export type UserDeletion = z.infer<typeof userDeletion>;

/** All but `own` and `changeOwn` are an administrator's. */
export class UsersClient {
  constructor(readonly connection: Connection) {}

  own(): Promise<UserInfo> {
    return this.connection.call(userInfo, 'GET', '/api/v1/user');
  }

  changeOwn(profile: z.input<typeof profileBody>): Promise<UserInfo> {
    return this.connection.call(userInfo, 'PATCH', '/api/v1/user', profile);
  }

  /** In the order of their names. */
  list(): AsyncIterable<UserInfo> {
    return this.connection.list(userPage, '/api/v1/users', (page) => page.users);
  }

  get(username: string): Promise<UserInfo> {
    return this.connection.call(userInfo, 'GET', path`/api/v1/users/${username}`);
  }

  create(user: z.input<typeof newUserBody>): Promise<UserInfo> {
    return this.connection.call(userInfo, 'POST', '/api/v1/users', user);
  }

  change(username: string, change: z.input<typeof userChangeBody>): Promise<UserInfo> {
    return this.connection.call(userInfo, 'PATCH', path`/api/v1/users/${username}`, change);
  }

  disable(username: string): Promise<UserInfo> {
    return this.connection.call(userInfo, 'POST', path`/api/v1/users/${username}/disable`);
  }

  enable(username: string): Promise<UserInfo> {
    return this.connection.call(userInfo, 'POST', path`/api/v1/users/${username}/enable`);
  }

  setPassword(username: string, password: string): Promise<void> {
    return this.connection.send('PUT', path`/api/v1/users/${username}/password`, { password });
  }

  resetTwoFactor(username: string): Promise<void> {
    return this.connection.send('DELETE', path`/api/v1/users/${username}/two-factor`);
  }

  /** What deleting would mean; nothing is done. */
  deletion(username: string): Promise<UserDeletion> {
    return this.connection.call(userDeletion, 'GET', path`/api/v1/users/${username}/deletion`);
  }

  /** @param repositories what becomes of them; needed when there are any */
  delete(username: string, repositories?: z.input<typeof deleteUserBody>['repositories']): Promise<void> {
    return this.connection.send('DELETE', path`/api/v1/users/${username}`, {
      confirm: username,
      ...(repositories === undefined ? {} : { repositories }),
    });
  }
}
