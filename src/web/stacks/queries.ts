import { useQueries, useQuery } from '@tanstack/react-query';
import { useParams } from '@tanstack/react-router';
import type { DeploymentInfo, EnvironmentStatus } from '../../api/deployments.ts';
import type { StackInfo } from '../../api/stacks.ts';
import type { EnvironmentName } from '../../client/environments.ts';
import { ApiError, ServerUnreachableError } from '../../client/errors.ts';
import type { StackName } from '../../client/stacks.ts';
import { queries, server } from '../server.ts';
import { isMoving, stateOf } from './deployment-state.ts';

/** How often it is asked while something is under way, and else, in ms. */
const MOVING_MS = 1_000;
const RESTING_MS = 5_000;
const AWAY_MS = 3_000;

export interface StackPlace extends StackName {
  /** `alice/shop` */
  name: string;
}

export interface EnvironmentPlace extends StackPlace, EnvironmentName {}

/** The stack of the address. */
export function useStackPlace(): StackPlace {
  const { namespace = '', stack = '' } = useParams({ strict: false });
  return { namespace, stack, name: `${namespace}/${stack}` };
}

/** The environment of the address. */
export function useEnvironmentPlace(): EnvironmentPlace {
  const place = useStackPlace();
  const { environment = '' } = useParams({ strict: false });
  return { ...place, environment };
}

/** The release's or deployment's number of the address; 0 for what is no number. */
export function usePlaceNumber(): number {
  const { number = '' } = useParams({ strict: false });
  const found = /^v?(\d{1,9})$/.exec(number);
  return Number(found?.[1] ?? 0);
}

/** Where what is known of a stack is kept. */
export function stackKey(place: StackName, ...rest: readonly (string | number | object)[]) {
  return ['stacks', `${place.namespace}/${place.stack}`, ...rest] as const;
}

export const STACKS_KEY = ['stacks', 'list'] as const;

/** Something of a stack was changed: all that is known of it is asked for anew. */
export async function stackChanged(place: StackName): Promise<void> {
  await queries.invalidateQueries({ queryKey: stackKey(place) });
  await queries.invalidateQueries({ queryKey: STACKS_KEY });
}

/** ms until it is asked again; false for what is there no more. */
function pace(error: unknown, moving: boolean): number | false {
  if (error instanceof ServerUnreachableError) return AWAY_MS;
  if (error instanceof ApiError && error.status < 500) return false;
  return moving ? MOVING_MS : RESTING_MS;
}

export function useStack(place: StackName) {
  return useQuery({
    queryKey: stackKey(place, 'info'),
    queryFn: () => server.stacks.get(place),
    refetchInterval: ({ state }) => pace(state.error, false),
  });
}

export function useEnvironments(place: StackName) {
  return useQuery({
    queryKey: stackKey(place, 'environments'),
    queryFn: () => server.environments.list(place),
    refetchInterval: ({ state }) => pace(state.error, false),
  });
}

function statusQuery(place: EnvironmentName, restingMs = RESTING_MS) {
  return {
    queryKey: stackKey(place, 'status', place.environment),
    queryFn: () => server.environments.status(place),
    refetchInterval: ({ state }: { state: { data: EnvironmentStatus | undefined; error: unknown } }) => {
      const often = pace(state.error, state.data !== undefined && isEnvironmentMoving(state.data));
      return often === RESTING_MS ? restingMs : often;
    },
  };
}

/** What is wanted and what really runs, kept fresh while the page is looked at. */
export function useStatus(place: EnvironmentName, restingMs?: number) {
  return useQuery<EnvironmentStatus>(statusQuery(place, restingMs));
}

/** As `useStatus`, for several environments of a stack; without those that are not known yet. */
export function useStatuses(place: StackName, environments: readonly string[]): ReadonlyMap<string, EnvironmentStatus> {
  const found = useQueries({ queries: environments.map((environment) => statusQuery({ ...place, environment })) });
  return new Map(found.flatMap(({ data }) => (data === undefined ? [] : [[data.environment, data] as const])));
}

/** Whether more will come within seconds. A watch with nobody there waits for them, which may be long. */
export function isEnvironmentMoving({ current, queued, targets }: EnvironmentStatus): boolean {
  const state = current === null ? undefined : stateOf(current, { current: current.number });
  if (state === 'watched') return targets.some(({ online }) => online);
  return (state !== undefined && isMoving(state)) || (queued !== null && targets.some(({ online }) => online));
}

/** Its images never change; its version and where it is revoked do, seldom. */
export function useRelease(place: StackName, number: number) {
  return useQuery({
    queryKey: stackKey(place, 'release', number),
    queryFn: () => server.releases.get(place, number),
    staleTime: 30_000,
  });
}

/** @param current the deployment that the environment is to run, where it is known */
export function useDeployment(place: EnvironmentName, number: number | null, current?: number | null) {
  return useQuery({
    queryKey: stackKey(place, 'deployment', place.environment, number ?? 0),
    queryFn: () => server.deployments.get(place, number ?? 0),
    enabled: number !== null,
    refetchInterval: ({ state: { data, error } }) => pace(error, data !== undefined && isFollowed(data, current)),
  });
}

/** Whether a deployment has not come to its end, its watch included. */
function isFollowed(deployment: DeploymentInfo, current: number | null | undefined): boolean {
  return isMoving(stateOf(deployment, { current })) || deployment.targets.some(({ phase }) => phase === 'reverting');
}

/** What the caller may do in a stack. Nothing while that is not known. */
export function rightsOf(stack: Pick<StackInfo, 'role'> | undefined): { deploy: boolean; administer: boolean } {
  return { deploy: stack !== undefined && stack.role !== 'read', administer: stack?.role === 'admin' };
}
