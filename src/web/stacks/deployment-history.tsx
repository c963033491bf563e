import { Link } from '@tanstack/react-router';
import type { DeploymentInfo } from '../../api/deployments.ts';
import { Ago } from '../kit/figures.tsx';
import { ShowMore, useListed } from '../kit/listed.tsx';
import { Section } from '../kit/page.tsx';
import { EmptyState } from '../kit/states.tsx';
import { Table } from '../kit/table.tsx';
import { useWords } from '../kit/words.tsx';
import { deploymentLink, releaseLink } from '../places.ts';
import { server } from '../server.ts';
import { isMoving, stateOf } from './deployment-state.ts';
import { environmentWords } from './environment-words.ts';
import { imagesLine } from './image-text.tsx';
import { type EnvironmentPlace, stackKey } from './queries.ts';
import { Fresh } from './stack-frame.tsx';
import { StateBadge } from './state-badge.tsx';
import { plainText } from './terminal-text.ts';
import { stackWords } from './words.ts';

const STEP = 20;
const MOVING_MS = 2_000;
const RESTING_MS = 10_000;

/** All that was deployed to an environment, newest first. @param current the number of what it is to run */
export function DeploymentHistory({ place, current }: { place: EnvironmentPlace; current: number | undefined }) {
  const words = useWords(environmentWords);
  const names = useWords(stackWords);
  const listed = useListed(
    stackKey(place, 'history', place.environment),
    (limit) => server.deployments.list(place, limit),
    {
      step: STEP,
      again: (entries) =>
        entries.some((entry) => isMoving(stateOf(entry, { current: current ?? null }))) ? MOVING_MS : RESTING_MS,
    },
  );
  return (
    <Section title={words.deployments} description={words.deploymentsWhat}>
      <Fresh query={listed.query} rows={4}>
        {({ entries, more }) =>
          entries.length === 0 ? (
            <EmptyState title={words.noDeployments} />
          ) : (
            <>
              <Table
                label={words.deployments}
                rows={entries}
                rowKey={({ number }) => String(number)}
                columns={[
                  {
                    key: 'number',
                    head: words.deployment,
                    cell: ({ number }: DeploymentInfo) => (
                      <Link
                        className="font-medium text-accent underline"
                        {...deploymentLink(place.name, place.environment, number)}
                      >
                        {names.version(number)}
                      </Link>
                    ),
                  },
                  {
                    key: 'state',
                    head: words.state,
                    cell: (entry) => (
                      <div className="grid justify-items-start gap-1">
                        <StateBadge
                          state={stateOf(entry, {
                            current: current ?? null,
                            // It is newer, so it is in the list.
                            rollback: entries.find(({ number }) => number === entry.rolledBackBy),
                          })}
                        />
                        {entry.message !== '' && entry.status !== 'success' && (
                          <span className="max-w-96 text-sm text-muted wrap-anywhere">{plainText(entry.message)}</span>
                        )}
                      </div>
                    ),
                  },
                  {
                    key: 'release',
                    head: words.release,
                    cell: ({ release, images }) => (
                      <div>
                        <Link className="text-accent underline" {...releaseLink(place.name, release)}>
                          {names.release(release)}
                        </Link>
                        <div className="max-w-80 text-sm text-muted break-words">{imagesLine(images)}</div>
                      </div>
                    ),
                  },
                  {
                    key: 'why',
                    head: words.why,
                    cell: ({ actor, reason }) => (
                      <span className="break-words">
                        {actor === 'berth' ? names.automation : actor}, {names.reasons[reason]}
                      </span>
                    ),
                  },
                  { key: 'when', head: words.when, cell: ({ createdAt }) => <Ago at={createdAt} /> },
                ]}
              />
              <ShowMore more={more} busy={listed.busy} onMore={listed.showMore} />
            </>
          )
        }
      </Fresh>
    </Section>
  );
}
