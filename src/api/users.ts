import { z } from 'zod';
import { pageOf, time } from './page.ts';

export const usernameText = z
  .string()
  .describe('2 to 64 lower-case letters and digits with single ".", "_", "__" or "-" between');
export const passwordText = z
  .string()
  .min(8, 'must have 8 to 256 characters')
  .max(256, 'must have 8 to 256 characters');
export const displayName = z.string().min(1).max(100);
/** Not one of those that users without an address have: whoever took such a one would keep its user from being made. */
export const emailText = z
  .email()
  .max(254)
  .refine((text) => !text.toLowerCase().endsWith('@users.invalid'), 'not an address that mail reaches');

export const userInfo = z.object({
  username: z.string(),
  name: z.string(),
  email: z.string().nullable(),
  administrator: z.boolean(),
  twoFactor: z.boolean(),
  disabledAt: time.nullable(),
  createdAt: time,
});
export type UserInfo = z.infer<typeof userInfo>;
export const userPage = pageOf('users', userInfo);

export const newUserBody = z.strictObject({
  username: usernameText,
  password: passwordText,
  name: displayName.optional(),
  email: emailText.optional(),
  administrator: z.boolean().optional(),
});

export const setupBody = z.strictObject({
  secret: z.string().describe('from the link that `berth serve` prints'),
  username: usernameText,
  password: passwordText,
  name: displayName.optional(),
  email: emailText.optional(),
});

export const profileBody = z.strictObject({
  name: displayName.optional(),
  email: emailText.nullable().optional(),
});
export const userChangeBody = profileBody.extend({ administrator: z.boolean().optional() });
export const passwordBody = z.strictObject({ password: passwordText });

export const userDeletion = z.object({
  repositories: z.array(z.string()).describe('what would be deleted or transferred'),
  robots: z.array(z.string()).describe('what would end'),
  stacks: z.array(z.string()).describe('that servers run: they must be taken down first'),
  organizations: z.array(z.string()).describe('where the user is the only owner: they need another one first'),
});

export const deleteUserBody = z.strictObject({
  confirm: z.string().describe('the username'),
  repositories: z
    .union([z.literal('delete'), z.strictObject({ transferTo: z.string() })])
    .optional()
    .describe('needed when there are any'),
});

export const callerInfo = z.object({
  kind: z.enum(['anonymous', 'user', 'robot', 'agent']),
  name: z.string(),
  administrator: z.boolean(),
  credential: z.enum(['none', 'password', 'session', 'token']),
  level: z.enum(['read', 'write', 'delete', 'admin']).nullable().describe('what the credential allows at most'),
});

export const instanceInfo = z.object({
  version: z.string(),
  service: z.string().describe('the audience of bearer tokens'),
  setupNeeded: z.boolean().describe('whether the first account is still to be made'),
  signUp: z.enum(['open', 'invitation', 'closed']),
  anonymous: z.enum(['none', 'pull', 'push']),
});
