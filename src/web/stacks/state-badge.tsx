import {
  Ban,
  CircleCheck,
  CircleDashed,
  CircleX,
  Eye,
  History,
  LoaderCircle,
  type LucideIcon,
  ShieldCheck,
  TriangleAlert,
  Undo2,
} from 'lucide-react';
import { Badge } from '../kit/badge.tsx';
import { useWords } from '../kit/words.tsx';
import { type DeploymentState, STATE_TONES } from './deployment-state.ts';
import { stackWords } from './words.ts';

export const STATE_SIGNS: Record<DeploymentState, LucideIcon> = {
  queued: CircleDashed,
  progress: LoaderCircle,
  watched: Eye,
  stable: ShieldCheck,
  replaced: CircleCheck,
  undone: Undo2,
  'going-back': History,
  'rolled-back': Undo2,
  failed: CircleX,
  unknown: TriangleAlert,
  cancelled: Ban,
  superseded: Ban,
};

/** The state of a deployment in a word or two. */
export function StateBadge({ state }: { state: DeploymentState }) {
  const words = useWords(stackWords);
  const Sign = STATE_SIGNS[state];
  return (
    <Badge
      tone={STATE_TONES[state]}
      icon={<Sign className={`size-3.5 shrink-0 ${state === 'progress' ? 'animate-spin' : ''}`} aria-hidden="true" />}
    >
      {words.states[state]}
    </Badge>
  );
}
