import { z } from 'zod';
import { isDigest } from '../oci/digest.ts';
import { pageOf, time } from './page.ts';

/** The name of a stack, an environment or a target. */
export const partName = z
  .string()
  .max(40)
  .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, 'must be lower-case letters and digits with single "-" between');

export const digestText = z.string().refine((text): boolean => isDigest(text), 'not a sha256 or sha512 digest');

/** 512 KiB is more than any compose file. */
export const composeText = z.string().min(1).max(524_288).describe('a compose file, YAML');

export const stackService = z.object({
  name: z.string(),
  image: z.string().describe('as the compose file has it'),
  repository: z.string().nullable().describe('in this registry; null for an image of another, pinned by digest'),
});

export const stackInfo = z.object({
  name: z.string().describe('`alice/shop`'),
  file: digestText.describe("the compose file's digest"),
  services: z.array(stackService),
  environments: z.array(z.string()).describe('in their order'),
  role: z.enum(['read', 'write', 'admin']).describe('what you may do there: write deploys, admin changes environments'),
  createdBy: z.string(),
  createdAt: time,
  updatedAt: time,
});
export type StackInfo = z.infer<typeof stackInfo>;
export const stackPage = pageOf('stacks', stackInfo);

export const newStackBody = z.strictObject({ name: partName, file: composeText });
export const stackFileBody = z.strictObject({ file: composeText });
export const stackFile = z.object({ digest: digestText, file: z.string() });
export type StackFile = z.infer<typeof stackFile>;

const service = z.string().min(1).max(100);

/** What an environment follows for one service. */
export const tracking = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('tag'), value: z.string().max(128) }),
  z.strictObject({ kind: z.literal('semver'), value: z.string().max(100) }).describe('a range, as in ^1.4'),
  z
    .strictObject({ kind: z.literal('pattern'), value: z.string().max(128) })
    .describe('of tags, with * and ?; the newest push'),
]);
export type Tracking = z.infer<typeof tracking>;

const trackings = z.record(service, tracking).describe('by service; one that is not in it is not followed');

export const environmentInfo = z.object({
  name: z.string(),
  /** From 1; promotion goes upwards. */
  position: z.number().int(),
  protected: z
    .boolean()
    .describe('takes only what was stable in the environment before; stays on hold after a rollback'),
  deployOnPush: z.boolean(),
  maxParallel: z.number().int().describe('targets that are changed at a time'),
  track: trackings,
  hold: z
    .object({ by: z.string(), at: time, reason: z.string() })
    .nullable()
    .describe('automation deploys nothing meanwhile'),
  lock: z.object({ holder: z.string(), since: time, until: time, fence: z.number().int() }).nullable(),
  configVersion: z.number().int(),
  current: z.number().int().nullable().describe('the deployment that its targets are to run'),
  createdAt: time,
});
export type EnvironmentInfo = z.infer<typeof environmentInfo>;
export const environmentList = z.object({ environments: z.array(environmentInfo) });

export const newEnvironmentBody = z.strictObject({
  name: partName,
  track: trackings.optional(),
  deployOnPush: z.boolean().optional(),
  protected: z.boolean().optional(),
  maxParallel: z.number().int().min(1).max(1000).optional(),
});
export const environmentChangeBody = z.strictObject({
  track: trackings.optional(),
  deployOnPush: z.boolean().optional(),
  protected: z.boolean().optional(),
  maxParallel: z.number().int().min(1).max(1000).optional(),
  position: z.number().int().min(1).max(100).optional(),
});
export const holdBody = z.strictObject({ reason: z.string().max(500).default('') });

/** Names that would change what `docker compose` itself does are refused by the server. */
export const variableName = z
  .string()
  .max(200)
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be letters, digits and "_", not beginning with a digit');

export const configVariable = z.object({
  name: z.string(),
  secret: z.boolean(),
  value: z.string().nullable().describe('null for a secret: it is never shown'),
});
export const configInfo = z.object({
  version: z.number().int(),
  variables: z.array(configVariable),
  createdBy: z.string().nullable(),
  createdAt: time.nullable(),
});
export type ConfigInfo = z.infer<typeof configInfo>;
export const configChangeBody = z.strictObject({
  set: z
    .record(variableName, z.strictObject({ value: z.string().max(65_536), secret: z.boolean().default(false) }))
    .default({}),
  unset: z.array(variableName).max(1000).default([]),
  deploy: z.boolean().default(false).describe('deploy the current release with it at once'),
});
