import { useQuery } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import type { EnvironmentStatus } from '../../api/deployments.ts';
import type { ReleaseImage, ReleaseInfo } from '../../api/releases.ts';
import type { StackInfo } from '../../api/stacks.ts';
import { Button, ButtonLink } from '../kit/button.tsx';
import { CodeBlock } from '../kit/copy.tsx';
import { Dialog } from '../kit/dialog.tsx';
import { SelectField, TextField } from '../kit/field.tsx';
import { Ago } from '../kit/figures.tsx';
import { Form, useAction } from '../kit/form.tsx';
import { Card, Notice, Section } from '../kit/page.tsx';
import { Skeleton } from '../kit/states.tsx';
import { Table } from '../kit/table.tsx';
import { useWords } from '../kit/words.tsx';
import { stackLink } from '../places.ts';
import { server } from '../server.ts';
import { DeployDialog } from './deploy-dialog.tsx';
import { ImageText } from './image-text.tsx';
import {
  rightsOf,
  type StackPlace,
  stackChanged,
  stackKey,
  useEnvironments,
  usePlaceNumber,
  useRelease,
  useStack,
  useStackPlace,
  useStatuses,
} from './queries.ts';
import { releaseWords } from './release-words.ts';
import { ReleaseMarks } from './releases-page.tsx';
import { Fresh, StackFrame } from './stack-frame.tsx';
import { plainText } from './terminal-text.ts';
import { stackWords } from './words.ts';

/** One release: its images, its compose file, and how it differs from what runs. */
export function ReleasePage() {
  const names = useWords(stackWords);
  const words = useWords(releaseWords);
  const place = useStackPlace();
  const number = usePlaceNumber();
  const stack = useStack(place);
  const release = useRelease(place, number);
  const [revoking, setRevoking] = useState(false);
  const title =
    release.data?.version == null ? names.release(number) : names.releaseNamed(number, release.data.version);
  return (
    <StackFrame
      place={place}
      part="release"
      title={`${title} · ${place.name}`}
      heading={title}
      actions={
        rightsOf(stack.data).deploy && (
          <>
            {release.data?.expiredAt === null && <ButtonLink {...stackLink(place.name)}>{words.deployIn}</ButtonLink>}
            <Button onClick={() => setRevoking(true)}>{words.revoke}</Button>
          </>
        )
      }
    >
      <Fresh query={release} rows={4}>
        {(found) => (
          <>
            <Marks release={found} />
            <Content release={found} />
            <Fresh query={stack} rows={2}>
              {(known) => (
                <>
                  <Differences place={place} stack={known} release={found} />
                  {revoking && (
                    <RevokeDialog place={place} stack={known} number={number} onClose={() => setRevoking(false)} />
                  )}
                </>
              )}
            </Fresh>
            <ComposeFile place={place} digest={found.file} />
          </>
        )}
      </Fresh>
    </StackFrame>
  );
}

function Marks({ release }: { release: ReleaseInfo }) {
  const names = useWords(stackWords);
  const words = useWords(releaseWords);
  const { createdAt, createdBy, notes, revoked, expiredAt } = release;
  return (
    <div className="mb-6 grid grid-cols-1 gap-3">
      <p className="flex flex-wrap items-center gap-2">
        <span>
          {words.made} <Ago at={createdAt} /> {words.by(createdBy === 'berth' ? names.automation : createdBy)}
        </span>
        <ReleaseMarks release={release} />
      </p>
      {expiredAt !== null && <Notice tone="warn">{words.expiredWhat}</Notice>}
      {revoked.map(({ environment, by, at, reason }) => (
        <p key={environment ?? ''} className="text-sm break-words">
          {environment === null ? words.revoked : words.revokedIn(environment)}{' '}
          {words.revokedBy(by === 'berth' ? names.automation : by, plainText(reason))}, <Ago at={at} />
        </p>
      ))}
      {notes !== '' && (
        <Card>
          <h2 className="mb-1 text-sm text-muted">{words.notes}</h2>
          <p className="break-words whitespace-pre-wrap">{notes}</p>
        </Card>
      )}
    </div>
  );
}

function Content({ release }: { release: ReleaseInfo }) {
  const words = useWords(releaseWords);
  return (
    <Section title={words.content}>
      <Table
        label={words.content}
        rows={release.images}
        rowKey={({ service }) => service}
        columns={[
          {
            key: 'service',
            head: words.service,
            cell: ({ service }) => <span className="font-medium">{service}</span>,
          },
          { key: 'image', head: words.image, cell: (image) => <ImageText image={image} /> },
          {
            key: 'repository',
            head: words.source,
            cell: ({ repository }) => <span className="break-all">{repository}</span>,
          },
          {
            key: 'created',
            head: words.created,
            cell: ({ created }) =>
              created === null || Number.isNaN(Date.parse(created)) ? (created ?? '') : <Ago at={created} />,
          },
        ]}
      />
    </Section>
  );
}

/** Against what each environment runs now. */
function Differences({ place, stack, release }: { place: StackPlace; stack: StackInfo; release: ReleaseInfo }) {
  const words = useWords(releaseWords);
  const names = useWords(stackWords);
  const statuses = useStatuses(place, stack.environments);
  const environments = useEnvironments(place).data ?? [];
  const [deploying, setDeploying] = useState<string>();
  const chosen = environments.find(({ name }) => name === deploying);
  const deployable = rightsOf(stack).deploy && release.expiredAt === null;
  if (stack.environments.length === 0) return null;
  return (
    <Section title={words.difference}>
      <div className="grid grid-cols-1 gap-4 md:grid-cols-2">
        {stack.environments.map((environment) => (
          <Difference
            key={environment}
            place={place}
            environment={environment}
            release={release.number}
            runs={runningIn(statuses.get(environment))}
            action={
              deployable && <Button onClick={() => setDeploying(environment)}>{names.deploy(environment)}…</Button>
            }
          />
        ))}
      </div>
      {chosen !== undefined && (
        <DeployDialog
          place={{ ...place, environment: chosen.name }}
          stack={stack}
          environment={chosen}
          status={statuses.get(chosen.name)}
          release={release.number}
          onClose={() => setDeploying(undefined)}
        />
      )}
    </Section>
  );
}

function runningIn(status: EnvironmentStatus | undefined): number | null | undefined {
  if (status === undefined) return undefined;
  return status.current === null ? null : status.current.release;
}

function Difference({
  place,
  environment,
  release,
  runs,
  action,
}: {
  place: StackPlace;
  environment: string;
  release: number;
  /** null: nothing; undefined while that is not known. */
  runs: number | null | undefined;
  action: ReactNode;
}) {
  const names = useWords(stackWords);
  const words = useWords(releaseWords);
  const diff = useQuery({
    queryKey: stackKey(place, 'diff', runs ?? 0, release),
    queryFn: () => server.releases.diff(place, runs ?? 0, release),
    enabled: runs != null && runs !== release,
    staleTime: Number.POSITIVE_INFINITY,
  });
  return (
    <Card className="grid content-start gap-2">
      <h3 className="font-semibold">
        {runs == null ? environment : words.differenceTo(environment, names.release(runs))}
      </h3>
      {runs === undefined && <Skeleton rows={1} height="h-8" />}
      {runs === null && <p className="text-muted">{words.runsNothing}</p>}
      {runs === release && <p>{words.sameAs}</p>}
      {runs != null && runs !== release && (
        <Fresh query={diff} rows={2} height="h-8">
          {({ fileChanged, images }) => {
            const changed = images.filter((image) => image.changed);
            return (
              <>
                {fileChanged && <p>{words.fileChanged}</p>}
                {changed.length === 0 && !fileChanged && <p>{words.noDifference}</p>}
                {changed.map(({ service, from, to }) => (
                  <dl key={service} className="grid gap-1">
                    <dt className="font-medium">{service}</dt>
                    <dd className="text-sm">
                      <span className="text-muted">{words.there}:</span> <ImageOrNone image={from} />
                    </dd>
                    <dd className="text-sm">
                      <span className="text-muted">{words.here}:</span> <ImageOrNone image={to} />
                    </dd>
                  </dl>
                ))}
              </>
            );
          }}
        </Fresh>
      )}
      {runs !== release && runs !== undefined && <div>{action}</div>}
    </Card>
  );
}

function ImageOrNone({ image }: { image: ReleaseImage | null }) {
  const words = useWords(releaseWords);
  return image === null ? <span>{words.absent}</span> : <ImageText image={image} />;
}

function ComposeFile({ place, digest }: { place: StackPlace; digest: string }) {
  const words = useWords(releaseWords);
  const [open, setOpen] = useState(false);
  const file = useQuery({
    queryKey: stackKey(place, 'file', digest),
    queryFn: () => server.stacks.file(place, digest),
    enabled: open,
    staleTime: Number.POSITIVE_INFINITY,
  });
  return (
    <Section title={words.file} description={words.fileWhat}>
      <details onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary className="min-h-10 cursor-pointer py-2">{words.showFile}</summary>
        <Fresh query={file} rows={1} height="h-40">
          {(found) => <CodeBlock label={words.file} code={found.file} />}
        </Fresh>
      </details>
    </Section>
  );
}

const EVERYWHERE = ' everywhere';

function RevokeDialog({
  place,
  stack,
  number,
  onClose,
}: {
  place: StackPlace;
  stack: StackInfo;
  number: number;
  onClose: () => void;
}) {
  const words = useWords(releaseWords);
  const [where, setWhere] = useState(EVERYWHERE);
  const [reason, setReason] = useState('');
  const revoke = useAction(
    () => server.releases.revoke(place, number, { reason, ...(where === EVERYWHERE ? {} : { environment: where }) }),
    async () => {
      await stackChanged(place);
      onClose();
    },
  );
  return (
    <Dialog open onClose={onClose} title={words.revokeTitle(number)} description={words.revokeWhat}>
      <Form onSend={() => revoke.run(undefined)} action={words.revoke} busy={revoke.busy} problem={revoke.problem}>
        <SelectField
          label={words.revokeWhere}
          choices={[
            { value: EVERYWHERE, label: words.everywhere },
            ...stack.environments.map((name) => ({ value: name, label: name })),
          ]}
          value={where}
          onValue={setWhere}
        />
        <TextField
          label={words.reason}
          value={reason}
          maxLength={500}
          onChange={(event) => setReason(event.target.value)}
        />
      </Form>
    </Dialog>
  );
}
