import { useState } from 'react';
import type { CacheInfo } from '../../api/caches.ts';
import type { UpstreamInfo } from '../../api/upstreams.ts';
import { Dialog } from '../kit/dialog.tsx';
import { SelectField } from '../kit/field.tsx';
import { Form, fieldProblem, useAction } from '../kit/form.tsx';
import { useWords } from '../kit/words.tsx';
import { server } from '../server.ts';
import { NameField } from './name-field.tsx';
import { periodOf, shownPeriod } from './period.ts';
import { PeriodFields } from './period-fields.tsx';
import { registriesChanged } from './queries.ts';
import { registriesWords } from './registries-words.ts';
import { UpstreamField } from './upstream-field.tsx';

const FIELDS = ['prefix', 'upstream', 'remotePrefix', 'freshSeconds', 'visibility'] as const;
const HOUR_S = 3_600;

/** @param cache that is changed; undefined for a new one */
export function CacheDialog({
  upstreams,
  cache,
  onClose,
}: {
  upstreams: readonly UpstreamInfo[];
  cache?: CacheInfo;
  onClose: () => void;
}) {
  const words = useWords(registriesWords);
  const [prefix, setPrefix] = useState(cache?.prefix ?? '');
  const [upstream, setUpstream] = useState(cache?.upstream ?? upstreams[0]?.name ?? '');
  const [remotePrefix, setRemotePrefix] = useState(cache?.remotePrefix ?? '');
  const [fresh, setFresh] = useState(() => shownPeriod(cache?.freshSeconds ?? HOUR_S));
  const [visibility, setVisibility] = useState<CacheInfo['visibility']>(cache?.visibility ?? 'private');
  const freshSeconds = periodOf(fresh);
  const save = useAction(
    (seconds: number) =>
      server.caches.set(prefix.trim(), {
        upstream,
        remotePrefix: remotePrefix.trim(),
        freshSeconds: seconds,
        visibility,
      }),
    async () => {
      await registriesChanged();
      onClose();
    },
  );
  const problemOf = (field: (typeof FIELDS)[number]) => fieldProblem(save.problem, field);
  return (
    <Dialog open onClose={onClose} title={cache === undefined ? words.addCache : words.changeOf(`${cache.prefix}/`)}>
      <Form
        action={cache === undefined ? words.add : words.save}
        busy={save.busy}
        problem={FIELDS.some(problemOf) ? null : save.problem}
        disabled={prefix.trim() === '' || freshSeconds === undefined}
        onSend={() => freshSeconds !== undefined && save.run(freshSeconds)}
      >
        {cache === undefined && (
          <NameField
            label={words.prefix}
            hint={words.prefixHint}
            problem={problemOf('prefix')}
            required
            autoFocus
            maxLength={200}
            value={prefix}
            onText={setPrefix}
          />
        )}
        <UpstreamField upstreams={upstreams} problem={problemOf('upstream')} value={upstream} onValue={setUpstream} />
        <NameField
          label={words.remotePrefix}
          hint={words.remotePrefixHint}
          problem={problemOf('remotePrefix')}
          maxLength={200}
          value={remotePrefix}
          onText={setRemotePrefix}
        />
        <PeriodFields
          label={words.freshLabel}
          hint={words.freshHint}
          problem={problemOf('freshSeconds')}
          period={fresh}
          onChange={setFresh}
        />
        <SelectField
          label={words.mayPull}
          hint={words.visibilityHint[visibility]}
          problem={problemOf('visibility')}
          value={visibility}
          onValue={setVisibility}
          choices={(['private', 'public'] as const).map((value) => ({ value, label: words.visibilities[value] }))}
        />
      </Form>
    </Dialog>
  );
}
