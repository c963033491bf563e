import pkg from '../../../package.json' with { type: 'json' };
import { needsSetup, setUp } from '../../accounts/setup.ts';
import { callerInfo, instanceInfo, setupBody, userInfo } from '../../api/users.ts';
import { type ApiRoute, apiRoute } from './route.ts';
import { userInfoOf } from './users.ts';

export const INSTANCE_ROUTES: readonly ApiRoute[] = [
  apiRoute({
    method: 'GET',
    path: '/api/v1/instance',
    access: 'none',
    summary: 'What this registry is and whom it lets in',
    chapter: 'instance',
    answer: instanceInfo,
    async handler({ accounts, service }) {
      const { anonymous, signUp } = accounts.policy;
      return { version: pkg.version, service, setupNeeded: await needsSetup(accounts), signUp, anonymous };
    },
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/caller',
    access: 'none',
    summary: 'Whom your credential stands for, and what it allows',
    chapter: 'instance',
    answer: callerInfo,
    async handler(_, { identity }) {
      if (identity.kind === 'anonymous') {
        return {
          kind: identity.kind,
          name: identity.name,
          administrator: false,
          credential: 'none' as const,
          level: null,
        };
      }
      const { kind, name, limit } = identity;
      const administrator = identity.kind === 'user' && identity.administrator;
      return { kind, name, administrator, credential: limit.credential, level: limit.level };
    },
  }),
  apiRoute({
    method: 'POST',
    path: '/api/v1/setup',
    access: 'none',
    summary: 'Make the first account, an administrator, with the secret of the set-up link',
    chapter: 'instance',
    body: setupBody,
    answer: userInfo,
    status: 201,
    async handler({ accounts, passwords }, request, { body: { secret, ...user } }) {
      return userInfoOf(await setUp(accounts, passwords, user, secret, { name: 'setup', source: request.source }));
    },
  }),
];
