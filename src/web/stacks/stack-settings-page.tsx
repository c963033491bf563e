import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import type { StackFile, StackInfo } from '../../api/stacks.ts';
import { Button } from '../kit/button.tsx';
import { Dialog } from '../kit/dialog.tsx';
import { CheckField, TextField } from '../kit/field.tsx';
import { Form, fieldProblem, useAction } from '../kit/form.tsx';
import { Notice, Section } from '../kit/page.tsx';
import { useWords } from '../kit/words.tsx';
import { environmentLink } from '../places.ts';
import { queries, server } from '../server.ts';
import { DeleteSection } from './delete-section.tsx';
import { listWords } from './list-words.ts';
import { rightsOf, STACKS_KEY, type StackPlace, stackChanged, stackKey, useStack, useStackPlace } from './queries.ts';
import { Fresh, StackFrame } from './stack-frame.tsx';
import { ComposeField } from './stacks-page.tsx';
import { type TrackingDraft, TrackingFields, trackingOf } from './tracking-fields.tsx';
import { stackWords } from './words.ts';

/** A stack's compose file and its environments. */
export function StackSettingsPage() {
  const names = useWords(stackWords);
  const place = useStackPlace();
  const stack = useStack(place);
  return (
    <StackFrame place={place} part="settings" title={`${names.settings} · ${place.name}`} heading={place.name}>
      <Fresh query={stack} rows={3} height="h-40">
        {(found) => (
          <>
            {!rightsOf(found).administer && (
              <div className="mb-4">
                <Notice>{names.needsAdmin(place.namespace)}</Notice>
              </div>
            )}
            <Environments place={place} stack={found} />
            <ComposeFile place={place} stack={found} />
            {rightsOf(found).administer && <DeleteStack place={place} />}
          </>
        )}
      </Fresh>
    </StackFrame>
  );
}

function Environments({ place, stack }: { place: StackPlace; stack: StackInfo }) {
  const words = useWords(listWords);
  const [making, setMaking] = useState(false);
  return (
    <Section
      title={words.addTitle}
      description={words.addWhat}
      actions={
        rightsOf(stack).administer && (
          <Button kind="primary" onClick={() => setMaking(true)}>
            {words.newEnvironment}
          </Button>
        )
      }
    >
      {stack.environments.length === 0 ? (
        <p className="text-muted">{words.noEnvironments}</p>
      ) : (
        <ol className="flex flex-wrap gap-x-4 gap-y-1">
          {stack.environments.map((environment) => (
            <li key={environment}>
              <Link className="text-accent underline" {...environmentLink(place.name, environment)}>
                {environment}
              </Link>
            </li>
          ))}
        </ol>
      )}
      {making && <NewEnvironmentDialog place={place} stack={stack} onClose={() => setMaking(false)} />}
    </Section>
  );
}

function NewEnvironmentDialog({ place, stack, onClose }: { place: StackPlace; stack: StackInfo; onClose: () => void }) {
  const words = useWords(listWords);
  const [name, setName] = useState('');
  const [track, setTrack] = useState<TrackingDraft>({});
  const [deployOnPush, setDeployOnPush] = useState(false);
  const [isProtected, setProtected] = useState(false);
  const make = useAction(
    () => server.environments.create(place, { name, track: trackingOf(track), deployOnPush, protected: isProtected }),
    async () => {
      await stackChanged(place);
      onClose();
    },
  );
  return (
    <Dialog open onClose={onClose} title={words.newEnvironment}>
      <Form onSend={() => make.run(undefined)} action={words.makeEnvironment} busy={make.busy} problem={make.problem}>
        <TextField
          label={words.name}
          hint={words.environmentHint}
          problem={fieldProblem(make.problem, 'name')}
          value={name}
          required
          maxLength={40}
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          onChange={(event) => setName(event.target.value)}
        />
        <TrackingFields
          stack={stack}
          draft={track}
          onService={(service, value) => setTrack({ ...track, [service]: value })}
        />
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
      </Form>
    </Dialog>
  );
}

function ComposeFile({ place, stack }: { place: StackPlace; stack: StackInfo }) {
  const words = useWords(listWords);
  const file = useQuery({
    queryKey: stackKey(place, 'file', stack.file),
    queryFn: () => server.stacks.file(place, stack.file),
    staleTime: Number.POSITIVE_INFINITY,
    placeholderData: (before) => before,
  });
  return (
    <Section title={words.fileTitle} description={words.fileWhat}>
      <Fresh query={file} rows={1} height="h-80">
        {(known) => <ComposeForm place={place} known={known} editable={rightsOf(stack).deploy} />}
      </Fresh>
    </Section>
  );
}

function ComposeForm({ place, known, editable }: { place: StackPlace; known: StackFile; editable: boolean }) {
  const words = useWords(listWords);
  // What it was when writing began; another one by then is somebody else's.
  const [base, setBase] = useState(known);
  const [text, setText] = useState(known.file);
  const untouched = text === base.file;
  if (known.digest !== base.digest && (untouched || text === known.file)) {
    setBase(known);
    setText(known.file);
  }
  const save = useAction(
    (file: string) => server.stacks.setFile(place, file),
    async ({ file: digest }, file) => {
      setBase({ digest, file });
      await stackChanged(place);
    },
  );
  if (!editable) {
    return (
      <pre tabIndex={0} className="overflow-x-auto rounded-md border border-line bg-sunken p-3 font-mono text-sm">
        {known.file}
      </pre>
    );
  }
  const theirs = known.digest !== base.digest;
  return (
    <Form
      onSend={() => save.run(text)}
      action={words.saveFile}
      busy={save.busy}
      disabled={untouched}
      problem={save.problem}
      extra={<span role="status">{save.result !== undefined && untouched && words.savedFile}</span>}
    >
      {theirs && (
        <Notice tone="warn" title={words.fileChanged}>
          <p>{words.fileChangedWhat}</p>
          <div>
            <Button
              small
              onClick={() => {
                setBase(known);
                setText(known.file);
              }}
            >
              {words.takeTheirs}
            </Button>
          </div>
        </Notice>
      )}
      <ComposeField file={text} onFile={setText} problem={fieldProblem(save.problem, 'file')} />
    </Form>
  );
}

function DeleteStack({ place }: { place: StackPlace }) {
  const words = useWords(listWords);
  const navigate = useNavigate();
  return (
    <DeleteSection
      title={words.deleteStack}
      what={words.deleteStackWhat}
      name={place.name}
      remove={() => server.stacks.delete(place)}
      onDeleted={async () => {
        await navigate({ to: '/stacks' });
        queries.removeQueries({ queryKey: stackKey(place) });
        await queries.invalidateQueries({ queryKey: STACKS_KEY });
      }}
    />
  );
}
