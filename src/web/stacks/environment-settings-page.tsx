import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import type { EnvironmentInfo, StackInfo } from '../../api/stacks.ts';
import { ApiError } from '../../client/errors.ts';
import { CheckField, TextField } from '../kit/field.tsx';
import { Form, fieldProblem, useAction } from '../kit/form.tsx';
import { Notice, Section } from '../kit/page.tsx';
import { ErrorState } from '../kit/states.tsx';
import { useWords } from '../kit/words.tsx';
import { stackParts } from '../places.ts';
import { server } from '../server.ts';
import { DeleteSection } from './delete-section.tsx';
import { listWords } from './list-words.ts';
import {
  type EnvironmentPlace,
  rightsOf,
  stackChanged,
  useEnvironmentPlace,
  useEnvironments,
  useStack,
} from './queries.ts';
import { EnvironmentFrame, Fresh } from './stack-frame.tsx';
import { draftOf, type TrackingDraft, TrackingFields, trackingOf } from './tracking-fields.tsx';
import { stackWords } from './words.ts';

/** What an environment follows, and what is asked of it. */
export function EnvironmentSettingsPage() {
  const names = useWords(stackWords);
  const place = useEnvironmentPlace();
  const stack = useStack(place);
  const environments = useEnvironments(place);
  return (
    <EnvironmentFrame
      place={place}
      part="settings"
      title={`${names.settings} · ${place.environment} · ${place.name}`}
      heading={place.environment}
    >
      <Fresh query={stack} rows={1} height="h-96">
        {(found) => (
          <Fresh query={environments} rows={1} height="h-96">
            {(list) => {
              const environment = list.find(({ name }) => name === place.environment);
              if (environment === undefined) return <ErrorState problem={missing(place)} />;
              if (!rightsOf(found).administer) return <Notice>{names.needsAdmin(place.namespace)}</Notice>;
              return (
                <>
                  <Settings key={place.environment} place={place} stack={found} environment={environment} />
                  <DeleteEnvironment place={place} />
                </>
              );
            }}
          </Fresh>
        )}
      </Fresh>
    </EnvironmentFrame>
  );
}

/** As the server would say it. */
function missing({ name, environment }: EnvironmentPlace): ApiError {
  return new ApiError({ status: 404, code: 'NOT_FOUND', detail: `environment: ${name} has no ${environment}` });
}

interface Touched {
  deployOnPush?: boolean;
  protected?: boolean;
  maxParallel?: string;
  position?: string;
}

function Settings({
  place,
  stack,
  environment,
}: {
  place: EnvironmentPlace;
  stack: StackInfo;
  environment: EnvironmentInfo;
}) {
  const words = useWords(listWords);
  // Only what was touched here is sent: what somebody else changed meanwhile stays, and is shown.
  const [touched, setTouched] = useState<Touched>({});
  const [track, setTrack] = useState<TrackingDraft>({});
  const tracked = { ...draftOf(environment.track), ...track };
  const { deployOnPush = environment.deployOnPush, protected: isProtected = environment.protected } = touched;
  const { maxParallel = String(environment.maxParallel), position = String(environment.position) } = touched;
  const touch = (more: Touched) => setTouched({ ...touched, ...more });
  const save = useAction(
    () =>
      server.environments.change(place, {
        ...(Object.keys(track).length === 0 ? {} : { track: trackingOf(tracked) }),
        ...(touched.deployOnPush === undefined ? {} : { deployOnPush }),
        ...(touched.protected === undefined ? {} : { protected: isProtected }),
        ...(touched.maxParallel === undefined ? {} : { maxParallel: Number(maxParallel) }),
        ...(touched.position === undefined ? {} : { position: Number(position) }),
      }),
    async () => {
      await stackChanged(place);
      setTouched({});
      setTrack({});
    },
  );
  return (
    <Section title={words.settingsOf(place.environment)}>
      <div className="max-w-2xl">
        <Form
          onSend={() => save.run(undefined)}
          action={words.save}
          busy={save.busy}
          problem={save.problem}
          extra={<span role="status">{save.result !== undefined && !save.busy && words.saved}</span>}
        >
          <TrackingFields
            stack={stack}
            draft={tracked}
            onService={(service, value) => setTrack({ ...track, [service]: value })}
          />
          <CheckField
            label={words.onPushBox}
            hint={words.onPushHint}
            checked={deployOnPush}
            onChange={(event) => touch({ deployOnPush: event.target.checked })}
          />
          <CheckField
            label={words.protectedBox}
            hint={words.protectedHint}
            checked={isProtected}
            onChange={(event) => touch({ protected: event.target.checked })}
          />
          <div className="grid gap-4 sm:grid-cols-2">
            <TextField
              label={words.parallel}
              type="number"
              min={1}
              max={1000}
              required
              problem={fieldProblem(save.problem, 'maxParallel')}
              value={maxParallel}
              onChange={(event) => touch({ maxParallel: event.target.value })}
            />
            <TextField
              label={words.position}
              type="number"
              min={1}
              max={100}
              required
              problem={fieldProblem(save.problem, 'position')}
              value={position}
              onChange={(event) => touch({ position: event.target.value })}
            />
          </div>
        </Form>
      </div>
    </Section>
  );
}

function DeleteEnvironment({ place }: { place: EnvironmentPlace }) {
  const words = useWords(listWords);
  const navigate = useNavigate();
  return (
    <DeleteSection
      title={words.deleteEnvironment}
      what={words.deleteEnvironmentWhat}
      name={place.environment}
      remove={() => server.environments.delete(place)}
      onDeleted={async () => {
        await navigate({ to: '/s/$namespace/$stack', params: stackParts(place.name) });
        await stackChanged(place);
      }}
    />
  );
}
