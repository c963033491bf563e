import { z } from 'zod';
import { pageOf, time } from './page.ts';
import { imageChoices, releaseImage } from './releases.ts';
import { digestText, partName } from './stacks.ts';

export const DEPLOYMENT_STATUSES = [
  'queued',
  'in_progress',
  'success',
  'failure',
  'rolling_back',
  'rolled_back',
  'error',
  'cancelled',
  'superseded',
] as const;
export const deploymentStatus = z.enum(DEPLOYMENT_STATUSES);
export type DeploymentStatus = z.infer<typeof deploymentStatus>;

export const DEPLOYMENT_REASONS = ['push', 'manual', 'promote', 'rollback', 'auto-rollback', 'config'] as const;
export const deploymentReason = z.enum(DEPLOYMENT_REASONS);

/**
 * Where a target is with a deployment. `stable`, `failed`, `reverted` and `revert-failed` are ends; see `src/agent/state-machine.md`.
 * `healthy` and `monitoring` are one state: everything runs and is healthy, and the watch has begun.
 */
export const TARGET_PHASES = [
  'pending',
  'pulling',
  'pulled',
  'migrating',
  'switching',
  'monitoring',
  'stable',
  'reverting',
  'reverted',
  'failed',
  'revert-failed',
] as const;
export const targetPhase = z.enum(TARGET_PHASES);
export type TargetPhase = z.infer<typeof targetPhase>;

/** What of a deployment's images has arrived; 0 of 0 before it is known. */
export const pullProgress = z.object({ bytes: z.number(), total: z.number() });

export const targetResult = z.object({
  target: z.string(),
  phase: targetPhase,
  online: z.boolean(),
  pull: pullProgress.nullable(),
  /** What went wrong, in a line. */
  error: z.string().nullable(),
  warnings: z.array(z.string()),
  log: z.string().nullable().describe('the last lines of the container that failed'),
  updatedAt: time.nullable(),
});
export type TargetResult = z.infer<typeof targetResult>;

export const deploymentInfo = z.object({
  stack: z.string(),
  environment: z.string(),
  number: z.number().int(),
  release: z.number().int(),
  configVersion: z.number().int(),
  reason: deploymentReason,
  actor: z.string(),
  status: deploymentStatus,
  message: z.string().describe('why it is where it is, for people'),
  stable: z.boolean().describe('healthy on its targets through the watch'),
  restorable: z.boolean().describe('it can be rolled back to'),
  /** Of a rollback: the deployment whose release and config it takes; and the one it undoes. */
  restores: z.number().int().nullable(),
  undoes: z.number().int().nullable(),
  rolledBackBy: z.number().int().nullable(),
  images: z.array(releaseImage),
  targets: z.array(targetResult),
  createdAt: time,
  startedAt: time.nullable(),
  finishedAt: time.nullable(),
  stableAt: time.nullable(),
});
export type DeploymentInfo = z.infer<typeof deploymentInfo>;
export const deploymentPage = pageOf('deployments', deploymentInfo);

const force = z.boolean().default(false).describe('also where a policy refuses; needs the role admin');

/** Without release and images: the newest of what the environment tracks, else of the compose file's tags. */
export const deployBody = z.strictObject({
  release: z.number().int().min(1).optional(),
  images: imageChoices.optional(),
  force,
});
export const promoteBody = z.strictObject({
  from: z.string().max(100).optional().describe('an environment; without it the one before in the order'),
  release: z.number().int().min(1).optional().describe('instead of what `from` runs'),
  force,
});
export const rollbackBody = z.strictObject({
  to: z.number().int().min(1).optional().describe('a deployment; without it the last stable one before the current'),
  keepConfig: z.boolean().default(false).describe("leave the variables as they are, instead of that deployment's"),
  reason: z.string().max(500).default(''),
  force,
});

export const planChange = z.object({
  service: z.string(),
  change: z.enum(['add', 'replace', 'remove', 'none']),
  from: releaseImage.nullable(),
  to: releaseImage.nullable(),
  order: z.enum(['start-first', 'stop-first']).nullable().describe('of a service that is replaced'),
  /** Why that order. */
  why: z.string(),
  health: z.string().describe('how it is told that it is healthy'),
});
export const plan = z.object({
  stack: z.string(),
  environment: z.string(),
  /** null: a release would be made. */
  release: z.number().int().nullable(),
  configVersion: z.number().int(),
  restores: z.number().int().nullable(),
  changes: z.array(planChange),
  variables: z.object({ added: z.array(z.string()), changed: z.array(z.string()), removed: z.array(z.string()) }),
  targets: z.array(z.object({ name: z.string(), online: z.boolean() })),
  bytes: z.number().describe('of images that the targets do not run now'),
  warnings: z.array(z.string()),
  /** Why it would be refused; empty when it would not. */
  refusals: z.array(z.string()),
});
export type Plan = z.infer<typeof plan>;
export const planBody = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('deploy'), ...deployBody.shape }),
  z.strictObject({ kind: z.literal('promote'), ...promoteBody.shape }),
  z.strictObject({ kind: z.literal('rollback'), ...rollbackBody.shape }),
]);

/** What really runs on a target, as its engine says. */
export const runningService = z.object({
  service: z.string(),
  digest: digestText.nullable().describe('null: not an image that was pulled by digest'),
  containers: z.number().int(),
  health: z.enum(['healthy', 'unhealthy', 'starting', 'running', 'stopped']),
  restarts: z.number().int(),
});
export type RunningService = z.infer<typeof runningService>;

export const targetInfo = z.object({
  name: z.string(),
  online: z.boolean(),
  revokedAt: time.nullable(),
  enrolledAt: time,
  lastSeenAt: time.nullable(),
  address: z.string().nullable(),
  agentVersion: z.string().nullable(),
  engine: z.string().nullable(),
  clockSkewMs: z.number().nullable().describe('how far its clock is ahead'),
  deployment: z.number().int().nullable().describe('that it works on or runs'),
  phase: targetPhase.nullable(),
  error: z.string().nullable(),
  services: z.array(runningService).nullable().describe('null: unknown'),
  reportedAt: time.nullable(),
});
export type TargetInfo = z.infer<typeof targetInfo>;
export const targetList = z.object({ targets: z.array(targetInfo) });
export const newTargetBody = z.strictObject({ name: partName.optional().describe('without it target-1, target-2, …') });
/** The token is shown this once. */
export const enrolledTarget = z.object({
  target: targetInfo,
  token: z.string(),
  command: z.string().describe('to run on the server'),
});

export const environmentStatus = z.object({
  stack: z.string(),
  environment: z.string(),
  hold: z.object({ by: z.string(), at: time, reason: z.string() }).nullable(),
  lock: z.object({ holder: z.string(), since: time, until: time, fence: z.number().int() }).nullable(),
  current: deploymentInfo.nullable(),
  queued: deploymentInfo.nullable(),
  /** What an undo would bring back. */
  rollback: z.number().int().nullable(),
  idle: z
    .array(z.string())
    .describe('services of the current release that do not run all the time: migrations, and what is scaled to none'),
  targets: z.array(targetInfo),
});
export type EnvironmentStatus = z.infer<typeof environmentStatus>;
