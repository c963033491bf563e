import { z } from 'zod';
import { isRepositoryName } from '../oci/names.ts';
import { time } from './page.ts';

export const upstreamInfo = z.object({
  name: z.string(),
  address: z.string().describe('`docker.io`, `old.example.com:5000`'),
  username: z.string().nullable().describe('who it is asked as; the password is never shown; null: without a log-in'),
  hasAuthority: z.boolean().describe('whether certificates of a private authority are trusted, too'),
  caches: z.array(z.string()).describe('prefixes that are fetched from it when they are pulled'),
  mirrors: z.array(z.string()).describe('repositories that follow one of its own'),
  createdBy: z.string(),
  createdAt: time,
  updatedAt: time,
});
export type UpstreamInfo = z.infer<typeof upstreamInfo>;
export const upstreamList = z.object({ upstreams: z.array(upstreamInfo) });

const address = z
  .string()
  .min(1)
  .max(500)
  .describe('as in `docker.io` or `old.example.com:5000`; plain HTTP when the scheme http stands before it');
const username = z.string().min(1).max(500);
const password = z.string().min(1).max(10_000).describe('a password or a token; kept encrypted, never shown');
const ca = z.string().max(100_000).describe('certificates (PEM) of the authority that it has its own from');

export const newUpstreamBody = z
  .strictObject({
    name: z.string(),
    address,
    username: username.optional(),
    password: password.optional(),
    ca: ca.optional(),
  })
  .refine((body) => (body.username === undefined) === (body.password === undefined), {
    path: ['password'],
    message: 'a user name and a password belong together',
  });
export type NewUpstream = z.input<typeof newUpstreamBody>;

export const upstreamChangeBody = z.strictObject({
  address: address.optional(),
  username: username.nullable().optional().describe('null: ask without a log-in from now on'),
  password: password.optional(),
  ca: ca.nullable().optional(),
});
export type UpstreamChange = z.input<typeof upstreamChangeBody>;

export const upstreamCheckBody = z.strictObject({
  repository: z
    .string()
    .refine((name) => isRepositoryName(name), 'is no name for a repository')
    .optional()
    .describe('one of its own, whose tags are to be listed, too'),
});

export const upstreamCheck = z.object({
  ok: z.boolean(),
  login: z.boolean().describe('whether it asked for the log-in, and took it'),
  failure: z.enum(['not-found', 'unauthorized', 'rate-limited', 'unavailable', 'invalid']).nullable(),
  why: z.string().nullable().describe('what is wrong'),
});
export type UpstreamCheckInfo = z.infer<typeof upstreamCheck>;
