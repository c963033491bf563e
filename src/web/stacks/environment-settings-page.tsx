import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import type { EnvironmentInfo, StackInfo } from '../../api/stacks.ts';
import { ApiError } from '../../client/errors.ts';
import { Button } from '../kit/button.tsx';
import { ConfirmDialog } from '../kit/dialog.tsx';
import { CheckField, TextField } from '../kit/field.tsx';
import { Form, fieldProblem, useAction } from '../kit/form.tsx';
import { Notice, Section } from '../kit/page.tsx';
import { ErrorState } from '../kit/states.tsx';
import { useWords } from '../kit/words.tsx';
import { stackParts } from '../places.ts';
import { server } from '../server.ts';
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
import { draftOf, TrackingFields, trackingOf } from './tracking-fields.tsx';
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
  const [track, setTrack] = useState(() => draftOf(environment.track));
  const [deployOnPush, setDeployOnPush] = useState(environment.deployOnPush);
  const [isProtected, setProtected] = useState(environment.protected);
  const [maxParallel, setMaxParallel] = useState(String(environment.maxParallel));
  const [position, setPosition] = useState(String(environment.position));
  const save = useAction(
    () =>
      server.environments.change(place, {
        track: trackingOf(track),
        deployOnPush,
        protected: isProtected,
        maxParallel: Number(maxParallel),
        ...(Number(position) === environment.position ? {} : { position: Number(position) }),
      }),
    () => stackChanged(place),
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
          <TrackingFields stack={stack} draft={track} onDraft={setTrack} />
          <CheckField
            label={words.onPushBox}
            hint={words.onPushHint}
            checked={deployOnPush}
            onChange={(event) => setDeployOnPush(event.target.checked)}
          />
          <CheckField
            label={words.protectedBox}
            hint={words.protectedHint}
            checked={isProtected}
            onChange={(event) => setProtected(event.target.checked)}
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
              onChange={(event) => setMaxParallel(event.target.value)}
            />
            <TextField
              label={words.position}
              type="number"
              min={1}
              max={100}
              required
              problem={fieldProblem(save.problem, 'position')}
              value={position}
              onChange={(event) => setPosition(event.target.value)}
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
  const [open, setOpen] = useState(false);
  const remove = useAction(
    () => server.environments.delete(place),
    async () => {
      await navigate({ to: '/s/$namespace/$stack', params: stackParts(place.name) });
      await stackChanged(place);
    },
  );
  return (
    <Section title={words.deleteEnvironment} description={words.deleteEnvironmentWhat}>
      <Button kind="danger" onClick={() => setOpen(true)}>
        {words.deleteEnvironment}
      </Button>
      <ConfirmDialog
        open={open}
        onClose={() => {
          setOpen(false);
          remove.reset();
        }}
        title={words.deleteEnvironment}
        action={words.deleteEnvironment}
        confirm={place.environment}
        busy={remove.busy}
        problem={remove.problem}
        onConfirm={() => remove.run(undefined)}
      >
        <p>{words.deleteEnvironmentWhat}</p>
      </ConfirmDialog>
    </Section>
  );
}
