import { useQuery } from '@tanstack/react-query';
import { ArrowRight } from 'lucide-react';
import type { DeploymentInfo } from '../../api/deployments.ts';
import type { ReleaseDiff } from '../../api/releases.ts';
import { Badge } from '../kit/badge.tsx';
import { useWords } from '../kit/words.tsx';
import { server } from '../server.ts';
import { deploymentWords } from './deployment-words.ts';
import { ImageText } from './image-text.tsx';
import { type EnvironmentPlace, stackKey } from './queries.ts';
import { Fresh } from './stack-frame.tsx';

/** How far back it is looked for what ran before. */
const LOOK_BACK = 20;

/** What a deployment brought that was not there before. */
export function DeploymentChanges({ place, deployment }: { place: EnvironmentPlace; deployment: DeploymentInfo }) {
  const words = useWords(deploymentWords);
  const { number } = deployment;
  const query = useQuery({
    queryKey: stackKey(place, 'changes', place.environment, number),
    queryFn: async () => {
      const before = await ranBefore(place, number);
      if (before === null) return { before, diff: null };
      return { before, diff: await server.releases.diff(place, before.release, deployment.release) };
    },
    staleTime: 60_000,
  });
  return (
    <Fresh query={query} rows={2} height="h-16">
      {({ before, diff }) => {
        if (before === null || diff === null) return <p className="text-muted">{words.firstHere}</p>;
        const config = before.configVersion !== deployment.configVersion;
        return (
          <div className="grid gap-3">
            <p className="text-sm text-muted">{words.changedSince(before.number)}</p>
            <DiffList diff={diff} />
            {config && <p>{words.configChanged(before.configVersion, deployment.configVersion)}</p>}
            {!config && !diff.fileChanged && diff.images.every(({ changed }) => !changed) && (
              <p className="text-muted">{words.nothingChanged}</p>
            )}
          </div>
        );
      }}
    </Fresh>
  );
}

/** The deployment that served before one began; null where there was none. */
async function ranBefore(place: EnvironmentPlace, number: number): Promise<DeploymentInfo | null> {
  const { deployments } = await server.deployments.page(place, { n: String(LOOK_BACK), last: String(number) });
  return deployments.find(({ status }) => status === 'success') ?? null;
}

/** Images that differ, and that the file does. */
export function DiffList({ diff }: { diff: ReleaseDiff }) {
  const words = useWords(deploymentWords);
  return (
    <div className="grid gap-2">
      <ul className="grid gap-1.5">
        {diff.images.map(({ service, from, to, changed }) => (
          <li key={service} className="flex flex-wrap items-baseline gap-x-2 gap-y-0.5">
            <span className="font-medium break-all">{service}</span>
            {from === null && <Badge tone="good">{words.added}</Badge>}
            {to === null && <Badge tone="warn">{words.removed}</Badge>}
            {!changed && <span className="text-sm text-muted">{words.unchanged}</span>}
            {changed && from !== null && <ImageText image={from} />}
            {changed && from !== null && to !== null && (
              <ArrowRight className="size-4 shrink-0 self-center text-muted" aria-hidden="true" />
            )}
            {changed && to !== null && <ImageText image={to} />}
          </li>
        ))}
      </ul>
      {diff.fileChanged && <p>{words.fileChanged}</p>}
    </div>
  );
}
