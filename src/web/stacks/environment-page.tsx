import type { EnvironmentInfo, StackInfo } from '../../api/stacks.ts';
import { Card, Notice } from '../kit/page.tsx';
import { useWords } from '../kit/words.tsx';
import { DeploymentHistory } from './deployment-history.tsx';
import { EnvironmentActions } from './environment-actions.tsx';
import { EnvironmentState } from './environment-column.tsx';
import {
  type EnvironmentPlace,
  rightsOf,
  useEnvironmentPlace,
  useEnvironments,
  useStack,
  useStatus,
} from './queries.ts';
import { EnvironmentFrame, Fresh } from './stack-frame.tsx';
import { TargetsSection } from './targets-section.tsx';
import { VariablesSection } from './variables-section.tsx';
import { stackWords } from './words.ts';

/** Where a stack runs: what, on which servers, since when and why, and with which variables. */
export function EnvironmentPage() {
  const words = useWords(stackWords);
  const place = useEnvironmentPlace();
  const stack = useStack(place);
  const environments = useEnvironments(place);
  return (
    <EnvironmentFrame
      place={place}
      part="overview"
      title={`${place.environment} · ${place.name}`}
      heading={place.environment}
    >
      <Fresh query={stack} rows={1} height="h-96">
        {(found) => (
          <Fresh query={environments} rows={1} height="h-96">
            {(list) => {
              const environment = list.find(({ name }) => name === place.environment);
              if (environment === undefined) return <Gone place={place} />;
              return (
                <>
                  {!rightsOf(found).deploy && (
                    <div className="mb-4">
                      <Notice>{words.needsWrite(place.namespace)}</Notice>
                    </div>
                  )}
                  <Environment place={place} stack={found} environment={environment} environments={list} />
                </>
              );
            }}
          </Fresh>
        )}
      </Fresh>
    </EnvironmentFrame>
  );
}

/** The server's own words for an environment that is not there. */
function Gone({ place }: { place: EnvironmentPlace }) {
  return (
    <Fresh query={useStatus(place)} rows={1} height="h-40">
      {() => null}
    </Fresh>
  );
}

function Environment({
  place,
  stack,
  environment,
  environments,
}: {
  place: EnvironmentPlace;
  stack: StackInfo;
  environment: EnvironmentInfo;
  environments: readonly EnvironmentInfo[];
}) {
  const status = useStatus(place);
  const next = environments[environments.indexOf(environment) + 1];
  const nextStatus = useStatus({ ...place, environment: next?.name ?? place.environment });
  return (
    <>
      <Card className="mb-8 grid gap-4">
        <Fresh query={status} rows={3} height="h-14">
          {(known) => <EnvironmentState place={place} stack={stack} environment={environment} status={known} />}
        </Fresh>
        <EnvironmentActions
          place={place}
          stack={stack}
          environment={environment}
          environments={environments}
          status={status.data}
          next={next}
          nextStatus={next === undefined ? undefined : nextStatus.data}
        />
      </Card>
      <TargetsSection place={place} administer={rightsOf(stack).administer} status={status} />
      <DeploymentHistory place={place} current={status.data?.current?.number} />
      <VariablesSection place={place} administer={rightsOf(stack).administer} />
    </>
  );
}
