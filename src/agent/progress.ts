import { z } from 'zod';
import { type TargetPhase, targetPhase } from '../api/deployments.ts';

/** Where the agent is with one deployment; see `state-machine.md`. */
export const attempt = z.object({
  number: z.number().int(),
  phase: targetPhase,
  /** Its migrations ended well. */
  migrated: z.boolean().default(false),
  /** What was wanted to run here when it began: the last resort of a revert. */
  base: z.number().int().nullable(),
  /** Services whose containers the switch, or the revert, has begun to replace. */
  touched: z.array(z.string()).default([]),
  warnings: z.array(z.string()).default([]),
  error: z.string().optional(),
  log: z.string().optional(),
  blame: z.enum(['release', 'place']).optional(),
  revertedTo: z.number().int().optional(),
});
export type Attempt = z.infer<typeof attempt>;

/** Nothing follows them but another deployment. */
export const ENDS: readonly TargetPhase[] = ['stable', 'reverted', 'failed', 'revert-failed'];
/** Phases in which no container has been changed yet. */
export const BEFORE_SWITCHING: readonly TargetPhase[] = ['pending', 'pulling', 'pulled', 'migrating'];

/** All that the agent must know after it was killed; `progress.json`. */
export const progress = z.object({
  stack: z.string(),
  environment: z.string(),
  project: z.string(),
  attempt: attempt.nullable(),
  /** The deployment whose file says what is on this host; null: none, or parts of two. */
  serving: z.number().int().nullable(),
  /** Containers are being replaced, or were left so: no deployment's file says what is on this host. */
  mixed: z.boolean(),
  /** The last that was healthy here through the watch. */
  stable: z.number().int().nullable(),
  /** Never begun again. */
  failed: z.array(z.number().int()),
});
export type Progress = z.infer<typeof progress>;
