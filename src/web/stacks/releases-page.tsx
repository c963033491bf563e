import { Link, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import type { ReleaseInfo } from '../../api/releases.ts';
import type { StackInfo } from '../../api/stacks.ts';
import { Badge } from '../kit/badge.tsx';
import { Button } from '../kit/button.tsx';
import { Dialog } from '../kit/dialog.tsx';
import { SelectField, TextArea, TextField } from '../kit/field.tsx';
import { Ago } from '../kit/figures.tsx';
import { Form, fieldProblem, useAction } from '../kit/form.tsx';
import { ShowMore, useListed } from '../kit/listed.tsx';
import { EmptyState } from '../kit/states.tsx';
import { Table } from '../kit/table.tsx';
import { useWords } from '../kit/words.tsx';
import { environmentLink, releaseLink } from '../places.ts';
import { server } from '../server.ts';
import { imagesLine } from './image-text.tsx';
import { rightsOf, type StackPlace, stackChanged, stackKey, useStack, useStackPlace, useStatuses } from './queries.ts';
import { releaseWords } from './release-words.ts';
import { Fresh, StackFrame } from './stack-frame.tsx';
import { plainText } from './terminal-text.ts';
import { stackWords } from './words.ts';

const STEP = 20;
const AGAIN_MS = 10_000;

/** The releases of a stack, newest first, and where each runs. */
export function ReleasesPage() {
  const names = useWords(stackWords);
  const words = useWords(releaseWords);
  const place = useStackPlace();
  const stack = useStack(place);
  const [making, setMaking] = useState(false);
  return (
    <StackFrame
      place={place}
      part="releases"
      title={`${names.releases} · ${place.name}`}
      heading={place.name}
      description={words.what}
      actions={rightsOf(stack.data).deploy && <Button onClick={() => setMaking(true)}>{words.newRelease}</Button>}
    >
      <Fresh query={stack} rows={4}>
        {(found) => (
          <>
            <ReleaseList place={place} stack={found} />
            {making && <NewReleaseDialog place={place} stack={found} onClose={() => setMaking(false)} />}
          </>
        )}
      </Fresh>
    </StackFrame>
  );
}

function ReleaseList({ place, stack }: { place: StackPlace; stack: StackInfo }) {
  const names = useWords(stackWords);
  const words = useWords(releaseWords);
  const statuses = useStatuses(place, stack.environments);
  const listed = useListed(stackKey(place, 'releases-list'), (limit) => server.releases.list(place, limit), {
    step: STEP,
    again: () => AGAIN_MS,
  });
  const runsIn = (number: number) =>
    stack.environments.filter((environment) => statuses.get(environment)?.current?.release === number);
  return (
    <Fresh query={listed.query} rows={4}>
      {({ entries, more }) =>
        entries.length === 0 ? (
          <EmptyState title={words.none}>{words.noneWhat}</EmptyState>
        ) : (
          <>
            <Table
              label={names.releases}
              rows={entries}
              rowKey={({ number }) => String(number)}
              columns={[
                {
                  key: 'release',
                  head: words.release,
                  cell: (release) => (
                    <div className="grid justify-items-start gap-1">
                      <Link className="font-medium text-accent underline" {...releaseLink(place.name, release.number)}>
                        {release.version === null
                          ? names.release(release.number)
                          : names.releaseNamed(release.number, release.version)}
                      </Link>
                      <ReleaseMarks release={release} />
                    </div>
                  ),
                },
                {
                  key: 'images',
                  head: words.images,
                  cell: ({ images }) => <span className="break-words">{imagesLine(images)}</span>,
                },
                {
                  key: 'made',
                  head: words.made,
                  cell: ({ createdAt, createdBy }) => (
                    <span>
                      <Ago at={createdAt} /> {words.by(createdBy === 'berth' ? names.automation : createdBy)}
                    </span>
                  ),
                },
                {
                  key: 'runs',
                  head: words.runsIn,
                  cell: ({ number }) => (
                    <span className="flex flex-wrap gap-x-3">
                      {runsIn(number).map((environment) => (
                        <Link
                          key={environment}
                          className="text-accent underline"
                          {...environmentLink(place.name, environment)}
                        >
                          {environment}
                        </Link>
                      ))}
                    </span>
                  ),
                },
              ]}
            />
            <ShowMore more={more} busy={listed.busy} onMore={listed.showMore} />
          </>
        )
      }
    </Fresh>
  );
}

/** Why it may not be deployed any more, in words. */
export function ReleaseMarks({ release }: { release: ReleaseInfo }) {
  const words = useWords(releaseWords);
  return (
    <>
      {release.expiredAt !== null && <Badge tone="warn">{words.expired}</Badge>}
      {release.revoked.map(({ environment, by, reason }) => (
        <Badge key={environment ?? ''} tone="bad" title={words.revokedBy(by, plainText(reason))}>
          {environment === null ? words.revoked : words.revokedIn(environment)}
        </Badge>
      ))}
    </>
  );
}

const FILE = ' file';

function NewReleaseDialog({ place, stack, onClose }: { place: StackPlace; stack: StackInfo; onClose: () => void }) {
  const words = useWords(releaseWords);
  const navigate = useNavigate();
  const [from, setFrom] = useState(FILE);
  const [images, setImages] = useState<Record<string, string>>({});
  const [version, setVersion] = useState('');
  const [notes, setNotes] = useState('');
  const make = useAction(
    () => {
      const named = Object.entries(images)
        .map(([service, image]) => [service, image.trim()] as const)
        .filter(([, image]) => image !== '');
      return server.releases.create(place, {
        ...(named.length === 0 ? {} : { images: Object.fromEntries(named) }),
        ...(from === FILE ? {} : { from }),
        ...(version === '' ? {} : { version }),
        ...(notes === '' ? {} : { notes }),
      });
    },
    async ({ number }) => {
      await stackChanged(place);
      await navigate(releaseLink(place.name, number));
    },
  );
  return (
    <Dialog open wide onClose={onClose} title={words.newRelease} description={words.newReleaseWhat}>
      <Form onSend={() => make.run(undefined)} action={words.makeRelease} busy={make.busy} problem={make.problem}>
        <SelectField
          label={words.from}
          choices={[
            { value: FILE, label: words.fromFile },
            ...stack.environments.map((name) => ({ value: name, label: words.fromEnvironment(name) })),
          ]}
          value={from}
          onValue={setFrom}
        />
        {stack.services
          .filter(({ repository }) => repository !== null)
          .map(({ name }) => (
            <TextField
              key={name}
              label={words.imageOf(name)}
              hint={words.imageHint}
              value={images[name] ?? ''}
              maxLength={400}
              autoComplete="off"
              autoCapitalize="none"
              spellCheck={false}
              onChange={(event) => setImages({ ...images, [name]: event.target.value })}
            />
          ))}
        <TextField
          label={words.versionField}
          hint={words.versionHint}
          problem={fieldProblem(make.problem, 'version')}
          value={version}
          maxLength={100}
          autoComplete="off"
          onChange={(event) => setVersion(event.target.value)}
        />
        <TextArea
          label={words.notes}
          value={notes}
          maxLength={10_000}
          onChange={(event) => setNotes(event.target.value)}
        />
      </Form>
    </Dialog>
  );
}
