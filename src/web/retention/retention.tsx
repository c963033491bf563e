import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { RetentionInfo, RetentionRemoval } from '../../api/retention.ts';
import { Button } from '../kit/button.tsx';
import { ConfirmDialog } from '../kit/dialog.tsx';
import { TextField } from '../kit/field.tsx';
import { Ago } from '../kit/figures.tsx';
import { Form, useAction } from '../kit/form.tsx';
import { ShowMore, useListed } from '../kit/listed.tsx';
import { Section } from '../kit/page.tsx';
import { Loaded } from '../kit/states.tsx';
import { type Column, Table } from '../kit/table.tsx';
import { useWords } from '../kit/words.tsx';
import { queries, server } from '../server.ts';
import { draftOf, newRule, policyOf } from './draft.ts';
import { Preview } from './preview.tsx';
import { retentionWords } from './retention-words.ts';
import { RuleFields } from './rule-fields.tsx';
import { TryOn } from './try-on.tsx';

type Place = { repository: string } | { namespace: string } | 'instance';

/** The policy of a repository, of all in a namespace, or of the instance: what it keeps, what it would do, what it removed. */
export function Retention({ place }: { place: Place }) {
  const words = useWords(retentionWords);
  const found = useQuery({ queryKey: ['retention', 'policy', place], queryFn: () => server.retention.get(place) });
  return (
    <Section title={words.title} description={words.what}>
      <Loaded query={found} rows={2}>
        {(info) => <Policy key={info.updatedAt} place={place} info={info} />}
      </Loaded>
      {place !== 'instance' && 'repository' in place && <Removals repository={place.repository} />}
    </Section>
  );
}

function Policy({ place, info }: { place: Place; info: RetentionInfo }) {
  const words = useWords(retentionWords);
  const [draft, setDraft] = useState(() => draftOf(info.own));
  const [removing, setRemoving] = useState(false);
  const read = policyOf(draft);
  const policy = 'policy' in read ? read.policy : undefined;
  const wrong = 'problem' in read ? read : undefined;
  const empty = draft.rules.length === 0 && draft.untagged.trim() === '';
  const changed = () => queries.invalidateQueries({ queryKey: ['retention'] });
  const save = useAction(async () => {
    if (policy !== undefined) await server.retention.set(place, policy);
  }, changed);
  const remove = useAction(() => server.retention.remove(place), changed);
  const previewed = empty ? info.holds : policy;
  return (
    <div className="grid gap-4">
      <p>{info.own !== null ? words.ownHolds : words.holdsFrom[info.from ?? 'none']}</p>
      <Form
        action={words.save}
        busy={save.busy}
        problem={save.problem}
        disabled={policy === undefined || JSON.stringify(draftOf(info.own)) === JSON.stringify(draft)}
        onSend={() => save.run(undefined)}
        extra={info.own !== null && <Button onClick={() => setRemoving(true)}>{words.remove}</Button>}
      >
        {draft.rules.map((rule, index) => (
          <RuleFields
            key={rule.id}
            number={index + 1}
            rule={rule}
            problem={wrong?.rule === index ? wrong.problem : undefined}
            onChange={(now) =>
              setDraft({ ...draft, rules: draft.rules.map((before) => (before.id === now.id ? now : before)) })
            }
            onRemove={() => setDraft({ ...draft, rules: draft.rules.filter(({ id }) => id !== rule.id) })}
          />
        ))}
        <div>
          <Button
            small
            onClick={() =>
              setDraft({
                ...draft,
                rules: [...draft.rules, newRule(Math.max(-1, ...draft.rules.map(({ id }) => id)) + 1)],
              })
            }
          >
            {words.addRule}
          </Button>
        </div>
        <TextField
          label={words.untagged}
          hint={words.untaggedHint}
          problem={!empty && wrong !== undefined && wrong.rule === undefined ? wrong.problem : undefined}
          autoComplete="off"
          autoCapitalize="none"
          value={draft.untagged}
          onChange={(event) => setDraft({ ...draft, untagged: event.target.value })}
        />
      </Form>
      {previewed != null &&
        (place !== 'instance' && 'repository' in place ? (
          <Preview repository={place.repository} policy={previewed} />
        ) : (
          <TryOn namespace={place === 'instance' ? undefined : place.namespace} policy={previewed} />
        ))}
      <ConfirmDialog
        open={removing}
        onClose={() => setRemoving(false)}
        title={words.remove}
        action={words.remove}
        busy={remove.busy}
        problem={remove.problem}
        onConfirm={() => remove.run(undefined)}
      >
        <p>{place === 'instance' ? words.removeWhatInstance : words.removeWhat}</p>
      </ConfirmDialog>
    </div>
  );
}

function Removals({ repository }: { repository: string }) {
  const words = useWords(retentionWords);
  const listed = useListed(
    ['retention', repository, 'removals'],
    (limit) => server.retention.removals(repository, limit),
    { step: 20 },
  );
  const columns: Column<RetentionRemoval>[] = [
    { key: 'tag', head: words.tag, cell: ({ tag }) => <span className="font-medium break-all">{tag}</span> },
    { key: 'at', head: words.at, cell: ({ at }) => <Ago at={at} /> },
    { key: 'why', head: words.why, cell: ({ why }) => <span className="text-sm break-words">{why}</span> },
  ];
  return (
    <div className="mt-6">
      <Section level={3} title={words.removals}>
        <Loaded query={listed.query} rows={1}>
          {({ entries, more }) =>
            entries.length === 0 ? (
              <p className="text-muted">{words.noRemovals}</p>
            ) : (
              <>
                <Table label={words.removals} columns={columns} rows={entries} rowKey={({ id }) => id} />
                <ShowMore more={more} busy={listed.busy} onMore={listed.showMore} />
              </>
            )
          }
        </Loaded>
      </Section>
    </div>
  );
}
