import {
  addTeamMember,
  createTeam,
  deleteTeam,
  getTeam,
  listTeamMembers,
  listTeams,
  removeTeamMember,
  type Team,
  updateTeam,
} from '../../accounts/teams.ts';
import {
  newTeamBody,
  type TeamInfo,
  teamChangeBody,
  teamInfo,
  teamMemberPage,
  teamPage,
} from '../../api/organizations.ts';
import { pageQuery } from '../../api/page.ts';
import { type ApiRoute, apiRoute, iso, limitOf, originOf } from './route.ts';

export const TEAM_ROUTES: readonly ApiRoute[] = [
  apiRoute({
    method: 'GET',
    path: '/api/v1/organizations/:namespace/teams',
    access: 'read',
    summary: 'The teams of an organization, in the order of their names',
    chapter: 'teams',
    query: pageQuery,
    answer: teamPage,
    async handler({ accounts }, request, { query }) {
      const page = { last: query.last, limit: limitOf(request) };
      const { teams, more } = await listTeams(accounts, request.param('namespace'), page);
      return { teams: teams.map(teamInfoOf), next: more ? (teams.at(-1)?.name ?? null) : null };
    },
  }),
  apiRoute({
    method: 'POST',
    path: '/api/v1/organizations/:namespace/teams',
    access: 'admin',
    summary: 'Make a team',
    chapter: 'teams',
    body: newTeamBody,
    answer: teamInfo,
    status: 201,
    handler: async ({ accounts }, request, { body }) =>
      teamInfoOf(await createTeam(accounts, request.param('namespace'), body, originOf(request))),
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/organizations/:namespace/teams/:team',
    access: 'read',
    summary: 'A team',
    chapter: 'teams',
    answer: teamInfo,
    handler: async ({ accounts }, request) =>
      teamInfoOf(await getTeam(accounts, request.param('namespace'), request.param('team'))),
  }),
  apiRoute({
    method: 'PATCH',
    path: '/api/v1/organizations/:namespace/teams/:team',
    access: 'admin',
    summary: "Change a team's name or description; its members and grants stay",
    chapter: 'teams',
    body: teamChangeBody,
    answer: teamInfo,
    async handler({ accounts }, request, { body }) {
      const [organization, team] = [request.param('namespace'), request.param('team')];
      return teamInfoOf(await updateTeam(accounts, organization, team, body, originOf(request)));
    },
  }),
  apiRoute({
    method: 'DELETE',
    path: '/api/v1/organizations/:namespace/teams/:team',
    access: 'admin',
    summary: 'Delete a team and what was granted to it',
    chapter: 'teams',
    async handler({ accounts }, request) {
      await deleteTeam(accounts, request.param('namespace'), request.param('team'), originOf(request));
      return undefined;
    },
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/organizations/:namespace/teams/:team/members',
    access: 'read',
    summary: 'The members of a team, in the order of their usernames',
    chapter: 'teams',
    query: pageQuery,
    answer: teamMemberPage,
    async handler({ accounts }, request, { query }) {
      const page = { last: query.last, limit: limitOf(request) };
      const { members, more } = await listTeamMembers(
        accounts,
        request.param('namespace'),
        request.param('team'),
        page,
      );
      return {
        members: members.map((member) => ({ ...member, createdAt: iso(member.createdAt) })),
        next: more ? (members.at(-1)?.username ?? null) : null,
      };
    },
  }),
  apiRoute({
    method: 'PUT',
    path: '/api/v1/organizations/:namespace/teams/:team/members/:username',
    access: 'admin',
    summary: 'Add a member of the organization to a team',
    chapter: 'teams',
    async handler({ accounts }, request) {
      const [organization, team] = [request.param('namespace'), request.param('team')];
      await addTeamMember(accounts, organization, team, request.param('username'), originOf(request));
      return undefined;
    },
  }),
  apiRoute({
    method: 'DELETE',
    path: '/api/v1/organizations/:namespace/teams/:team/members/:username',
    access: 'admin',
    summary: 'Remove a user from a team',
    chapter: 'teams',
    async handler({ accounts }, request) {
      const [organization, team] = [request.param('namespace'), request.param('team')];
      await removeTeamMember(accounts, organization, team, request.param('username'), originOf(request));
      return undefined;
    },
  }),
];

function teamInfoOf(team: Team): TeamInfo {
  return { ...team, createdAt: iso(team.createdAt) };
}
