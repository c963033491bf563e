import type { StackInfo, Tracking } from '../../api/stacks.ts';
import { SelectField, TextField } from '../kit/field.tsx';
import { useWords } from '../kit/words.tsx';
import { listWords } from './list-words.ts';

const KINDS = ['none', 'tag', 'semver', 'pattern'] as const;
type Kind = (typeof KINDS)[number];

/** What is said of each service; `none` keeps what was written, for who changes his mind. */
export type TrackingDraft = Record<string, { kind: Kind; value: string }>;

export function draftOf(track: Readonly<Record<string, Tracking>>): TrackingDraft {
  return { ...track };
}

/** Without the services that follow nothing. */
export function trackingOf(draft: TrackingDraft): Record<string, Tracking> {
  return Object.fromEntries(
    Object.entries(draft).flatMap(([service, { kind, value }]): [string, Tracking][] =>
      kind === 'none' ? [] : [[service, { kind, value: value.trim() }]],
    ),
  );
}

/** What an environment follows, a row a service. */
export function TrackingFields({
  stack,
  draft,
  onService,
}: {
  stack: StackInfo;
  draft: TrackingDraft;
  onService: (service: string, value: TrackingDraft[string]) => void;
}) {
  const words = useWords(listWords);
  return stack.services
    .filter(({ repository }) => repository !== null)
    .map(({ name }) => {
      const { kind, value } = draft[name] ?? { kind: 'none', value: '' };
      const change = (next: TrackingDraft[string]) => onService(name, next);
      return (
        <div key={name} className="grid items-start gap-3 sm:grid-cols-2">
          <SelectField
            label={words.follows(name)}
            choices={KINDS.map((known) => ({ value: known, label: words.followKinds[known] }))}
            value={kind}
            onValue={(next) => change({ kind: next, value: next === 'tag' && value === '' ? 'latest' : value })}
          />
          {kind !== 'none' && (
            <TextField
              label={words.followValue(name)}
              hint={words.followHints[kind]}
              value={value}
              required
              maxLength={128}
              autoComplete="off"
              autoCapitalize="none"
              spellCheck={false}
              onChange={(event) => change({ kind, value: event.target.value })}
            />
          )}
        </div>
      );
    });
}
