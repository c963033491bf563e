/** How a command ended; docs/reference/exit-codes.md says each to the person who writes a script. */
export const EXIT = {
  ok: 0,
  /** It could not be done. */
  error: 1,
  /** The command line was wrong. */
  usage: 2,
  /** The deployment failed, and what ran before runs again. */
  rolledBack: 3,
  /** The deployment failed, and what ran before does not run. */
  failed: 4,
  /** A policy refuses it. */
  refused: 5,
  /** Somebody else holds the environment. */
  locked: 6,
  /** Waiting took too long, as `timeout` has it. */
  timedOut: 124,
  /** Control-C, as shells have it. */
  interrupted: 130,
} as const;
