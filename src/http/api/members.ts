import { getMember, listMembers, type Member, removeMember, setMember } from '../../accounts/members.ts';
import { type MemberInfo, memberBody, memberInfo, memberPage } from '../../api/organizations.ts';
import { pageQuery } from '../../api/page.ts';
import { type ApiRoute, apiRoute, iso, limitOf, originOf, userOf } from './route.ts';

export const MEMBER_ROUTES: readonly ApiRoute[] = [
  apiRoute({
    method: 'GET',
    path: '/api/v1/organizations/:namespace/members',
    access: 'read',
    summary: 'The members of an organization, in the order of their usernames',
    chapter: 'organizations',
    query: pageQuery,
    answer: memberPage,
    async handler({ accounts }, request, { query }) {
      const { members, more } = await listMembers(accounts, request.param('namespace'), {
        last: query.last,
        limit: limitOf(request),
      });
      return { members: members.map(memberInfoOf), next: more ? (members.at(-1)?.username ?? null) : null };
    },
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/organizations/:namespace/members/:username',
    access: 'read',
    summary: 'A member of an organization',
    chapter: 'organizations',
    answer: memberInfo,
    handler: async ({ accounts }, request) =>
      memberInfoOf(await getMember(accounts, request.param('namespace'), request.param('username'))),
  }),
  apiRoute({
    method: 'PUT',
    path: '/api/v1/organizations/:namespace/members/:username',
    access: 'admin',
    summary: 'Make a user a member or an owner of an organization, or change which',
    chapter: 'organizations',
    body: memberBody,
    answer: memberInfo,
    async handler({ accounts }, request, { body }) {
      const [organization, username] = [request.param('namespace'), request.param('username')];
      return memberInfoOf(await setMember(accounts, organization, username, body.role, originOf(request)));
    },
  }),
  apiRoute({
    method: 'DELETE',
    path: '/api/v1/organizations/:namespace/members/:username',
    access: 'read',
    summary: 'Remove a member, its teams and its grants in the organization; everyone may remove themselves',
    chapter: 'organizations',
    async handler({ accounts }, request) {
      const [organization, username] = [request.param('namespace'), request.param('username')];
      // To leave, a credential that stands for the whole account will do.
      const access = username === userOf(request).name ? 'account' : 'admin';
      await request.require(access, { kind: 'namespace', name: organization });
      await removeMember(accounts, organization, username, originOf(request));
      return undefined;
    },
  }),
];

function memberInfoOf(member: Member): MemberInfo {
  return { ...member, createdAt: iso(member.createdAt) };
}
