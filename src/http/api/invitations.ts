import {
  createInvitation,
  getInvitation,
  type Invitation,
  listInvitations,
  revokeInvitation,
} from '../../accounts/invitations.ts';
import { signUp } from '../../accounts/sign-up.ts';
import {
  type InvitationInfo,
  invitationPage,
  invitationQuery,
  newInvitation,
  newInvitationBody,
  signUpBody,
} from '../../api/invitations.ts';
import { userInfo } from '../../api/users.ts';
import { OciError } from '../../oci/errors.ts';
import type { BerthRequest } from '../request.ts';
import { type ApiRoute, apiRoute, iso, isoOrNull, limitOf, originOf } from './route.ts';
import { userInfoOf } from './users.ts';

const DAY_MS = 86_400_000;

export const INVITATION_ROUTES: readonly ApiRoute[] = [
  apiRoute({
    method: 'GET',
    path: '/api/v1/invitations',
    access: 'account',
    summary: 'Invitations, newest first: all for administrators, those into an organization for its owners',
    chapter: 'invitations',
    query: invitationQuery,
    answer: invitationPage,
    async handler({ accounts }, request, { query: { organization, last } }) {
      await requireInviter(request, organization);
      const page = { last, limit: limitOf(request) };
      const { invitations, more } = await listInvitations(accounts, { organization }, page);
      return { invitations: invitations.map(invitationInfoOf), next: more ? (invitations.at(-1)?.id ?? null) : null };
    },
  }),
  apiRoute({
    method: 'POST',
    path: '/api/v1/invitations',
    access: 'account',
    summary: 'Invite somebody to make an account, by an administrator, or into an organization by its owner',
    chapter: 'invitations',
    body: newInvitationBody,
    answer: newInvitation,
    status: 201,
    async handler({ accounts }, request, { body: { expiresInDays, ...wanted } }) {
      await requireInviter(request, wanted.organization);
      const expiresAt = accounts.now() + expiresInDays * DAY_MS;
      const { invitation, secret } = await createInvitation(accounts, { ...wanted, expiresAt }, originOf(request));
      return { invitation: invitationInfoOf(invitation), secret, path: `/signup#invitation=${secret}` };
    },
  }),
  apiRoute({
    method: 'DELETE',
    path: '/api/v1/invitations/:id',
    access: 'account',
    summary: 'Withdraw an invitation',
    chapter: 'invitations',
    async handler({ accounts }, request) {
      const id = request.param('id');
      const { organization } = await getInvitation(accounts, id);
      try {
        await requireInviter(request, organization ?? undefined);
      } catch (error) {
        // Whoever may not withdraw it need not learn that it is there.
        if (error instanceof OciError) throw new OciError('NOT_FOUND', `id: no invitation ${id.slice(0, 100)}`);
        throw error;
      }
      await revokeInvitation(accounts, id, originOf(request));
      return undefined;
    },
  }),
  apiRoute({
    method: 'POST',
    path: '/api/v1/sign-up',
    access: 'none',
    summary: 'Make an account for yourself, where that is open or with an invitation',
    chapter: 'invitations',
    body: signUpBody,
    answer: userInfo,
    status: 201,
    handler: async ({ accounts, passwords }, request, { body: { invitation, ...user } }) =>
      userInfoOf(await signUp(accounts, passwords, user, invitation, originOf(request))),
  }),
];

/** @throws OciError DENIED */
async function requireInviter(request: BerthRequest, organization: string | undefined): Promise<void> {
  if (organization === undefined) await request.require('administrator', { kind: 'instance' });
  else await request.require('admin', { kind: 'namespace', name: organization });
}

function invitationInfoOf(invitation: Invitation): InvitationInfo {
  return {
    ...invitation,
    createdAt: iso(invitation.createdAt),
    expiresAt: iso(invitation.expiresAt),
    usedAt: isoOrNull(invitation.usedAt),
  };
}
