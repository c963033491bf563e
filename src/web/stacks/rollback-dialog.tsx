import { useInfiniteQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import type { EnvironmentStatus } from '../../api/deployments.ts';
import type { StackInfo } from '../../api/stacks.ts';
import type { EnvironmentName } from '../../client/environments.ts';
import { Button } from '../kit/button.tsx';
import { CheckField, SelectField, TextField } from '../kit/field.tsx';
import { FormProblem } from '../kit/form.tsx';
import { useWords } from '../kit/words.tsx';
import { server } from '../server.ts';
import { Choices } from './choices.tsx';
import { imagesLine } from './image-text.tsx';
import { planWords } from './plan-words.ts';
import { PlannedDialog, type Wish } from './planned-dialog.tsx';
import { type EnvironmentPlace, rightsOf, stackKey } from './queries.ts';
import { stackWords } from './words.ts';

type Way = 'last' | 'chosen';

export function RollbackDialog({
  place,
  stack,
  status,
  onClose,
}: {
  place: EnvironmentPlace;
  stack: StackInfo;
  status: EnvironmentStatus;
  onClose: () => void;
}) {
  const words = useWords(planWords);
  const names = useWords(stackWords);
  const { rollback: last, current } = status;
  const [wanted, setWanted] = useState<Way>();
  const [chosen, setChosen] = useState<number>();
  // What is known of the environment may be of a moment ago when this is opened: until somebody chooses, it follows.
  const way = wanted ?? (last === null ? 'chosen' : 'last');
  const to = chosen === current?.number ? undefined : chosen;
  const [keepConfig, setKeepConfig] = useState(false);
  const [reason, setReason] = useState('');
  const wish = wishOf(way, last, to);
  return (
    <PlannedDialog
      place={place}
      status={status}
      title={names.rollBack(place.environment)}
      action={names.rollBack(place.environment)}
      wish={wish === undefined ? undefined : { ...wish, keepConfig }}
      reason={reason}
      mayForce={rightsOf(stack).administer}
      onClose={onClose}
    >
      <Choices
        label={words.rollbackTo}
        value={way}
        onValue={setWanted}
        choices={[
          {
            value: 'last',
            label: last === null ? words.rollbackNone : words.rollbackLast(last),
            disabled: last === null,
          },
          {
            value: 'chosen',
            label: words.rollbackChoose,
            more: <DeploymentChoice place={place} current={current?.number} value={to} onValue={setChosen} />,
          },
        ]}
      />
      <CheckField
        label={words.keepConfig}
        hint={words.keepConfigHint}
        checked={keepConfig}
        onChange={(event) => setKeepConfig(event.target.checked)}
      />
      <TextField
        label={words.reason}
        hint={words.reasonHint}
        value={reason}
        maxLength={500}
        onChange={(event) => setReason(event.target.value)}
      />
      <div className="grid gap-1 text-sm text-muted">
        {current !== null && <p>{words.rollbackUndoes(current.number)}</p>}
        <p>{words.dataStays}</p>
      </div>
    </PlannedDialog>
  );
}

function wishOf(way: Way, last: number | null, to: number | undefined): (Wish & { kind: 'rollback' }) | undefined {
  const wanted = way === 'last' ? (last ?? undefined) : to;
  return wanted === undefined ? undefined : { kind: 'rollback', to: wanted };
}

/** The deployments of an environment, newest first, as many as were asked for. */
export function useDeployments(place: EnvironmentName, size: number, often = false) {
  return useInfiniteQuery({
    queryKey: stackKey(place, 'deployments', place.environment, size),
    queryFn: ({ pageParam }) =>
      server.deployments.page(place, { n: String(size), ...(pageParam && { last: pageParam }) }),
    initialPageParam: '',
    getNextPageParam: ({ next }) => next ?? undefined,
    ...(often ? { refetchInterval: 5_000 } : {}),
  });
}

/** Those that can be brought back. */
function DeploymentChoice({
  place,
  current,
  value,
  onValue,
}: {
  place: EnvironmentName;
  current: number | undefined;
  value: number | undefined;
  onValue: (deployment: number) => void;
}) {
  const words = useWords(planWords);
  const names = useWords(stackWords);
  const query = useDeployments(place, 50);
  const found = (query.data?.pages.flatMap((page) => page.deployments) ?? []).filter(
    ({ restorable, number }) => restorable && number !== current,
  );
  const newest = found[0]?.number;
  useEffect(() => {
    if (value === undefined && newest !== undefined) onValue(newest);
  }, [value, newest, onValue]);
  if (query.error !== null) return <FormProblem problem={query.error} />;
  return (
    <div className="grid gap-2">
      {found.length > 0 && (
        <SelectField
          label={words.rollbackField}
          value={String(value ?? '')}
          onValue={(chosen) => onValue(Number(chosen))}
          choices={found.map(({ number, release, images }) => ({
            value: String(number),
            label: `${names.version(number)}: ${names.release(release)}: ${imagesLine(images)}`,
          }))}
        />
      )}
      {query.data !== undefined && found.length === 0 && <p className="text-sm text-muted">{words.noRestorable}</p>}
      {query.hasNextPage && (
        <div>
          <Button small busy={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
            {words.moreDeployments}
          </Button>
        </div>
      )}
    </div>
  );
}
