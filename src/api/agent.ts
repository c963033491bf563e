import { z } from 'zod';
import { pullProgress, runningService, targetPhase } from './deployments.ts';
import { composeText, digestText } from './stacks.ts';

/*
 * What an agent and the server tell each other. The agent asks; the server never connects to it.
 *
 * GET  /api/v1/agent/state   the wanted state; ETag, If-None-Match → 304
 * GET  /api/v1/agent/events  server-sent events: `state`, whenever the wanted state has another ETag; a hint, never needed
 * POST /api/v1/agent/report  what happened and what runs
 */

export const wantedImage = z.object({ repository: z.string(), digest: digestText });

/** A deployment as a target needs it. Everything in it is fixed: the same number never has another content. */
export const wantedDeployment = z.object({
  number: z.number().int(),
  /** As it was given to `berth stack create`; `src/compose/render.ts` puts the images in. */
  file: composeText,
  images: z
    .record(z.string(), wantedImage)
    .describe('by service; services whose image is of another registry are not in it'),
  variables: z
    .record(z.string(), z.string())
    .describe('also the secrets: never logged, kept readable for the agent alone'),
});
export type WantedDeployment = z.infer<typeof wantedDeployment>;

export const wantedState = z.object({
  target: z.string(),
  stack: z.string().describe('`alice/shop`'),
  environment: z.string(),
  /** The compose project: `shop-test`. */
  project: z.string(),
  /** null: nothing was deployed yet, and nothing is to be done. */
  deployment: wantedDeployment.nullable(),
  /** What the agent goes back to when that one fails, by number; null when there is none. */
  stable: wantedDeployment.nullable(),
  /** Numbers of deployments that failed somewhere: never to be begun. */
  failed: z.array(z.number().int()),
  /** Digests that this target must keep: of deployments that may be rolled back to. */
  keep: z.array(digestText),
  timings: z.object({
    watchMs: z.number().int().describe('how long healthy containers are watched before they are called stable'),
    pollMs: z.number().int().describe('how often to ask, with the events away'),
    reportMs: z.number().int().describe('how often at least to say that one is there'),
  }),
  now: z.number().int().describe("the server's clock, ms since 1970"),
});
export type WantedState = z.infer<typeof wantedState>;

/** What of a deployment happened; only what differs from the last report that was taken. */
export const deploymentReport = z.strictObject({
  number: z.number().int(),
  phase: targetPhase,
  pull: pullProgress.optional(),
  error: z.string().max(2_000).optional(),
  warnings: z.array(z.string().max(500)).max(50).optional(),
  log: z.string().max(20_000).optional(),
  /** Of `reverting`, `reverted` and `revert-failed`: what it went back to. */
  revertedTo: z.number().int().optional(),
  /** Whether the failure is the release's (unhealthy, exited) rather than the place's (pull, disk, engine). */
  blame: z.enum(['release', 'place']).optional(),
});
export type DeploymentReport = z.infer<typeof deploymentReport>;

export const agentReport = z.strictObject({
  agentVersion: z.string().max(100).optional(),
  engine: z.string().max(200).optional(),
  /** The target's clock when it sent this, ms since 1970. */
  now: z.number().int(),
  deployment: deploymentReport.optional(),
  /** Absent: nothing changed. null: the engine could not be asked, which says nothing of what runs. */
  services: z.array(runningService).max(500).nullable().optional(),
});
export type AgentReport = z.infer<typeof agentReport>;
