import type { UseQueryResult } from '@tanstack/react-query';
import { useState } from 'react';
import type { EnvironmentStatus, TargetInfo } from '../../api/deployments.ts';
import type { EnrolledTarget } from '../../client/targets.ts';
import { Badge } from '../kit/badge.tsx';
import { Button } from '../kit/button.tsx';
import { CodeBlock, shortDigest } from '../kit/copy.tsx';
import { ConfirmDialog, Dialog } from '../kit/dialog.tsx';
import { TextField } from '../kit/field.tsx';
import { Ago } from '../kit/figures.tsx';
import { Form, fieldProblem, useAction } from '../kit/form.tsx';
import { Section } from '../kit/page.tsx';
import { EmptyState } from '../kit/states.tsx';
import { Table } from '../kit/table.tsx';
import { useWords } from '../kit/words.tsx';
import { server } from '../server.ts';
import { environmentWords } from './environment-words.ts';
import { type EnvironmentPlace, stackChanged } from './queries.ts';
import { CLOCK_TOLERANCE_MS, serviceRows, VERDICT_TONES } from './running.ts';
import { Fresh } from './stack-frame.tsx';
import { plainText } from './terminal-text.ts';
import { stackWords } from './words.ts';

/** The servers of an environment, and what really runs on them. */
export function TargetsSection({
  place,
  administer,
  status,
}: {
  place: EnvironmentPlace;
  administer: boolean;
  status: UseQueryResult<EnvironmentStatus>;
}) {
  const words = useWords(environmentWords);
  const [enrolling, setEnrolling] = useState(false);
  const [revoking, setRevoking] = useState<string>();
  const revoke = useAction(
    (name: string) => server.targets.revoke(place, name),
    async () => {
      await stackChanged(place);
      setRevoking(undefined);
    },
  );
  const enroll = administer && <Button onClick={() => setEnrolling(true)}>{words.enroll}</Button>;
  return (
    <div id="targets">
      <Section title={words.targets} description={words.targetsWhat} actions={enroll}>
        <Fresh query={status} rows={2}>
          {(known) => {
            const targets = known.targets.filter(({ revokedAt }) => revokedAt === null);
            if (targets.length === 0) return <EmptyState title={words.noTargets}>{words.noTargetsWhat}</EmptyState>;
            return (
              <TargetTable
                targets={targets}
                status={known}
                {...(administer ? { onRevoke: (name: string) => setRevoking(name) } : {})}
              />
            );
          }}
        </Fresh>
      </Section>
      {enrolling && <EnrollDialog place={place} onClose={() => setEnrolling(false)} />}
      {revoking !== undefined && (
        <ConfirmDialog
          open
          onClose={() => {
            setRevoking(undefined);
            revoke.reset();
          }}
          title={words.revokeTitle(revoking)}
          action={words.revoke}
          busy={revoke.busy}
          problem={revoke.problem}
          onConfirm={() => revoke.run(revoking)}
        >
          <p>{words.revokeWhat}</p>
        </ConfirmDialog>
      )}
    </div>
  );
}

function TargetTable({
  targets,
  status,
  onRevoke,
}: {
  targets: readonly TargetInfo[];
  status: EnvironmentStatus;
  onRevoke?: (name: string) => void;
}) {
  const words = useWords(environmentWords);
  const names = useWords(stackWords);
  return (
    <Table
      label={words.targets}
      rows={targets}
      rowKey={({ name }) => name}
      columns={[
        {
          key: 'name',
          head: words.target,
          cell: ({ name }) => <span className="font-medium md:whitespace-nowrap">{name}</span>,
        },
        {
          key: 'state',
          head: words.state,
          cell: (target) => (
            <div className="grid justify-items-start gap-1">
              <Badge tone={target.online ? 'good' : 'warn'}>{target.online ? names.online : names.offline}</Badge>
              {target.error !== null && (
                <span className="text-sm text-bad wrap-anywhere">{plainText(target.error)}</span>
              )}
            </div>
          ),
        },
        { key: 'seen', head: words.lastSeen, cell: ({ lastSeenAt }) => <Ago at={lastSeenAt} /> },
        { key: 'runs', head: words.runs, cell: (target) => <Running target={target} status={status} /> },
        { key: 'about', head: words.about, cell: (target) => <About target={target} /> },
        ...(onRevoke === undefined
          ? []
          : [
              {
                key: 'revoke',
                head: words.revoke,
                hideHead: true,
                end: true,
                cell: ({ name }: TargetInfo) => (
                  <Button small onClick={() => onRevoke(name)} aria-label={words.revokeOne(name)}>
                    {words.revoke}
                  </Button>
                ),
              },
            ]),
      ]}
    />
  );
}

function Running({ target, status }: { target: TargetInfo; status: EnvironmentStatus }) {
  const words = useWords(environmentWords);
  const names = useWords(stackWords);
  if (target.services === null) return <span className="text-muted">{words.unknownRuns}</span>;
  return (
    <ul className="grid gap-1 text-sm">
      {serviceRows(target, status).map(({ service, wanted, running, verdict }) => (
        <li key={service} className="flex flex-wrap items-baseline gap-x-2">
          <span className="font-medium">{service}</span>
          {running?.digest != null && (
            <code className="font-mono" title={running.digest}>
              {shortDigest(running.digest)}
            </code>
          )}
          <Badge tone={VERDICT_TONES[verdict]}>{names.verdicts[verdict]}</Badge>
          {verdict === 'differs' && wanted !== undefined && (
            <span className="text-bad">
              {words.wanted}{' '}
              <code className="font-mono" title={wanted.digest}>
                {shortDigest(wanted.digest)}
              </code>
            </span>
          )}
          {running !== undefined && (
            <span className="text-muted">
              {words.health[running.health]}, {words.containers(running.containers)}
              {running.restarts > 0 && `, ${words.restarts(running.restarts)}`}
            </span>
          )}
        </li>
      ))}
    </ul>
  );
}

function About({ target: { address, agentVersion, engine, clockSkewMs } }: { target: TargetInfo }) {
  const words = useWords(environmentWords);
  const lines = [
    address,
    agentVersion === null ? null : words.agent(agentVersion),
    engine === null ? null : words.engine(engine),
  ].filter((line) => line !== null);
  return (
    <div className="text-sm text-muted">
      {lines.map((line) => (
        <div key={line} className="break-words">
          {line}
        </div>
      ))}
      {clockSkewMs !== null && Math.abs(clockSkewMs) > CLOCK_TOLERANCE_MS && (
        <div className="text-warn">{words.skew(Math.round(Math.abs(clockSkewMs) / 1000), clockSkewMs > 0)}</div>
      )}
    </div>
  );
}

function EnrollDialog({ place, onClose }: { place: EnvironmentPlace; onClose: () => void }) {
  const words = useWords(environmentWords);
  const [name, setName] = useState('');
  // Not in the cache: the token is for this window alone.
  const [made, setMade] = useState<EnrolledTarget>();
  const enroll = useAction(
    () => server.targets.enroll(place, name === '' ? {} : { name }),
    async (enrolled) => {
      setMade(enrolled);
      await stackChanged(place);
    },
  );
  if (made !== undefined) {
    return (
      <Dialog
        open
        wide
        // A stray key would lose the token.
        lasting
        onClose={onClose}
        title={words.enrolled(made.target.name)}
        description={words.enrolledWhat}
        footer={
          <Button kind="primary" onClick={onClose}>
            {words.done}
          </Button>
        }
      >
        <CodeBlock label={words.enrolledLine} code={made.command} />
      </Dialog>
    );
  }
  return (
    <Dialog open onClose={enroll.busy ? () => {} : onClose} title={words.enroll} description={words.enrollWhat}>
      <Form
        onSend={() => enroll.run(undefined)}
        action={words.enrollAction}
        busy={enroll.busy}
        problem={enroll.problem}
      >
        <TextField
          label={words.enrollName}
          hint={words.enrollNameHint}
          problem={fieldProblem(enroll.problem, 'name')}
          value={name}
          maxLength={40}
          autoCapitalize="none"
          spellCheck={false}
          onChange={(event) => setName(event.target.value)}
        />
      </Form>
    </Dialog>
  );
}
