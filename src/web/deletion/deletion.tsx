import { useId, useState } from 'react';
import { TextField } from '../kit/field.tsx';
import { Notice } from '../kit/page.tsx';
import { useWords } from '../kit/words.tsx';
import { deletionWords } from './deletion-words.ts';

/** What deleting a user or an organization would mean, as the server says. */
export interface Deletion {
  repositories: readonly string[];
  robots: readonly string[];
  stacks: readonly string[];
  organizations?: readonly string[];
  teams?: readonly string[];
}

export type Fate = 'transfer' | 'delete';

/** What shall become of the repositories. */
export function useFate() {
  const [fate, setFate] = useState<Fate>('transfer');
  const [transferTo, setTransferTo] = useState('');
  const chosen = fate === 'delete' ? ('delete' as const) : { transferTo: transferTo.trim() };
  return { fate, setFate, transferTo, setTransferTo, chosen };
}

/** Whether it can be asked for. */
export function ready(deletion: Deletion | undefined, chosen: ReturnType<typeof useFate>['chosen']): boolean {
  if (deletion === undefined || deletion.stacks.length > 0 || (deletion.organizations ?? []).length > 0) return false;
  return deletion.repositories.length === 0 || chosen === 'delete' || chosen.transferTo !== '';
}

/** @param mayRemove whether the repositories may go as well */
export function DeletionChoice({
  deletion,
  mayRemove,
  fate,
  setFate,
  transferTo,
  setTransferTo,
}: { deletion: Deletion; mayRemove: boolean } & ReturnType<typeof useFate>) {
  const words = useWords(deletionWords);
  const id = useId();
  const { repositories, robots, stacks, organizations = [], teams = [] } = deletion;
  return (
    <>
      {stacks.length + organizations.length > 0 && (
        <Notice tone="warn" title={words.blocked}>
          {stacks.length > 0 && <Names title={words.stacks} names={stacks} />}
          {organizations.length > 0 && <Names title={words.organizations} names={organizations} />}
        </Notice>
      )}
      {robots.length + teams.length > 0 ? (
        <div className="grid gap-2">
          <p className="font-semibold">{words.goes}</p>
          {robots.length > 0 && <Names title={words.robots(robots.length)} names={robots} />}
          {teams.length > 0 && <Names title={words.teams(teams.length)} names={teams} />}
        </div>
      ) : (
        repositories.length === 0 && <p>{words.nothing}</p>
      )}
      {repositories.length > 0 && (
        <fieldset className="grid gap-2">
          <legend className="mb-1 font-semibold">{words.repositories(repositories.length)}</legend>
          <Names names={repositories} />
          {mayRemove &&
            (['transfer', 'delete'] as const).map((choice) => (
              <label key={choice} className="flex min-h-8 items-center gap-2.5">
                <input
                  type="radio"
                  name={`${id}-fate`}
                  className="size-4 accent-accent-strong"
                  checked={fate === choice}
                  onChange={() => setFate(choice)}
                />
                {choice === 'transfer' ? words.transfer : words.remove}
              </label>
            ))}
          {fate === 'transfer' && (
            <TextField
              label={words.transferTo}
              hint={words.transferHint}
              value={transferTo}
              autoComplete="off"
              autoCapitalize="none"
              spellCheck={false}
              onChange={(event) => setTransferTo(event.target.value)}
            />
          )}
        </fieldset>
      )}
    </>
  );
}

const MOST_NAMES = 12;

function Names({ title, names }: { title?: string; names: readonly string[] }) {
  const words = useWords(deletionWords);
  return (
    <div className="text-sm">
      {title !== undefined && <p>{title}</p>}
      <p className="break-words text-muted">
        {names.slice(0, MOST_NAMES).join(', ')}
        {names.length > MOST_NAMES && ` ${words.others(names.length - MOST_NAMES)}`}
      </p>
    </div>
  );
}
