import type { EnvironmentInfo, StackInfo } from '../../api/stacks.ts';
import { ButtonLink } from '../kit/button.tsx';
import { CodeBlock } from '../kit/copy.tsx';
import { Notice } from '../kit/page.tsx';
import { EmptyState } from '../kit/states.tsx';
import { useWords } from '../kit/words.tsx';
import { boardWords } from './board-words.ts';
import { EnvironmentColumn } from './environment-column.tsx';
import { rightsOf, type StackPlace, useEnvironments, useStack, useStackPlace, useStatuses } from './queries.ts';
import { Fresh, StackFrame } from './stack-frame.tsx';
import { stackWords } from './words.ts';

/** The environments of a stack side by side: what each runs, how it is, what can be done. */
export function BoardPage() {
  const words = useWords(stackWords);
  const place = useStackPlace();
  const stack = useStack(place);
  const environments = useEnvironments(place);
  const services = stack.data?.services.map(({ name }) => name).join(', ');
  return (
    <StackFrame place={place} part="board" title={place.name} description={services ?? ' '}>
      <Fresh query={stack} rows={1} height="h-96">
        {(found) => (
          <>
            {!rightsOf(found).deploy && (
              <div className="mb-4">
                <Notice>{words.needsWrite(place.namespace)}</Notice>
              </div>
            )}
            <Fresh query={environments} rows={1} height="h-96">
              {(list) => <Board place={place} stack={found} environments={list} />}
            </Fresh>
          </>
        )}
      </Fresh>
    </StackFrame>
  );
}

function Board({
  place,
  stack,
  environments,
}: {
  place: StackPlace;
  stack: StackInfo;
  environments: readonly EnvironmentInfo[];
}) {
  const words = useWords(boardWords);
  const statuses = useStatuses(
    place,
    environments.map(({ name }) => name),
  );
  if (environments.length === 0) return <NoEnvironments place={place} administer={rightsOf(stack).administer} />;
  return (
    <section aria-label={words.environments} className="-mx-4 overflow-x-auto px-4 pb-2 sm:-mx-6 sm:px-6">
      <div className="grid gap-4 md:auto-cols-[minmax(20rem,1fr)] md:grid-flow-col">
        {environments.map((environment, index) => (
          <EnvironmentColumn
            key={environment.name}
            place={{ ...place, environment: environment.name }}
            stack={stack}
            environments={environments}
            environment={environment}
            next={environments[index + 1]}
            status={statuses.get(environment.name)}
            nextStatus={statuses.get(environments[index + 1]?.name ?? '')}
          />
        ))}
      </div>
    </section>
  );
}

function NoEnvironments({ place, administer }: { place: StackPlace; administer: boolean }) {
  const words = useWords(boardWords);
  const { namespace, stack } = place;
  if (!administer) return <EmptyState title={words.noEnvironments}>{words.noEnvironmentsAsk}</EmptyState>;
  return (
    <EmptyState title={words.noEnvironments}>
      <p>{words.noEnvironmentsWhat}</p>
      <div className="w-full text-left">
        <CodeBlock label={words.command} code={`berth env create ${place.name} test`} />
      </div>
      <ButtonLink kind="primary" to="/s/$namespace/$stack/settings" params={{ namespace, stack }}>
        {words.newEnvironment}
      </ButtonLink>
    </EmptyState>
  );
}
