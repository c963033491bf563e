import { requireNoRunningStacks } from '../../accounts/running-stacks.ts';
import { deleteUser, planUserDeletion } from '../../accounts/user-deletion.ts';
import {
  createUser,
  getUser,
  listUsers,
  resetTwoFactor,
  setPassword,
  setUserDisabled,
  type User,
  updateUser,
} from '../../accounts/users.ts';
import { pageQuery } from '../../api/page.ts';
import {
  deleteUserBody,
  newUserBody,
  passwordBody,
  profileBody,
  type UserInfo,
  userChangeBody,
  userDeletion,
  userInfo,
  userPage,
} from '../../api/users.ts';
import { OciError } from '../../oci/errors.ts';
import { disposeRepositories } from './dispose-repositories.ts';
import { type ApiRoute, apiRoute, iso, isoOrNull, limitOf, originOf, userOf } from './route.ts';

export const USER_ROUTES: readonly ApiRoute[] = [
  apiRoute({
    method: 'GET',
    path: '/api/v1/user',
    access: 'account',
    summary: 'Your account',
    chapter: 'users',
    answer: userInfo,
    handler: async ({ accounts }, request) => userInfoOf(await getUser(accounts, userOf(request).name)),
  }),
  apiRoute({
    method: 'PATCH',
    path: '/api/v1/user',
    access: 'account',
    summary: 'Change your name or e-mail address',
    chapter: 'users',
    body: profileBody,
    answer: userInfo,
    handler: async ({ accounts }, request, { body }) =>
      userInfoOf(await updateUser(accounts, userOf(request).name, body, originOf(request))),
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/users',
    access: 'administrator',
    summary: 'All users, in the order of their names',
    chapter: 'users',
    query: pageQuery,
    answer: userPage,
    async handler({ accounts }, request) {
      const { users, more } = await listUsers(accounts, { last: request.query('last'), limit: limitOf(request) });
      return { users: users.map(userInfoOf), next: more ? (users.at(-1)?.username ?? null) : null };
    },
  }),
  apiRoute({
    method: 'POST',
    path: '/api/v1/users',
    access: 'administrator',
    summary: 'Make a user',
    chapter: 'users',
    body: newUserBody,
    answer: userInfo,
    status: 201,
    handler: async ({ accounts, passwords }, request, { body }) =>
      userInfoOf(await createUser(accounts, passwords, body, originOf(request), { adopt: true })),
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/users/:username',
    access: 'administrator',
    summary: 'A user',
    chapter: 'users',
    answer: userInfo,
    handler: async ({ accounts }, request) => userInfoOf(await getUser(accounts, request.param('username'))),
  }),
  apiRoute({
    method: 'PATCH',
    path: '/api/v1/users/:username',
    access: 'administrator',
    summary: 'Change a user: name, e-mail address, whether it is an administrator',
    chapter: 'users',
    body: userChangeBody,
    answer: userInfo,
    handler: async ({ accounts }, request, { body }) =>
      userInfoOf(await updateUser(accounts, request.param('username'), body, originOf(request))),
  }),
  apiRoute({
    method: 'POST',
    path: '/api/v1/users/:username/disable',
    access: 'administrator',
    summary: 'Disable a user: no log-in, no push; what it owns stays',
    chapter: 'users',
    answer: userInfo,
    handler: async ({ accounts }, request) =>
      userInfoOf(await setUserDisabled(accounts, request.param('username'), true, originOf(request))),
  }),
  apiRoute({
    method: 'POST',
    path: '/api/v1/users/:username/enable',
    access: 'administrator',
    summary: 'Enable a user again',
    chapter: 'users',
    answer: userInfo,
    handler: async ({ accounts }, request) =>
      userInfoOf(await setUserDisabled(accounts, request.param('username'), false, originOf(request))),
  }),
  apiRoute({
    method: 'PUT',
    path: '/api/v1/users/:username/password',
    access: 'administrator',
    summary: "Set a user's password; its sessions and its log-ins by password end",
    chapter: 'users',
    body: passwordBody,
    async handler({ accounts, passwords }, request, { body }) {
      await setPassword(accounts, passwords, request.param('username'), body.password, originOf(request));
      return undefined;
    },
  }),
  apiRoute({
    method: 'DELETE',
    path: '/api/v1/users/:username/two-factor',
    access: 'administrator',
    summary: 'Turn two-factor authentication off for a user who has lost it',
    chapter: 'users',
    async handler({ accounts }, request) {
      await resetTwoFactor(accounts, request.param('username'), originOf(request));
      return undefined;
    },
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/users/:username/deletion',
    access: 'administrator',
    summary: 'What deleting a user would mean for its repositories, robots and organizations',
    chapter: 'users',
    answer: userDeletion,
    handler: ({ accounts }, request) => planUserDeletion(accounts, request.param('username')),
  }),
  apiRoute({
    method: 'DELETE',
    path: '/api/v1/users/:username',
    access: 'administrator',
    summary: 'Delete a user; its repositories are deleted or transferred, as the body says',
    chapter: 'users',
    body: deleteUserBody,
    async handler({ accounts, registry }, request, { body }) {
      const username = request.param('username');
      if (body.confirm !== username) throw new OciError('BODY_INVALID', `confirm: must be the username, ${username}`);
      const plan = await planUserDeletion(accounts, username);
      // Before its repositories are gone.
      await requireNoRunningStacks(accounts.database.read, username);
      await disposeRepositories(registry, request, username, plan.repositories, body.repositories);
      await deleteUser(accounts, username, originOf(request));
      return undefined;
    },
  }),
];

export function userInfoOf({ id: _, ...user }: User): UserInfo {
  return { ...user, disabledAt: isoOrNull(user.disabledAt), createdAt: iso(user.createdAt) };
}
