import { type GrantInfo, grantInfo, grantPage } from '../api/grants.ts';
import type { Connection } from './connection.ts';
import { path, repositoryPath, withQuery } from './path.ts';

/** All repositories of a user or an organization, or one. */
export type GrantPlace = { namespace: string } | { repository: string };

/** To whom; a team is the organization's. */
export type GrantSubject = { user: string } | { team: string };

export class GrantsClient {
  constructor(readonly connection: Connection) {}

  list(place: GrantPlace): AsyncIterable<GrantInfo> {
    return this.connection.list(grantPage, pathOf(place), (page) => page.grants);
  }

  /** In place of the one before. */
  set(place: GrantPlace, subject: GrantSubject, role: GrantInfo['role']): Promise<GrantInfo> {
    return this.connection.call(grantInfo, 'PUT', pathOf(place), { ...subject, role });
  }

  remove(place: GrantPlace, subject: GrantSubject): Promise<void> {
    return this.connection.send('DELETE', withQuery(pathOf(place), subject));
  }
}

function pathOf(place: GrantPlace): string {
  return 'repository' in place
    ? `${repositoryPath(place.repository)}/grants`
    : path`/api/v1/namespaces/${place.namespace}/grants`;
}
