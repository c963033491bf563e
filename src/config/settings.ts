import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { SIGN_UP_MODES } from '../accounts/context.ts';
import { ANONYMOUS_MODES } from '../accounts/identity.ts';
import { parseDuration } from './duration.ts';
import { LOOPBACK, networks } from './networks.ts';

const duration = z.union([z.string(), z.number()]).transform((value, context) => {
  const ms = parseDuration(String(value));
  if (ms !== undefined) return ms;
  context.addIssue(`${JSON.stringify(value)} is not a duration such as 500ms, 30s, 10m, 24h or 30d`);
  return z.NEVER;
});

/** A timer takes no more: beyond 2^31 ms it fires at once. */
const timer = duration.refine((ms) => ms <= 24 * 86_400_000, 'is longer than 24d');

const wholeNumber = (least: number, most: number) =>
  z.union([z.string(), z.number()]).transform((value, context) => {
    const number = /^\d{1,9}$/.test(String(value)) ? Number(value) : Number.NaN;
    if (number >= least && number <= most) return number;
    context.addIssue(`${JSON.stringify(value)} is not a whole number from ${least} to ${most}`);
    return z.NEVER;
  });

const oneOf = <const T extends readonly string[]>(values: T) =>
  z.string().transform((value, context) => {
    if (values.includes(value)) return value as T[number];
    context.addIssue(`${JSON.stringify(value)} is not one of ${values.join(', ')}`);
    return z.NEVER;
  });

const networkList = z.union([z.string(), z.array(z.string())]).transform((value, context) => {
  const entries = (typeof value === 'string' ? value.split(',') : value).map((entry) => entry.trim()).filter(Boolean);
  try {
    networks(entries);
    return entries;
  } catch (error) {
    context.addIssue(error instanceof Error ? error.message : 'not networks');
    return z.NEVER;
  }
});

const origin = z.string().transform((value, context) => {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.pathname === '/' && url.search === '')
    return url.origin;
  context.addIssue(
    `${JSON.stringify(value)} is not an http(s) address without a path, such as https://registry.example.com`,
  );
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

const oidcProviders = z.union([z.string(), z.array(z.unknown())]).transform((value, context) => {
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

const databaseUrl = z.string().transform((value, context) => {
  if (/^postgres(ql)?:\/\//.test(value)) return value;
  context.addIssue('is not postgres://user:password@host:port/name');
  return z.NEVER;
});

/**
 * Every setting once: its check, default, the placeholder and the help line. The flag is `--kebab-case`, the variable `BERTH_UPPER_CASE`, the
 * YAML key camelCase; `docs/reference/configuration.md` is generated from this table.
 */
export const SETTINGS = {
  port: { check: wholeNumber(0, 65_535), default: 5000, value: 'PORT', help: 'port to listen on; 0 picks a free one' },
  host: {
    check: z.string().min(1),
    default: '::',
    value: 'ADDRESS',
    help: 'address to listen on; :: is every address',
  },
  data: {
    check: z.string().min(1),
    default: './data',
    value: 'DIR',
    help: 'data directory: blobs, uploads and, without --database, the database',
  },
  database: {
    check: databaseUrl,
    default: undefined,
    value: 'URL',
    help: 'PostgreSQL database (postgres://…) instead of SQLite in the data directory',
  },
  secretKeyFile: {
    check: z.string().min(1),
    default: undefined,
    value: 'FILE',
    help: "key that environments' secrets are encrypted with, made when it is missing; default: secret.key in the data directory",
  },
  anonymous: {
    check: oneOf(ANONYMOUS_MODES),
    default: 'none',
    value: 'MODE',
    help: "what clients without an account may do besides pulling public repositories: none; pull; push (everything outside of accounts' namespaces, for a closed network)",
  },
  signUp: {
    check: oneOf(SIGN_UP_MODES),
    default: 'invitation',
    value: 'MODE',
    help: 'who may make an account: open (everyone), invitation (who has one), or closed (administrators make them)',
  },
  oidc: {
    check: oidcProviders,
    default: undefined,
    value: 'JSON',
    help: 'log-in providers (OpenID Connect): a list of {id, name, issuer, clientId, clientSecret, scopes, signUp}; best in the YAML file',
  },
  workers: {
    check: wholeNumber(1, 64),
    default: undefined,
    value: 'N',
    help: 'processes that serve; default: the cores, at most 4',
  },
  publicUrl: {
    check: origin,
    default: undefined,
    value: 'URL',
    help: 'address that clients use, when requests do not show it',
  },
  trustedProxies: {
    check: networkList,
    default: LOOPBACK,
    value: 'NETWORKS',
    help: 'comma-separated networks whose X-Forwarded-* headers are believed; default: loopback',
  },
  logLevel: {
    check: oneOf(['debug', 'info', 'warn', 'error', 'silent'] as const),
    default: 'info',
    value: 'LEVEL',
    help: 'debug, info, warn, error or silent',
  },
  gcInterval: {
    check: timer,
    default: 3_600_000,
    value: 'DURATION',
    help: 'time between garbage collections inside serve; 0s turns them off; default: 1h',
  },
  gcGrace: {
    check: duration.refine((ms) => ms >= 1_000, 'is shorter than 1s'),
    default: 86_400_000,
    value: 'DURATION',
    help: 'how long what nothing names is kept after it was pushed (set at the push, not at the collection); default: 24h',
  },
  tagHistoryWindow: {
    check: duration,
    default: 30 * 86_400_000,
    value: 'DURATION',
    help: "how long a tag's former manifests are kept for a rollback; default: 30d",
  },
  uploadExpiry: {
    check: duration,
    default: 86_400_000,
    value: 'DURATION',
    help: 'how long an upload may lie without a byte; default: 24h',
  },
  targetAway: {
    check: timer.refine((ms) => ms >= 1_000, 'is shorter than 1s'),
    default: 45_000,
    value: 'DURATION',
    help: 'after how long without a word a server counts as away, and is not waited for; default: 45s',
  },
  deployLease: {
    check: timer.refine((ms) => ms >= 1_000, 'is shorter than 1s'),
    default: 90_000,
    value: 'DURATION',
    help: 'how long a deployment keeps its environment locked without a word from its servers; default: 90s',
  },
  agentPoll: {
    check: timer.refine((ms) => ms >= 200, 'is shorter than 200ms'),
    default: 30_000,
    value: 'DURATION',
    help: 'how often agents ask when no event told them to; default: 30s',
  },
  agentReport: {
    check: timer.refine((ms) => ms >= 200, 'is shorter than 200ms'),
    default: 15_000,
    value: 'DURATION',
    help: 'how often agents say at least that they are there; default: 15s',
  },
  shutdownTimeout: {
    check: timer,
    default: 30_000,
    value: 'DURATION',
    help: 'how long SIGTERM waits for running transfers; default: 30s',
  },
} as const satisfies Record<string, { check: z.ZodType; default: unknown; value: string; help: string }>;

export type SettingName = keyof typeof SETTINGS;

type Value<Name extends SettingName> =
  | z.output<(typeof SETTINGS)[Name]['check']>
  | (undefined extends (typeof SETTINGS)[Name]['default'] ? undefined : never);

/** Checked settings; durations in ms. */
export type Settings = { [Name in SettingName]: Value<Name> };

/** What `gc`, `why` and `verify` need to find the data. */
export const DATA_SETTINGS = ['data', 'database', 'logLevel'] as const;
export const GC_SETTINGS = [...DATA_SETTINGS, 'gcGrace', 'tagHistoryWindow', 'uploadExpiry'] as const;

const MOST_WORKERS = 4;

/** How many workers there are when nobody says. */
export function usualWorkers(): number {
  return Math.min(availableParallelism(), MOST_WORKERS);
}

export function flagOf(name: SettingName): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

export function variableOf(name: SettingName): string {
  return `BERTH_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}
