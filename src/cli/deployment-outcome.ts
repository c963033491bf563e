import type { DeploymentInfo } from '../api/deployments.ts';
import { EXIT } from './exit.ts';

/** What is waited for: that everything runs and is healthy, or that it stayed so through the watch. */
export const WAIT_FOR = ['healthy', 'stable'] as const;
export type WaitFor = (typeof WAIT_FOR)[number];

/** How a deployment ended. */
export interface Outcome {
  code: number;
  /** In a line, for people. */
  text: string;
}

/** What else has to be known of a deployment. */
export interface Surroundings {
  /** The deployment that undoes it, where there is one. */
  rollback: DeploymentInfo | undefined;
  /** The deployment that the targets are to run; undefined: not known. */
  current: number | null | undefined;
}

const BACK = 'what ran before runs again';

/** How it ended; undefined while it is under way. */
export function outcomeOf(
  deployment: DeploymentInfo,
  until: WaitFor,
  { rollback, current }: Surroundings,
): Outcome | undefined {
  switch (deployment.status) {
    case 'queued':
    case 'in_progress':
    case 'rolling_back':
      return undefined;
    case 'success':
      return until === 'healthy' || deployment.stable
        ? { code: EXIT.ok, text: deployment.stable ? 'success, stable' : 'success' }
        : beforeStable(deployment, rollback, current);
    case 'rolled_back':
      return { code: EXIT.rolledBack, text: `failed and was rolled back${by(deployment)}: ${BACK}` };
    case 'failure':
    case 'error':
      return failure(deployment, rollback);
    case 'cancelled':
      return { code: EXIT.error, text: 'was cancelled' };
    case 'superseded':
      return { code: EXIT.error, text: 'was superseded' };
  }
}

/** A deployment that was healthy may be undone, or replaced, in its watch. */
function beforeStable(
  deployment: DeploymentInfo,
  rollback: DeploymentInfo | undefined,
  current: number | null | undefined,
): Outcome | undefined {
  if (deployment.rolledBackBy !== null) {
    if (rollback === undefined || isUnderWay(rollback)) return undefined;
    return { code: EXIT.rolledBack, text: `was rolled back${by(deployment)} before it was stable` };
  }
  if (current === undefined || current === deployment.number) return undefined;
  return { code: EXIT.error, text: 'was superseded before it was stable' };
}

function failure(deployment: DeploymentInfo, rollback: DeploymentInfo | undefined): Outcome | undefined {
  const { status, finishedAt, rolledBackBy, targets } = deployment;
  if (finishedAt === null) return undefined;
  // A target that has begun with the rollback reports of that alone: it may stay `reverting` here.
  if (rolledBackBy !== null) {
    if (rollback === undefined || isUnderWay(rollback)) return undefined;
    return rollback.status === 'success'
      ? { code: EXIT.rolledBack, text: `failed and was rolled back${by(deployment)}: ${BACK}` }
      : { code: EXIT.failed, text: `failed, and so did its rollback, v${rolledBackBy}: ${rollback.status}` };
  }
  if (targets.some(({ phase }) => phase === 'reverting')) return undefined;
  if (targets.length > 0 && targets.every(({ phase }) => phase === 'reverted')) {
    return { code: EXIT.rolledBack, text: `failed and was rolled back: ${BACK}` };
  }
  return {
    code: EXIT.failed,
    text: `${status === 'error' ? 'ended with an error' : 'failed'} and was not rolled back`,
  };
}

function by({ rolledBackBy }: DeploymentInfo): string {
  return rolledBackBy === null ? '' : ` by v${rolledBackBy}`;
}

function isUnderWay({ status, finishedAt }: DeploymentInfo): boolean {
  return finishedAt === null && ['queued', 'in_progress', 'rolling_back'].includes(status);
}
