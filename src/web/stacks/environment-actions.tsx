import { ArrowRight, Pause, Play, Rocket, Undo2 } from 'lucide-react';
import { useState } from 'react';
import type { EnvironmentStatus } from '../../api/deployments.ts';
import type { EnvironmentInfo, StackInfo } from '../../api/stacks.ts';
import { Button } from '../kit/button.tsx';
import { ConfirmDialog, Dialog } from '../kit/dialog.tsx';
import { TextField } from '../kit/field.tsx';
import { Form, useAction } from '../kit/form.tsx';
import { useWords } from '../kit/words.tsx';
import { server } from '../server.ts';
import { boardWords } from './board-words.ts';
import { DeployDialog } from './deploy-dialog.tsx';
import { PromoteDialog } from './promote-dialog.tsx';
import { type EnvironmentPlace, rightsOf, stackChanged } from './queries.ts';
import { RollbackDialog } from './rollback-dialog.tsx';
import { stackWords } from './words.ts';

/** What can be done in an environment; nothing for who may only look. */
export function EnvironmentActions({
  place,
  stack,
  environment,
  environments,
  status,
  next,
  nextStatus,
}: {
  place: EnvironmentPlace;
  stack: StackInfo;
  environment: EnvironmentInfo;
  environments: readonly EnvironmentInfo[];
  status: EnvironmentStatus | undefined;
  /** Where it is promoted to. */
  next: EnvironmentInfo | undefined;
  nextStatus: EnvironmentStatus | undefined;
}) {
  const words = useWords(boardWords);
  const names = useWords(stackWords);
  const [open, setOpen] = useState<'deploy' | 'promote' | 'rollback' | 'hold' | 'resume' | undefined>(undefined);
  const close = () => setOpen(undefined);
  if (!rightsOf(stack).deploy) return null;
  const held = status === undefined ? environment.hold !== null : status.hold !== null;
  const nothing = status === undefined || status.current === null;
  const { environment: name } = place;
  return (
    <div className="flex flex-wrap gap-2">
      <Button kind="primary" onClick={() => setOpen('deploy')}>
        <Rocket className="size-4" aria-hidden="true" />
        <span>
          {words.deployButton}
          <span className="sr-only">{words.deployTo(name)}</span>
          {words.ellipsis}
        </span>
      </Button>
      {next !== undefined && (
        <Button disabled={nothing} onClick={() => setOpen('promote')}>
          <ArrowRight className="size-4" aria-hidden="true" />
          {names.promote(next.name)}
          {words.ellipsis}
        </Button>
      )}
      <Button
        disabled={nothing}
        {...(nothing && status !== undefined ? { title: words.nothingToRollBack } : {})}
        onClick={() => setOpen('rollback')}
      >
        <Undo2 className="size-4" aria-hidden="true" />
        <span>
          {words.rollbackButton}
          <span className="sr-only">{words.ofEnvironment(name)}</span>
          {words.ellipsis}
        </span>
      </Button>
      <Button onClick={() => setOpen(held ? 'resume' : 'hold')}>
        {held ? <Play className="size-4" aria-hidden="true" /> : <Pause className="size-4" aria-hidden="true" />}
        <span>
          {held ? words.resumeButton : words.holdButton}
          <span className="sr-only">{words.ofEnvironment(name)}</span>
          {words.ellipsis}
        </span>
      </Button>
      {open === 'deploy' && <DeployDialog {...{ place, stack, environment, status }} onClose={close} />}
      {open === 'promote' && next !== undefined && (
        <PromoteDialog
          place={{ ...place, environment: next.name }}
          stack={stack}
          from={name}
          environments={environments}
          status={nextStatus}
          onClose={close}
        />
      )}
      {open === 'rollback' && status !== undefined && <RollbackDialog {...{ place, stack, status }} onClose={close} />}
      {open === 'hold' && <HoldDialog place={place} onClose={close} />}
      {open === 'resume' && <ResumeDialog place={place} onClose={close} />}
    </div>
  );
}

function HoldDialog({ place, onClose }: { place: EnvironmentPlace; onClose: () => void }) {
  const words = useWords(boardWords);
  const names = useWords(stackWords);
  const [reason, setReason] = useState('');
  const hold = useAction(
    () => server.environments.hold(place, reason),
    async () => {
      await stackChanged(place);
      onClose();
    },
  );
  return (
    <Dialog open onClose={onClose} title={words.holdTitle(place.environment)} description={words.holdWhat}>
      <Form
        onSend={() => hold.run(undefined)}
        action={words.holdTitle(place.environment)}
        busy={hold.busy}
        problem={hold.problem}
        extra={<Button onClick={onClose}>{names.cancel}</Button>}
      >
        <TextField
          label={words.holdReason}
          value={reason}
          maxLength={500}
          onChange={(event) => setReason(event.target.value)}
        />
      </Form>
    </Dialog>
  );
}

function ResumeDialog({ place, onClose }: { place: EnvironmentPlace; onClose: () => void }) {
  const words = useWords(boardWords);
  const resume = useAction(
    () => server.environments.resume(place),
    async () => {
      await stackChanged(place);
      onClose();
    },
  );
  return (
    <ConfirmDialog
      open
      danger={false}
      onClose={onClose}
      title={words.resumeTitle(place.environment)}
      action={words.resumeTitle(place.environment)}
      busy={resume.busy}
      problem={resume.problem}
      onConfirm={() => resume.run(undefined)}
    >
      <p>{words.resumeWhat}</p>
    </ConfirmDialog>
  );
}
