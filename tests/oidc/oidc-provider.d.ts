/** As much of the package's types as the suite needs; it brings none. */
declare module 'oidc-provider' {
  import type { IncomingMessage, ServerResponse } from 'node:http';
  import type { JWK } from 'jose';

  export interface Claims {
    sub: string;
    [claim: string]: unknown;
  }

  export interface Configuration {
    clients: {
      client_id: string;
      client_secret: string;
      redirect_uris: string[];
      token_endpoint_auth_method?: 'client_secret_basic' | 'client_secret_post';
    }[];
    jwks: { keys: JWK[] };
    cookies: { keys: string[] };
    claims: Record<string, string[]>;
    pkce: { required: () => boolean };
    findAccount(context: unknown, id: string): { accountId: string; claims(): Claims } | undefined;
  }

  export interface Context {
    oidc?: { route?: string };
    body: unknown;
  }

  export default class Provider {
    constructor(issuer: string, configuration: Configuration);
    use(middleware: (context: Context, next: () => Promise<void>) => Promise<void>): void;
    callback(): (request: IncomingMessage, response: ServerResponse) => void;
  }
}
