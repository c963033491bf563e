import { z } from 'zod';
import { pageOf, time } from './page.ts';

export const repositoryRole = z
  .enum(['read', 'write', 'admin'])
  .describe('write also deletes; each has what the one before has');

export const grantInfo = z.object({
  user: z.string().nullable().describe('one of user and team is not null'),
  team: z.string().nullable(),
  role: repositoryRole,
  createdAt: time,
});
export type GrantInfo = z.infer<typeof grantInfo>;
export const grantPage = pageOf('grants', grantInfo);

const user = z.string().optional().describe('a username; either user or team');
const team = z.string().optional().describe('a team of the organization; either user or team');

export const grantBody = z.strictObject({ user, team, role: repositoryRole });
export const grantQuery = z.object({ user, team });
