import { z } from 'zod';
import { pageOf, pageQuery, time } from './page.ts';

const partName = z.string().describe('1 to 64 lower-case letters and digits with single ".", "_", "__" or "-" between');
const description = z.string().max(1000);
export const organizationRole = z
  .enum(['owner', 'member'])
  .describe('an owner may do everything there; a member what grants say');

export const organizationInfo = z.object({
  name: z.string(),
  displayName: z.string(),
  description: z.string(),
  createdAt: time,
  role: organizationRole.nullable().describe('yours; null for an administrator from outside'),
});
export type OrganizationInfo = z.infer<typeof organizationInfo>;
export const organizationPage = pageOf('organizations', organizationInfo);
export const organizationQuery = pageQuery.extend({
  all: z.enum(['true', 'false']).optional().describe('also those of others; for administrators'),
});

export const newOrganizationBody = z.strictObject({
  name: z.string().describe('2 to 64 lower-case letters and digits with single ".", "_", "__" or "-" between'),
  displayName: z.string().max(100).optional(),
  description: description.optional(),
});
export const organizationChangeBody = z.strictObject({
  displayName: z.string().max(100).optional(),
  description: description.optional(),
});

export const organizationDeletion = z.object({
  repositories: z.array(z.string()).describe('they must be deleted or transferred first'),
  robots: z.array(z.string()).describe('what would end'),
  stacks: z.array(z.string()).describe('that servers run: they must be taken down first'),
  teams: z.array(z.string()).describe('what would go'),
});
export const deleteOrganizationBody = z.strictObject({
  confirm: z.string().describe("the organization's name"),
  repositories: z
    .strictObject({ transferTo: z.string().describe('a user or another organization') })
    .optional()
    .describe('needed when there are any'),
});

export const memberInfo = z.object({
  username: z.string(),
  name: z.string(),
  role: organizationRole,
  createdAt: time.describe('since when'),
});
export type MemberInfo = z.infer<typeof memberInfo>;
export const memberPage = pageOf('members', memberInfo);
export const memberBody = z.strictObject({ role: organizationRole });

export const teamInfo = z.object({
  name: z.string(),
  description: z.string(),
  members: z.int().describe('how many'),
  createdAt: time,
});
export type TeamInfo = z.infer<typeof teamInfo>;
export const teamPage = pageOf('teams', teamInfo);
export const newTeamBody = z.strictObject({ name: partName, description: description.optional() });
export const teamChangeBody = z.strictObject({ name: partName.optional(), description: description.optional() });

export const teamMemberInfo = z.object({
  username: z.string(),
  name: z.string(),
  createdAt: time.describe('since when'),
});
export const teamMemberPage = pageOf('members', teamMemberInfo);
