import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { type ReactNode, useState } from 'react';
import type { z } from 'zod';
import type { DeploymentInfo, EnvironmentStatus, Plan, planBody } from '../../api/deployments.ts';
import { Button } from '../kit/button.tsx';
import { classes } from '../kit/classes.ts';
import { Dialog } from '../kit/dialog.tsx';
import { CheckField } from '../kit/field.tsx';
import { FormProblem, useAction } from '../kit/form.tsx';
import { Notice } from '../kit/page.tsx';
import { Skeleton } from '../kit/states.tsx';
import { useWords } from '../kit/words.tsx';
import { deploymentLink } from '../places.ts';
import { server } from '../server.ts';
import { Lines, PlanView } from './plan-view.tsx';
import { planWords } from './plan-words.ts';
import { type EnvironmentPlace, stackChanged, stackKey } from './queries.ts';
import { stackWords } from './words.ts';

export type Wish = z.input<typeof planBody>;

/** How often a plan that is looked at is made anew, ms: tags move, targets come and go. */
const ANEW_MS = 5_000;

/** What was shown is not what would happen any more. */
class PlanChanged extends Error {}

/**
 * Asks for something to be deployed. Whatever it is, its plan is shown first, and what was shown is what is done: a release that is there goes by its
 * number; for one that would be made, the plan is made once more, and shown again if it differs.
 *
 * @param wish undefined while it is not said what is wanted
 */
export function PlannedDialog({
  place,
  status,
  title,
  action,
  wish,
  reason = '',
  mayForce,
  children,
  onClose,
}: {
  place: EnvironmentPlace;
  status: EnvironmentStatus | undefined;
  title: string;
  action: string;
  wish: Wish | undefined;
  /** Of a rollback. */
  reason?: string;
  mayForce: boolean;
  children: ReactNode;
  onClose: () => void;
}) {
  const words = useWords(planWords);
  const names = useWords(stackWords);
  const navigate = useNavigate();
  const [force, setForce] = useState(false);
  const plan = useQuery({
    queryKey: stackKey(place, 'plan', place.environment, wish ?? {}),
    queryFn: () => server.environments.plan(place, wish ?? { kind: 'deploy' }),
    enabled: wish !== undefined,
    staleTime: 0,
    gcTime: 0,
    refetchInterval: ANEW_MS,
    placeholderData: keepPreviousData,
  });
  const start = useAction(
    async ({ wish, shown }: { wish: Wish; shown: Plan }) => begin(place, { wish, shown, reason, force }),
    async (deployment) => {
      onClose();
      await navigate(deploymentLink(place.name, place.environment, deployment.number));
      await stackChanged(place);
    },
  );
  const changed = start.problem instanceof PlanChanged;
  const shown = wish === undefined || plan.isPlaceholderData || plan.error !== null ? undefined : plan.data;
  const drawn = wish === undefined || plan.error !== null ? undefined : plan.data;
  const refused = shown !== undefined && shown.refusals.length > 0;
  const ready = shown !== undefined && (!refused || force);
  const { lock } = status ?? {};
  return (
    <Dialog
      open
      wide
      onClose={onClose}
      title={title}
      footer={
        <>
          <Button onClick={onClose}>{names.cancel}</Button>
          <Button
            kind={refused ? 'danger' : 'primary'}
            disabled={!ready}
            busy={start.busy}
            onClick={() => {
              if (shown === undefined || wish === undefined) return;
              start.run({ wish, shown }, { onError: (error) => void (error instanceof PlanChanged && plan.refetch()) });
            }}
          >
            {action}
          </Button>
        </>
      }
    >
      <div className="grid gap-5">
        {lock != null && (
          <Notice tone="warn">
            {wish?.kind === 'rollback' ? words.lockedRollback(lock.holder) : words.locked(lock.holder)}
          </Notice>
        )}
        {children}
        {/* A plan takes a moment: the one before is there, pale, until then, so that nothing jumps. */}
        <div
          className={classes('min-h-40', drawn !== undefined && shown === undefined && 'opacity-50')}
          aria-busy={wish !== undefined && shown === undefined && plan.error === null}
        >
          {wish !== undefined && plan.error !== null && <FormProblem problem={plan.error} />}
          {wish !== undefined && plan.error === null && drawn === undefined && <Skeleton rows={3} height="h-14" />}
          {drawn !== undefined && <PlanView plan={drawn} />}
        </div>
        {refused && (
          <Notice tone="bad" title={words.refused}>
            <Lines lines={shown.refusals} />
            {mayForce ? (
              <CheckField
                label={words.force}
                hint={words.forceHint}
                checked={force}
                onChange={(event) => setForce(event.target.checked)}
              />
            ) : (
              <p>{words.forceNeedsAdmin}</p>
            )}
          </Notice>
        )}
        <div role="status">
          {changed && (
            <Notice tone="warn" title={words.changedMeanwhile}>
              {words.changedMeanwhileWhat}
            </Notice>
          )}
        </div>
        {!changed && <FormProblem problem={start.problem} />}
      </div>
    </Dialog>
  );
}

async function begin(
  place: EnvironmentPlace,
  { wish, shown, reason, force: wanted }: { wish: Wish; shown: Plan; reason: string; force: boolean },
): Promise<DeploymentInfo> {
  // Asked for where it is needed alone, so that it overrides nothing that was not shown.
  const force = wanted && shown.refusals.length > 0;
  switch (wish.kind) {
    case 'deploy': {
      if (shown.release !== null) return server.deployments.deploy(place, { release: shown.release, force });
      const now = await server.environments.plan(place, wish);
      if (contentOf(now) !== contentOf(shown)) throw new PlanChanged();
      const { kind: _, ...body } = wish;
      return server.deployments.deploy(place, { ...body, force });
    }
    case 'promote': {
      const from = wish.from === undefined ? {} : { from: wish.from };
      const release = shown.release === null ? {} : { release: shown.release };
      return server.deployments.promote(place, { ...from, ...release, force });
    }
    case 'rollback': {
      const { kind: _, ...body } = wish;
      const to = shown.restores === null ? {} : { to: shown.restores };
      return server.deployments.rollback(place, { ...body, ...to, reason, force });
    }
  }
}

/** What of a plan must be as it was shown. */
function contentOf({ changes, variables, configVersion, refusals }: Plan): string {
  return JSON.stringify([changes, variables, configVersion, refusals]);
}
