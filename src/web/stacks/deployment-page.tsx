import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import type { DeploymentInfo } from '../../api/deployments.ts';
import type { StackInfo } from '../../api/stacks.ts';
import { Button } from '../kit/button.tsx';
import { classes } from '../kit/classes.ts';
import { ConfirmDialog } from '../kit/dialog.tsx';
import { useAction } from '../kit/form.tsx';
import { Section } from '../kit/page.tsx';
import { EmptyState } from '../kit/states.tsx';
import { useWords } from '../kit/words.tsx';
import { deploymentLink } from '../places.ts';
import { server } from '../server.ts';
import { boardWords } from './board-words.ts';
import { DeploymentChanges } from './deployment-changes.tsx';
import { DeploymentFacts, Timeline } from './deployment-facts.tsx';
import { type DeploymentState, isCancellable, STATE_TONES, stateOf } from './deployment-state.ts';
import { deploymentWords } from './deployment-words.ts';
import {
  type EnvironmentPlace,
  rightsOf,
  stackChanged,
  useDeployment,
  useEnvironmentPlace,
  usePlaceNumber,
  useStack,
  useStatus,
} from './queries.ts';
import { RollbackDialog } from './rollback-dialog.tsx';
import { EnvironmentFrame, Fresh } from './stack-frame.tsx';
import { STATE_SIGNS } from './state-badge.tsx';
import { TargetItem } from './target-progress.tsx';
import { plainText } from './terminal-text.ts';
import { stackWords } from './words.ts';

/** A deployment: where it is, on each server, until its end; and what became of it. */
export function DeploymentPage() {
  const words = useWords(deploymentWords);
  const names = useWords(stackWords);
  const place = useEnvironmentPlace();
  const number = usePlaceNumber();
  const stack = useStack(place);
  const status = useStatus(place);
  const deployment = useDeployment(place, number === 0 ? null : number, status.data?.current?.number);
  const title = words.title(number, place.environment);
  return (
    <EnvironmentFrame
      place={place}
      part="deployment"
      title={`${title} · ${place.name}`}
      heading={title}
      actions={
        stack.data !== undefined &&
        deployment.data !== undefined && (
          <DeploymentActions place={place} stack={stack.data} deployment={deployment.data} />
        )
      }
    >
      {number === 0 ? (
        <EmptyState title={names.noSuchNumber} />
      ) : (
        <Fresh query={deployment} rows={3} height="h-32">
          {(found) => <Deployment place={place} deployment={found} current={status.data?.current?.number} />}
        </Fresh>
      )}
    </EnvironmentFrame>
  );
}

function Deployment({
  place,
  deployment,
  current,
}: {
  place: EnvironmentPlace;
  deployment: DeploymentInfo;
  current: number | undefined;
}) {
  const words = useWords(deploymentWords);
  const rollback = useDeployment(place, deployment.rolledBackBy).data;
  const state = stateOf(deployment, { rollback, current });
  const { targets, environment, number } = deployment;
  return (
    <>
      <Headline place={place} deployment={deployment} state={state} current={current} />
      <Section title={words.targets}>
        {targets.length === 0 ? (
          <p className="text-muted">{words.noTargets}</p>
        ) : (
          <ul className="grid grid-cols-1 gap-3">
            {targets.map((target) => (
              <TargetItem key={target.target} target={target} />
            ))}
          </ul>
        )}
      </Section>
      <div className="grid gap-x-8 lg:grid-cols-2">
        <Section title={words.changes}>
          <DeploymentChanges place={place} deployment={deployment} />
        </Section>
        <div>
          <Section title={words.timeline}>
            <Timeline deployment={deployment} />
          </Section>
          <Section title={words.facts}>
            <DeploymentFacts place={place} deployment={deployment} />
          </Section>
        </div>
      </div>
      {/* What changes is said aloud; bytes are not. */}
      <div role="status" aria-label={words.statusOf(environment, number)} className="sr-only">
        {[words.headlines[state], ...targets.map(({ target, phase }) => `${target}: ${words.phases[phase]}`)].join(
          '. ',
        )}
      </div>
    </>
  );
}

const TONES = {
  neutral: 'border-edge bg-surface',
  accent: 'border-accent bg-accent-soft',
  good: 'border-good bg-good-soft',
  warn: 'border-warn bg-warn-soft',
  bad: 'border-bad bg-bad-soft',
};

function Headline({
  place,
  deployment,
  state,
  current,
}: {
  place: EnvironmentPlace;
  deployment: DeploymentInfo;
  state: DeploymentState;
  current: number | undefined;
}) {
  const words = useWords(deploymentWords);
  const Sign = STATE_SIGNS[state];
  const { message, rolledBackBy, number } = deployment;
  const explanation = words.explanations[state];
  return (
    <div className={classes('mb-6 rounded-lg border-l-4 px-4 py-4', TONES[STATE_TONES[state]])}>
      <div className="flex items-start gap-3">
        <Sign
          className={classes('mt-0.5 size-6 shrink-0', state === 'progress' && 'animate-spin')}
          aria-hidden="true"
        />
        <div className="grid min-w-0 gap-1">
          <p data-status={state} className="text-lg font-semibold">
            {words.headlines[state]}
          </p>
          {message !== '' && <p className="wrap-anywhere">{plainText(message)}</p>}
          {explanation !== '' && <p className="text-sm">{explanation}</p>}
          {rolledBackBy !== null && (
            <p className="text-sm">
              {words.rolledBackBy}{' '}
              <Link className="text-accent underline" {...deploymentLink(place.name, place.environment, rolledBackBy)}>
                v{rolledBackBy}
              </Link>
            </p>
          )}
          {current !== undefined && (
            <p className="text-sm">
              {current === number ? (
                words.runsNow
              ) : (
                <Link className="text-accent underline" {...deploymentLink(place.name, place.environment, current)}>
                  {words.other(current)}
                </Link>
              )}
            </p>
          )}
        </div>
      </div>
    </div>
  );
}

function DeploymentActions({
  place,
  stack,
  deployment,
}: {
  place: EnvironmentPlace;
  stack: StackInfo;
  deployment: DeploymentInfo;
}) {
  const words = useWords(deploymentWords);
  const board = useWords(boardWords);
  const status = useStatus(place).data;
  const [open, setOpen] = useState<'cancel' | 'rollback' | undefined>(undefined);
  const close = () => setOpen(undefined);
  const cancel = useAction(
    () => server.deployments.cancel(place, deployment.number),
    async () => {
      close();
      await stackChanged(place);
    },
  );
  if (!rightsOf(stack).deploy) return null;
  const isCurrent = status?.current?.number === deployment.number;
  return (
    <>
      {isCancellable(deployment) && <Button onClick={() => setOpen('cancel')}>{words.cancel}</Button>}
      {isCurrent && (
        <Button onClick={() => setOpen('rollback')}>
          <span>
            {board.rollbackButton}
            <span className="sr-only">{board.ofEnvironment(place.environment)}</span>
            {board.ellipsis}
          </span>
        </Button>
      )}
      <ConfirmDialog
        open={open === 'cancel'}
        onClose={close}
        title={words.cancelTitle(deployment.number)}
        action={words.cancelTitle(deployment.number)}
        busy={cancel.busy}
        problem={cancel.problem}
        onConfirm={() => cancel.run(undefined)}
      >
        <p>{deployment.status === 'queued' ? words.cancelWaiting : words.cancelWhat}</p>
      </ConfirmDialog>
      {open === 'rollback' && status !== undefined && <RollbackDialog {...{ place, stack, status }} onClose={close} />}
    </>
  );
}
