import { useState } from 'react';
import type { EnvironmentStatus } from '../../api/deployments.ts';
import type { EnvironmentInfo, StackInfo } from '../../api/stacks.ts';
import { SelectField } from '../kit/field.tsx';
import { useWords } from '../kit/words.tsx';
import { planWords } from './plan-words.ts';
import { PlannedDialog } from './planned-dialog.tsx';
import { type EnvironmentPlace, rightsOf } from './queries.ts';
import { stackWords } from './words.ts';

/** @param place where it goes to */
export function PromoteDialog({
  place,
  stack,
  from: given,
  environments,
  status,
  onClose,
}: {
  place: EnvironmentPlace;
  stack: StackInfo;
  from: string;
  environments: readonly EnvironmentInfo[];
  status: EnvironmentStatus | undefined;
  onClose: () => void;
}) {
  const words = useWords(planWords);
  const names = useWords(stackWords);
  const [from, setFrom] = useState(given);
  const others = environments.filter(({ name }) => name !== place.environment);
  return (
    <PlannedDialog
      place={place}
      status={status}
      title={names.promote(place.environment)}
      action={names.promote(place.environment)}
      wish={{ kind: 'promote', from }}
      mayForce={rightsOf(stack).administer}
      onClose={onClose}
    >
      <SelectField
        label={words.promoteFrom}
        hint={words.promoteWhat}
        value={from}
        onValue={setFrom}
        choices={others.map(({ name }) => ({ value: name, label: name }))}
      />
    </PlannedDialog>
  );
}
