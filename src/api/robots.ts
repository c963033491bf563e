import { z } from 'zod';
import { isRepositoryName } from '../oci/names.ts';
import { repositoryRole } from './grants.ts';
import { pageOf, time } from './page.ts';
import { newTokenBody } from './tokens.ts';

const description = z.string().max(1000);

export const robotInfo = z.object({
  name: z.string(),
  username: z.string().describe('what it logs in as: `<namespace>+<name>`'),
  description: z.string(),
  role: repositoryRole,
  repository: z.string().nullable().describe('the one repository that it is for; null for all of the namespace'),
  createdBy: z.string(),
  createdAt: time,
  disabledAt: time.nullable(),
});
export type RobotInfo = z.infer<typeof robotInfo>;
export const robotPage = pageOf('robots', robotInfo);

export const newRobotBody = z.strictObject({
  name: z.string().describe('1 to 64 lower-case letters and digits with single ".", "_", "__" or "-" between'),
  description: description.optional(),
  role: repositoryRole,
  repository: z
    .string()
    .refine((name) => isRepositoryName(name), 'not a repository name')
    .optional()
    .describe('only this one, of the namespace'),
});
export const robotChangeBody = z.strictObject({
  description: description.optional(),
  role: repositoryRole.optional(),
  disabled: z.boolean().optional().describe('a disabled one can do nothing, and keeps its tokens'),
});

/** What a robot may touch is said of the robot itself. */
export const newRobotTokenBody = newTokenBody.omit({ repository: true });
