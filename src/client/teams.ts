import type { z } from 'zod';
import {
  type newTeamBody,
  type TeamInfo,
  type teamChangeBody,
  teamInfo,
  type teamMemberInfo,
  teamMemberPage,
  teamPage,
} from '../api/organizations.ts';
import type { Connection } from './connection.ts';
import { path } from './path.ts';

export type TeamMemberInfo = z.infer<typeof teamMemberInfo>;

/** The teams of organizations. */
export class TeamsClient {
  constructor(readonly connection: Connection) {}

  /** In the order of their names. */
  list(organization: string): AsyncIterable<TeamInfo> {
    return this.connection.list(teamPage, path`/api/v1/organizations/${organization}/teams`, (page) => page.teams);
  }

  get(organization: string, team: string): Promise<TeamInfo> {
    return this.connection.call(teamInfo, 'GET', path`/api/v1/organizations/${organization}/teams/${team}`);
  }

  create(organization: string, team: z.input<typeof newTeamBody>): Promise<TeamInfo> {
    return this.connection.call(teamInfo, 'POST', path`/api/v1/organizations/${organization}/teams`, team);
  }

  change(organization: string, team: string, change: z.input<typeof teamChangeBody>): Promise<TeamInfo> {
    return this.connection.call(teamInfo, 'PATCH', path`/api/v1/organizations/${organization}/teams/${team}`, change);
  }

  delete(organization: string, team: string): Promise<void> {
    return this.connection.send('DELETE', path`/api/v1/organizations/${organization}/teams/${team}`);
  }

  /** In the order of their usernames. */
  members(organization: string, team: string): AsyncIterable<TeamMemberInfo> {
    const address = path`/api/v1/organizations/${organization}/teams/${team}/members`;
    return this.connection.list(teamMemberPage, address, (page) => page.members);
  }

  addMember(organization: string, team: string, username: string): Promise<void> {
    return this.connection.send('PUT', path`/api/v1/organizations/${organization}/teams/${team}/members/${username}`);
  }

  removeMember(organization: string, team: string, username: string): Promise<void> {
    return this.connection.send(
      'DELETE',
      path`/api/v1/organizations/${organization}/teams/${team}/members/${username}`,
    );
  }
}
