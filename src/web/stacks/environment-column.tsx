import { Link } from '@tanstack/react-router';
import { LockKeyhole, Shield } from 'lucide-react';
import { useId } from 'react';
import type { DeploymentInfo, EnvironmentStatus } from '../../api/deployments.ts';
import type { EnvironmentInfo, StackInfo } from '../../api/stacks.ts';
import { Badge } from '../kit/badge.tsx';
import { Ago } from '../kit/figures.tsx';
import { Notice } from '../kit/page.tsx';
import { Skeleton } from '../kit/states.tsx';
import { useWords } from '../kit/words.tsx';
import { deploymentLink, environmentLink, releaseLink } from '../places.ts';
import { boardWords } from './board-words.ts';
import { stateOf } from './deployment-state.ts';
import { EnvironmentActions } from './environment-actions.tsx';
import { ImageText } from './image-text.tsx';
import { type EnvironmentPlace, rightsOf, useRelease } from './queries.ts';
import { countTargets, serviceRows } from './running.ts';
import { StateBadge } from './state-badge.tsx';
import { plainText } from './terminal-text.ts';
import { trackingLine } from './tracking.ts';
import { stackWords } from './words.ts';

/** One environment of the board. */
export function EnvironmentColumn({
  place,
  stack,
  environments,
  environment,
  next,
  status,
  nextStatus,
}: {
  place: EnvironmentPlace;
  stack: StackInfo;
  environments: readonly EnvironmentInfo[];
  environment: EnvironmentInfo;
  next: EnvironmentInfo | undefined;
  status: EnvironmentStatus | undefined;
  nextStatus: EnvironmentStatus | undefined;
}) {
  const words = useWords(boardWords);
  const heading = useId();
  return (
    <section
      aria-labelledby={heading}
      className="flex min-w-0 flex-col gap-3 rounded-lg border border-line bg-surface p-4"
    >
      <div className="flex flex-wrap items-center justify-between gap-2">
        <h2 id={heading} className="min-w-0 text-lg font-semibold break-all">
          <Link className="text-accent underline" {...environmentLink(place.name, place.environment)}>
            {place.environment}
          </Link>
        </h2>
        {environment.protected && (
          <Badge title={words.protectedHint} icon={<Shield className="size-3.5" aria-hidden="true" />}>
            {words.protected}
          </Badge>
        )}
      </div>
      {status === undefined ? (
        <Skeleton rows={4} height="h-16" />
      ) : (
        <EnvironmentState place={place} stack={stack} environment={environment} status={status} />
      )}
      <div className="flex-1" />
      <EnvironmentActions
        place={place}
        stack={stack}
        environment={environment}
        environments={environments}
        status={status}
        next={next}
        nextStatus={nextStatus}
      />
    </section>
  );
}

/** What an environment runs, whether it does, and what holds it. */
export function EnvironmentState({
  place,
  stack,
  environment,
  status,
}: {
  place: EnvironmentPlace;
  stack: StackInfo;
  environment: EnvironmentInfo;
  status: EnvironmentStatus;
}) {
  const words = useWords(boardWords);
  const { current, queued, hold, lock } = status;
  const tracked = trackingLine(environment.track);
  return (
    <div className="grid gap-3">
      <TargetHealth place={place} stack={stack} status={status} />
      {hold !== null && (
        <Notice tone="warn" title={words.onHold}>
          <p>
            {words.heldBy(hold.by)} <Ago at={hold.at} />
          </p>
          {hold.reason !== '' && <p className="wrap-anywhere">{words.heldFor(hold.reason)}</p>}
        </Notice>
      )}
      {current !== null && <Current place={place} current={current} />}
      <dl className="grid gap-2 text-sm">
        {lock !== null && (
          <Fact name={words.lock}>
            <span className="inline-flex items-center gap-1.5">
              <LockKeyhole className="size-3.5" aria-hidden="true" />
              {words.lockedBy(lock.holder)}
            </span>{' '}
            <Ago at={lock.since} />
          </Fact>
        )}
        {queued !== null && (
          <Fact name={words.queued}>
            <Link className="text-accent underline" {...deploymentLink(place.name, place.environment, queued.number)}>
              {words.queuedWhat(queued.number, queued.release)}
            </Link>{' '}
            {plainText(queued.message)}
          </Fact>
        )}
        <Fact name={words.follows}>
          {tracked === ''
            ? words.followsNothing
            : environment.deployOnPush
              ? words.onPush(tracked)
              : words.byHand(tracked)}
        </Fact>
      </dl>
    </div>
  );
}

function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <div>
      <dt className="text-muted">{name}</dt>
      <dd className="min-w-0 break-words">{children}</dd>
    </div>
  );
}

/** The state in a word, and how many of its servers run what they should. */
function TargetHealth({
  place,
  stack,
  status,
}: {
  place: EnvironmentPlace;
  stack: StackInfo;
  status: EnvironmentStatus;
}) {
  const names = useWords(stackWords);
  const words = useWords(boardWords);
  const { current, targets } = status;
  const { all, online, healthy } = countTargets(status);
  // While something is under way, something else runs of course.
  const settled = current !== null && stateOf(current, { current: current.number }) === 'stable';
  const different = settled
    ? targets.filter(
        (target) =>
          target.online &&
          serviceRows(target, status).some(({ verdict }) => verdict === 'differs' || verdict === 'missing'),
      ).length
    : 0;
  return (
    <div className="grid gap-1">
      <div className="flex flex-wrap items-center gap-x-2 gap-y-1">
        {current === null ? (
          <Badge>{names.nothingYet}</Badge>
        ) : (
          <StateBadge state={stateOf(current, { current: current.number })} />
        )}
        {all > 0 && <span className="text-sm">{names.healthOf(healthy, online, all)}</span>}
      </div>
      {different > 0 && <p className="text-sm text-bad">{words.different(different)}</p>}
      {all === 0 && (
        <p className="text-sm text-warn">
          {words.noTargetsYet}{' '}
          {rightsOf(stack).administer && (
            <Link className="text-accent underline" {...environmentLink(place.name, place.environment)} hash="targets">
              {words.enroll}
            </Link>
          )}
        </p>
      )}
    </div>
  );
}

function Current({ place, current }: { place: EnvironmentPlace; current: DeploymentInfo }) {
  const names = useWords(stackWords);
  const words = useWords(boardWords);
  const { number, release, images, actor, reason, createdAt, message, status, restores } = current;
  const version = useRelease(place, release).data?.version;
  return (
    <div className="grid gap-2">
      <p className="flex flex-wrap items-baseline gap-x-2">
        <Link
          className="text-lg font-semibold text-accent underline"
          {...deploymentLink(place.name, place.environment, number)}
        >
          {names.version(number)}
        </Link>
        <Link className="text-accent underline" {...releaseLink(place.name, release)}>
          {version == null ? names.release(release) : names.releaseNamed(release, version)}
        </Link>
      </p>
      <p className="text-sm text-muted">
        <Ago at={createdAt} /> {words.beganBy(actor === 'berth' ? names.automation : actor, names.reasons[reason])}
        {restores !== null && ` · ${words.rollingNow} ${words.restores(restores)}`}
      </p>
      {message !== '' && status !== 'success' && <p className="text-sm wrap-anywhere">{plainText(message)}</p>}
      <ul aria-label={words.images} className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-3 gap-y-1 text-sm">
        {images.map((image) => (
          <li key={image.service} className="col-span-2 grid grid-cols-subgrid items-baseline">
            <span className="max-w-32 font-medium break-words">{image.service}</span>
            <ImageText image={image} />
          </li>
        ))}
      </ul>
    </div>
  );
}
