import { Check } from 'lucide-react';
import { useId } from 'react';
import type { TargetPhase, TargetResult } from '../../api/deployments.ts';
import { Badge } from '../kit/badge.tsx';
import { classes } from '../kit/classes.ts';
import { Ago, formatBytes } from '../kit/figures.tsx';
import { Notice } from '../kit/page.tsx';
import { useWords } from '../kit/words.tsx';
import { PHASE_TONES } from './deployment-state.ts';
import { deploymentWords } from './deployment-words.ts';
import { Lines } from './plan-view.tsx';
import { plainText } from './terminal-text.ts';
import { stackWords } from './words.ts';

/** How far a deployment is on one server, and what it said last. */
export function TargetItem({ target }: { target: TargetResult }) {
  const words = useWords(deploymentWords);
  const names = useWords(stackWords);
  const heading = useId();
  const { target: name, phase, online, pull, error, warnings, log, updatedAt } = target;
  const shown = log === null ? '' : plainText(log);
  return (
    <li aria-labelledby={heading} className="grid grid-cols-1 gap-3 rounded-lg border border-line bg-surface p-4">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <h3 id={heading} className="font-semibold break-all">
          {name}
        </h3>
        <Badge tone={PHASE_TONES[phase]}>{words.phases[phase]}</Badge>
        {!online && <Badge tone="warn">{names.offline}</Badge>}
        {updatedAt !== null && (
          <span className="text-sm text-muted">
            {words.updated} <Ago at={updatedAt} />
          </span>
        )}
      </div>
      <Steps name={name} phase={phase} />
      {phase === 'pulling' && pull !== null && pull.total > 0 && <Pull name={name} {...pull} />}
      {error !== null && (
        <Notice tone="bad" title={words.error}>
          <p className="wrap-anywhere">{plainText(error)}</p>
        </Notice>
      )}
      {warnings.length > 0 && (
        <Notice tone="warn" title={words.warning}>
          <Lines lines={warnings.map(plainText)} />
        </Notice>
      )}
      {shown !== '' && (
        <figure>
          <figcaption className="mb-1 text-sm font-medium">{words.logOf(name)}</figcaption>
          <section
            tabIndex={0}
            aria-label={words.logOf(name)}
            className="max-h-96 overflow-auto rounded-md border border-line bg-sunken p-3"
          >
            <pre className="font-mono text-sm">{shown}</pre>
          </section>
        </figure>
      )}
    </li>
  );
}

function Pull({ name, bytes, total }: { name: string; bytes: number; total: number }) {
  const words = useWords(deploymentWords);
  const percent = Math.floor(Math.min(bytes / total, 1) * 100);
  const text = words.pulled(formatBytes(bytes), formatBytes(total), percent);
  return (
    <div className="grid gap-1">
      <div
        role="progressbar"
        aria-label={words.pullOf(name)}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={percent}
        aria-valuetext={text}
        className="h-2.5 overflow-hidden rounded-full border border-edge bg-sunken"
      >
        <div className="h-full bg-accent-strong transition-[width]" style={{ width: `${percent}%` }} />
      </div>
      <span className="text-sm text-muted tabular-nums" aria-hidden="true">
        {text}
      </span>
    </div>
  );
}

const STEPS = ['pulling', 'migrating', 'switching', 'monitoring', 'stable'] as const;

/** The way of a deployment that goes well; a server that went off it has its phase beside its name. */
function Steps({ name, phase }: { name: string; phase: TargetPhase }) {
  const words = useWords(deploymentWords);
  const at = stepOf(phase);
  if (at === undefined) return null;
  // Whether there are migrations is seen only while they run.
  const steps = STEPS.filter((step) => step !== 'migrating' || phase === 'migrating');
  return (
    <ol aria-label={words.stepsOf(name)} className="flex flex-wrap gap-x-1 gap-y-2">
      {steps.map((step, index) => {
        const order = STEPS.indexOf(step);
        const state = order < at || phase === 'stable' ? 'done' : order === at ? 'now' : 'later';
        return (
          <li
            key={step}
            {...(state === 'now' ? { 'aria-current': 'step' as const } : {})}
            className={classes(
              'inline-flex items-center gap-1.5 rounded-full px-2.5 py-0.5 text-sm',
              state === 'done' && 'bg-good-soft text-good',
              state === 'now' && 'bg-accent-soft font-semibold text-accent',
              state === 'later' && 'bg-sunken text-muted',
            )}
          >
            {state === 'done' ? (
              <Check className="size-3.5" aria-hidden="true" />
            ) : (
              <span aria-hidden="true">{index + 1}</span>
            )}
            {words.steps[step]}
            <span className="sr-only">: {words[state]}</span>
          </li>
        );
      })}
    </ol>
  );
}

/** The place on the way; -1 before it, undefined for a phase that is off it. */
function stepOf(phase: TargetPhase): number | undefined {
  switch (phase) {
    case 'pending':
      return -1;
    case 'pulling':
      return 0;
    case 'pulled':
    case 'migrating':
      return 1;
    case 'switching':
      return 2;
    case 'monitoring':
      return 3;
    case 'stable':
      return 4;
    case 'reverting':
    case 'reverted':
    case 'failed':
    case 'revert-failed':
      return undefined;
  }
}
