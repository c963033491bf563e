import { z } from 'zod';
import { time } from './page.ts';
import { passwordText } from './users.ts';

const text = (most: number) => z.string().min(1).max(most);

export const sessionUser = z.object({
  id: z.string(),
  username: z.string(),
  name: z.string(),
  administrator: z.boolean(),
  twoFactor: z.boolean(),
});

export const signInBody = z.strictObject({ username: text(100), password: text(256) });
export const codeBody = z.strictObject({ code: text(50) });

export const signInResult = z.object({
  twoFactorRequired: z.boolean().describe('true: nobody is logged in yet; send the code of the second factor next'),
  user: sessionUser.nullable(),
});

export const sessionInfo = z.object({
  user: sessionUser.nullable().describe('null: nobody is logged in'),
  expiresAt: time.nullable(),
});

export const ownSessionList = z.object({
  sessions: z.array(
    z.object({
      id: z.string(),
      current: z.boolean().describe('the one that asks'),
      createdAt: time,
      usedAt: time.describe('exact to a day'),
      expiresAt: time,
      address: z.string().nullable(),
      agent: z.string().nullable().describe('what the browser calls itself'),
    }),
  ),
});

export const endedSessions = z.object({ ended: z.int() });

export const passwordChangeBody = z.strictObject({ currentPassword: text(256), newPassword: passwordText });

export const confirmBody = z.strictObject({
  password: text(256).optional().describe('a user without one, who logs in at a provider, leaves it out'),
});

export const twoFactorSecret = z.object({
  uri: z.string().describe('for a QR code: what authenticator apps read'),
  secret: z.string(),
  backupCodes: z.array(z.string()).describe('each lets in once; shown this one time'),
});

export const backupCodeList = z.object({ backupCodes: z.array(z.string()) });

export const providerList = z.object({
  providers: z.array(
    z.object({
      id: z.string(),
      name: z.string(),
      linked: z.boolean().describe('whether an account there is linked to that of who is logged in'),
    }),
  ),
  password: z.boolean().describe('whether the account of who is logged in has a password'),
});

export const destination = z.object({
  callbackURL: z.string().max(1_000).optional().describe('where the browser goes afterwards: a path of this address'),
});

export const oidcAddress = z.object({ url: z.string().describe('where the browser is to go') });
