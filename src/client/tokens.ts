import type { z } from 'zod';
import { newToken, type newTokenBody, type TokenInfo, tokenList } from '../api/tokens.ts';
import type { Connection } from './connection.ts';
import { path } from './path.ts';

export type NewTokenBody = z.input<typeof newTokenBody>;
export type NewToken = z.infer<typeof newToken>;

/** The caller's own tokens. */
export class TokensClient {
  constructor(readonly connection: Connection) {}

  /** Newest first, with the log-ins of docker. */
  async list(): Promise<TokenInfo[]> {
    return (await this.connection.call(tokenList, 'GET', '/api/v1/tokens')).tokens;
  }

  /** The secret is in the answer, and nowhere else. */
  create(token: NewTokenBody): Promise<NewToken> {
    return this.connection.call(newToken, 'POST', '/api/v1/tokens', token);
  }

  revoke(id: string): Promise<void> {
    return this.connection.send('DELETE', path`/api/v1/tokens/${id}`);
  }
}
