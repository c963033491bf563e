import type { EnvironmentStatus, RunningService, TargetInfo } from '../../api/deployments.ts';
import type { ReleaseImage } from '../../api/releases.ts';
import type { Tone } from '../kit/badge.tsx';

/** What of a service runs on a target, against what is wanted. */
export type Verdict =
  | 'as-wanted'
  | 'starting'
  | 'unhealthy'
  /** Another image than the wanted one. */
  | 'differs'
  | 'missing'
  /** A migration, or scaled to none: nothing of it is to run. */
  | 'idle'
  /** Its image is of another registry; its digest stands in the compose file. */
  | 'elsewhere'
  /** The target's engine has not said. */
  | 'unknown';

export interface ServiceRow {
  service: string;
  wanted: ReleaseImage | undefined;
  running: RunningService | undefined;
  verdict: Verdict;
}

type Wanted = Pick<EnvironmentStatus, 'current' | 'idle'>;

/** Services that are wanted, and those that run though they are not. */
export function serviceRows(target: Pick<TargetInfo, 'services'>, { current, idle }: Wanted): ServiceRow[] {
  const wanted = new Map((current?.images ?? []).map((image) => [image.service, image]));
  const running = new Map((target.services ?? []).map((service) => [service.service, service]));
  return [...new Set([...wanted.keys(), ...running.keys()])].map((service) => {
    const row = { service, wanted: wanted.get(service), running: running.get(service) };
    if (target.services === null) return { ...row, verdict: 'unknown' };
    return { ...row, verdict: verdictOf(row.wanted, row.running, idle.includes(service)) };
  });
}

function verdictOf(wanted: ReleaseImage | undefined, running: RunningService | undefined, idle: boolean): Verdict {
  if (idle) return 'idle';
  if (running === undefined || running.containers === 0) return 'missing';
  if (running.health === 'stopped' || running.health === 'unhealthy') return 'unhealthy';
  if (wanted === undefined) return 'elsewhere';
  if (running.digest !== wanted.digest) return 'differs';
  return running.health === 'starting' ? 'starting' : 'as-wanted';
}

export const VERDICT_TONES: Record<Verdict, Tone> = {
  'as-wanted': 'good',
  starting: 'accent',
  unhealthy: 'bad',
  differs: 'warn',
  missing: 'bad',
  idle: 'neutral',
  elsewhere: 'neutral',
  unknown: 'neutral',
};

/** Whether everything that is wanted runs there, as its engine says. */
export function isHealthy(target: TargetInfo, wanted: Wanted): boolean {
  if (!target.online || target.services === null) return false;
  return serviceRows(target, wanted).every(({ verdict }) => ['as-wanted', 'idle', 'elsewhere'].includes(verdict));
}

/** Of the targets that are not revoked. */
export function countTargets(status: EnvironmentStatus): { all: number; online: number; healthy: number } {
  const there = status.targets.filter(({ revokedAt }) => revokedAt === null);
  return {
    all: there.length,
    online: there.filter(({ online }) => online).length,
    healthy: there.filter((target) => isHealthy(target, status)).length,
  };
}

/** What a clock may be off without anything to notice, ms. */
export const CLOCK_TOLERANCE_MS = 30_000;
