import type { DeploymentInfo, TargetPhase } from '../../api/deployments.ts';
import type { Tone } from '../kit/badge.tsx';

/** How it is with a deployment, in the words of people rather than of the API: one that was healthy may be undone, or replaced, later. */
export type DeploymentState =
  | 'queued'
  | 'progress'
  /** Healthy; its watch has not ended. */
  | 'watched'
  | 'stable'
  /** Was healthy, and another took its place before its watch ended. */
  | 'replaced'
  | 'undone'
  | 'going-back'
  /** Failed; what ran before runs again. */
  | 'rolled-back'
  /** Failed, and nothing brought the service back. */
  | 'failed'
  /** Nobody answers: what runs is unknown. */
  | 'unknown'
  | 'cancelled'
  | 'superseded';

export interface Surroundings {
  /** What undoes it; undefined where there is none or it is not known. */
  rollback?: Pick<DeploymentInfo, 'status'> | undefined;
  /** The deployment that the environment is to run; undefined: not known. */
  current?: number | null | undefined;
}

export function stateOf(deployment: DeploymentInfo, { rollback, current }: Surroundings = {}): DeploymentState {
  const { status, stable, rolledBackBy, number, targets } = deployment;
  switch (status) {
    case 'queued':
      return 'queued';
    case 'in_progress':
      return 'progress';
    case 'rolling_back':
      return 'going-back';
    case 'rolled_back':
      return 'rolled-back';
    case 'success':
      if (rolledBackBy !== null) return 'undone';
      if (stable) return 'stable';
      return current === undefined || current === number ? 'watched' : 'replaced';
    case 'failure':
      if (rollback !== undefined) {
        if (rollback.status === 'success' || rollback.status === 'rolled_back') return 'rolled-back';
        return isUnderWay(rollback) ? 'going-back' : 'failed';
      }
      if (targets.some(({ phase }) => phase === 'reverting')) return 'going-back';
      return targets.length > 0 && targets.every(({ phase }) => phase === 'reverted') ? 'rolled-back' : 'failed';
    case 'error':
      return 'unknown';
    case 'cancelled':
    case 'superseded':
      return status;
  }
}

export const STATE_TONES: Record<DeploymentState, Tone> = {
  queued: 'neutral',
  progress: 'accent',
  watched: 'good',
  stable: 'good',
  replaced: 'neutral',
  undone: 'warn',
  'going-back': 'warn',
  'rolled-back': 'warn',
  failed: 'bad',
  unknown: 'bad',
  cancelled: 'neutral',
  superseded: 'neutral',
};

/** Whether more will come of it within seconds. */
export function isMoving(state: DeploymentState): boolean {
  return ['queued', 'progress', 'watched', 'going-back'].includes(state);
}

function isUnderWay({ status }: Pick<DeploymentInfo, 'status'>): boolean {
  return ['queued', 'in_progress', 'rolling_back'].includes(status);
}

/** Whether it can be cancelled: it waits, or has the environment and brings nothing back. */
export function isCancellable({ status, undoes }: Pick<DeploymentInfo, 'status' | 'undoes'>): boolean {
  return status === 'queued' || (status === 'in_progress' && undoes === null);
}

export const PHASE_TONES: Record<TargetPhase, Tone> = {
  pending: 'neutral',
  pulling: 'accent',
  pulled: 'accent',
  migrating: 'accent',
  switching: 'accent',
  monitoring: 'good',
  stable: 'good',
  reverting: 'warn',
  reverted: 'warn',
  failed: 'bad',
  'revert-failed': 'bad',
};
