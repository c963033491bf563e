import type { z } from 'zod';
import {
  type MemberInfo,
  memberInfo,
  memberPage,
  type newOrganizationBody,
  type OrganizationInfo,
  type organizationChangeBody,
  organizationDeletion,
  organizationInfo,
  organizationPage,
} from '../api/organizations.ts';
import type { Connection } from './connection.ts';
import { path } from './path.ts';

export type OrganizationDeletion = z.infer<typeof organizationDeletion>;

export class OrganizationsClient {
  constructor(readonly connection: Connection) {}

  /** In the order of their names. @param all also those of others; an administrator's */
  list(all = false): AsyncIterable<OrganizationInfo> {
    const options = all ? { query: { all: 'true' } } : {};
    return this.connection.list(organizationPage, '/api/v1/organizations', (page) => page.organizations, options);
  }

  get(name: string): Promise<OrganizationInfo> {
    return this.connection.call(organizationInfo, 'GET', path`/api/v1/organizations/${name}`);
  }

  /** The caller is its owner. */
  create(organization: z.input<typeof newOrganizationBody>): Promise<OrganizationInfo> {
    return this.connection.call(organizationInfo, 'POST', '/api/v1/organizations', organization);
  }

  change(name: string, change: z.input<typeof organizationChangeBody>): Promise<OrganizationInfo> {
    return this.connection.call(organizationInfo, 'PATCH', path`/api/v1/organizations/${name}`, change);
  }

  /** What deleting would mean; nothing is done. */
  deletion(name: string): Promise<OrganizationDeletion> {
    return this.connection.call(organizationDeletion, 'GET', path`/api/v1/organizations/${name}/deletion`);
  }

  /** @param transferTo whose its repositories become; needed when there are any */
  delete(name: string, transferTo?: string): Promise<void> {
    return this.connection.send('DELETE', path`/api/v1/organizations/${name}`, {
      confirm: name,
      ...(transferTo === undefined ? {} : { repositories: { transferTo } }),
    });
  }

  /** In the order of their usernames. */
  members(organization: string): AsyncIterable<MemberInfo> {
    const address = path`/api/v1/organizations/${organization}/members`;
    return this.connection.list(memberPage, address, (page) => page.members);
  }

  member(organization: string, username: string): Promise<MemberInfo> {
    return this.connection.call(memberInfo, 'GET', path`/api/v1/organizations/${organization}/members/${username}`);
  }

  setMember(organization: string, username: string, role: MemberInfo['role']): Promise<MemberInfo> {
    const address = path`/api/v1/organizations/${organization}/members/${username}`;
    return this.connection.call(memberInfo, 'PUT', address, { role });
  }

  removeMember(organization: string, username: string): Promise<void> {
    return this.connection.send('DELETE', path`/api/v1/organizations/${organization}/members/${username}`);
  }
}
