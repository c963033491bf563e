import { z } from 'zod';
import { organizationRole } from './organizations.ts';
import { pageOf, pageQuery, time } from './page.ts';
import { displayName, emailText, passwordText, usernameText } from './users.ts';

export const invitationInfo = z.object({
  id: z.string(),
  email: z.string().nullable().describe("the new account's address, unless it says another"),
  organization: z.string().nullable().describe('what the invited becomes a member of'),
  role: organizationRole.nullable(),
  createdBy: z.string(),
  createdAt: time,
  expiresAt: time,
  usedAt: time.nullable(),
  usedBy: z.string().nullable(),
});
export type InvitationInfo = z.infer<typeof invitationInfo>;
export const invitationPage = pageOf('invitations', invitationInfo);
export const invitationQuery = pageQuery.extend({
  organization: z.string().optional().describe('only those into it; its owners may ask'),
});

export const newInvitationBody = z.strictObject({
  email: emailText.optional().describe("the new account's address, unless it says another"),
  organization: z.string().optional().describe('what the invited becomes a member of; its owners may invite'),
  role: organizationRole.optional().describe('in the organization; member without it'),
  expiresInDays: z.int().min(1).max(30).default(7),
});
export const newInvitation = z.object({
  invitation: invitationInfo,
  secret: z.string().describe('shown this once'),
  path: z.string().describe('the page to send, below the address of this registry'),
});

export const signUpBody = z.strictObject({
  username: usernameText,
  password: passwordText,
  name: displayName.optional(),
  email: emailText.optional(),
  invitation: z.string().optional().describe("an invitation's secret; needed where sign-up is by invitation"),
});
