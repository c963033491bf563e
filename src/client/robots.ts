import type { z } from 'zod';
import {
  type newRobotBody,
  type newRobotTokenBody,
  type RobotInfo,
  type robotChangeBody,
  robotInfo,
  robotPage,
} from '../api/robots.ts';
import { newToken, type TokenInfo, tokenList } from '../api/tokens.ts';
import type { Connection } from './connection.ts';
import { path } from './path.ts';
import type { NewToken } from './tokens.ts';

/** Accounts for machines, of a user's or an organization's namespace, and their tokens. */
export class RobotsClient {
  constructor(readonly connection: Connection) {}

  /** In the order of their names. */
  list(namespace: string): AsyncIterable<RobotInfo> {
    return this.connection.list(robotPage, path`/api/v1/namespaces/${namespace}/robots`, (page) => page.robots);
  }

  get(namespace: string, robot: string): Promise<RobotInfo> {
    return this.connection.call(robotInfo, 'GET', path`/api/v1/namespaces/${namespace}/robots/${robot}`);
  }

  create(namespace: string, robot: z.input<typeof newRobotBody>): Promise<RobotInfo> {
    return this.connection.call(robotInfo, 'POST', path`/api/v1/namespaces/${namespace}/robots`, robot);
  }

  change(namespace: string, robot: string, change: z.input<typeof robotChangeBody>): Promise<RobotInfo> {
    return this.connection.call(robotInfo, 'PATCH', path`/api/v1/namespaces/${namespace}/robots/${robot}`, change);
  }

  /** Its tokens end. */
  delete(namespace: string, robot: string): Promise<void> {
    return this.connection.send('DELETE', path`/api/v1/namespaces/${namespace}/robots/${robot}`);
  }

  /** Newest first. */
  async tokens(namespace: string, robot: string): Promise<TokenInfo[]> {
    const address = path`/api/v1/namespaces/${namespace}/robots/${robot}/tokens`;
    return (await this.connection.call(tokenList, 'GET', address)).tokens;
  }

  /** The secret is in the answer, and nowhere else. */
  createToken(namespace: string, robot: string, token: z.input<typeof newRobotTokenBody>): Promise<NewToken> {
    const address = path`/api/v1/namespaces/${namespace}/robots/${robot}/tokens`;
    return this.connection.call(newToken, 'POST', address, token);
  }

  revokeToken(namespace: string, robot: string, id: string): Promise<void> {
    return this.connection.send('DELETE', path`/api/v1/namespaces/${namespace}/robots/${robot}/tokens/${id}`);
  }
}
