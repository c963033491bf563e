import { Link } from '@tanstack/react-router';
import { type RefObject, useEffect, useRef, useState } from 'react';
import { Badge } from '../kit/badge.tsx';
import { useWords } from '../kit/words.tsx';
import { environmentLink } from '../places.ts';
import { stateOf } from './deployment-state.ts';
import { type EnvironmentPlace, useStatus } from './queries.ts';
import { StateBadge } from './state-badge.tsx';
import { stackWords } from './words.ts';

/** How often a list asks, ms: it has many. */
const LIST_MS = 15_000;

/** An environment of a list with its state in a word. It is asked for when it can be seen: a list may have hundreds. */
export function EnvironmentChip({ place }: { place: EnvironmentPlace }) {
  const ref = useRef<HTMLSpanElement>(null);
  const seen = useSeen(ref);
  return (
    <span ref={ref} className="inline-flex min-h-7 flex-wrap items-center gap-x-1.5">
      <Link className="text-accent underline" {...environmentLink(place.name, place.environment)}>
        {place.environment}
      </Link>
      {seen && <State place={place} />}
    </span>
  );
}

function State({ place }: { place: EnvironmentPlace }) {
  const words = useWords(stackWords);
  const status = useStatus(place, LIST_MS).data;
  if (status === undefined) return null;
  const { current } = status;
  if (current === null) return <Badge>{words.nothingYet}</Badge>;
  return <StateBadge state={stateOf(current, { current: current.number })} />;
}

/** Whether an element was in the window yet, or nearly. */
function useSeen(ref: RefObject<HTMLElement | null>): boolean {
  const [seen, setSeen] = useState(false);
  useEffect(() => {
    const element = ref.current;
    if (element === null || seen) return;
    const observer = new IntersectionObserver(
      (entries) => entries.some(({ isIntersecting }) => isIntersecting) && setSeen(true),
      { rootMargin: '200px' },
    );
    observer.observe(element);
    return () => observer.disconnect();
  }, [ref, seen]);
  return seen;
}
