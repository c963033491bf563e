import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import type { DeploymentInfo } from '../../api/deployments.ts';
import { Moment } from '../kit/figures.tsx';
import { Facts } from '../kit/table.tsx';
import { useWords } from '../kit/words.tsx';
import { deploymentLink, releaseLink } from '../places.ts';
import { deploymentWords } from './deployment-words.ts';
import type { EnvironmentPlace } from './queries.ts';
import { stackWords } from './words.ts';

/** Who, why, of what; and what it has to do with others. */
export function DeploymentFacts({ place, deployment }: { place: EnvironmentPlace; deployment: DeploymentInfo }) {
  const words = useWords(deploymentWords);
  const names = useWords(stackWords);
  const { release, configVersion, reason, actor, restores, undoes, rolledBackBy } = deployment;
  const other = (number: number) => (
    <Link className="text-accent underline" {...deploymentLink(place.name, place.environment, number)}>
      {names.version(number)}
    </Link>
  );
  const facts: [string, ReactNode][] = [
    [
      words.release,
      <Link key="release" className="text-accent underline" {...releaseLink(place.name, release)}>
        {names.release(release)}
      </Link>,
    ],
    [words.variables, words.variablesVersion(configVersion)],
    [words.who, actor === 'berth' ? names.automation : actor],
    [words.why, names.reasons[reason]],
  ];
  if (restores !== null) facts.push([words.restores, other(restores)]);
  if (undoes !== null) facts.push([words.undoes, other(undoes)]);
  if (rolledBackBy !== null) facts.push([words.rolledBackBy, other(rolledBackBy)]);
  return <Facts facts={facts} />;
}

/** When it was made, began, ended and was stable. */
export function Timeline({ deployment }: { deployment: DeploymentInfo }) {
  const words = useWords(deploymentWords);
  const { createdAt, startedAt, finishedAt, stableAt } = deployment;
  const steps = [
    { name: words.created, at: createdAt },
    { name: words.started, at: startedAt },
    { name: words.finished, at: finishedAt },
    { name: words.stable, at: stableAt },
  ];
  return (
    <ol className="grid gap-2 border-l-2 border-line pl-4">
      {steps.map(({ name, at }) => (
        <li key={name} className="flex flex-wrap gap-x-3">
          <span className="w-20 font-medium">{name}</span>
          {at === null ? (
            <span className="text-muted">{words.notYet}</span>
          ) : (
            <span>
              <Moment at={at} />
              {at !== createdAt && (
                <span className="text-sm text-muted"> · {words.seconds(secondsSince(createdAt, at))}</span>
              )}
            </span>
          )}
        </li>
      ))}
    </ol>
  );
}

function secondsSince(from: string, to: string): string {
  return ((Date.parse(to) - Date.parse(from)) / 1000).toFixed(1);
}
