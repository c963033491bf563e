import { z } from 'zod';
import { acmeNamesOf } from './acme-names.ts';
import { collectorAddress, NO_COLLECTOR, parseShare, TRACES_PATH } from './collector.ts';
import { parseDuration } from './duration.ts';
import { networks } from './networks.ts';

export const duration = z.union([z.string(), z.number()]).transform((value, context) => {
  const ms = parseDuration(String(value));
  if (ms !== undefined) return ms;
  context.addIssue(`${JSON.stringify(value)} is not a duration such as 500ms, 30s, 10m, 24h or 30d`);
  return z.NEVER;
});

/** A timer takes no more: beyond 2^31 ms it fires at once. */
export const timer = duration.refine((ms) => ms <= 24 * 86_400_000, 'is longer than 24d');

/** `600/1m`: so many requests in so long. */
export const rate = z.string().transform((value, context) => {
  const [, count = '', span = ''] = /^(\d{1,9})\/(\d*[a-z]+)$/.exec(value.trim()) ?? [];
  const perMs = parseDuration(/^\d/.test(span) ? span : `1${span}`);
  if (Number(count) > 0 && perMs !== undefined && perMs > 0) return { requests: Number(count), perMs };
  context.addIssue(`${JSON.stringify(value)} is not a number of requests in a time, such as 100/s, 6000/10m`);
  return z.NEVER;
});

export const timeOfDay = z.string().transform((value, context) => {
  if (/^([01]\d|2[0-3]):[0-5]\d$/.test(value)) return value;
  context.addIssue(`${JSON.stringify(value)} is not a time of day from 00:00 to 23:59, such as 03:00`);
  return z.NEVER;
});

export const wholeNumber = (least: number, most: number) =>
  z.union([z.string(), z.number()]).transform((value, context) => {
    const number = /^\d{1,9}$/.test(String(value)) ? Number(value) : Number.NaN;
    if (number >= least && number <= most) return number;
    context.addIssue(`${JSON.stringify(value)} is not a whole number from ${least} to ${most}`);
    return z.NEVER;
  });

export const oneOf = <const T extends readonly string[]>(values: T) =>
  z.string().transform((value, context) => {
    if (values.includes(value)) return value as T[number];
    context.addIssue(`${JSON.stringify(value)} is not one of ${values.join(', ')}`);
    return z.NEVER;
  });

export const networkList = z.union([z.string(), z.array(z.string())]).transform((value, context) => {
  const entries = (typeof value === 'string' ? value.split(',') : value).map((entry) => entry.trim()).filter(Boolean);
  try {
    networks(entries);
    return entries;
  } catch (error) {
    context.addIssue(error instanceof Error ? error.message : 'not networks');
    return z.NEVER;
  }
});

export const origin = z.string().transform((value, context) => {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.pathname === '/' && url.search === '')
    return url.origin;
  context.addIssue(
    `${JSON.stringify(value)} is not an http(s) address without a path, such as https://registry.example.com`,
  );
  return z.NEVER;
});

export const acmeNames = z.union([z.string(), z.array(z.string())]).transform((value, context) => {
  try {
    return acmeNamesOf(typeof value === 'string' ? value.split(',') : value);
  } catch (error) {
    context.addIssue(error instanceof Error ? error.message : 'not names');
    return z.NEVER;
  }
});

export const httpsUrl = z.string().refine((value) => URL.canParse(value) && new URL(value).protocol === 'https:', {
  error: 'is not an https address, such as https://ca.example.com/acme/acme/directory',
});

/** The whole address that takes traces: an address without a path has the usual one. */
export const tracesAddress = z.string().transform((value, context) => {
  const address = collectorAddress(value);
  if (address !== undefined) return address === new URL(address).origin ? address + TRACES_PATH : address;
  context.addIssue(NO_COLLECTOR);
  return z.NEVER;
});

export const share = z.union([z.string(), z.number()]).transform((value, context) => {
  const number = parseShare(String(value));
  if (number !== undefined) return number;
  context.addIssue(`${JSON.stringify(value)} is not a number from 0 to 1, such as 0.1`);
  return z.NEVER;
});

const oidcProvider = z.strictObject({
  id: z
    .string()
    .regex(/^[a-z0-9-]{1,32}$/, 'must be 1 to 32 of [a-z0-9-]')
    .refine((id) => id !== 'credential', 'credential is the name of log-in by password'),
  name: z.string().min(1).max(100),
  issuer: z.url(),
  clientId: z.string().min(1),
  clientSecret: z.string().min(1),
  scopes: z.array(z.string()).default(['openid', 'profile', 'email']),
  signUp: z.boolean().default(true),
});

export const oidcProviders = z.union([z.string(), z.array(z.unknown())]).transform((value, context) => {
  const list = typeof value === 'string' ? parsedOrUndefined(value) : value;
  const result = z.array(oidcProvider).safeParse(list);
  if (!result.success) {
    const issue = result.error.issues[0];
    context.addIssue(`${issue?.path.join('.') || 'the list'}: ${issue?.message}`);
    return z.NEVER;
  }
  if (new Set(result.data.map(({ id }) => id)).size < result.data.length) {
    context.addIssue('two providers have one id');
    return z.NEVER;
  }
  return result.data;
});

function parsedOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export const databaseUrl = z.string().transform((value, context) => {
  if (/^postgres(ql)?:\/\//.test(value)) return value;
  context.addIssue('is not postgres://user:password@host:port/name');
  return z.NEVER;
});
