import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { SIGN_UP_MODES } from '../accounts/context.ts';
import { ANONYMOUS_MODES } from '../accounts/identity.ts';
import {
  acmeNames,
  databaseUrl,
  duration,
  httpsUrl,
  networkList,
  oidcProviders,
  oneOf,
  origin,
  rate,
  share,
  timeOfDay,
  timer,
  tracesAddress,
  wholeNumber,
} from './checks.ts';
import { LOOPBACK } from './networks.ts';

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
  tlsCertificate: {
    check: z.string().min(1),
    default: undefined,
    value: 'FILE',
    help: 'certificate (PEM, with its issuers) to serve https with; read again when it changes',
  },
  tlsKey: { check: z.string().min(1), default: undefined, value: 'FILE', help: "the certificate's key (PEM)" },
  tlsClientCa: {
    check: z.string().min(1),
    default: undefined,
    value: 'FILE',
    help: 'authorities (PEM); only clients with a certificate that one of them signed may connect',
  },
  httpPort: {
    check: wholeNumber(0, 65_535),
    default: undefined,
    value: 'PORT',
    help: 'second port, with plain http, that sends to https; 0 picks a free one',
  },
  acmeDomains: {
    check: acmeNames,
    default: undefined,
    value: 'NAMES',
    help: 'names to get a certificate for and serve https with, comma-separated; agrees to the terms of the authority',
  },
  acmeDirectory: {
    check: httpsUrl,
    default: 'https://acme-v02.api.letsencrypt.org/directory',
    value: 'URL',
    help: "directory of the ACME authority; default: Let's Encrypt",
  },
  acmeEmail: {
    check: z.email('is not an e-mail address'),
    default: undefined,
    value: 'ADDRESS',
    help: 'address for mail from the authority',
  },
  acmeCa: {
    check: z.string().min(1),
    default: undefined,
    value: 'FILE',
    help: "root certificate (PEM) of a private authority's own https",
  },
  acmeEabKid: {
    check: z.string().min(1),
    default: undefined,
    value: 'ID',
    help: 'key id of the external account, for authorities that want one',
  },
  acmeEabKeyFile: {
    check: z.string().min(1),
    default: undefined,
    value: 'FILE',
    help: 'file with the key of the external account (base64url)',
  },
  acmeDnsHook: {
    check: z.string().min(1),
    default: undefined,
    value: 'FILE',
    help: 'program that sets and removes TXT records, called with set|remove NAME VALUE; instead of port 80',
  },
  rateLimitAddress: {
    check: rate,
    default: undefined,
    value: 'RATE',
    help: 'how many requests without a log-in an address may send, such as 100/s or 6000/10m; default: as many as it likes',
  },
  rateLimitAccount: {
    check: rate,
    default: undefined,
    value: 'RATE',
    help: 'how many requests a user, robot or agent may send, from all addresses together; default: as many as it likes',
  },
  rateLimitToken: {
    check: rate,
    default: undefined,
    value: 'RATE',
    help: 'how many requests may be sent with one access token, from all addresses together; default: as many as it likes',
  },
  slowRequest: {
    check: timer,
    default: 5_000,
    value: 'DURATION',
    help: 'a request that takes longer is logged as slow, unless it brings a large body; 0s turns that off; default: 5s',
  },
  tracesTo: {
    check: tracesAddress,
    default: undefined,
    value: 'URL',
    help: 'collector that is sent what each request did and how long it took (OpenTelemetry, OTLP over HTTP), such as http://localhost:4318; default: what OTEL_EXPORTER_OTLP_ENDPOINT says, or none',
  },
  tracesSample: {
    check: share,
    default: undefined,
    value: 'SHARE',
    help: 'share of the requests that are traced when their callers do not say, from 0 to 1; default: what OTEL_TRACES_SAMPLER says, or 1',
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
  backupTo: {
    check: z.string().min(1),
    default: undefined,
    value: 'TARGET',
    help: 'folder or s3://bucket/prefix that serve makes backups to by itself',
  },
  backupInterval: {
    check: duration.refine((ms) => ms === 0 || ms >= 1_000, 'is shorter than 1s'),
    default: 86_400_000,
    value: 'DURATION',
    help: 'time from one backup of serve to the next; 0s turns them off; default: 24h',
  },
  backupAt: {
    check: timeOfDay,
    default: undefined,
    value: 'HH:MM',
    help: "time of day by the server's clock for one backup a day, such as 03:00, in place of --backup-interval",
  },
  backupKeepLast: {
    check: wholeNumber(1, 1_000_000),
    default: undefined,
    value: 'N',
    help: 'after a backup, serve removes those that neither this (the newest N) nor --backup-keep-within keeps; default: all stay',
  },
  backupKeepWithin: {
    check: duration.refine((ms) => ms > 0, 'keeps nothing'),
    default: undefined,
    value: 'DURATION',
    help: 'the same for those that are not older; default: all stay',
  },
  s3Endpoint: {
    check: z.url({ protocol: /^https?$/, error: 'is not an http(s) address, such as https://minio.example.com' }),
    default: undefined,
    value: 'URL',
    help: 'S3-compatible store of backups, for berth backup and restore; default: what AWS_ENDPOINT_URL says, or AWS itself',
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
  eventRetention: {
    check: duration.refine((ms) => ms >= 60_000, 'is shorter than 1m'),
    default: 30 * 86_400_000,
    value: 'DURATION',
    help: 'how long events and the log of webhooks are kept; default: 30d',
  },
  webhookNetworks: {
    check: networkList,
    default: [],
    value: 'NETWORKS',
    help: "comma-separated private networks that webhooks of people who are no administrators may lead to; administrators' may lead anywhere; default: none",
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
