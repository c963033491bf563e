import { type AccessToken, createToken, listTokens, revokeToken } from '../../accounts/access-tokens.ts';
import { newToken, newTokenBody, type TokenInfo, tokenList } from '../../api/tokens.ts';
import { OciError } from '../../oci/errors.ts';
import { parseRepositoryName } from '../../oci/names.ts';
import { type ApiRoute, apiRoute, iso, isoOrNull, originOf, userOf } from './route.ts';

/** A token that nobody thought about ends after a year. */
const DEFAULT_TOKEN_MS = 365 * 86_400_000;

export const TOKEN_API_ROUTES: readonly ApiRoute[] = [
  apiRoute({
    method: 'GET',
    path: '/api/v1/tokens',
    access: 'account',
    summary: 'Your tokens, and the log-ins of docker and berth, newest first',
    chapter: 'tokens',
    answer: tokenList,
    async handler({ accounts }, request) {
      return { tokens: (await listTokens(accounts, { userId: userOf(request).id })).map(tokenInfoOf) };
    },
  }),
  apiRoute({
    method: 'POST',
    path: '/api/v1/tokens',
    access: 'account',
    summary: 'Make a personal access token; its secret is shown this once',
    chapter: 'tokens',
    body: newTokenBody,
    answer: newToken,
    status: 201,
    async handler({ accounts }, request, { body }) {
      const { id } = userOf(request);
      const expiresAt =
        body.expiresAt === undefined ? accounts.now() + DEFAULT_TOKEN_MS : body.expiresAt && Date.parse(body.expiresAt);
      if (body.level === 'admin' && body.repository !== undefined) {
        throw new OciError('BODY_INVALID', 'level: admin is for all repositories; leave repository out or take delete');
      }
      const { token, secret } = await createToken(
        accounts,
        {
          kind: 'personal',
          owner: { userId: id },
          name: body.name,
          level: body.level ?? 'write',
          repository: body.repository === undefined ? null : parseRepositoryName(body.repository),
          expiresAt: expiresAt === '' ? null : expiresAt,
        },
        originOf(request),
      );
      return { token: tokenInfoOf(token), secret };
    },
  }),
  apiRoute({
    method: 'DELETE',
    path: '/api/v1/tokens/:id',
    access: 'account',
    summary: 'Revoke a token, and the log-ins that were got with it',
    chapter: 'tokens',
    async handler({ accounts }, request) {
      await revokeToken(accounts, { userId: userOf(request).id }, request.param('id'), originOf(request));
      return undefined;
    },
  }),
];

export function tokenInfoOf(token: AccessToken): TokenInfo {
  return {
    ...token,
    createdAt: iso(token.createdAt),
    expiresAt: isoOrNull(token.expiresAt),
    lastUsedAt: isoOrNull(token.lastUsedAt),
  };
}
