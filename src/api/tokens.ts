import { z } from 'zod';
import { isRepositoryName } from '../oci/names.ts';
import { time } from './page.ts';

export const accessLevel = z.enum(['read', 'write', 'delete', 'admin']);

export const tokenInfo = z.object({
  id: z.string(),
  kind: z.enum(['personal', 'robot', 'login', 'agent']),
  name: z.string(),
  level: accessLevel,
  repository: z.string().nullable().describe('the one repository that it is for; null for all'),
  createdAt: time,
  expiresAt: time.nullable(),
  lastUsedAt: time.nullable().describe('exact to a minute'),
  lastUsedFrom: z.string().nullable(),
});
export type TokenInfo = z.infer<typeof tokenInfo>;
export const tokenList = z.object({ tokens: z.array(tokenInfo) });

export const newTokenBody = z.strictObject({
  name: z.string().min(1).max(100),
  level: accessLevel
    .describe('read; write: and push; delete: and delete; admin: everything its owner may')
    .default('write'),
  repository: z
    .string()
    .refine((name) => isRepositoryName(name), 'not a repository name')
    .optional()
    .describe('only this one'),
  expiresAt: z.iso
    .datetime({ offset: true, error: 'not a time as in 2027-01-31T00:00:00Z' })
    .nullable()
    .optional()
    .describe('null for never; 365 days from now without it'),
});
export const newToken = z.object({ token: tokenInfo, secret: z.string().describe('shown this once') });
