import { useState } from 'react';
import type { MirrorInfo } from '../../api/mirrors.ts';
import type { UpstreamInfo } from '../../api/upstreams.ts';
import { Dialog } from '../kit/dialog.tsx';
import { CheckField } from '../kit/field.tsx';
import { Form, fieldProblem, useAction } from '../kit/form.tsx';
import { useWords } from '../kit/words.tsx';
import { sizeOf } from '../quotas/size.ts';
import { server } from '../server.ts';
import { NameField } from './name-field.tsx';
import { periodOf, shownPeriod } from './period.ts';
import { PeriodFields } from './period-fields.tsx';
import { registriesChanged } from './queries.ts';
import { registriesWords } from './registries-words.ts';
import { UpstreamField } from './upstream-field.tsx';

const FIELDS = ['repository', 'upstream', 'from', 'tags', 'everySeconds', 'bytesPerSecond'] as const;
const SIX_HOURS_S = 21_600;

/** @param mirror that is changed; undefined for a new one */
export function MirrorDialog({
  upstreams,
  mirror,
  onClose,
}: {
  upstreams: readonly UpstreamInfo[];
  mirror?: MirrorInfo;
  onClose: () => void;
}) {
  const words = useWords(registriesWords);
  const [repository, setRepository] = useState('');
  const [upstream, setUpstream] = useState(mirror?.upstream ?? upstreams[0]?.name ?? '');
  const [from, setFrom] = useState(mirror?.from ?? '');
  const [tags, setTags] = useState(mirror?.tags.join(' ') ?? '');
  const [referrers, setReferrers] = useState(mirror?.referrers ?? true);
  const [every, setEvery] = useState(() => shownPeriod(mirror?.everySeconds ?? SIX_HOURS_S));
  const [rate, setRate] = useState(shownRate(mirror?.bytesPerSecond ?? null));
  const everySeconds = periodOf(every);
  const bytesPerSecond = rate.trim() === '' ? null : sizeOf(rate, 'MiB');
  const save = useAction(
    async (times: { everySeconds: number; bytesPerSecond: number | null }) => {
      const wishes = {
        upstream,
        from: from.trim(),
        tags: tags.split(/[\s,]+/).filter((pattern) => pattern !== ''),
        referrers,
        ...times,
      };
      if (mirror === undefined) await server.mirrors.create({ repository: repository.trim(), ...wishes });
      else await server.mirrors.change(mirror.repository, wishes);
    },
    async () => {
      await registriesChanged();
      onClose();
    },
  );
  const problemOf = (field: (typeof FIELDS)[number]) => fieldProblem(save.problem, field);
  const missing = from.trim() === '' || (mirror === undefined && repository.trim() === '');
  return (
    <Dialog open onClose={onClose} title={mirror === undefined ? words.addMirror : words.changeOf(mirror.repository)}>
      <Form
        action={mirror === undefined ? words.add : words.save}
        busy={save.busy}
        problem={FIELDS.some(problemOf) ? null : save.problem}
        disabled={missing || everySeconds === undefined || bytesPerSecond === undefined}
        onSend={() => {
          if (everySeconds !== undefined && bytesPerSecond !== undefined) save.run({ everySeconds, bytesPerSecond });
        }}
      >
        {mirror === undefined && (
          <NameField
            label={words.repository}
            hint={words.repositoryHint}
            problem={problemOf('repository')}
            required
            autoFocus
            maxLength={255}
            value={repository}
            onText={setRepository}
          />
        )}
        <UpstreamField upstreams={upstreams} problem={problemOf('upstream')} value={upstream} onValue={setUpstream} />
        <NameField
          label={words.fromRepository}
          hint={words.fromHint}
          problem={problemOf('from')}
          required
          maxLength={255}
          value={from}
          onText={setFrom}
        />
        <NameField
          label={words.tags}
          hint={words.tagsHint}
          problem={problemOf('tags')}
          maxLength={2_000}
          value={tags}
          onText={setTags}
        />
        <CheckField
          label={words.referrers}
          hint={words.referrersHint}
          checked={referrers}
          onChange={(event) => setReferrers(event.target.checked)}
        />
        <PeriodFields
          label={words.everyLabel}
          hint={words.everyHint}
          problem={problemOf('everySeconds')}
          period={every}
          onChange={setEvery}
        />
        <NameField
          label={words.rate}
          hint={words.rateHint}
          problem={bytesPerSecond === undefined ? words.rateWrong : problemOf('bytesPerSecond')}
          inputMode="decimal"
          maxLength={20}
          value={rate}
          onText={setRate}
        />
        {mirror !== undefined && <p className="text-sm text-muted">{words.changedAtOnce}</p>}
      </Form>
    </Dialog>
  );
}

/** In MiB, with as many decimals as tell it from its neighbours. */
function shownRate(bytesPerSecond: number | null): string {
  return bytesPerSecond === null ? '' : String(Math.round((bytesPerSecond / 1024 ** 2) * 1e6) / 1e6);
}
