import type { z } from 'zod';
import {
  type InvitationInfo,
  invitationPage,
  newInvitation,
  type newInvitationBody,
  type signUpBody,
} from '../api/invitations.ts';
import { type UserInfo, userInfo } from '../api/users.ts';
import type { Connection } from './connection.ts';
import { path } from './path.ts';

export type NewInvitation = z.infer<typeof newInvitation>;

export class InvitationsClient {
  constructor(readonly connection: Connection) {}

  /** Newest first. All of them are an administrator's to see, an organization's its owners'. */
  list(organization?: string): AsyncIterable<InvitationInfo> {
    return this.connection.list(invitationPage, '/api/v1/invitations', (page) => page.invitations, {
      query: { organization },
    });
  }

  /** The secret is in the answer, and nowhere else. */
  create(invitation: z.input<typeof newInvitationBody>): Promise<NewInvitation> {
    return this.connection.call(newInvitation, 'POST', '/api/v1/invitations', invitation);
  }

  revoke(id: string): Promise<void> {
    return this.connection.send('DELETE', path`/api/v1/invitations/${id}`);
  }

  /** Makes an account for oneself: without an invitation where sign-up is open. */
  signUp(user: z.input<typeof signUpBody>): Promise<UserInfo> {
    return this.connection.call(userInfo, 'POST', '/api/v1/sign-up', user);
  }
}
