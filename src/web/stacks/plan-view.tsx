import { ArrowRight, TriangleAlert } from 'lucide-react';
import { type ReactNode, useId } from 'react';
import type { Plan } from '../../api/deployments.ts';
import { Badge, type Tone } from '../kit/badge.tsx';
import { formatBytes } from '../kit/figures.tsx';
import { Notice } from '../kit/page.tsx';
import { Facts } from '../kit/table.tsx';
import { useWords } from '../kit/words.tsx';
import { ImageText } from './image-text.tsx';
import { planWords } from './plan-words.ts';
import { stackWords } from './words.ts';

type Change = Plan['changes'][number];

const CHANGE_TONES: Record<Change['change'], Tone> = {
  add: 'good',
  replace: 'accent',
  remove: 'warn',
  none: 'neutral',
};

/** What a deployment would do, whole: nothing of a plan is left out. */
export function PlanView({ plan }: { plan: Plan }) {
  const words = useWords(planWords);
  const names = useWords(stackWords);
  const heading = useId();
  const { release, configVersion, restores, changes, warnings, bytes } = plan;
  const what = [
    release === null ? words.newRelease : names.release(release),
    words.variablesVersion(configVersion),
    ...(restores === null ? [] : [words.asBefore(restores)]),
  ];
  return (
    <section aria-labelledby={heading} className="grid gap-3">
      <div>
        <h3 id={heading} className="font-semibold">
          {words.plan}
        </h3>
        <p className="text-sm text-muted">
          {what.join(' · ')}
          {changes.every(({ change }) => change === 'none') && ` · ${words.noImageChanges}`}
        </p>
      </div>
      <ul className="grid gap-2">
        {changes.map((change) => (
          <ChangeItem key={change.service} change={change} />
        ))}
      </ul>
      <Facts
        facts={[
          [words.variables, <Variables key="variables" plan={plan} />],
          [words.targets, <Targets key="targets" plan={plan} />],
          [words.bytes, bytes > 0 ? words.bytesMost(formatBytes(bytes)) : words.bytesNone],
        ]}
      />
      {warnings.length > 0 && (
        <Notice tone="warn" title={words.warnings(warnings.length)}>
          <Lines lines={warnings} />
        </Notice>
      )}
    </section>
  );
}

function ChangeItem({ change: { service, change, from, to, order, why, health } }: { change: Change }) {
  const words = useWords(planWords);
  const moved = from?.digest !== to?.digest;
  return (
    <li className="rounded-md border border-line bg-surface px-3 py-2">
      <div className="flex flex-wrap items-center gap-x-2 gap-y-1">
        <span className="font-semibold break-all">{service}</span>
        <Badge tone={CHANGE_TONES[change]}>{words.changes[change]}</Badge>
      </div>
      {(from !== null || to !== null) && (
        <p className="mt-1 flex flex-wrap items-baseline gap-x-2">
          {moved && change !== 'add' && (
            <>
              <span className="sr-only">{words.from}</span>
              {from === null ? <span className="text-muted">{words.nothing}</span> : <ImageText image={from} />}
              <ArrowRight className="size-4 shrink-0 self-center text-muted" aria-hidden="true" />
              <span className="sr-only">{words.to}</span>
            </>
          )}
          {to === null ? <span className="text-muted">{words.nothing}</span> : <ImageText image={to} />}
        </p>
      )}
      {change === 'replace' && !moved && <p className="text-sm text-muted">{words.fileOnly}</p>}
      {order !== null && (
        <p className={order === 'stop-first' ? 'text-sm text-warn' : 'text-sm text-muted'}>
          {words.orders[order]}
          {why !== '' && `, ${words.because(why)}`}
        </p>
      )}
      {order === null && why !== '' && <p className="text-sm text-muted">{why}</p>}
      {health !== '' && change !== 'remove' && <p className="text-sm text-muted">{words.healthyWhen(health)}</p>}
    </li>
  );
}

function Variables({ plan }: { plan: Plan }): ReactNode {
  const words = useWords(planWords);
  const { added, changed, removed } = plan.variables;
  const lines = [
    ...(added.length > 0 ? [words.variablesAdded(added.join(', '))] : []),
    ...(changed.length > 0 ? [words.variablesChanged(changed.join(', '))] : []),
    ...(removed.length > 0 ? [words.variablesRemoved(removed.join(', '))] : []),
  ];
  return lines.length === 0 ? words.variablesSame : <Lines lines={lines} />;
}

function Targets({ plan: { targets } }: { plan: Plan }) {
  const words = useWords(planWords);
  const names = useWords(stackWords);
  if (targets.length === 0) return <span className="text-warn">{words.noTargets}</span>;
  const online = targets.filter((target) => target.online).length;
  return (
    <div className="grid gap-1">
      <ul className="flex flex-wrap gap-x-3 gap-y-1">
        {targets.map((target) => (
          <li key={target.name} className="inline-flex items-center gap-1.5">
            {target.name}
            {!target.online && (
              <Badge tone="warn" icon={<TriangleAlert className="size-3" aria-hidden="true" />}>
                {names.offline}
              </Badge>
            )}
          </li>
        ))}
      </ul>
      {online === 0 && <p className="text-sm text-warn">{words.allOffline}</p>}
      {online > 0 && online < targets.length && <p className="text-sm text-muted">{words.offlineGoesOn}</p>}
    </div>
  );
}

/** Sentences of the server's, each on a line of its own. */
export function Lines({ lines }: { lines: readonly string[] }) {
  return (
    <ul className="grid gap-1">
      {lines.map((line) => (
        <li key={line} className="wrap-anywhere">
          {line}
        </li>
      ))}
    </ul>
  );
}
